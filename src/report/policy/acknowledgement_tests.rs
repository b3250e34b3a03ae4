use crate::report::keys_fixture_tests::*;
use crate::report::opened::{Enclosed, Opened, Place};
use crate::report::outer::Outer;
use crate::report::policy::test_world::*;
use crate::report::policy::*;
use crate::report::secret::Plaintext;
use crate::report::verdict::{Encryption, KeyOrigin, Refusal, SignatureStatus, SignatureVerdict};
use jiff::{SignedDuration, Timestamp};
use sequoia_openpgp::Cert;

#[test]
fn the_acknowledgement_follows_the_outside_of_the_mail() {
    use NoAcknowledgement as No;
    let mut world = World::new(&[]);
    let why = |world: &World, header: &str, known: &Known| {
        world.decide(header, &opened_encrypted("text"), known).acknowledge.why()
    };
    let fresh = Known::default();
    let eve = encrypted(EVE);
    assert_eq!(why(&world, &eve, &fresh), None);
    let table = [
        (encrypted("Subject: s"), Known::default(), No::NoSender),
        (encrypted("From: a@x.org, b@x.org"), Known::default(), No::NoSender),
        (encrypted("From: \"a b\"@x.org"), Known::default(), No::SenderUnusable),
        (encrypted("From: ALICE@example.org"), Known::default(), No::Member),
        (encrypted("From: VMT@example.org"), Known::default(), No::Team),
        (format!("{eve}\nList-Id: <l>"), Known::default(), No::List),
        (format!("{eve}\nAuto-Submitted: auto-generated"), Known::default(), No::Automatic),
        (format!("Return-Path: <>\n{eve}"), Known::default(), No::Bounce),
        (format!("{eve}\nX-Auto-Response-Suppress: All"), Known::default(), No::Suppressed),
        (eve.clone(), by_outer_reference(case(1)), No::InCase),
        (eve.clone(), Known { already_acknowledged: true, ..Known::default() }, No::AlreadySent),
        (eve.clone(), Known { acknowledged_to_sender_today: 5, ..Known::default() }, No::SenderLimit),
        (eve.clone(), Known { acknowledged_this_hour: 60, ..Known::default() }, No::HourLimit),
    ];
    for (header, known, expected) in table {
        assert_eq!(why(&world, &header, &known), Some(expected), "{header}");
    }
    let nearly = Known { acknowledged_to_sender_today: 4, acknowledged_this_hour: 59, ..Known::default() };
    assert_eq!(why(&world, &eve, &nearly), None);
    world.rules.aliases.push("eve@example.net".into());
    assert_eq!(why(&world, &eve, &fresh), Some(No::Team));
    world.rules.aliases.clear();
    world.rules.acknowledge = false;
    assert_eq!(why(&world, &eve, &fresh), Some(No::Off));
}

#[test]
fn forged_senders_get_no_acknowledgement_where_the_mail_server_can_tell() {
    use NoAcknowledgement as No;
    let mut world = World::new(&[]);
    world.rules.authserv_id = Some("mx.example.org".into());
    let why = |header: String| world.decide(&header, &opened_in_clear("text"), &Known::default()).acknowledge.why();
    let result = |result: &str, mail: &str| format!("Authentication-Results: mx.example.org; dmarc={result}\n{mail}");
    assert_eq!(why(EVE.into()), Some(No::DmarcUnproven));
    assert_eq!(why(result("none", EVE)), Some(No::DmarcUnproven));
    assert_eq!(why(result("fail", EVE)), Some(No::DmarcFail));
    assert_eq!(why(result("pass", EVE)), None);
    assert_eq!(why(encrypted(EVE)), None);
    assert_eq!(why(result("fail", &encrypted(EVE))), Some(No::DmarcFail));
}

#[test]
fn the_acknowledgement_is_encrypted_only_to_a_certificate_of_the_sender_s_address() {
    let (eve, mallory) = (cert("Eve <eve@example.net>"), cert("Mallory <mallory@example.net>"));
    let attach = |cert: &Cert| {
        let header = format!("{EVE}\nContent-Type: multipart/mixed; boundary=b");
        mail(&header, &format!("--b\nContent-Type: application/pgp-keys\n\n{}\n--b--\n", armored(cert)))
    };
    let acknowledge = |world: &World, mail: &Plaintext, now: Timestamp| {
        let outer = Outer::read(mail, &world.keyring, &world.rules);
        decide(&outer, &opened_in_clear("text"), &Known::default(), &world.keyring, &world.rules, now).acknowledge
    };
    let world = World::new(&[]);
    let to_eve = Acknowledge::Encrypted(AcknowledgementKey(Box::new(eve.clone())));
    assert_eq!(acknowledge(&world, &attach(&eve), world.now), to_eve);
    assert_eq!(acknowledge(&world, &attach(&mallory), world.now), Acknowledge::Plain);
    let years_ago = world.now - SignedDuration::from_hours(24 * 365 * 3);
    assert_eq!(acknowledge(&world, &attach(&eve), years_ago), Acknowledge::Plain, "not valid at that time");
    let known = World::new(&[&eve]);
    let other_eve = cert("Eve <EVE@example.net>");
    assert_eq!(acknowledge(&known, &attach(&other_eve), known.now), to_eve, "the team's own copy comes first");
}

#[test]
fn the_acknowledgement_tells_nothing_about_what_the_secret_key_finds() {
    let eve = cert("Eve <eve@example.net>");
    let world = World::new(&[]);
    let signed = |signature: SignatureVerdict| Opened { signatures: vec![signature], ..opened_encrypted("!x") };
    let refused = |why| Opened { refusal: Some(why), payload_hash: None, ..opened_encrypted("") };
    let inside = || {
        let enclosed = vec![Enclosed { cert: eve.clone(), place: Place::AttachedInside }];
        Opened { enclosed, ..opened_encrypted("text") }
    };
    let outcomes = || {
        let stranger_s_case = Known {
            by_inner_reference: Some(KnownCase { sender_is_contact: false, ..case(1) }),
            payload_seen_from_other_sender: false,
            ..Known::default()
        };
        vec![
            (opened_encrypted("text"), Known::default()),
            (opened_encrypted("text"), stranger_s_case.clone()),
            (opened_encrypted("text"), Known { payload_seen_from_other_sender: true, ..stranger_s_case }),
            (signed(world.signed_by_alice()), Known::default()),
            (signed(world.signed_by_alice()), Known { member_mail_seen: true, ..Known::default() }),
            (signed(SignatureVerdict { status: SignatureStatus::Bad, ..world.signed_by_alice() }), Known::default()),
            (signed(good_signature(&eve, KeyOrigin::FirstSeen, world.now)), Known::default()),
            (inside(), Known::default()),
            (refused(Refusal::NotForOurKeys), Known::default()),
            (refused(Refusal::IntegrityFailed), Known::default()),
            (refused(Refusal::TooSlow), Known::default()),
            (Opened { encryption: Encryption::Partial, ..opened_encrypted("text") }, Known::default()),
        ]
    };
    let headers = [
        encrypted(EVE),
        encrypted(ALICE),
        encrypted(&format!("From: {TEAM}")),
        encrypted("From: a@x.org, b@x.org"),
        encrypted(&format!("{EVE}\nList-Id: <l>")),
        encrypted(&format!("{EVE}\nAuto-Submitted: auto-generated")),
        format!("Return-Path: <>\n{}", encrypted(EVE)),
    ];
    for header in &headers {
        let outer = world.outer(header);
        let answers: Vec<_> = outcomes()
            .iter()
            .map(|(opened, known)| {
                let decision = decide(&outer, opened, known, &world.keyring, &world.rules, world.now);
                let joined = matches!(decision.case, CaseChoice::Join(_) | CaseChoice::None);
                let told = decision.acknowledge.why().is_none();
                // A number that is not new would tell that the mail was understood.
                assert!(!(joined && told) || decision.acknowledged_number == AcknowledgedNumber::Fresh, "{header}");
                (decision.acknowledge, decision.acknowledgement)
            })
            .collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{header}: {answers:?}");
    }
}
