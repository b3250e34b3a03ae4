use super::*;

#[test]
fn sizes_have_a_unit_and_nothing_else() {
    assert_eq!(size("50 MiB").unwrap(), 50 * 1024 * 1024);
    assert_eq!(size("1GiB").unwrap(), 1 << 30);
    assert_eq!(size("512 KiB").unwrap(), 512 * 1024);
    assert_eq!(size("100 B").unwrap(), 100);
    for wrong in ["", "50", "50 MB", "50M", "MiB", "-1 MiB", "1.5 MiB", "50 MiB ", " 50 MiB", "99999999999 GiB"] {
        assert!(size(wrong).unwrap_err().mend.contains("50 MiB"), "{wrong:?}");
    }
}

#[test]
fn durations_are_read_as_people_write_them() {
    assert_eq!(duration("60s").unwrap(), Duration::from_secs(60));
    assert_eq!(duration("5m").unwrap(), Duration::from_secs(300));
    assert_eq!(duration("1h").unwrap(), Duration::from_secs(3600));
    assert_eq!(duration("180d").unwrap(), Duration::from_secs(180 * 86_400));
    for wrong in ["", "60", "-5m", "5m ago", "1mo", "1y", "soon"] {
        assert!(duration(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn plain_addresses_are_taken_as_they_are_written() {
    for right in ["vmt@example.org", "vmt+runtime@mail.example.org", "Alice.O'Neill@example.org", "root@localhost"] {
        assert_eq!(address(right).unwrap(), right);
    }
}

#[test]
fn addresses_that_could_be_something_else_elsewhere_are_refused() {
    for (wrong, why) in [
        ("vmt", "one @"),
        ("a@b@example.org", "one @"),
        ("vmt @example.org", "spaces"),
        ("\"a b\"@example.org", "spaces"),
        ("\"ab\"@example.org", "quotes"),
        ("vmt@example.org\nBcc: eve@example.org", "control"),
        ("Team <vmt@example.org>", "spaces"),
        ("vmt@bücher.example", "xn--"),
        ("bücher@example.org", "SMTPUTF8"),
        ("-oQ@example.org", "before the @"),
        ("../../etc@example.org", "before the @"),
        (".vmt@example.org", "before the @"),
        ("a/b@example.org", "before the @"),
        ("vmt@-example.org", "domain"),
        ("vmt@[127.0.0.1]", "domain"),
        ("vmt@example..org", "domain"),
        ("vmt@", "domain"),
        ("@example.org", "before the @"),
    ] {
        let problem = address(wrong).expect_err(wrong);
        assert!(problem.what.contains(why), "{wrong:?}: {problem}");
    }
}

#[test]
fn a_member_cannot_be_named_like_a_role_in_the_statement() {
    assert_eq!(member_name(" Alice ").unwrap(), "Alice");
    for wrong in ["Reporter", "gateway", "", "Alice\nKind: notice", "A\u{202E}lice", "<Alice>"] {
        assert!(member_name(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn only_a_whole_fingerprint_is_one() {
    let print = "0123 4567 89ab cdef 0123  4567 89ab cdef 0123 4567";
    assert_eq!(fingerprint(print).unwrap(), "0123456789ABCDEF0123456789ABCDEF01234567");
    assert!(fingerprint(&"A".repeat(64)).is_ok());
    for wrong in ["0123456789ABCDEF", "", &"G".repeat(40), &"é".repeat(20)] {
        assert!(fingerprint(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn every_form_of_a_sqlite_url_finds_its_file() {
    let folder = Path::new("/etc/embargod");
    for (url, file) in [
        ("sqlite://state/embargod.db", "/etc/embargod/state/embargod.db"),
        ("sqlite:state/embargod.db", "/etc/embargod/state/embargod.db"),
        ("sqlite:///var/lib/embargod/e.db", "/var/lib/embargod/e.db"),
        ("sqlite:/var/lib/embargod/e.db", "/var/lib/embargod/e.db"),
    ] {
        let (found, state) = database(url, folder).unwrap();
        assert_eq!(found, Database::Sqlite(file.into()), "{url}");
        assert_eq!(Some(state.as_path()), Path::new(file).parent(), "{url}");
    }
    for wrong in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite://e.db?mode=ro", "mysql://x", "e.db"] {
        assert!(database(wrong, folder).is_err(), "{wrong}");
    }
}

#[test]
fn postgres_keeps_its_state_beside_the_configuration_and_shows_no_password() {
    let folder = Path::new("/etc/embargod");
    for url in ["postgres://gate:hunter2@db.example.org/embargod", "postgresql://gate:hunter2@db.example.org/embargod"]
    {
        let (found, state) = database(url, folder).unwrap();
        assert_eq!(state, folder.join("state"));
        assert!(!format!("{found:?}").contains("hunter2"));
    }
    let problem = database("postgres://gate:hunter2@db:notaport/x", folder).unwrap_err();
    assert!(!problem.to_string().contains("hunter2"), "{problem}");
}

#[test]
fn a_maildir_folder_stays_inside_the_maildir() {
    assert!(maildir_folder("Archive").is_ok());
    assert!(maildir_folder("Archive.2026").is_ok());
    for wrong in ["", ".", "..", "a/b", "../x", ".Archive", "Archive.", "a..b", "a\nb"] {
        assert!(maildir_folder(wrong).is_err(), "{wrong:?}");
    }
}
