use super::*;
use crate::report::keys_fixture_tests::*;
use crate::report::opened::SessionKeyRecord;
use crate::report::policy::{CopyTo, Known, decide};
use crate::report::secret::ReporterContact;
use crate::report::{Outer, SignatureStatus};

#[test]
fn facts_come_back_from_the_store_as_they_were_judged() {
    let keyring = keyring(&[]);
    let rules = Rules::new(TEAM, "KATA");
    let now = Timestamp::now();
    let eve = cert("Eve <eve@example.net>");
    let mut opened = opened_encrypted("text");
    opened.signatures = vec![good_signature(&eve, crate::report::KeyOrigin::FirstSeen, now)];
    opened.warnings.insert(Warning::OldKey);
    let addresses = ["vmt@example.org", "PSIRT@vendor.example", "psirt@vendor.example"];
    opened.recipients = addresses.iter().map(|a| ReporterContact::new(a, None)).collect();
    opened.session_keys =
        vec![SessionKeyRecord { algorithm: Some(9), key: Zeroizing::new(vec![3; 32]), old_key: false }];
    let outer = Outer::read(&mail("From: eve@example.net", "text"), &keyring, &rules);
    let decision = decide(&outer, &opened, &Known::default(), &keyring, &rules, now);
    assert_eq!(decision.copies, CopyTo::AllMembers);

    let plain = Frozen::Mail(Box::new(Facts::new(&opened, &decision, &rules, now))).to_plaintext().unwrap();
    let Frozen::Mail(facts) = Frozen::from_plaintext(&plain).unwrap() else { panic!("another form") };
    assert_eq!((facts.class(), facts.kind(), facts.author()), (Class::Report, MailKind::Report, &Author::Reporter));
    assert_eq!((facts.received(), facts.encryption(), facts.refusal()), (now, Encryption::Complete, None));
    assert_eq!(facts.signatures, opened.signatures);
    assert_eq!(facts.signatures[0].status, SignatureStatus::Good);
    assert_eq!(facts.subject.as_str(), "heap overflow");
    assert!(facts.warnings().contains(&Warning::OldKey) && facts.has_session_keys());
    assert_eq!(*facts.session_keys[0].key, vec![3; 32]);
    let recipients: Vec<_> = facts.recipients.iter().map(|r| r.as_str()).collect();
    assert_eq!(recipients, ["PSIRT@vendor.example"]);
}

#[test]
fn a_notice_comes_back_and_anything_else_is_an_error() {
    let notice = Notice::new(Audience::Admins, None, "A copy is held", vec!["alice: certificate-expired".into()]);
    let plain = Frozen::Notice(notice.clone()).to_plaintext().unwrap();
    assert!(matches!(Frozen::from_plaintext(&plain), Ok(Frozen::Notice(back)) if back == notice));
    for bad in ["", "{}", "{\"notice\":{}}", "{\"other\":1}"] {
        let error = Frozen::from_plaintext(&Plaintext::from_text(bad)).err().unwrap();
        assert!(error.to_string().contains("newer version"));
    }
}
