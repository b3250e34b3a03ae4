use super::*;
use crate::report::{AdvisoryDraft, CaseId, Marker};
use fixture::*;
use openpgp::cert::prelude::*;
use proptest::prelude::*;

#[path = "redaction_fixture_tests.rs"]
mod fixture;

#[test]
fn a_name_and_an_address_are_found_however_they_are_written() {
    for person in &PEOPLE {
        for (way, hide) in hidings() {
            let text = format!(
                "The shim does not check the length. It was {} who saw it first, write to {} for the rest.\nThe crash is at offset 12.\n",
                hide(person.name),
                hide(person.address)
            );
            let shown = shown_for(person, &text);
            assert!(shown.contains("does not check the length"), "{way}: {shown}");
            assert!(shown.contains("The crash is at offset 12."), "{way}: {shown}");
            assert!(shown.contains("[redacted: "), "{way}: {shown}");
            for word in ["mallory", "nunez", "papadopoulos", "smirnov"] {
                assert!(!look_alikes(&flat(&shown)).contains(&look_alikes(word)), "{way}: {shown}");
            }
        }
    }
}

#[test]
fn handles_go_with_the_links_hosts_and_paths_that_hold_them() {
    let shown = shown_for(
        &PEOPLE[0],
        "PoC: https://github.com/emallory/poc and https://redbrick-labs.example/blog/1\n\
         Built in /home/eve.mallory/src/kata/main.rs:12 on mallory-laptop.lan, C:\\Users\\mallory\\poc.exe\n\
         see @evemallory and mallory42, or ./run --user=eve.mallory\nThe file /proc/self/mem is writable.\n",
    );
    assert!(
        !shown.contains("/poc") && !shown.contains("/blog") && !shown.contains("src/kata") && !shown.contains("laptop"),
        "{shown}"
    );
    assert!(shown.contains("The file /proc/self/mem is writable."), "{shown}");
}

#[test]
fn everybodys_addresses_and_telephone_numbers_are_taken_out() {
    for contact in [
        "bob@other.example",
        "bob(at)other.example",
        "bob [at] other [dot] example",
        "bob at other dot example",
        "<bob@other.example>",
        "mailto:bob@other.example",
        "bob@\nother.example",
        "bob&#64;other.example",
        "bob%40other.example",
        "bob＠other.example",
        "bob@other。example",
        "bob@[192.0.2.1]",
        "боб@пример.рф",
        "@bob:other.example",
        "bob@sub.other.co.uk",
        "b.o+b@other.example",
        "+49 170 1234567",
        "+1 (555) 123-4567",
        "+4917012345678",
        "(555) 123-4567",
        "555-123-4567",
        "0170/1234567",
        "030 12345678",
        "0049 170 1234567",
        "Tel: 1234567",
        "call me at 12 34 56 78",
        "WhatsApp 5551234567",
        "＋４９ １７０ １２３４５６７",
        "+٤٩ ١٧٠ ١٢٣٤٥٦٧",
        "&#43;49 170 1234567",
        "+49\u{200b}170\u{200b}1234567",
        "tel:+49-170-1234567",
    ] {
        let draft =
            redacted(&PEOPLE[0], &format!("The ring is full.\nReach me: {contact} any time.\nThe end is near."))
                .unwrap();
        let shown = draft.description();
        let digits =
            shown.lines().filter(|line| line.contains("Reach")).flat_map(str::chars).filter(|c| c.is_numeric()).count();
        assert!(digits < 3, "{contact}: {shown}");
        assert!(!shown.contains("other") && !shown.contains("пример"), "{contact}: {shown}");
        assert!(shown.contains("The ring is full.") && shown.contains("The end is near."), "{contact}: {shown}");
    }
}

#[test]
fn signature_blocks_and_closings_go() {
    for (name, block) in [
        ("delimiter", "-- \nSomebody Unheard-Of\nSecurity Ninja, ACME\nOffice 12\n"),
        ("stripped delimiter", "--\nSomebody Unheard-Of\nACME\n"),
        ("closing", "Best regards,\nSomebody Unheard-Of\nSenior Person at ACME\n"),
        ("closing and blank", "Kind regards\n\nSomebody Unheard-Of\nACME\n"),
        ("thanks", "Thanks!\nSomebody\nACME\n"),
        ("closing on one line", "Cheers, Somebody Unheard\n"),
        ("german", "Mit freundlichen Grüßen\nSomebody Unheard-Of\nACME\n"),
        ("russian", "С уважением,\nSomebody Unheard\nACME\n"),
        ("dash", "— Somebody\n"),
        ("bare name", "Somebody Unheard\n"),
    ] {
        let shown = shown_for(
            &PEOPLE[0],
            &format!("The ring is full and the guest writes on.\n\nRun it twice to see.\n\n{block}"),
        );
        assert!(!shown.contains("Somebody") && !shown.contains("ACME"), "{name}: {shown}");
        assert!(shown.contains("Run it twice to see."), "{name}: {shown}");
    }
}

#[test]
fn a_name_that_only_the_signature_tells_is_taken_out_everywhere() {
    let text = "Hello,\n\nthis was found by Zebediah, that is me, at zebediah.lan.\n\nBest regards,\nZebediah Quux\n";
    let draft = redacted_from(None, "x91@proton.me", &[], "Bug of Zebediah", text).unwrap();
    assert!(!flat(&draft.body_json()).contains("zebediah"), "{}", draft.description());
}

#[test]
fn greetings_name_nobody() {
    for greeting in ["Hi Bob,", "Dear Mr. Bobson,", "Hello Bob and Carol!", "Hallo Bob,", "Liebe Carol,", "Привет Боб,"]
    {
        let shown = shown_for(&PEOPLE[0], &format!("{greeting}\n\nthe ring is full.\n"));
        assert!(!shown.contains("Bob") && !shown.contains("Carol") && !shown.contains("Боб"), "{shown}");
    }
    let shown = shown_for(&PEOPLE[0], "Hi team,\n\nthe ring is full.\n");
    assert!(shown.contains("Hi team,"), "{shown}");
}

#[test]
fn members_names_are_taken_out_as_well() {
    let shown = shown_for(&PEOPLE[0], "As Liddell said, write to alice@members.example. The ring is full.\n");
    assert!(!shown.contains("Liddell") && !shown.contains("members"), "{shown}");
}

#[test]
fn quoted_mail_headers_go_and_quoted_text_stays() {
    let shown = shown_for(
        &PEOPLE[0],
        "See below.\n\nOn Mon, Jan 5, 2026 at 10:00 AM Bob Builder <bob@other.example>\nwrote:\n> The ring is full.\n\n\
         > From: Bob Builder\n> To: Carol\n> Date: Mon, 5 Jan 2026 10:00:00 +0100\n> Message-ID: <1234@mx>\n> Subject: ring\n>\n> It overflows.\n\
         Received: from laptop.lan (bobs-laptop [10.0.0.3])\n\tby mx; Mon, 5 Jan 2026\n",
    );
    for gone in ["Bob", "Carol", "1234@mx", "laptop", "10:00:00"] {
        assert!(!shown.contains(gone), "{gone}: {shown}");
    }
    assert!(shown.contains("> The ring is full.") && shown.contains("> It overflows."), "{shown}");
}

#[test]
fn a_patch_keeps_its_lines_and_loses_its_authors() {
    let shown = shown_for(
        &PEOPLE[0],
        "From 3f2c1a9d5e6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d Mon Sep 17 00:00:00 2001\nFrom: Bob Builder <bob@other.example>\nDate: Mon, 5 Jan 2026 10:00:00 +0100\n\
         Subject: [PATCH] vsock: check the length\n\nSigned-off-by: Bob Builder <bob@other.example>\nCo-authored-by: Carol <c@d.example>\nReported-by: Dave\n---\n \
         src/vsock.c | 4 ++--\n\ndiff --git a/src/vsock.c b/src/vsock.c\n@@ -120,7 +120,7 @@ static int recv(void)\n-\tif (len > 0)\n+\tif (len > 0 && len < MAX)\n \t\tmemcpy(dst, src, len);\n\
         + * Copyright (C) 2026 Bob Builder\n",
    );
    for gone in ["Bob", "Builder", "Carol", "Dave"] {
        assert!(!shown.contains(gone), "{gone}: {shown}");
    }
    for kept in [
        "[PATCH] vsock: check the length",
        "+\tif (len > 0 && len < MAX)",
        "memcpy(dst, src, len);",
        "@@ -120,7 +120,7 @@",
    ] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
}

#[test]
fn keys_user_ids_key_ids_and_fingerprints_go() {
    let (cert, _) =
        CertBuilder::general_purpose(Some("Zoltan Keyholder (night shift) <zk@holders.example>")).generate().unwrap();
    let fingerprint = cert.fingerprint().to_hex();
    let spaced =
        fingerprint.as_bytes().chunks(4).map(|part| std::str::from_utf8(part).unwrap()).collect::<Vec<_>>().join(" ");
    let subkey = cert.keys().subkeys().next().unwrap().key().fingerprint().to_hex();
    use openpgp::serialize::SerializeInto;
    let armored = String::from_utf8(cert.armored().to_vec().unwrap()).unwrap();
    let text = format!(
        "My marks: {fingerprint}, {}, {spaced}, 0x{}, {}, {subkey} and 0x{}.\nZoltan wrote this in the night shift.\n{armored}\nThe ring is full.\n\
         > -----BEGIN PGP MESSAGE-----\n> hQEMA\n> -----END PGP MESSAGE-----\nThe end is near.\n",
        fingerprint.to_lowercase(),
        &fingerprint[24..],
        &fingerprint[32..],
        &subkey[24..].to_lowercase(),
    );
    let draft = redacted_from(Some("Eve Mallory"), "em@proton.me", &[&cert], "Bug", &text).unwrap();
    let body = draft.description().to_lowercase();
    for gone in
        [&fingerprint.to_lowercase(), &fingerprint[32..].to_lowercase(), &spaced.to_lowercase(), &subkey.to_lowercase()]
    {
        assert!(!body.contains(gone.as_str()), "{gone}: {body}");
    }
    for gone in ["begin pgp", "end pgp", "zoltan", "keyholder", "night shift", "hqema"] {
        assert!(!body.contains(gone), "{gone}: {body}");
    }
    assert!(body.contains("the ring is full.") && body.contains("the end is near."), "{body}");
}

#[test]
fn the_text_of_a_clear_signed_message_stays_and_its_armor_goes() {
    let shown = shown_for(
        &PEOPLE[0],
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nThe ring is full.\n-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCgAdFiEE\n-----END PGP SIGNATURE-----\n",
    );
    assert!(shown.contains("The ring is full.") && !shown.contains("PGP") && !shown.contains("iQEz"), "{shown}");
}

#[test]
fn short_and_common_names_go_where_they_stand_as_names_and_stay_as_words() {
    let mark = Person { name: "Mark Li", address: "mli@proton.me", secrets: &["mark li", "hi mark", "li,"] };
    let shown = shown_for(
        &mark,
        "Hi Mark,\n\nI mark the benchmark page as dirty; the list in /dev/kvm is live.\nMark saw it at /home/mark/x.\n\nRegards,\nMark Li\n",
    );
    assert!(shown.contains("I mark the benchmark page as dirty; the list in /dev/kvm is live."), "{shown}");
    assert!(!shown.contains("Mark") && !shown.contains("/home"), "{shown}");
}

#[test]
fn what_was_removed_is_told_in_fixed_words_and_numbers() {
    let (subject, text, template) = (
        Plaintext::from_text("x"),
        Plaintext::from_text("Eve Mallory, a@b.example, c@d.example"),
        Template::read("", &[]),
    );
    let contact = ReporterContact::new("em@proton.me", Some("Eve Mallory"));
    let input = RedactionInput {
        subject: &subject,
        text: &text,
        contacts: vec![&contact],
        certs: Vec::new(),
        fingerprints: Vec::new(),
        members: Vec::new(),
        team_addresses: &[],
        template: &template,
    };
    assert_eq!(redact(&input).unwrap().removed(), [(Removed::Name, 1), (Removed::Address, 2)]);
}

#[test]
fn a_template_field_that_names_somebody_is_left_out_of_report_and_stub() {
    let text = "Ecosystem: npm\nPackage: mallory-tools\nAffected: 1.0-mallory\nThe ring is full.\n";
    let draft = redacted(&PEOPLE[0], text).unwrap();
    assert!(!draft.body_json().contains("mallory"), "{}", draft.body_json());
    let (subject, plain, template) = (Plaintext::from_text("x"), Plaintext::from_text(text), Template::read(text, &[]));
    let contact = ReporterContact::new(PEOPLE[0].address, Some(PEOPLE[0].name));
    let input = RedactionInput {
        subject: &subject,
        text: &plain,
        contacts: vec![&contact],
        certs: Vec::new(),
        fingerprints: Vec::new(),
        members: Vec::new(),
        team_addresses: &[],
        template: &template,
    };
    let stub =
        AdvisoryDraft::stub(&CaseId::new("KATA", 2026, 1), &Marker::from_random([9; 16]), &input.screened_template());
    assert!(!stub.body_json().contains("mallory"), "{}", stub.body_json());
}

#[test]
fn whatever_gets_past_redaction_is_caught_by_the_search_of_the_finished_draft() {
    let (subject, text, template) =
        (Plaintext::from_text("x"), Plaintext::from_text("The ring is full."), Template::read("", &[]));
    let contact = ReporterContact::new(PEOPLE[0].address, Some(PEOPLE[0].name));
    let input = RedactionInput {
        subject: &subject,
        text: &text,
        contacts: vec![&contact],
        certs: Vec::new(),
        fingerprints: Vec::new(),
        members: Vec::new(),
        team_addresses: &[],
        template: &template,
    };
    for canary in [
        "by Mallory",
        "m&#97;llory",
        "eve.mal\u{200b}lory@redbrick-labs.example",
        "who@is.example",
        "+49 170 1234567",
        "e v e . m a l l o r y @ redbrick-labs . example",
    ] {
        let mut report = redact(&input).unwrap();
        report.text = Zeroizing::new(format!("The ring is full. {canary}"));
        let refused = AdvisoryDraft::report(report, &CaseId::new("KATA", 2026, 1), &Marker::from_random([9; 16]));
        assert!(matches!(refused, Err(Fallback::Remains(_))), "{canary}");
    }
}

#[test]
fn a_name_broken_by_something_taken_out_does_not_grow_together() {
    let text = "eve.mal[redacted: name]lory@redbrick-labs.example and eve.<!-- -->mallory@redbrick-labs.example";
    shown_for(&PEOPLE[0], text);
}

/// Ordinary reports come through without falling back, and nearly unchanged.
#[test]
fn ordinary_reports_mostly_survive() {
    let lines = [
        "Kata Containers 3.2.1 and 2.5.0-rc1 on 2026-01-05 at 10:11:12.345678 UTC, see CVE-2025-12345 and CWE-787.",
        "[ 1234.567890] BUG: KASAN: slab-out-of-bounds in vsock_recv+0x1a2/0x3b0 [vhost_vsock]",
        "RIP: 0033:0x7ffdeadbeef0 RSP: 002b:00007ffd12345678 EFLAGS: 00010246",
        "00000000: 7f45 4c46 0201 0100 0000 0000 0000 0000  .ELF............",
        "00000010: 0300 3e00 0100 0000 4010 0000 0000 0000  ..>.....@.......",
        "7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00",
        "listen on 127.0.0.1:8080 and [::1]:443, route 10.0.0.0/8, MAC 02:42:ac:11:00:02",
        "    #1 0x55d0c8 in main /build/agent/src/rpc.rs:1234:56",
        "commit 3f2c1a9d5e6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d and sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "int main(int argc, char **argv) { return memcpy(dst, src, 0x1000) == NULL; } // 100% sure",
        "@@ -123,7 +123,9 @@ fn check(len: usize) -> Result<()> {",
        "+    if len > 4294967295 { return Err(anyhow!(\"too long: {}\", len)); }",
        "-    let x = buf[18446744073709551615];",
        "$ curl -sS http://localhost:8080/metrics?from=1700000000&to=1700003600",
        "GET /v1.24/containers/json HTTP/1.1",
        "uses: actions/checkout@v4, lodash@4.17.21, memcpy@GLIBC_2.14, #[derive(Debug)] @Override",
        "https://github.com/kata-containers/kata-containers/blob/main/src/agent/src/rpc.rs#L100-L120",
        "PID 12345 uid=1000 gid=1000 size=1048576 offset=0x10000, 1234567890 bytes in 3.14 s",
        "Thanks for looking into this; this is important, I am sure that the host is at risk.",
        "let token = \"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.Et9HFtf9R3GEMA0IICOfFMVXY7kkTX1wr4qCyIf58U\";",
        "    name: String, to: u16, from: Option<String>, // name: kata-pod",
        "  name: nginx",
        "    to: 8080",
        "    author: String,",
        "| a | b |, 50% of 200 = 100; x<y && y>z; name=value; key: 0xdeadbeef",
    ];
    let text = lines.join("\n") + "\n\nThe end of the report is an ordinary sentence.\n";
    for person in &PEOPLE {
        let shown = shown_for(person, &text);
        for line in lines {
            assert!(shown.contains(line), "{}: {line}\n{shown}", person.name);
        }
    }
}

#[test]
fn a_huge_hostile_text_ends_in_time() {
    for text in [
        "&amp;".repeat(60_000),
        "a@".repeat(100_000),
        "=\n".repeat(100_000),
        "\n>".repeat(100_000),
        "Hi ".repeat(80_000),
        "+1 ".repeat(80_000),
        "Thanks,\n".repeat(30_000),
        "-----BEGIN PGP MESSAGE-----\n".repeat(6_000),
        "e v e ".repeat(40_000),
    ] {
        let started = std::time::Instant::now();
        let _ = redacted(&PEOPLE[0], &text);
        assert!(started.elapsed().as_secs() < 60, "{:?} for {:?}", started.elapsed(), &text[..8]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_identifier_is_left_wherever_and_however_it_stands(
        person in 0..PEOPLE.len(),
        words in prop::collection::vec("[a-z]{1,9}|[0-9]{1,4}|\\(|\\.|0x[0-9a-f]{4}|\\n", 0..40),
        places in prop::collection::vec((0..40_usize, 0..23_usize, any::<bool>(), "[ (\"'\n,.:*_-]{1,2}"), 1..6),
    ) {
        let person = &PEOPLE[person];
        let mut words = words;
        for (place, way, name, edge) in places {
            let hidden = hidings()[way].1(if name { person.name } else { person.address });
            words.insert(place.min(words.len()), format!("{edge}{hidden}{edge}"));
        }
        let text = words.join(" ");
        match redacted(person, &text) {
            Ok(draft) => assert_clean(person, &draft, &text),
            Err(why) => panic!("fell back: {why}"),
        }
    }

    #[test]
    fn no_text_makes_it_panic(subject in "\\PC{0,80}", text in "(?s).{0,400}") {
        let _ = redacted_from(Some(&subject), "eve@research.example", &[], &subject, &text);
    }
}
