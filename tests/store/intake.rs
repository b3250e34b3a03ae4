//! Taking mails in and handing them out for opening.

use crate::databases::both;
use crate::world::*;
use embargod::report::*;
use embargod::store::*;

#[tokio::test]
async fn the_same_mail_is_stored_once_however_often_and_wherever_it_is_found() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (first, second, third) = (new_mail_id(&vault), new_mail_id(&vault), new_mail_id(&vault));
        let inbox = arrived_at(&vault, &first, "inbox/1", b"one", now);
        // The same content in another folder, in the same batch, and another mail.
        let junk = arrived_at(&vault, &second, "junk/7", b"one", now);
        let other = arrived_at(&vault, &third, "inbox/2", b"two", now);
        let taken = store.take_in(&[inbox, junk, other]).await.unwrap();
        assert_eq!(taken, [Taken::New, Taken::Duplicate(first.clone()), Taken::New], "{}", empty.name);

        // The same place again, whatever is there now: it was taken in.
        let again = arrived_at(&vault, &new_mail_id(&vault), "junk/7", b"three", now);
        assert_eq!(store.take_in(&[again]).await.unwrap(), [Taken::Duplicate(first)]);
        for (place, known) in [("inbox/1", true), ("junk/7", true), ("inbox/2", true), ("inbox/3", false)] {
            let source = vault.digest(Lookup::Source, &[place.as_bytes()]);
            assert_eq!(store.known_source(&source).await.unwrap(), known, "{place}");
        }
        assert_eq!(store.mails_waiting().await.unwrap().count, 2);
    }
}

#[tokio::test]
async fn mails_are_handed_out_in_order_of_receipt_and_no_more_than_fit() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let ids: Vec<MailId> = (0..4).map(|_| new_mail_id(&vault)).collect();
        for (place, at) in [(2, 20), (0, 0), (3, 30), (1, 10)] {
            let text = vec![b'x'; 100 + place];
            store.take_in(&[arrived(&vault, &ids[place], &text, later(now, at))]).await.unwrap();
        }
        let names = |mails: &[StoredMail]| mails.iter().map(|mail| mail.id.clone()).collect::<Vec<_>>();
        let two = store.begin_opening(10, 250).await.unwrap();
        assert_eq!(names(&two), ids[..2], "{}", empty.name);
        assert!(two.iter().all(|mail| mail.attempts == 0 && !mail.suspect));
        let one = store.begin_opening(10, 1).await.unwrap();
        assert_eq!(names(&one), ids[2..3], "one is handed out even if it is too large");
        store.put_back(&two).await.unwrap();
        assert_eq!(names(&store.begin_opening(3, u64::MAX).await.unwrap()), [&ids[..2], &ids[3..]].concat());
        assert!(store.begin_opening(3, u64::MAX).await.unwrap().is_empty(), "all are out");
    }
}

#[tokio::test]
async fn a_mail_that_kills_the_process_is_charged_and_the_innocent_beside_it_are_not() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (innocent, deadly) = (new_mail_id(&vault), new_mail_id(&vault));
        store.take_in(&[arrived(&vault, &innocent, b"good", now)]).await.unwrap();
        store.take_in(&[arrived(&vault, &deadly, b"bomb", later(now, 1))]).await.unwrap();
        assert_eq!(store.begin_opening(10, u64::MAX).await.unwrap().len(), 2);
        // The process died. The next one opens them one at a time.
        assert_eq!(store.recover().await.unwrap(), 2);
        let first = store.begin_opening(10, u64::MAX).await.unwrap();
        assert_eq!(
            first.iter().map(|mail| (&mail.id, mail.attempts, mail.suspect)).collect::<Vec<_>>(),
            [(&innocent, 1, true)]
        );
        assert!(store.begin_opening(10, u64::MAX).await.unwrap().is_empty(), "{}: it is alone in flight", empty.name);
        settle(&store, &vault, &first[0], MailState::Opened).await.unwrap();
        for attempt in 1..=5 {
            let alone = store.begin_opening(10, u64::MAX).await.unwrap();
            assert_eq!(alone.iter().map(|mail| (&mail.id, mail.attempts)).collect::<Vec<_>>(), [(&deadly, attempt)]);
            assert_eq!(store.recover().await.unwrap(), 1);
        }
        let last = store.begin_opening(10, u64::MAX).await.unwrap().remove(0);
        assert_eq!(last.attempts, 6);
        settle(&store, &vault, &last, MailState::Quarantined).await.unwrap();
        let waiting = store.mails_waiting().await.unwrap();
        assert_eq!((waiting.count, waiting.quarantined, waiting.oldest), (0, 1, None));
        assert_eq!(store.mail(&innocent).await.unwrap().unwrap().attempts, 1);
    }
}

#[tokio::test]
async fn what_a_frozen_opener_writes_late_is_void() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let mail = new_mail_id(&vault);
        store.take_in(&[arrived(&vault, &mail, b"text", now)]).await.unwrap();
        let frozen = store.begin_opening(1, u64::MAX).await.unwrap().remove(0);
        store.recover().await.unwrap();
        let successor = store.begin_opening(1, u64::MAX).await.unwrap().remove(0);
        store.put_back(std::slice::from_ref(&frozen)).await.unwrap();
        assert!(
            matches!(settle(&store, &vault, &frozen, MailState::Opened).await, Err(StoreError::Fenced)),
            "{}",
            empty.name
        );
        settle(&store, &vault, &successor, MailState::Opened).await.unwrap();
        assert!(
            matches!(settle(&store, &vault, &successor, MailState::Opened).await, Err(StoreError::Fenced)),
            "twice"
        );
    }
}

#[tokio::test]
async fn an_undone_transaction_leaves_nothing_and_gives_the_case_number_back() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let mail = opened_mail(&store, &vault).await;
        let draft = |case: &CaseId| NewDraft {
            case: case.clone(),
            mail: mail.clone(),
            marker: vault.digest(Lookup::Alert, &[b"marker"]),
            body: sealed(&vault, Purpose::DraftBody, &case.to_string(), b"{}"),
            state: DraftState::Pending,
            created: now,
        };
        for keep in [false, true] {
            let mut tx = store.begin().await.unwrap();
            let case = CaseId::new("A-B", 2026, tx.new_case("A-B", 2026).await.unwrap());
            assert_eq!(case.to_string(), "A-B-2026-0001");
            // What refers to the case may come before it.
            tx.remember_message_id(&vault.message_id_digest("1@x"), &case, &mail, MessageKind::Received).await.unwrap();
            assert!(tx.enqueue(&row(&vault, &mail, RowKind::Draft, None, now), now).await.unwrap());
            assert!(
                !tx.enqueue(&row(&vault, &mail, RowKind::Draft, None, now), now).await.unwrap(),
                "one draft a mail"
            );
            assert!(tx.insert_draft(&draft(&case)).await.unwrap());
            tx.insert_case(&new_case(&vault, &case, now)).await.unwrap();
            tx.audit(&vault, now, "case-opened", &case.to_string()).await.unwrap();
            if keep {
                tx.commit().await.unwrap();
            } else {
                drop(tx);
                assert!(store.cases().await.unwrap().is_empty(), "{}", empty.name);
                assert!(store.rows(&RowFilter::default()).await.unwrap().is_empty());
                assert!(store.audit_entries().await.unwrap().is_empty());
            }
        }
        assert_eq!(store.cases().await.unwrap().len(), 1);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.new_case("A-B", 2026).await.unwrap(), 2);
        assert_eq!(tx.new_case("A-B", 2027).await.unwrap(), 1, "each year begins anew");
        // Nothing may refer to a mail or a case that is not there.
        let nowhere = row(&vault, &new_mail_id(&vault), RowKind::Notice, None, now);
        let refused = match tx.enqueue(&nowhere, now).await {
            Ok(_) => tx.commit().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(refused, StoreError::Database(_)), "{refused}");
    }
}

async fn settle(store: &Store, vault: &Vault, mail: &StoredMail, state: MailState) -> Result<()> {
    let mut tx = store.begin().await?;
    tx.settle_mail(&Settlement { state, ..opened(vault, mail, None) }).await?;
    tx.commit().await
}
