use super::*;
use crate::report::keys_fixture_tests::*;
use crate::report::opened::Label;
use crate::report::outer::Outer;
use crate::report::policy::{Known, decide};

/// Opens a mail in clear under `rules`, and makes its copies' parts under `later`.
fn reopened(rules: &Rules, later: &Rules) -> (Option<Refusal>, Vec<Label>) {
    let keyring = keyring(&[]);
    let mail =
        Plaintext::from_text("From: eve@example.net\r\nSubject: s\r\nContent-Type: text/plain\r\n\r\na report\r\n");
    let now = Timestamp::now();
    let opened = open_mail(&mail, &keyring, rules, None, now, false);
    let outer = Outer::read(&mail, &keyring, rules);
    let decision = decide(&outer, &opened, &Known::default(), &keyring, rules, now);
    let facts = Facts::new(&opened, &decision, rules, now);
    let sections = sections_of(&mail, &facts, &keyring, later);
    (facts.refusal, sections.iter().map(|section| section.label).collect())
}

#[test]
fn a_copy_made_later_holds_what_the_statement_says_of_the_mail() {
    let rules = Rules::new(TEAM, "KATA");
    let mut small = rules.clone();
    small.limits.max_size = 10;
    assert_eq!(reopened(&rules, &rules), (None, vec![Label::Main]));
    let refused = (Some(Refusal::TooLarge), vec![Label::Unopened]);
    assert_eq!(reopened(&small, &rules), refused, "a limit that was raised since opens nothing unjudged");
}
