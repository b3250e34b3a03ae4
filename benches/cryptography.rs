//! What opening, sealing, redacting and storing one mail cost, on one core.
//!
//! Security: none; only public functions are measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use divan::{Bencher, black_box};
use embargod::report::{
    CaseId, CopyInput, Decision, DraftContent, Facts, Frozen, Keyring, Known, MailId, Opened, Outer, Plaintext,
    Purpose, Rules, Section, StoreKey, TeamIdentity, Vault, decide, open_mail, prepare_copies, prepare_draft,
};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use support::{KIB, MIB, People, TEAM};

fn main() {
    // Made before anything is measured.
    assert_eq!(KEYRING.members().len(), 100);
    divan::main();
}

/// A team of a hundred, of which a measurement takes the first ones.
static PEOPLE: LazyLock<People> = LazyLock::new(|| People::new(100));
static KEYRING: LazyLock<Keyring> = LazyLock::new(|| PEOPLE.keyring());
static RULES: LazyLock<Rules> = LazyLock::new(|| Rules { drafts: DraftContent::Report, ..PEOPLE.rules() });

const SIZES: [usize; 3] = [4 * KIB, MIB, 25 * MIB];

/// Mails are made once for each size.
fn mail(size: usize) -> Plaintext {
    static MAILS: LazyLock<Mutex<HashMap<usize, Vec<u8>>>> = LazyLock::new(Mutex::default);
    let mut mails = MAILS.lock().unwrap();
    Plaintext::new(mails.entry(size).or_insert_with(|| PEOPLE.report(size, 1)).clone())
}

fn opened(mail: &Plaintext, now: Timestamp) -> (Outer, Opened, Decision) {
    let outer = Outer::read(mail, &KEYRING, &RULES);
    let opened = open_mail(mail, &KEYRING, &RULES, None, now, false);
    let decision = decide(&outer, &opened, &Known::default(), &KEYRING, &RULES, now);
    (outer, opened, decision)
}

/// Decrypts, verifies and takes apart.
#[divan::bench(args = SIZES)]
fn open(bencher: Bencher, size: usize) {
    let (mail, now) = (mail(size), Timestamp::now());
    bencher.bench_local(|| open_mail(black_box(&mail), &KEYRING, &RULES, None, now, false));
}

/// Reads a mail's outside: once at intake, once before opening.
#[divan::bench(args = SIZES)]
fn outside(bencher: Bencher, size: usize) {
    let mail = mail(size);
    bencher.bench_local(|| Outer::read(black_box(&mail), &KEYRING, &RULES));
}

/// Signs once and encrypts for each of so many members, one after the other.
#[divan::bench(consts = SIZES, args = [5, 20, 100], sample_count = 10)]
fn seal<const SIZE: usize>(bencher: Bencher, members: usize) {
    let now = Timestamp::now();
    let (_, opened, decision) = opened(&mail(SIZE), now);
    let frozen = Frozen::Mail(Box::new(Facts::new(&opened, &decision, &RULES, now)));
    let sections: Vec<Section> = opened.into_sections();
    let vault = Vault::new(&StoreKey::generate().unwrap()).unwrap();
    let identity =
        TeamIdentity { name: "Kata Containers VMT".into(), address: TEAM.into(), outer_subject_hidden: false };
    let case = CaseId::new("KATA", 2026, 1);
    let id = MailId::from_random(vault.random().unwrap());
    let message_id = vault.message_id(&case.to_string(), &id, "copy", 0, identity.domain());
    let batch: Vec<_> = KEYRING.members().iter().take(members).map(Arc::clone).collect();
    bencher.bench_local(|| {
        let input = CopyInput {
            identity: &identity,
            case: Some(&case),
            message_id: &message_id,
            thread: &[],
            received: now,
            frozen: &frozen,
            contact: None,
            advisory: None,
            sections: &sections,
            envelope_from: TEAM,
            reduced: None,
        };
        let signed = prepare_copies(&input, &KEYRING, &batch, now).unwrap();
        for member in &batch {
            black_box(signed.seal_for(member, "00", now).unwrap());
        }
    });
}

/// A draft advisory with the redacted text, for a team of a hundred.
#[divan::bench(args = [4 * KIB, 64 * KIB])]
fn redaction(bencher: Bencher, size: usize) {
    let (outer, opened, decision) = opened(&mail(size), Timestamp::now());
    let case = CaseId::new("KATA", 2026, 1);
    let components = ["agent".to_owned(), "runtime".to_owned()];
    let prepare = || prepare_draft(&outer, &opened, &decision, &components, &KEYRING, &RULES).unwrap();
    let draft = || prepare().for_case(&case, [7; 16]);
    assert!(draft().fell_back.is_none(), "the report's text is in the draft");
    bencher.bench_local(draft);
}

#[divan::bench(args = SIZES)]
fn vault_seal(bencher: Bencher, size: usize) {
    let vault = Vault::new(&StoreKey::generate().unwrap()).unwrap();
    let mail = mail(size);
    bencher.bench_local(|| vault.seal(Purpose::Mail, "row", black_box(&mail)).unwrap());
}

#[divan::bench(args = SIZES)]
fn vault_unseal(bencher: Bencher, size: usize) {
    let vault = Vault::new(&StoreKey::generate().unwrap()).unwrap();
    let sealed = vault.seal(Purpose::Mail, "row", &mail(size)).unwrap();
    bencher
        .with_inputs(|| sealed.clone())
        .bench_local_values(|sealed| vault.unseal(Purpose::Mail, "row", sealed).unwrap());
}
