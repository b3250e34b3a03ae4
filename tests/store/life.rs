//! One mail's way through the store, across a restart and a new gateway key, and what stays of it on disk.

use crate::databases::both;
use crate::world::*;
use embargod::report::*;
use embargod::store::*;
use std::time::Duration;

#[tokio::test]
async fn a_mail_lives_through_a_restart_a_new_gateway_key_and_a_held_copy() {
    for empty in both().await {
        let (old, new) = (gateway_key(), gateway_key());
        let (mail, case, alice);
        {
            // The first life: a store key is made, a mail arrives, is opened, and a copy has to wait.
            let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
            let now = store.now().await.unwrap();
            let keyring = keyring(&[&old]);
            let key = StoreKey::generate().unwrap();
            assert!(store.create_wrappings(&keyring.wrap(&key), now).await.unwrap());
            let vault = Vault::new(&key).unwrap();
            alice = vault.address_digest("alice@example.org");

            mail = new_mail_id(&vault);
            let taken = store.take_in(&[arrived(&vault, &mail, b"heap overflow in virtiofsd", now)]).await.unwrap();
            assert_eq!(taken, [Taken::New], "{}", empty.name);

            let handed = store.begin_opening(10, u64::MAX).await.unwrap().remove(0);
            let mut tx = store.begin().await.unwrap();
            let serial = tx.new_case("KATA", 2026).await.unwrap();
            case = CaseId::new("KATA", 2026, serial);
            tx.insert_case(&new_case(&vault, &case, now)).await.unwrap();
            tx.settle_mail(&opened(&vault, &handed, Some(&case))).await.unwrap();
            let mut copy = row(&vault, &mail, RowKind::Copy, Some(alice.clone()), now);
            (copy.state, copy.why) = (RowState::Held, Some("certificate-expired".into()));
            assert!(tx.enqueue(&copy, now).await.unwrap());
            tx.commit().await.unwrap();
            store.close().await;
        }
        {
            // The second life: the gateway key was rotated, the old one decrypts for the last time.
            let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
            let now = store.now().await.unwrap();
            let both_keys = keyring(&[&new, &old]);
            let key = unwrap_store_key(&store, &both_keys).await;
            store.replace_wrappings(&both_keys.wrap(&key), now).await.unwrap();
            assert_eq!(store.wrappings().await.unwrap().len(), 2);
            store.replace_wrappings(&keyring(&[&new]).wrap(&key), now).await.unwrap();
            assert_eq!(store.recover().await.unwrap(), 0, "a settled mail is not in flight");
            store.close().await;
        }
        // The third life: only the new key is left, and Alice has renewed her certificate.
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let now = store.now().await.unwrap();
        let keyring = keyring(&[&new]);
        let vault = Vault::new(&unwrap_store_key(&store, &keyring).await).unwrap();
        assert_eq!(alice, vault.address_digest("alice@example.org"), "digests outlive the gateway key");
        let me = owner(&vault);
        assert!(claim_all(&store, &me, now).await.is_empty(), "a held copy waits");
        assert_eq!(store.next_due().await.unwrap(), None);
        assert_eq!(store.release_held(HeldBecause::Recipient(&alice), now).await.unwrap(), 1);

        let claims = claim_all(&store, &me, now).await;
        assert_eq!(claims.len(), 1);
        assert_eq!((&claims[0].row.mail, &claims[0].row.case), (&mail, &None));
        let stored = store.mail(&mail).await.unwrap().unwrap();
        assert_eq!(
            (stored.state, stored.class, stored.case),
            (MailState::Opened, Some(Class::Report), Some(case.clone()))
        );
        let content = vault.unseal(Purpose::Mail, mail.as_str(), stored.content.unwrap()).unwrap();
        assert_eq!(content.len(), b"heap overflow in virtiofsd".len());
        vault.unseal(Purpose::Facts, mail.as_str(), stored.facts.unwrap()).unwrap();
        let row = store.case(&case).await.unwrap().unwrap();
        vault.unseal(Purpose::Contact, &case.to_string(), row.contact.unwrap()).unwrap();
        vault.unseal(Purpose::Subject, &case.to_string(), row.subject.unwrap()).unwrap();

        assert!(store.mark_sending(&me, &claims, now).await.unwrap().is_empty());
        assert!(store.settle_rows(&me, &[claims[0].met(Outcome::Sent)], now).await.unwrap().is_empty());
        assert!(claim_all(&store, &me, later(now, 3600)).await.is_empty(), "it is sent once");
        let left = store.work_left().await.unwrap();
        assert_eq!(
            left.iter().map(|l| (l.kind, l.state, l.count)).collect::<Vec<_>>(),
            [(RowKind::Copy, RowState::Sent, 1)]
        );
        store.close().await;
    }
}

async fn unwrap_store_key(store: &Store, keyring: &Keyring) -> StoreKey {
    let wrappings = store.wrappings().await.unwrap();
    wrappings
        .iter()
        .find_map(|(_, wrapped)| keyring.unwrap(wrapped).ok())
        .expect("a configured key opens the store key")
}

async fn claim_all(store: &Store, owner: &Owner, now: jiff::Timestamp) -> Vec<Claim> {
    store.claim(owner, RowKind::ALL, now, Duration::from_secs(60), 100).await.unwrap()
}
