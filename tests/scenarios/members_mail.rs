//! Mail that members write: it is a member's by its signature alone.

use crate::world::*;

/// A world with one case; its number and the Message-ID of its copies.
fn with_a_case() -> (World, String, String) {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("the first report"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "the first report");
    let (case, id) = (copy.case().to_owned(), copy.message_id().to_owned());
    (world, case, id)
}

#[test]
fn a_members_signed_and_encrypted_mail_goes_to_the_other_members() {
    let (world, case, id) = with_a_case();
    let alice = world.member("alice");
    world.gateway.receives(report().from(alice).encrypted().signed().in_reply_to(&id).saying("I can reproduce it"));
    world.gateway.runs_once();
    for name in ["bob", "carol"] {
        let copy = world.members.copy_of(name, "I can reproduce it");
        assert_eq!((copy.case(), copy.says("Kind"), copy.says("Author")), (case.as_str(), "discussion", "alice"));
        assert!(copy.inner("From").to_lowercase().contains("alice via"), "{:?}", copy.inner);
        assert!(!String::from_utf8_lossy(&copy.raw).to_lowercase().contains("alice"), "outside it is the team");
    }
    assert!(world.members.copies_of("alice", "I can reproduce it").is_empty(), "not back to its author");
    assert_eq!(world.drafts().len(), 1);
}

#[test]
fn the_case_number_in_the_subject_is_enough_for_a_member() {
    let (world, case, _) = with_a_case();
    let bob = world.member("bob");
    let mail = report().from(bob).nested().about(&format!("Re: [{case}] hm")).saying("seen from the subject");
    world.gateway.receives(mail);
    world.gateway.runs_once();
    assert_eq!(world.members.copy_of("alice", "seen from the subject").case(), case);
    assert_eq!(world.members.copy_of("carol", "seen from the subject").case(), case);
}

#[test]
fn a_member_without_a_case_opens_one() {
    let (world, case, _) = with_a_case();
    let carol = world.member("carol");
    world.gateway.receives(report().from(carol).encrypted().signed().saying("something new from me"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "something new from me");
    assert_ne!(copy.case(), case);
    assert_eq!(world.gateway.lists(&["cases", "list"]).len(), 2);
}

#[test]
fn a_members_mail_that_comes_again_is_not_forwarded_again() {
    let (world, _, id) = with_a_case();
    let alice = world.member("alice");
    let mail = report().from(alice).encrypted().signed().in_reply_to(&id).saying("said only once");
    let sent = world.gateway.receives(mail);
    world.gateway.runs_once();
    let again = String::from_utf8(sent.raw).unwrap().replace("messageidcanary", "replayedidcanary");
    world.gateway.finds_in_mailbox(again.as_bytes());
    world.gateway.runs_once();
    world.members.copy_of("bob", "said only once");
    world.members.copy_of("carol", "said only once");
    assert!(world.members.mails_of("bob").iter().any(|copy| copy.warns("member-replay")), "the admins are told");
}

#[test]
fn a_forged_members_mail_is_kept_and_not_forwarded_and_the_admins_are_told() {
    let (world, _, id) = with_a_case();
    world.reconfigure(|settings| settings.admins = vec!["bob@example.org".into()]);
    let mallory = world.reporter("mallory");
    let forged =
        |text: &str| report().from(&mallory).claiming_to_be("Alice <alice@example.org>").in_reply_to(&id).saying(text);
    world.gateway.receives(forged("forged without signature").encrypted());
    world.gateway.receives(forged("forged with another key").encrypted().signed());
    world.gateway.receives(forged("forged in clear"));
    world
        .gateway
        .receives(report().from(world.member("alice")).encrypted().signed_days_ago(8).saying("signed too long ago"));
    let copies =
        |world: &World| world.members.mails_of("bob").iter().filter(|copy| copy.says("Kind") != "notice").count();
    let before = copies(&world);
    world.gateway.runs_once();
    for text in ["forged without signature", "forged with another key", "forged in clear", "signed too long ago"] {
        world.members.nobody_can_read(text);
    }
    let told = world.members.mails_of("bob");
    assert!(
        told.iter().any(|copy| copy.warns("member-unproven")),
        "{:?}",
        told.iter().map(|c| &c.statement).collect::<Vec<_>>()
    );
    assert_eq!(copies(&world), before, "what the admin gets is a notice");
    assert_eq!(world.members.mails_of("carol").len(), 1, "others than the admins hear nothing");
}

#[test]
fn a_signature_of_a_members_that_is_not_encrypted_is_shown_with_a_warning() {
    let (world, _, id) = with_a_case();
    let alice = world.member("alice");
    world.gateway.receives(report().from(alice).signed().in_reply_to(&id).saying("careless but mine"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("bob", "careless but mine");
    assert!(copy.warns("member-mail-not-encrypted"), "{:?}", copy.statement);
}

#[test]
fn a_members_signature_around_somebody_elses_text_does_not_make_it_a_members() {
    let (world, _, id) = with_a_case();
    let (alice, mallory) = (world.member("alice"), world.reporter("mallory"));
    // The signed mail is real, but mallory has put it below a text of their own.
    let signed = report().from(alice).signed().saying("alice really said this").write(&world.gateway.key.certificate());
    let mixed = mime::multipart("mixed", &[mime::text("please publish everything"), signed.entity]);
    let armored = mallory.encrypt(&mixed, &[world.gateway.key.certificate()], false, 0);
    let version = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n".to_vec();
    let data = format!("Content-Type: application/octet-stream\r\n\r\n{}", mime::crlf(&armored)).into_bytes();
    let body = mime::multipart("encrypted; protocol=\"application/pgp-encrypted\"", &[version, data]);
    let head = format!(
        "From: Alice <alice@example.org>\r\nTo: {TEAM}\r\nSubject: x\r\nMessage-ID: <{}@x.example>\r\nIn-Reply-To: <{id}>\r\nMIME-Version: 1.0\r\n",
        mime::unique("m")
    );
    world.gateway.finds_in_mailbox(&[head.as_bytes(), &body].concat());
    world.gateway.runs_once();
    for name in ["bob", "carol"] {
        for copy in world.members.copies_of(name, "please publish everything") {
            assert_ne!(copy.says("Author"), "alice", "{:?}", copy.statement);
        }
    }
}
