//! A team, its rules and a clock, for the tests of the decision.

use super::*;
use crate::report::case::CaseId;
use crate::report::keys_fixture_tests::*;
use crate::report::verdict::SignatureVerdict;
use jiff::SignedDuration;
use sequoia_openpgp::Cert;

pub(super) const EVE: &str = "From: Eve <eve@example.net>\nSubject: s";
pub(super) const ALICE: &str = "From: Alice <alice@example.org>\nSubject: s";
pub(super) const ENCRYPTED: &str = "Content-Type: multipart/encrypted; boundary=b";

pub(super) struct World {
    pub(super) keyring: Keyring,
    pub(super) rules: Rules,
    pub(super) now: Timestamp,
}

impl World {
    pub(super) fn new(known: &[&Cert]) -> Self {
        // Keys of the tests are made now; decide after that.
        let now = Timestamp::now() + SignedDuration::from_mins(1);
        Self { keyring: keyring(known), rules: Rules::new(TEAM, "KATA"), now }
    }

    pub(super) fn outer(&self, header: &str) -> Outer {
        Outer::read(&mail(header, "text"), &self.keyring, &self.rules)
    }

    pub(super) fn decide(&self, header: &str, opened: &Opened, known: &Known) -> Decision {
        decide(&self.outer(header), opened, known, &self.keyring, &self.rules, self.now)
    }

    /// Alice's good signature, made just now.
    pub(super) fn signed_by_alice(&self) -> SignatureVerdict {
        let alice = &self.keyring.members()[0];
        SignatureVerdict {
            member: Some(alice.id()),
            ..good_signature(&alice.cert, KeyOrigin::Configured, self.now - SignedDuration::from_mins(1))
        }
    }
}

pub(super) fn encrypted(from: &str) -> String {
    format!("{from}\n{ENCRYPTED}")
}

pub(super) fn case(serial: u32) -> KnownCase {
    KnownCase { id: CaseId::new("KATA", 2026, serial), answer_key: None, sender_is_contact: true }
}

pub(super) fn by_outer_reference(case: KnownCase) -> Known {
    Known { by_outer_reference: Some(case), ..Known::default() }
}
