use super::test_world::*;
use super::*;
use crate::report::keys_fixture_tests::*;
use crate::report::verdict::{Intended, Refusal, SignatureVerdict};
use jiff::SignedDuration;

#[test]
fn an_encrypted_report_opens_a_case_with_a_stub_and_reaches_all_members() {
    let world = World::new(&[]);
    let decision = world.decide(&encrypted(EVE), &opened_encrypted("text"), &Known::default());
    assert_eq!((decision.class, decision.kind, &decision.author), (Class::Report, MailKind::Report, &Author::Reporter));
    assert_eq!((decision.case, decision.copies), (CaseChoice::New, CopyTo::AllMembers));
    assert_eq!((decision.acknowledge, decision.advisory), (Acknowledge::Plain, AdvisoryIntent::Stub));
    assert_eq!(decision.contact.unwrap().address(), "eve@example.net");
    assert!(decision.warnings.is_empty() && !decision.answers_held);
}

#[test]
fn the_draft_follows_the_configuration() {
    let mut world = World::new(&[]);
    let clear = |world: &World| world.decide(EVE, &opened_in_clear("text"), &Known::default()).advisory;
    let secret = |world: &World| world.decide(&encrypted(EVE), &opened_encrypted("text"), &Known::default()).advisory;
    assert_eq!(clear(&world), AdvisoryIntent::None(NoAdvisory::InClear));
    world.rules.open_for = OpenFor::All;
    assert_eq!(clear(&world), AdvisoryIntent::Stub);
    world.rules.drafts = DraftContent::Report;
    assert_eq!((clear(&world), secret(&world)), (AdvisoryIntent::Open, AdvisoryIntent::Open));
    world.rules.drafts = DraftContent::NoDrafts;
    assert_eq!(secret(&world), AdvisoryIntent::None(NoAdvisory::Off));
}

#[test]
fn own_mail_coming_back_is_recorded_only_but_a_borrowed_message_id_hides_no_report() {
    let world = World::new(&[]);
    let own = Known { own: true, ..Known::default() };
    let back = world.decide(&encrypted(&format!("From: {TEAM}")), &opened_encrypted("text"), &own);
    assert_eq!((back.class, back.case, back.copies), (Class::Own, CaseChoice::None, CopyTo::Nobody));
    assert_eq!(back.acknowledge, Acknowledge::None(NoAcknowledgement::Team));
    let borrowed = world.decide(&encrypted(EVE), &opened_encrypted("text"), &own);
    assert_eq!((borrowed.class, borrowed.copies), (Class::Report, CopyTo::AllMembers));
}

#[test]
fn mail_of_machines_and_lists_in_clear_is_recorded_and_never_answered() {
    let world = World::new(&[]);
    let table = [
        ("Auto-Submitted: auto-replied", Class::Automatic),
        ("Precedence: auto_reply", Class::Automatic),
        ("Return-Path: <>", Class::Bounce),
        ("List-Id: <l.example.org>", Class::List),
        ("Precedence: bulk", Class::List),
    ];
    for (line, class) in table {
        for from in [EVE, ALICE] {
            let decision = world.decide(&format!("{from}\n{line}"), &opened_in_clear("text"), &Known::default());
            assert_eq!(
                (decision.class, decision.case, decision.copies),
                (class, CaseChoice::None, CopyTo::Nobody),
                "{line}"
            );
            assert_eq!(decision.acknowledge.word(), "none", "{line}");
            assert_eq!(decision.advisory, AdvisoryIntent::None(NoAdvisory::NotAReport));
        }
    }
}

#[test]
fn what_comes_through_the_team_s_own_list_is_for_the_team_and_so_is_what_a_member_signed() {
    let world = World::new(&[]);
    let post = format!("List-Post: <mailto:{TEAM}>\nList-Id: Reports <reports.example.org>");
    let id = format!("List-Id: The team <{}>", TEAM.replace('@', "."));
    for list in [post, id] {
        let decision = world.decide(&format!("{EVE}\n{list}"), &opened_in_clear("a report"), &Known::default());
        assert_eq!((decision.class, decision.case), (Class::Report, CaseChoice::New), "{list}");
        assert_eq!(decision.acknowledge.word(), "none", "RFC 3834: lists are not answered");
    }
    let signature = SignatureVerdict { inside: false, ..world.signed_by_alice() };
    let signed = Opened { signatures: vec![signature], ..opened_in_clear("text") };
    let decision = world.decide(&format!("{ALICE}\nList-Id: <l.example.org>"), &signed, &Known::default());
    assert_eq!(decision.class, Class::Member);
}

#[test]
fn an_encrypted_report_through_a_list_or_from_a_scanner_is_delivered_but_not_answered() {
    let world = World::new(&[]);
    for line in ["List-Id: <l.example.org>", "Precedence: bulk", "Auto-Submitted: auto-generated", "Return-Path: <>"] {
        let header = encrypted(&format!("{EVE}\n{line}"));
        let decision = world.decide(&header, &opened_encrypted("text"), &Known::default());
        assert_eq!((decision.class, decision.copies), (Class::Report, CopyTo::AllMembers), "{line}");
        assert_eq!(decision.acknowledge.word(), "none", "{line}");
    }
}

#[test]
fn a_machine_s_mail_in_a_case_is_shown_without_starting_a_loop() {
    let world = World::new(&[]);
    let known = by_outer_reference(case(1));
    let join = CaseChoice::Join(case(1).id);
    let decide = |header: &str| {
        let decision = world.decide(header, &opened_in_clear("text"), &known);
        assert_eq!((decision.acknowledge.word(), &decision.case), ("none", &join));
        (decision.class, decision.copies)
    };
    let away = "Auto-Submitted: auto-replied";
    assert_eq!(decide(&format!("{EVE}\n{away}")), (Class::Automatic, CopyTo::AllMembers));
    assert_eq!(decide(&format!("{ALICE}\n{away}")), (Class::Automatic, CopyTo::Nobody));
    let encrypted_note = encrypted(&format!("{ALICE}\n{away}"));
    assert_eq!(world.decide(&encrypted_note, &opened_encrypted("away"), &Known::default()).copies, CopyTo::Nobody);
    let told = CopyTo::AdminsNotice(AdminNotice::BounceInCase);
    assert_eq!(decide("From: MAILER-DAEMON@mx.example.org"), (Class::Bounce, told));
}

#[test]
fn a_member_s_mail_counts_by_its_signature_alone() {
    let world = World::new(&[]);
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let good = world.signed_by_alice();
    let bob = SignatureVerdict { member: Some("bob@example.org".into()), ..good.clone() };
    let left = SignatureVerdict { member: Some("carol@example.org".into()), ..good.clone() };
    let with = |change: &dyn Fn(&mut SignatureVerdict)| {
        let mut signature = good.clone();
        change(&mut signature);
        vec![signature]
    };
    let stranger = SignatureVerdict { status: SignatureStatus::UnknownKey, member: None, ..good.clone() };
    let accepted = [
        vec![good.clone()],
        vec![stranger, good.clone()],
        with(&|s| s.intended = Intended::OnlyGateway),
        with(&|s| s.created = Some(world.now - days(6))),
        with(&|s| s.created = Some(world.now + SignedDuration::from_hours(23))),
    ];
    for (row, signatures) in accepted.into_iter().enumerate() {
        for from in [ALICE, EVE] {
            let opened = Opened { signatures: signatures.clone(), ..opened_encrypted("text") };
            let decision = world.decide(&encrypted(from), &opened, &Known::default());
            assert_eq!(decision.class, Class::Member, "row {row}");
            assert_eq!(decision.author, Author::Member("alice@example.org".into()));
            assert_eq!(decision.copies, CopyTo::MembersExcept("alice@example.org".into()));
            assert_eq!((decision.case, decision.kind), (CaseChoice::New, MailKind::Discussion));
            assert_eq!(decision.advisory, AdvisoryIntent::None(NoAdvisory::MembersMail));
            assert!(decision.warnings.is_empty());
        }
    }
    let refused = [
        vec![],
        with(&|s| s.status = SignatureStatus::Expired),
        with(&|s| s.status = SignatureStatus::Bad),
        with(&|s| s.whole = false),
        with(&|s| s.inside = false),
        with(&|s| s.member = None),
        with(&|s| s.created = None),
        with(&|s| s.created = Some(world.now - days(8))),
        with(&|s| s.created = Some(world.now + days(2))),
        with(&|s| s.intended = Intended::Others),
        with(&|s| s.intended = Intended::GatewayAndOthers),
        with(&|s| s.digest.clear()),
        vec![good.clone(), bob],
        vec![left],
    ];
    for (row, signatures) in refused.into_iter().enumerate() {
        let opened = Opened { signatures, ..opened_encrypted("text") };
        let decision = world.decide(&encrypted(ALICE), &opened, &Known::default());
        assert_eq!((decision.class, decision.case), (Class::Unusable, CaseChoice::None), "row {row}");
        assert_eq!(decision.copies, CopyTo::AdminsNotice(AdminNotice::MemberUnproven), "row {row}");
        assert!(decision.warnings.contains(&Warning::MemberUnproven));
        assert_eq!(decision.acknowledge, Acknowledge::None(NoAcknowledgement::Member));
    }
}

#[test]
fn a_stale_or_seen_member_s_signature_from_a_stranger_is_not_passed_off_as_a_report() {
    let world = World::new(&[]);
    let stale =
        SignatureVerdict { created: Some(world.now - SignedDuration::from_hours(24 * 30)), ..world.signed_by_alice() };
    let opened = Opened { signatures: vec![stale], ..opened_encrypted("text") };
    let decision = world.decide(&encrypted(EVE), &opened, &Known::default());
    assert_eq!(decision.copies, CopyTo::AdminsNotice(AdminNotice::MemberUnproven));
    let opened = Opened { signatures: vec![world.signed_by_alice()], ..opened_encrypted("text") };
    let seen = Known { member_mail_seen: true, ..Known::default() };
    let decision = world.decide(&encrypted(EVE), &opened, &seen);
    assert_eq!(decision.copies, CopyTo::AdminsNotice(AdminNotice::MemberReplay));
    assert!(decision.warnings.contains(&Warning::MemberReplay));
}

#[test]
fn a_member_s_mail_finds_its_case_by_reference_before_the_number_in_the_subject() {
    let world = World::new(&[]);
    let opened = Opened { signatures: vec![world.signed_by_alice()], ..opened_encrypted("text") };
    let both = Known { by_inner_reference: Some(case(1)), by_subject: Some(case(2)), ..Known::default() };
    assert_eq!(world.decide(&encrypted(ALICE), &opened, &both).case, CaseChoice::Join(case(1).id));
    let subject = Known { by_subject: Some(case(2)), ..Known::default() };
    let decision = world.decide(&encrypted(ALICE), &opened, &subject);
    assert_eq!(decision.case, CaseChoice::Join(case(2).id));
    assert_eq!(decision.advisory, AdvisoryIntent::None(NoAdvisory::Reply));
}

#[test]
fn a_member_s_signed_mail_in_clear_is_shown_with_a_warning() {
    let world = World::new(&[]);
    let signature = SignatureVerdict { inside: false, ..world.signed_by_alice() };
    let opened = Opened { signatures: vec![signature], ..opened_in_clear("text") };
    let decision = world.decide(ALICE, &opened, &Known::default());
    assert_eq!((decision.class, decision.copies), (Class::Member, CopyTo::MembersExcept("alice@example.org".into())));
    assert!(decision.warnings.contains(&Warning::MemberMailNotEncrypted));
}

#[test]
fn a_command_is_not_carried_out_and_its_author_is_told_so() {
    let world = World::new(&[]);
    let signatures = vec![world.signed_by_alice()];
    for (text, commanded) in [("!answer\nhello", true), ("\n\n !x", true), ("hello\n!answer", false), ("", false)] {
        let opened = Opened { signatures: signatures.clone(), ..opened_encrypted(text) };
        let decision = world.decide(&encrypted(ALICE), &opened, &Known::default());
        assert_eq!(decision.notify_author.is_some(), commanded, "{text:?}");
        assert_eq!(decision.warnings.contains(&Warning::UnknownCommand), commanded, "{text:?}");
        assert_eq!(decision.copies, CopyTo::MembersExcept("alice@example.org".into()));
    }
}

#[test]
fn a_reply_is_known_by_our_message_ids_or_by_number_and_answer_key() {
    let eve = cert("Eve <eve@example.net>");
    let world = World::new(&[]);
    let keyed = || KnownCase { answer_key: Some(eve.fingerprint().to_hex()), ..case(1) };
    let signed = Opened {
        signatures: vec![good_signature(&eve, KeyOrigin::Case, world.now)],
        subject_case: Some(case(1).id),
        ..opened_encrypted("text")
    };
    let unsigned = Opened { subject_case: Some(case(1).id), ..opened_encrypted("text") };
    let subject = Known { by_subject: Some(keyed()), ..Known::default() };
    let inner = Known { by_inner_reference: Some(case(1)), ..Known::default() };
    for (opened, known) in [(&unsigned, &by_outer_reference(case(1))), (&unsigned, &inner), (&signed, &subject)] {
        let decision = world.decide(&encrypted(EVE), opened, known);
        assert_eq!((decision.class, decision.case), (Class::Reply, CaseChoice::Join(case(1).id)));
        assert_eq!((decision.kind, decision.copies), (MailKind::ReporterReply, CopyTo::AllMembers));
        assert_eq!(decision.advisory, AdvisoryIntent::None(NoAdvisory::Reply));
        assert!(decision.contact.is_none() && decision.answer_key.is_none(), "a reply changes neither");
        assert!(decision.warnings.is_empty());
    }
    let decision = world.decide(&encrypted(EVE), &unsigned, &subject);
    assert_eq!((decision.class, decision.case), (Class::Report, CaseChoice::New));
    assert_eq!(decision.claimed_case, Some(case(1).id));
    assert!(decision.warnings.contains(&Warning::ClaimsCase));
}

#[test]
fn a_reply_from_another_address_is_marked_unless_the_answer_key_signed_it() {
    let eve = cert("Eve <eve@example.net>");
    let world = World::new(&[]);
    let other = KnownCase { answer_key: Some(eve.fingerprint().to_hex()), sender_is_contact: false, ..case(1) };
    let unsigned = opened_encrypted("text");
    let decision = world.decide(&encrypted(EVE), &unsigned, &by_outer_reference(other.clone()));
    assert!(decision.warnings.contains(&Warning::OtherSender));
    let good = good_signature(&eve, KeyOrigin::Case, world.now);
    let signed = Opened { signatures: vec![good.clone()], ..opened_encrypted("text") };
    assert!(world.decide(&encrypted(EVE), &signed, &by_outer_reference(other.clone())).warnings.is_empty());
    let around = Opened { signatures: vec![SignatureVerdict { inside: false, ..good }], ..opened_encrypted("text") };
    let decision = world.decide(&encrypted(EVE), &around, &by_outer_reference(other));
    assert!(decision.warnings.contains(&Warning::OtherSender), "a signature around the ciphertext proves nothing");
}

#[test]
fn a_replayed_payload_opens_a_case_without_answers_or_draft() {
    let world = World::new(&[]);
    let known = Known {
        payload_seen_from_other_sender: true,
        by_inner_reference: Some(KnownCase { sender_is_contact: false, ..case(1) }),
        ..Known::default()
    };
    let decision = world.decide(&encrypted(EVE), &opened_encrypted("text"), &known);
    assert_eq!((decision.class, decision.case), (Class::Report, CaseChoice::New));
    assert!(decision.answers_held && decision.warnings.contains(&Warning::ReplayedPayload));
    assert_eq!(decision.advisory, AdvisoryIntent::None(NoAdvisory::Replayed));
}

#[test]
fn what_cannot_be_opened_opens_a_case_and_reaches_the_members() {
    let world = World::new(&[]);
    let opened = Opened { refusal: Some(Refusal::IntegrityFailed), payload_hash: None, ..opened_encrypted("") };
    let decision = world.decide(&encrypted(EVE), &opened, &Known::default());
    assert_eq!((decision.class, decision.case), (Class::Unusable, CaseChoice::New));
    assert_eq!((decision.copies, decision.kind), (CopyTo::AllMembers, MailKind::Report));
    assert_eq!(decision.advisory, AdvisoryIntent::None(NoAdvisory::NotOpened));
    assert_eq!(decision.acknowledge, Acknowledge::Plain);
    let decision = world.decide(&encrypted(EVE), &opened, &by_outer_reference(case(1)));
    assert_eq!((decision.class, decision.case), (Class::Unusable, CaseChoice::Join(case(1).id)));
}

#[test]
fn mail_in_clear_is_accepted_with_a_warning_or_rejected_with_an_explanation() {
    let eve = cert("Eve <eve@example.net>");
    let mut world = World::new(&[]);
    let clear = opened_in_clear("text");
    let decision = world.decide(EVE, &clear, &Known::default());
    assert_eq!((decision.class, decision.case), (Class::Report, CaseChoice::New));
    assert!(decision.warnings.contains(&Warning::InClear));
    world.rules.plaintext = InClear::Reject;
    let decision = world.decide(EVE, &clear, &Known::default());
    assert_eq!((decision.case, decision.copies), (CaseChoice::None, CopyTo::Nobody));
    assert_eq!(decision.acknowledgement, AcknowledgementKind::HowToEncrypt);
    assert_eq!(decision.acknowledge, Acknowledge::Plain);
    // Known senders and replies are not strangers' mail.
    let signature = SignatureVerdict { inside: false, ..good_signature(&eve, KeyOrigin::Configured, world.now) };
    let signed = Opened { signatures: vec![signature.clone()], ..opened_in_clear("text") };
    assert_eq!(world.decide(EVE, &signed, &Known::default()).case, CaseChoice::New);
    let first_seen = SignatureVerdict { key: Some(KeyOrigin::FirstSeen), ..signature };
    let stranger = Opened { signatures: vec![first_seen], ..opened_in_clear("text") };
    assert_eq!(world.decide(EVE, &stranger, &Known::default()).case, CaseChoice::None);
    assert_eq!(world.decide(EVE, &clear, &by_outer_reference(case(1))).copies, CopyTo::AllMembers);
}

#[test]
fn encrypted_mail_that_does_not_open_is_told_of_even_where_a_header_calls_it_a_machines() {
    let world = World::new(&[]);
    let unopened = || {
        let mut opened = opened_encrypted("");
        opened.payload_hash = None;
        opened.refusal = Some(crate::report::verdict::Refusal::IntegrityFailed);
        opened
    };
    for (mark, class) in [("Auto-Submitted: auto-generated", Class::Automatic), ("Return-Path: <>", Class::Bounce)] {
        let decision = world.decide(&encrypted(&format!("{mark}\n{EVE}")), &unopened(), &Known::default());
        assert_eq!((decision.class, decision.case), (class, CaseChoice::None));
        assert_eq!(decision.copies, CopyTo::AdminsNotice(AdminNotice::MachineUnopened), "{mark}");
        assert!(matches!(decision.acknowledge, Acknowledge::None(_)), "never answered");
    }
    let away = format!("{ALICE}\nAuto-Submitted: auto-replied");
    assert_eq!(world.decide(&encrypted(&away), &unopened(), &Known::default()).copies, CopyTo::Nobody);
}
