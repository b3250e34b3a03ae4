//! Drafts that a desk could open twice: what is durable before one is posted, and what counts as opened.

use crate::databases::both;
use crate::world::*;
use embargod::report::*;
use embargod::store::*;
use jiff::Timestamp;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

/// A case with a draft and its row.
async fn drafted(store: &Store, vault: &Vault, serial: u32) -> CaseId {
    let now = store.now().await.unwrap();
    let (mail, case) = (opened_mail(store, vault).await, CaseId::new("KATA", 2026, serial));
    let mut tx = store.begin().await.unwrap();
    tx.insert_case(&new_case(vault, &case, now)).await.unwrap();
    let draft = NewDraft {
        case: case.clone(),
        mail: mail.clone(),
        marker: vault.digest(Lookup::Alert, &[&serial.to_be_bytes()]),
        body: sealed(vault, Purpose::DraftBody, &case.to_string(), b"body"),
        state: DraftState::Pending,
        created: now,
    };
    assert!(tx.insert_draft(&draft).await.unwrap());
    let row = NewRow { case: Some(case.clone()), ..row(vault, &mail, RowKind::Draft, None, now) };
    assert!(tx.enqueue(&row, now).await.unwrap());
    tx.commit().await.unwrap();
    case
}

async fn claim(store: &Store, owner: &Owner, now: Timestamp) -> Vec<Claim> {
    store.claim(owner, &[RowKind::Draft], now, LEASE, 10).await.unwrap()
}

#[tokio::test]
async fn that_a_draft_is_about_to_be_posted_is_durable_before_and_outlives_its_holder() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let case = drafted(&store, &vault, 1).await;
        let (first, second) = (owner(&vault), owner(&vault));
        let held = claim(&store, &first, later(now, 1)).await.remove(0);
        assert!(!held.was_sending);
        assert!(store.begin_draft(&first, &held, &case, later(now, 20), LEASE).await.unwrap());
        assert_eq!(store.draft(&case).await.unwrap().unwrap().state, DraftState::Sending);
        // The lease is whole again: it is not over when the first one would have been.
        assert!(claim(&store, &second, later(now, 45)).await.is_empty(), "{}", empty.name);
        let successor = claim(&store, &second, later(now, 120)).await.remove(0);
        assert!(successor.was_sending, "{}: it may have been posted", empty.name);
    }
}

#[tokio::test]
async fn a_holder_that_was_frozen_does_not_get_to_post() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let case = drafted(&store, &vault, 1).await;
        let (frozen, successor) = (owner(&vault), owner(&vault));
        let old = claim(&store, &frozen, later(now, 1)).await.remove(0);
        assert!(!store.begin_draft(&frozen, &old, &case, later(now, 32), LEASE).await.unwrap(), "its lease is over");
        let new = claim(&store, &successor, later(now, 33)).await.remove(0);
        assert!(!store.begin_draft(&frozen, &old, &case, later(now, 34), LEASE).await.unwrap(), "it is another's");
        assert_eq!(store.draft(&case).await.unwrap().unwrap().state, DraftState::Pending, "{}", empty.name);
        assert!(store.begin_draft(&successor, &new, &case, later(now, 34), LEASE).await.unwrap(), "{}", empty.name);
    }
}

#[tokio::test]
async fn a_draft_that_may_have_been_opened_counts_until_it_is_known() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (case, me) = (drafted(&store, &vault, 1).await, owner(&vault));
        let held = claim(&store, &me, later(now, 1)).await.remove(0);
        assert_eq!(store.drafts_opened_since(now).await.unwrap(), 0);
        assert!(store.begin_draft(&me, &held, &case, later(now, 2), LEASE).await.unwrap());
        assert_eq!(store.drafts_opened_since(now).await.unwrap(), 1, "{}: under way", empty.name);
        let unknown = Outcome::Held { why: "unknown-outcome".into() };
        assert!(store.settle_rows(&me, &[held.met(unknown)], later(now, 3)).await.unwrap().is_empty());
        assert_eq!(store.drafts_opened_since(now).await.unwrap(), 1, "{}: held", empty.name);
        assert_eq!(store.drafts_opened_since(later(now, 4)).await.unwrap(), 0, "{}: long ago", empty.name);
        let link = sealed(&vault, Purpose::DraftLink, &case.to_string(), b"https://example.org/1");
        store.set_draft(&case, DraftState::Opened, Some(link), later(now, 5)).await.unwrap();
        assert_eq!(store.drafts_opened_since(now).await.unwrap(), 1, "{}: opened, and counted once", empty.name);
    }
}

#[tokio::test]
async fn links_of_opened_drafts_come_the_latest_first() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let mut cases = Vec::new();
        for serial in 1..=4 {
            cases.push(drafted(&store, &vault, serial).await);
        }
        for (case, at) in [(&cases[0], 10), (&cases[1], 30), (&cases[2], 20)] {
            let link = sealed(&vault, Purpose::DraftLink, &case.to_string(), case.to_string().as_bytes());
            store.set_draft(case, DraftState::Opened, Some(link), later(now, at)).await.unwrap();
        }
        store.set_draft(&cases[3], DraftState::Sending, None, now).await.unwrap();
        let links = store.draft_links(2).await.unwrap();
        let found: Vec<_> = links.iter().map(|(case, _)| case.clone()).collect();
        assert_eq!(found, [cases[1].clone(), cases[2].clone()], "{}", empty.name);
        for (case, link) in links {
            let link = vault.unseal(Purpose::DraftLink, &case.to_string(), link).unwrap();
            assert_eq!(link.len(), case.to_string().len());
        }
    }
}
