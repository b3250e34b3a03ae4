use super::*;
use crate::adapters::fixture_tests::{Owner, names};

const LIMIT: u64 = 100_000;

fn settings(owner: &Owner) -> Settings {
    let key = std::fs::read(owner.path("key.asc")).unwrap();
    let certificate = SpoolCertificate::read(&Plaintext::new(key)).unwrap();
    Settings { spool: owner.path("spool"), certificate, max_size: LIMIT }
}

fn receive(owner: &Owner, mail: impl Read) -> (u8, String) {
    let mut errors = Vec::new();
    let status = run(Ok::<_, ()>(settings(owner)), mail, &mut errors);
    (status, String::from_utf8(errors).unwrap())
}

/// What lies in the spool, opened.
fn spooled(owner: &Owner) -> Vec<Vec<u8>> {
    let spool = owner.path("spool");
    names(&spool).iter().map(|name| owner.decrypt(&spool.join(name))).collect()
}

#[test]
fn a_mail_is_stored_as_it_came_and_silence_says_so() {
    let owner = Owner::new();
    let mail = b"Subject: x\n\nbody\r\n\0\xff".as_slice();
    assert_eq!(receive(&owner, mail), (0, String::new()));
    assert_eq!(spooled(&owner), [mail]);
}

#[test]
fn the_line_that_mail_servers_put_before_a_mail_is_taken_off_and_nothing_else() {
    for (input, stored) in [
        ("From eve@example.org Mon Jan  5 10:00:00 2026\nSubject: x\n\nFrom here\n", "Subject: x\n\nFrom here\n"),
        ("From: eve@example.org\n\nbody", "From: eve@example.org\n\nbody"),
        ("From nobody", ""),
        ("", ""),
    ] {
        let owner = Owner::new();
        assert_eq!(receive(&owner, input.as_bytes()), (0, String::new()));
        assert_eq!(spooled(&owner), [stored.as_bytes()], "{input:?}");
    }
}

#[test]
fn a_mail_beyond_the_limit_is_refused_with_a_reason_and_not_stored() {
    let owner = Owner::new();
    let (status, text) = receive(&owner, std::io::repeat(b'x'));
    assert_eq!(status, 1);
    assert!(text.lines().count() == 1 && text.contains("100000 octets"), "{text}");
    assert!(!owner.path("spool").exists());
    assert_eq!(receive(&owner, std::io::repeat(b'x').take(LIMIT)), (0, String::new()));
}

#[test]
fn what_cannot_be_stored_now_is_left_to_the_mail_server() {
    let owner = Owner::new();
    std::fs::write(owner.path("spool"), "a file where the spool should be").unwrap();
    let (status, text) = receive(&owner, b"mail".as_slice());
    assert_eq!((status, text.lines().count()), (75, 1));
    // The sender may get to read it.
    assert!(!text.contains(&owner.folder.path().display().to_string()), "{text}");
}

#[test]
fn a_broken_pipe_or_configuration_never_bounces_a_mail() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let owner = Owner::new();
    let (status, text) = receive(&owner, b"half a mail".chain(Broken));
    assert_eq!((status, text.lines().count()), (75, 1));
    assert!(!owner.path("spool").exists(), "half a mail was stored");
    let mut errors = Vec::new();
    let status = run(Err("line 3: members/alice.asc is missing"), b"mail".as_slice(), &mut errors);
    let text = String::from_utf8(errors).unwrap();
    assert_eq!((status, text.lines().count()), (75, 1));
    assert!(!text.contains("alice") && text.contains("embargod check"), "{text}");
}
