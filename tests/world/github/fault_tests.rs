//! What goes wrong in the fake goes wrong as it was planned, as often as it was planned, and not more.

use super::self_tests::{Client, KATA, TOKEN, advisories, hub};
use super::*;
use std::time::Instant;

#[test]
fn a_planned_status_comes_once_and_nothing_is_done() {
    for status in [401, 403, 404, 422, 500, 502, 503] {
        let hub = hub();
        hub.fails_next(Kind::Create, Fault::Status(status));
        let client = Client::new(&hub);
        assert_eq!(client.get(&advisories()).status, 200, "another kind is not concerned");
        assert_eq!(client.create("one").status, status);
        assert!(hub.drafts_of(KATA).is_empty());
        assert_eq!(client.create("two").status, 201);
    }
}

#[test]
fn what_fails_after_creation_is_there_all_the_same() {
    let short = Duration::from_millis(50);
    for (fault, is_heard) in [
        (Fault::AfterCreation(502), true),
        (Fault::ResetAfterCreation, false),
        (Fault::StallAfterCreation(short), false),
        (Fault::Garbage, true),
        (Fault::CutShort, false),
        (Fault::Trickle(Duration::from_micros(10)), true),
    ] {
        let hub = hub();
        hub.fails_next(Kind::Create, fault.clone());
        let client = Client::new(&hub);
        let answered = client.send(client.request("POST", &advisories()).json(&super::self_tests::draft("one")));
        assert_eq!(answered.is_ok(), is_heard, "{fault:?}");
        if let Ok(answered) = answered {
            assert_eq!(answered.body.is_object(), matches!(fault, Fault::Trickle(_)), "{fault:?}: {}", answered.body);
        }
        assert_eq!(hub.drafts_of(KATA).len(), 1, "{fault:?}");
    }
}

#[test]
fn what_fails_before_is_not_there() {
    for fault in [Fault::Reset, Fault::Stall(Duration::from_millis(50))] {
        let hub = hub();
        hub.fails_next(Kind::Create, fault);
        let client = Client::new(&hub);
        assert!(client.send(client.request("POST", &advisories()).json(&super::self_tests::draft("one"))).is_err());
        assert!(hub.drafts_of(KATA).is_empty());
        assert_eq!(hub.requests(Kind::Create)[0].status, None, "nobody heard an answer");
    }
}

#[test]
fn a_slow_answer_takes_its_time() {
    let hub = hub();
    hub.fails_next(Kind::List, Fault::Trickle(Duration::from_millis(100)));
    let start = Instant::now();
    assert_eq!(Client::new(&hub).get(&advisories()).body, serde_json::json!([]));
    assert!(start.elapsed() > Duration::from_millis(200));
}

#[test]
fn limits_say_how_long_to_wait_and_whoever_does_not_is_remembered() {
    let hub = hub();
    let client = Client::new(&hub);
    for status in [403, 429] {
        hub.fails_next(Kind::Create, Fault::SecondaryLimit { status, retry_after: Some(Duration::from_secs(60)) });
        let refused = client.create("one");
        assert_eq!((refused.status, refused.header("retry-after")), (status, "60"));
        hub.time_passes(Duration::from_secs(30));
        client.get(&advisories());
        assert_eq!(hub.forgives().len(), 1, "asked too early");
        hub.time_passes(Duration::from_secs(31));
        assert_eq!(client.create("two").status, 201);

        hub.fails_next(Kind::List, Fault::PrimaryLimit { status, resets_in: Duration::from_secs(60) });
        let refused = client.get(&advisories());
        assert_eq!((refused.status, refused.header("x-ratelimit-remaining")), (status, "0"));
        assert!(refused.header("x-ratelimit-reset").parse::<i64>().unwrap() > jiff::Timestamp::now().as_second());
        assert_eq!(client.create("early").status, 403);
        assert_eq!(hub.forgives().len(), 1);
        hub.time_passes(Duration::from_secs(61));
        assert_eq!(client.create("three").status, 201);
    }
    hub.rate_limit(TOKEN, 1, Duration::from_secs(60));
    assert_eq!(client.get(&advisories()).header("x-ratelimit-remaining"), "0");
    assert_eq!(client.get(&advisories()).status, 403, "the last one was the last one");
}

#[test]
fn new_drafts_are_seen_late_if_the_test_wants_it_so() {
    let hub = hub();
    let client = Client::new(&hub);
    hub.shows_new_drafts_after_lists(2);
    client.create("late");
    let seen = || client.get(&advisories()).body.as_array().map(Vec::len);
    assert_eq!([seen(), seen(), seen()], [Some(0), Some(0), Some(1)]);
    hub.shows_new_drafts_after_lists(0).shows_new_drafts_after(Duration::from_secs(60));
    client.create("later");
    assert_eq!([seen(), seen()], [Some(1), Some(1)]);
    hub.time_passes(Duration::from_secs(61));
    assert_eq!(seen(), Some(2));
    hub.fails_next(Kind::List, Fault::EmptyList);
    assert_eq!([seen(), seen()], [Some(0), Some(2)]);
    hub.fails_next(Kind::Create, Fault::Twice(201));
    client.create("twice");
    assert_eq!(hub.drafts_of(KATA).len(), 4);
}

#[test]
fn whoever_follows_to_another_server_is_remembered() {
    let hub = hub();
    let client = Client::new(&hub);
    hub.fails_next(Kind::List, Fault::Redirect(302));
    let there = client.get(&advisories()).header("location").to_owned();
    assert!(!there.starts_with(&hub.api()), "{there}");
    hub.fails_next(Kind::List, Fault::ForeignNextPage);
    assert!(client.get(&advisories()).header("link").contains("rel=\"next\""));
    assert!(hub.strayed().is_empty());
    client.get(&there);
    let strayed = std::mem::take(&mut *hub.strayed.lock().unwrap());
    assert!(strayed.len() == 1 && strayed[0].contains(TOKEN), "{strayed:?}");
}
