//! Claiming rows, their fates, and what an admin does about them.

use crate::databases::both;
use crate::world::*;
use embargod::store::*;
use jiff::Timestamp;
use std::slice::from_ref;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_rows_of_a_mail_come_together_and_the_longest_waiting_mail_first() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (young, old) = (opened_mail(&store, &vault).await, opened_mail(&store, &vault).await);
        let mut tx = store.begin().await.unwrap();
        for (mail, due) in [(&young, -10), (&old, -60)] {
            for to in ["alice", "bob", "carol"] {
                tx.enqueue(&row(&vault, mail, RowKind::Copy, Some(vault.address_digest(to)), later(now, due)), now)
                    .await
                    .unwrap();
            }
            tx.enqueue(&row(&vault, mail, RowKind::Draft, None, now), now).await.unwrap();
        }
        tx.enqueue(&row(&vault, &old, RowKind::Copy, Some(vault.address_digest("dave")), later(now, 5)), now)
            .await
            .unwrap();
        tx.commit().await.unwrap();

        let me = owner(&vault);
        let first = store.claim(&me, &[RowKind::Copy, RowKind::Notice], now, MINUTE, 1).await.unwrap();
        assert!(first.iter().all(|claim| claim.row.mail == old && claim.row.kind == RowKind::Copy), "{}", empty.name);
        assert_eq!(first.len(), 3, "dave's is not due yet");
        assert!(first.iter().all(|claim| claim.row.attempts == 1 && !claim.was_sending));
        let second = store.claim(&me, &[RowKind::Copy], now, MINUTE, 1).await.unwrap();
        assert_eq!(second.iter().filter(|claim| claim.row.mail == young).count(), 3);
        assert_eq!(store.claim(&me, &[RowKind::Draft], now, MINUTE, 10).await.unwrap().len(), 2);
        assert!(store.claim(&me, RowKind::ALL, now, MINUTE, 10).await.unwrap().is_empty(), "all are taken");
        assert_eq!(store.next_due().await.unwrap(), Some(later(now, 5)));
        assert_eq!(store.bring_forward(&old, RowKind::Copy, now).await.unwrap(), 1);
        assert_eq!(store.claim(&me, RowKind::ALL, now, MINUTE, 10).await.unwrap().len(), 1, "dave's came forward");
    }
}

#[tokio::test]
async fn each_fate_is_kept_and_a_retry_comes_when_it_is_due() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let mail = opened_mail(&store, &vault).await;
        for to in ["a", "b", "c", "d", "e"] {
            enqueued(&store, &vault, &mail, RowKind::Copy, to).await;
        }
        let (me, now) = (owner(&vault), later(now, 1));
        let claims = store.claim(&me, RowKind::ALL, now, MINUTE, 1).await.unwrap();
        let outcomes = [
            Outcome::Sent,
            Outcome::Retry { due: later(now, 30), why: "smtp-451".into() },
            Outcome::Held { why: "certificate-expired".into() },
            // A server's words are no code.
            Outcome::Failed { why: "550 no such user eve@example.net".into() },
            Outcome::Dropped { why: "left-the-team".into() },
        ];
        let fates: Vec<Fate> =
            claims.iter().zip(&outcomes).map(|(claim, outcome)| claim.met(outcome.clone())).collect();
        assert!(store.settle_rows(&me, &fates, now).await.unwrap().is_empty());
        let expected = [
            (RowState::Sent, None),
            (RowState::Pending, Some("smtp-451")),
            (RowState::Held, Some("certificate-expired")),
            (RowState::Failed, Some("other")),
            (RowState::Dropped, Some("left-the-team")),
        ];
        for (claim, (state, why)) in claims.iter().zip(expected) {
            let row = store.row(&claim.row.id).await.unwrap().unwrap();
            assert_eq!((row.state, row.why.as_deref(), row.leased_until), (state, why, None), "{}", empty.name);
        }
        assert_eq!(store.rows(&RowFilter { unfinished: true, ..RowFilter::default() }).await.unwrap().len(), 3);
        let left: u64 =
            store.work_left().await.unwrap().iter().filter(|left| !left.state.is_final()).map(|left| left.count).sum();
        assert_eq!(left, 2);
        assert_eq!(store.next_due().await.unwrap(), Some(later(now, 30)));
        assert!(store.claim(&me, RowKind::ALL, later(now, 29), MINUTE, 1).await.unwrap().is_empty());
        let again = store.claim(&me, RowKind::ALL, later(now, 30), MINUTE, 1).await.unwrap();
        assert_eq!(again.iter().map(|claim| (claim.row.attempts, claim.was_sending)).collect::<Vec<_>>(), [(2, false)]);
    }
}

#[tokio::test]
async fn after_a_crash_while_sending_the_row_comes_again_and_says_so() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let mail = opened_mail(&store, &vault).await;
        enqueued(&store, &vault, &mail, RowKind::Copy, "alice").await;
        enqueued(&store, &vault, &mail, RowKind::Copy, "bob").await;
        let (first, second, third) = (owner(&vault), owner(&vault), owner(&vault));
        let now = later(now, 1);
        let claims = store.claim(&first, RowKind::ALL, now, MINUTE, 1).await.unwrap();
        assert!(store.mark_sending(&first, &claims[..1], now).await.unwrap().is_empty());
        // It crashed. On PostgreSQL others wait for the lease, and a while more for what may have arrived.
        assert!(store.claim(&second, RowKind::ALL, later(now, 59), MINUTE, 1).await.unwrap().is_empty());
        let mut taken = store.claim(&second, RowKind::ALL, later(now, 60), MINUTE, 1).await.unwrap();
        assert!(taken.iter().all(|claim| !claim.was_sending));
        assert!(store.claim(&second, RowKind::ALL, later(now, 99), MINUTE, 1).await.unwrap().is_empty());
        taken.extend(store.claim(&second, RowKind::ALL, later(now, 100), MINUTE, 1).await.unwrap());
        let flags = |claims: &[Claim]| {
            let mut flags: Vec<_> = claims.iter().map(|claim| (claim.row.id.clone(), claim.was_sending)).collect();
            flags.sort();
            flags
        };
        let mut expected = vec![(claims[0].row.id.clone(), true), (claims[1].row.id.clone(), false)];
        expected.sort();
        assert_eq!(flags(&taken), expected, "{}", empty.name);
        // On SQLite the next daemon frees the leases at once, and waits only for what may have arrived.
        assert_eq!(store.free_leases(None, &[], now, MINUTE).await.unwrap(), 2);
        let safe = store.claim(&third, RowKind::ALL, now, MINUTE, 1).await.unwrap();
        assert_eq!(flags(&safe), [(claims[1].row.id.clone(), false)]);
        let unsure = store.claim(&third, RowKind::ALL, later(now, 60), MINUTE, 1).await.unwrap();
        assert!(unsure.iter().any(|claim| claim.row.id == claims[0].row.id && claim.was_sending));
        // An end that is not known keeps the row unsure.
        let due = later(now, 200);
        let unsure: Vec<_> = unsure.into_iter().filter(|claim| claim.was_sending).collect();
        let fate = unsure[0].met(Outcome::Ambiguous { due, why: "connection-lost".into() });
        assert!(store.settle_rows(&third, &[fate], now).await.unwrap().is_empty());
        let still = store.claim(&third, RowKind::ALL, due, MINUTE, 1).await.unwrap();
        assert!(still.iter().any(|claim| claim.row.id == unsure[0].row.id && claim.was_sending));
    }
}

#[tokio::test]
async fn a_late_write_of_a_frozen_gateway_is_fenced() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let mail = opened_mail(&store, &vault).await;
        let id = enqueued(&store, &vault, &mail, RowKind::Copy, "alice").await;
        let (frozen, successor) = (owner(&vault), owner(&vault));
        let now = later(now, 1);
        let old = store.claim(&frozen, RowKind::ALL, now, MINUTE, 1).await.unwrap();
        let after = later(now, 61);
        assert_eq!(store.mark_sending(&frozen, &old, after).await.unwrap(), from_ref(&id), "its lease is over");
        let new = store.claim(&successor, RowKind::ALL, after, MINUTE, 1).await.unwrap();
        assert!(new[0].fence > old[0].fence);
        assert_eq!(store.settle_rows(&frozen, &[old[0].met(Outcome::Sent)], after).await.unwrap(), from_ref(&id));
        assert_eq!(store.renew_lease(&frozen, &old, after, MINUTE).await.unwrap(), from_ref(&id));
        assert_eq!(store.row(&id).await.unwrap().unwrap().state, RowState::Pending, "{}", empty.name);
        assert!(store.renew_lease(&successor, &new, after, 2 * MINUTE).await.unwrap().is_empty());
        assert_eq!(store.row(&id).await.unwrap().unwrap().leased_until, Some(later(after, 120)));
        // The same process after its lease was freed and taken again: the fence tells the two claims apart.
        store.free_leases(Some(&successor), &[], after, MINUTE).await.unwrap();
        let again = store.claim(&successor, RowKind::ALL, after, MINUTE, 1).await.unwrap();
        assert_eq!(store.settle_rows(&successor, &[new[0].met(Outcome::Sent)], after).await.unwrap(), from_ref(&id));
        assert!(store.settle_rows(&successor, &[again[0].met(Outcome::Sent)], after).await.unwrap().is_empty());
        assert_eq!(store.settle_rows(&successor, &[again[0].met(Outcome::Sent)], after).await.unwrap(), from_ref(&id));
    }
}

#[tokio::test]
async fn held_rows_are_let_go_by_reason_or_recipient_and_dropped_with_the_member() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let mail = opened_mail(&store, &vault).await;
        let hold = async |to: &str, why: &str| {
            let mut held = row(&vault, &mail, RowKind::Copy, Some(vault.address_digest(to)), now);
            (held.state, held.why) = (RowState::Held, Some(why.into()));
            let mut tx = store.begin().await.unwrap();
            tx.enqueue(&held, now).await.unwrap();
            tx.commit().await.unwrap();
        };
        hold("alice", "certificate-expired").await;
        hold("bob", "certificate-revoked").await;
        hold("carol", "drafts-capped").await;
        hold("dave", "certificate-expired").await;
        assert_eq!(store.drop_for_recipient(&vault.address_digest("dave"), "left-the-team", now).await.unwrap(), 1);
        assert_eq!(store.release_held(HeldBecause::Recipient(&vault.address_digest("alice")), now).await.unwrap(), 1);
        assert_eq!(store.release_held(HeldBecause::Why("certificate-"), now).await.unwrap(), 1, "{}", empty.name);
        assert_eq!(store.release_held(HeldBecause::Why(""), now).await.unwrap(), 1);
        let me = owner(&vault);
        let claims = store.claim(&me, RowKind::ALL, now, MINUTE, 1).await.unwrap();
        assert_eq!(claims.len(), 3);
        // Who leaves while a row of theirs is claimed, but not yet being sent, gets nothing more.
        store.drop_for_recipient(&vault.address_digest("alice"), "left-the-team", now).await.unwrap();
        let lost = store.mark_sending(&me, &claims, now).await.unwrap();
        let alices = claims.iter().find(|claim| claim.row.recipient == Some(vault.address_digest("alice"))).unwrap();
        assert_eq!(lost, from_ref(&alices.row.id));
    }
}

#[tokio::test]
async fn an_admin_retries_and_drops_rows_but_none_that_is_finished() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), later(store.now().await.unwrap(), 1));
        let mail = opened_mail(&store, &vault).await;
        let id = enqueued(&store, &vault, &mail, RowKind::Acknowledgement, "eve").await;
        let me = owner(&vault);
        let claim = store.claim(&me, RowKind::ALL, now, MINUTE, 1).await.unwrap().remove(0);
        assert!(!change(&store, async |tx| tx.retry_row(&id, now).await).await, "{}: it is at work", empty.name);
        store.settle_rows(&me, &[claim.met(Outcome::Failed { why: "refused".into() })], now).await.unwrap();
        assert!(change(&store, async |tx| tx.retry_row(&id, now).await).await);
        let claim = store.claim(&me, RowKind::ALL, now, MINUTE, 1).await.unwrap().remove(0);
        assert!(change(&store, async |tx| tx.drop_row(&id, "by-admin", now).await).await);
        assert_eq!(store.settle_rows(&me, &[claim.met(Outcome::Sent)], now).await.unwrap(), from_ref(&id));
        assert_eq!(store.row(&id).await.unwrap().unwrap().state, RowState::Dropped);
        assert!(!change(&store, async |tx| tx.drop_row(&id, "by-admin", now).await).await);
        assert!(!change(&store, async |tx| tx.retry_row(&id, now).await).await);
        assert_eq!(store.row(&RowId::from_random([7; 16])).await.unwrap().map(|row| row.id), None);
    }
}

#[tokio::test]
async fn recent_acknowledgements_are_counted_for_one_address_and_in_all() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let vault = vault();
        let before: Timestamp = store.now().await.unwrap();
        let mail = opened_mail(&store, &vault).await;
        enqueued(&store, &vault, &mail, RowKind::Acknowledgement, "eve").await;
        enqueued(&store, &vault, &mail, RowKind::Acknowledgement, "mallory").await;
        enqueued(&store, &vault, &mail, RowKind::Copy, "eve").await;
        let eve = vault.address_digest("eve");
        let mut tx = store.begin().await.unwrap();
        let kind = RowKind::Acknowledgement;
        assert_eq!(tx.count_recent(kind, Some(&eve), before).await.unwrap(), 1, "{}", empty.name);
        assert_eq!(tx.count_recent(kind, None, before).await.unwrap(), 2);
        assert_eq!(tx.count_recent(kind, None, later(before, 3600)).await.unwrap(), 0);
    }
}

async fn change(store: &Store, act: impl AsyncFnOnce(&mut Tx) -> Result<bool>) -> bool {
    let mut tx = store.begin().await.unwrap();
    let changed = act(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    changed
}
