//! Several gateways, and several tasks of one, at the same time.

use crate::databases::{Empty, both};
use crate::world::*;
use embargod::report::*;
use embargod::store::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// So many stores on one database, each with connections of its own, as if they were processes.
async fn gateways(empty: &Empty, many: usize) -> Vec<Store> {
    let mut stores = vec![Store::open(&empty.database, Mode::Migrate).await.unwrap()];
    for _ in 1..many {
        stores.push(Store::open(&empty.database, Mode::Existing).await.unwrap());
    }
    stores
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_row_is_ever_handed_out_twice_and_no_mail_is_split() {
    for empty in both().await {
        let stores = gateways(&empty, 4).await;
        let vault = Arc::new(vault());
        for _ in 0..12 {
            let mail = opened_mail(&stores[0], &vault).await;
            let now = stores[0].now().await.unwrap();
            let mut tx = stores[0].begin().await.unwrap();
            for to in 0..5 {
                let to = vault.address_digest(&format!("member{to}"));
                tx.enqueue(&row(&vault, &mail, RowKind::Copy, Some(to), now), now).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        let tasks = stores.iter().flat_map(|store| [store.clone(), store.clone()]).map(|store| {
            let me = owner(&vault);
            tokio::spawn(async move {
                let mut got = Vec::new();
                loop {
                    let now = store.now().await.unwrap();
                    let claims = store.claim(&me, RowKind::ALL, now, Duration::from_secs(60), 2).await.unwrap();
                    if claims.is_empty() {
                        return got;
                    }
                    assert!(store.mark_sending(&me, &claims, now).await.unwrap().is_empty());
                    // Written down in an order of its own, as it comes from the network.
                    let fates: Vec<Fate> = claims.iter().rev().map(|claim| claim.met(Outcome::Sent)).collect();
                    assert!(store.settle_rows(&me, &fates, now).await.unwrap().is_empty());
                    got.push(claims.into_iter().map(|claim| (claim.row.mail, claim.row.id)).collect::<Vec<_>>());
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let (mut rows, mut batches) = (BTreeSet::new(), BTreeMap::<MailId, usize>::new());
        for task in tasks {
            for batch in task.await.unwrap() {
                for mail in batch.iter().map(|(mail, _)| mail.clone()).collect::<BTreeSet<_>>() {
                    *batches.entry(mail).or_default() += 1;
                }
                for (_, id) in batch {
                    assert!(rows.insert(id), "{}: a row was handed out twice", empty.name);
                }
            }
        }
        assert_eq!(rows.len(), 60);
        assert_eq!(batches.values().max(), Some(&1), "{}: the rows of a mail came apart", empty.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_gateways_that_start_on_an_empty_store_one_makes_the_store_key() {
    for empty in both().await {
        let stores = gateways(&empty, 4).await;
        let tasks: Vec<_> = stores
            .iter()
            .cloned()
            .enumerate()
            .map(|(index, store)| {
                tokio::spawn(async move {
                    let now = store.now().await.unwrap();
                    // Different gateway keys: no constraint of the table stands in the way of two store keys.
                    let wrapping = (format!("{index:040X}"), vec![index as u8]);
                    (wrapping.clone(), store.create_wrappings(&[wrapping], now).await.unwrap())
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            let (wrapping, won) = task.await.unwrap();
            winners.extend(won.then_some(wrapping));
        }
        assert_eq!(winners.len(), 1, "{}", empty.name);
        assert_eq!(stores[3].wrappings().await.unwrap(), winners);
        let now = stores[0].now().await.unwrap();
        assert!(matches!(stores[1].replace_wrappings(&[], now).await, Err(StoreError::NoWrapping)));
        assert_eq!(stores[0].wrappings().await.unwrap(), winners, "the store never loses its key");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_audit_chain_and_the_case_numbers_have_no_gap_under_concurrent_writers() {
    for empty in both().await {
        let stores = gateways(&empty, 3).await;
        let vault = Arc::new(vault());
        let tasks: Vec<_> = stores
            .iter()
            .map(|store| {
                let (store, vault) = (store.clone(), vault.clone());
                tokio::spawn(async move {
                    for _ in 0..15 {
                        let now = store.now().await.unwrap();
                        let mut tx = store.begin().await.unwrap();
                        let case = CaseId::new("KATA", 2026, tx.new_case("KATA", 2026).await.unwrap());
                        tx.insert_case(&new_case(&vault, &case, now)).await.unwrap();
                        tx.audit(&vault, now, "case-opened", &case.to_string()).await.unwrap();
                        tx.commit().await.unwrap();
                        // Here nothing but the log's own turn keeps the writers apart.
                        let mut tx = store.begin().await.unwrap();
                        tx.audit(&vault, now, "contact-shown", &case.to_string()).await.unwrap();
                        tx.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let store = &stores[0];
        assert_eq!(store.verify_audit(&vault).await.unwrap(), AuditVerdict::Intact { entries: 90 }, "{}", empty.name);
        let mut serials: Vec<_> = store.cases().await.unwrap().iter().map(|case| case.id.serial()).collect();
        serials.sort();
        assert_eq!(serials, (1..=45).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_mail_taken_in_by_several_gateways_at_once_is_stored_once() {
    for empty in both().await {
        let stores = gateways(&empty, 4).await;
        let vault = Arc::new(vault());
        let tasks: Vec<_> = stores
            .iter()
            .cloned()
            .enumerate()
            .map(|(gateway, store)| {
                let vault = vault.clone();
                tokio::spawn(async move {
                    let now = store.now().await.unwrap();
                    let mut mails: Vec<_> = (0..10u8)
                        .map(|mail| {
                            arrived_at(&vault, &new_mail_id(&vault), &format!("{gateway}/{mail}"), &[mail], now)
                        })
                        .collect();
                    // In opposite orders, so that they meet in the middle.
                    if gateway % 2 == 1 {
                        mails.reverse();
                    }
                    store.take_in(&mails).await.unwrap()
                })
            })
            .collect();
        let mut new = 0;
        for task in tasks {
            new += task.await.unwrap().iter().filter(|taken| **taken == Taken::New).count();
        }
        assert_eq!(new, 10, "{}", empty.name);
        assert_eq!(stores[0].mails_waiting().await.unwrap().count, 10);
    }
}

#[tokio::test]
async fn one_gateway_holds_a_role_until_it_gives_it_back_or_its_time_is_over() {
    for empty in both().await {
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let (vault, now) = (vault(), store.now().await.unwrap());
        let (a, b, ttl) = (owner(&vault), owner(&vault), Duration::from_secs(10));
        let first = store.acquire_role("mailbox", &a, now, ttl).await.unwrap().expect("nobody has it");
        assert!(store.acquire_role("other", &b, now, ttl).await.unwrap().is_some(), "roles are apart");
        assert_eq!(store.acquire_role("mailbox", &b, later(now, 9), ttl).await.unwrap(), None, "{}", empty.name);
        assert!(store.renew_role("mailbox", &a, first, later(now, 9), ttl).await.unwrap());
        assert_eq!(store.acquire_role("mailbox", &b, later(now, 18), ttl).await.unwrap(), None);
        let second = store.acquire_role("mailbox", &b, later(now, 19), ttl).await.unwrap().expect("its time is over");
        assert!(second > first);
        assert!(
            !store.renew_role("mailbox", &a, first, later(now, 20), ttl).await.unwrap(),
            "a frozen holder learns it"
        );
        store.release_role("mailbox", &a, first).await.unwrap();
        assert_eq!(
            store.acquire_role("mailbox", &a, later(now, 20), ttl).await.unwrap(),
            None,
            "it had nothing to give back"
        );
        store.release_role("mailbox", &b, second).await.unwrap();
        assert!(store.acquire_role("mailbox", &a, later(now, 20), ttl).await.unwrap() > Some(second));
    }
}
