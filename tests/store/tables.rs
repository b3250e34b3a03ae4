//! What is remembered: what was seen, drafts, Message-IDs, case states, the audit log.

use crate::databases::{Empty, both};
use crate::world::*;
use embargod::report::*;
use embargod::store::*;
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[tokio::test]
async fn a_payload_seen_before_names_its_first_mail_and_case() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (first, second) = (opened_mail(&store, &vault).await, opened_mail(&store, &vault).await);
        let payload = vault.digest(Lookup::Payload, &[b"payload"]);
        let case = CaseId::new("KATA", 2026, 1);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.remember(SeenKind::Payload, &payload, Some(&first), Some(&case), now).await.unwrap(), None);
        tx.commit().await.unwrap();
        let before = Some(SeenBefore { mail: Some(first.clone()), case: Some(case), at: now });
        let mut tx = store.begin().await.unwrap();
        let again = tx.remember(SeenKind::Payload, &payload, Some(&second), None, later(now, 60)).await.unwrap();
        assert_eq!(again, before, "{}", empty.name);
        assert_eq!(tx.remember(SeenKind::Signed, &payload, None, None, now).await.unwrap(), None, "kinds are apart");
        tx.commit().await.unwrap();
        assert_eq!(store.seen(SeenKind::Payload, &payload).await.unwrap(), before);
        assert_eq!(store.seen(SeenKind::Alert, &payload).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_reply_finds_its_case_by_the_first_known_message_id_and_nobody_takes_one_over() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let vault = vault();
        let (one, two) = (opened_case(&store, &vault).await, opened_case(&store, &vault).await);
        let digest = |id: &str| vault.message_id_digest(id);
        let mut tx = store.begin().await.unwrap();
        tx.remember_message_id(&digest("a@x"), &one.0, &one.1, MessageKind::Received).await.unwrap();
        tx.remember_message_id(&digest("b@x"), &two.0, &two.1, MessageKind::Copy).await.unwrap();
        // Mallory writes a mail with Eve's Message-ID.
        tx.remember_message_id(&digest("a@x"), &two.0, &two.1, MessageKind::Received).await.unwrap();
        assert_eq!(tx.case_by_message_id(&[digest("a@x")]).await.unwrap().map(|known| known.case), Some(one.0.clone()));
        tx.commit().await.unwrap();
        let mut references: Vec<Digest> = (0..120).map(|n| digest(&format!("unknown{n}@x"))).collect();
        assert_eq!(store.case_by_message_id(&references).await.unwrap(), None);
        references.extend([digest("b@x"), digest("a@x")]);
        let expected = KnownMessage { case: two.0, mail: two.1, kind: MessageKind::Copy };
        assert_eq!(store.case_by_message_id(&references).await.unwrap(), Some(expected), "{}", empty.name);
        references.reverse();
        assert_eq!(store.case_by_message_id(&references).await.unwrap().map(|known| known.case), Some(one.0));
        assert_eq!(store.case_by_message_id(&[]).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_draft_is_frozen_and_its_opening_is_counted_once() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (case, mail) = opened_case(&store, &vault).await;
        let draft = |body: &[u8]| NewDraft {
            case: case.clone(),
            mail: mail.clone(),
            marker: vault.digest(Lookup::Alert, &[body]),
            body: sealed(&vault, Purpose::DraftBody, &case.to_string(), body),
            state: DraftState::Pending,
            created: now,
        };
        let mut tx = store.begin().await.unwrap();
        assert!(tx.insert_draft(&draft(b"first")).await.unwrap());
        assert!(!tx.insert_draft(&draft(b"second, longer")).await.unwrap(), "a case has one draft");
        tx.commit().await.unwrap();
        assert_eq!(store.drafts_opened_since(now).await.unwrap(), 0);
        let link = sealed(&vault, Purpose::DraftLink, &case.to_string(), b"https://example.org/GHSA-1");
        assert!(store.set_draft(&case, DraftState::Opened, Some(link.clone()), later(now, 5)).await.unwrap());
        assert!(store.set_draft(&case, DraftState::Opened, None, later(now, 500)).await.unwrap());
        let row = store.draft(&case).await.unwrap().unwrap();
        assert_eq!((row.state, row.opened), (DraftState::Opened, Some(later(now, 5))), "{}", empty.name);
        assert!(row.link == Some(link), "a link stays");
        let body = vault.unseal(Purpose::DraftBody, &case.to_string(), row.body.unwrap()).unwrap();
        assert_eq!(body.len(), b"first".len());
        assert_eq!(store.drafts_opened_since(later(now, 5)).await.unwrap(), 1);
        assert_eq!(store.drafts_opened_since(later(now, 6)).await.unwrap(), 0);
        assert!(!store.set_draft(&CaseId::new("KATA", 1999, 1), DraftState::Failed, None, now).await.unwrap());
    }
}

#[tokio::test]
async fn a_case_keeps_its_contact_through_every_state() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (case, mail) = opened_case(&store, &vault).await;
        let before = store.case(&case).await.unwrap().unwrap();
        assert_eq!((before.state, before.answer_key_confirmed, before.closed), (CaseState::Open, false, None));
        let mut tx = store.begin().await.unwrap();
        assert!(tx.set_case_state(&case, CaseState::Closed, now).await.unwrap());
        assert!(tx.note_answer(&case, now).await.unwrap());
        assert!(!tx.note_answer(&case, later(now, 5)).await.unwrap(), "only the first answer counts");
        assert!(tx.confirm_case(&case).await.unwrap());
        assert!(!tx.set_case_state(&CaseId::new("KATA", 1999, 1), CaseState::Closed, now).await.unwrap());
        tx.commit().await.unwrap();
        let after = store.case(&case).await.unwrap().unwrap();
        assert_eq!(
            (after.state, after.closed, after.first_answer),
            (CaseState::Closed, Some(now), Some(now)),
            "{}",
            empty.name
        );
        assert!(after.answer_key_confirmed && after.contact == before.contact);
        assert_eq!(after.contact_digest, Some(vault.address_digest("Eve@Example.net")));
        let mails = store.case_mails(&case).await.unwrap();
        assert_eq!(mails.iter().map(|row| &row.id).collect::<Vec<_>>(), [&mail]);
        let mut tx = store.begin().await.unwrap();
        tx.set_case_state(&case, CaseState::Open, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.case(&case).await.unwrap().unwrap().closed, None, "opened again");
    }
}

#[tokio::test]
async fn no_entry_of_the_audit_log_can_be_changed_put_in_or_taken_out_unnoticed() {
    let tampering = [
        ("UPDATE audit SET subject = 'KATA-2026-0009' WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("UPDATE audit SET seq = 0 - seq WHERE seq = 2", -2),
        ("INSERT INTO audit SELECT seq + 10, at, action, subject, link FROM audit WHERE seq = 4", 5),
        ("UPDATE audit SET link = 'x' WHERE seq = 4", 4),
    ];
    for (sql, broken) in tampering {
        for empty in both().await {
            let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
            let (vault, now) = (vault(), store.now().await.unwrap());
            assert_eq!(store.verify_audit(&vault).await.unwrap(), AuditVerdict::Intact { entries: 0 });
            for serial in 1..=4 {
                let mut tx = store.begin().await.unwrap();
                let case = CaseId::new("KATA", 2026, serial);
                tx.audit(&vault, now, "contact-shown", &case.to_string()).await.unwrap();
                tx.commit().await.unwrap();
            }
            assert_eq!(store.verify_audit(&vault).await.unwrap(), AuditVerdict::Intact { entries: 4 });
            assert_eq!(store.audit_entries().await.unwrap()[3].subject, "KATA-2026-0004");
            assert!(
                store.verify_audit(&self::vault()).await.unwrap() == AuditVerdict::Broken { seq: 1 },
                "another key"
            );
            behind_its_back(&empty, sql).await;
            assert_eq!(
                store.verify_audit(&vault).await.unwrap(),
                AuditVerdict::Broken { seq: broken },
                "{}: {sql}",
                empty.name
            );
        }
    }
}

#[tokio::test]
async fn the_audit_log_takes_ids_and_no_addresses() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        for subject in ["eve@example.net", "heap overflow", "", "a\nb"] {
            let mut tx = store.begin().await.unwrap();
            let refused = tx.audit(&vault, now, "contact-shown", subject).await;
            assert!(matches!(refused, Err(StoreError::NotAnId)), "{}: {subject:?}", empty.name);
        }
    }
}

#[tokio::test]
async fn the_clock_is_the_databases_and_can_be_turned_in_tests() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let here = jiff::Timestamp::now().as_millisecond();
        let now = store.now().await.unwrap().as_millisecond();
        assert!((now - here).abs() < 2_000, "{}: {now} and {here}", empty.name);
        let shift = Arc::new(AtomicI64::new(3_600_000));
        let ahead = store.clone().with_clock(Clock::Shifted(shift)).now().await.unwrap().as_millisecond();
        assert!((3_600_000..3_610_000).contains(&(ahead - now)));
        let time = Arc::new(AtomicI64::new(1_000));
        let fixed = store.clone().with_clock(Clock::Fixed(time.clone()));
        assert_eq!(fixed.now().await.unwrap().as_millisecond(), 1_000);
        time.store(2_000, Ordering::Relaxed);
        assert_eq!(fixed.now().await.unwrap().as_millisecond(), 2_000);
    }
}

/// Opens a case with one mail.
async fn opened_case(store: &Store, vault: &Vault) -> (CaseId, MailId) {
    let now = store.now().await.unwrap();
    let mail = new_mail_id(vault);
    store.take_in(&[arrived(vault, &mail, mail.as_str().as_bytes(), now)]).await.unwrap();
    let handed = store.begin_opening(1, u64::MAX).await.unwrap().remove(0);
    let mut tx = store.begin().await.unwrap();
    let case = CaseId::new("KATA", 2026, tx.new_case("KATA", 2026).await.unwrap());
    tx.insert_case(&new_case(vault, &case, now)).await.unwrap();
    tx.settle_mail(&opened(vault, &handed, Some(&case))).await.unwrap();
    tx.commit().await.unwrap();
    (case, mail)
}

async fn behind_its_back(empty: &Empty, sql: &str) {
    let mut connection = sqlx::AnyConnection::connect(&empty.url()).await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}
