use super::*;
use crate::adapters::fixture_tests::{age, names};
use std::os::unix::fs::PermissionsExt;

const ALICE: &str = "alice@example.org";
const ID: &str = "0123456789abcdef";

fn post_office() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// All mails of a Maildir, wherever a reader has put them.
fn mails(maildir: &Path) -> usize {
    let folders = [maildir.to_owned(), maildir.join(".Filed")];
    let all = folders.iter().flat_map(|folder| [folder.join("new"), folder.join("cur")]);
    all.filter(|folder| folder.exists()).map(|folder| names(&folder).len()).sum()
}

#[test]
fn a_mail_lies_whole_in_its_recipients_own_private_maildir() {
    let office = post_office();
    deliver(office.path(), ALICE, ID, b"mail\r\n").unwrap();
    deliver(office.path(), "bob@example.org", ID, b"other").unwrap();
    let maildir = office.path().join(ALICE);
    assert_eq!(names(&maildir), ["cur", "new", "tmp"]);
    assert_eq!(std::fs::read(maildir.join("new").join(format!("embargod.{ID}"))).unwrap(), b"mail\r\n");
    assert_eq!(names(&maildir.join("tmp")).len(), 0);
    assert_eq!(std::fs::metadata(&maildir).unwrap().permissions().mode() & 0o777, 0o700);
    let file = maildir.join("new").join(format!("embargod.{ID}"));
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(office.path()), [ALICE, "bob@example.org"]);
}

#[test]
fn a_repeated_delivery_makes_no_second_mail_wherever_the_first_one_went() {
    let office = post_office();
    let maildir = office.path().join(ALICE);
    let name = format!("embargod.{ID}");
    deliver(office.path(), ALICE, ID, b"mail").unwrap();
    deliver(office.path(), ALICE, ID, b"mail").unwrap();
    assert_eq!(mails(&maildir), 1);
    for moved in [format!("cur/{name}:2,"), format!("cur/{name},S=4:2,RS"), format!(".Filed/cur/{name}:2,S")] {
        std::fs::create_dir_all(maildir.join(".Filed/cur")).unwrap();
        let now = ["new", "cur"]
            .iter()
            .find_map(|folder| Some(maildir.join(folder).join(names(&maildir.join(folder)).first()?)));
        std::fs::rename(now.unwrap(), maildir.join(&moved)).unwrap();
        deliver(office.path(), ALICE, ID, b"mail").unwrap();
        assert_eq!(mails(&maildir), 1, "{moved}");
    }
    deliver(office.path(), ALICE, "0123456789abcdef01", b"another whose id begins alike").unwrap();
    assert_eq!(mails(&maildir), 2);
}

#[test]
fn a_crash_while_writing_neither_hinders_the_next_try_nor_leaves_its_file_for_ever() {
    let office = post_office();
    let tmp = office.path().join(ALICE).join("tmp");
    std::fs::create_dir_all(&tmp).unwrap();
    let (young, old) = (format!("embargod.{ID}.0a"), format!("embargod.{ID}.0b"));
    for (name, hours) in [(young.as_str(), 1), (&old, 40), ("another.program", 40)] {
        std::fs::write(tmp.join(name), "half a ma").unwrap();
        age(&tmp.join(name), hours);
    }
    deliver(office.path(), ALICE, ID, b"whole mail").unwrap();
    assert_eq!(std::fs::read(office.path().join(ALICE).join(format!("new/embargod.{ID}"))).unwrap(), b"whole mail");
    assert_eq!(names(&tmp), ["another.program", young.as_str()]);
}

#[test]
fn an_address_is_one_folder_below_the_path_whatever_is_in_it() {
    let parent = post_office();
    let office = parent.path().join("office");
    for (number, address) in
        ["../../etc@x", "..", "/etc/passwd", "a/b@x", ".hidden@x", "a\0b@x", "a\nb@x", "a%2Fb@x"].iter().enumerate()
    {
        deliver(&office, address, ID, b"mail").unwrap();
        assert_eq!(names(&office).len(), number + 1, "{address:?}");
    }
    assert_eq!(names(parent.path()), ["office"]);
    assert!(names(&office).iter().all(|name| !name.starts_with('.') && !name.contains('\n')));
    for bad in [String::new(), "a".repeat(256)] {
        assert!(matches!(deliver(&office, &bad, ID, b"mail"), Err(PortError::Permanent(_))));
    }
    for bad in ["", "../x", "x y"] {
        assert!(matches!(deliver(&office, ALICE, bad, b"mail"), Err(PortError::Permanent(_))), "{bad:?}");
    }
}

#[test]
fn a_failed_delivery_can_be_tried_again_and_its_error_names_no_recipient() {
    let office = post_office();
    // A file where the Maildir should be fails for root too, which a read-only folder would not.
    std::fs::write(office.path().join(ALICE), "").unwrap();
    let Err(PortError::Temporary(text)) = deliver(office.path(), ALICE, ID, b"mail") else { panic!("no error") };
    assert!(!text.contains("alice") && text.contains(&office.path().display().to_string()), "{text}");
    std::fs::remove_file(office.path().join(ALICE)).unwrap();
    deliver(office.path(), ALICE, ID, b"mail").unwrap();
    assert_eq!(mails(&office.path().join(ALICE)), 1);
}

#[test]
fn two_deliverers_of_one_mail_leave_one_whole_mail() {
    let office = post_office();
    let bytes = vec![b'x'; 300_000];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| deliver(office.path(), ALICE, ID, &bytes).unwrap());
        }
    });
    let maildir = office.path().join(ALICE);
    assert_eq!((mails(&maildir), names(&maildir.join("tmp")).len()), (1, 0));
    assert_eq!(std::fs::read(maildir.join(format!("new/embargod.{ID}"))).unwrap(), bytes);
}
