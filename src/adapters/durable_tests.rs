use super::*;
use crate::adapters::fixture_tests::{age, names};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn whole(found: Option<Bounded>) -> Vec<u8> {
    match found {
        Some(Bounded::Whole(bytes)) => bytes.to_vec(),
        Some(Bounded::Head(_)) => panic!("only the head"),
        None => panic!("nothing"),
    }
}

#[test]
fn a_new_file_never_overwrites_another_nor_follows_a_link() {
    let folder = folder();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    write_new(&file, b"first", 0o600).unwrap();
    assert_eq!(write_new(&file, b"second", 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
    symlink(folder.path().join("elsewhere"), &link).unwrap();
    assert_eq!(write_new(&link, b"second", 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&file).unwrap(), b"first");
    assert!(!folder.path().join("elsewhere").exists());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn moving_leaves_a_file_that_is_at_the_target_as_it_is() {
    for move_it in [move_without_clobber, link_and_unlink] {
        let folder = folder();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, "new").unwrap();
        std::fs::write(&to, "old").unwrap();
        assert_eq!(move_it(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!((std::fs::read(&from).unwrap(), std::fs::read(&to).unwrap()), (b"new".to_vec(), b"old".to_vec()));
        std::fs::remove_file(&to).unwrap();
        move_it(&from, &to).unwrap();
        assert_eq!((names(folder.path()), std::fs::read(&to).unwrap()), (vec!["to".to_owned()], b"new".to_vec()));
        assert_eq!(move_it(&from, &folder.path().join("third")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_crash_between_linking_and_unlinking_is_mended_by_the_next_try() {
    let folder = folder();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::write(&from, "mail").unwrap();
    std::fs::hard_link(&from, &to).unwrap();
    link_and_unlink(&from, &to).unwrap();
    assert_eq!(names(folder.path()), ["to"]);
}

#[test]
fn only_regular_files_are_read_and_a_fifo_does_not_hang() {
    let folder = folder();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "of this machine").unwrap();
    let link = folder.path().join("link");
    symlink(&secret, &link).unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [&link, &fifo, &folder.path().to_owned()] {
        assert_eq!(read_regular(path, 100).err().unwrap().kind(), ErrorKind::InvalidInput, "{}", path.display());
    }
    assert!(read_regular(&folder.path().join("missing"), 100).unwrap().is_none());
    assert_eq!(whole(read_regular(&secret, 100).unwrap()), b"of this machine");
}

#[test]
fn reading_stops_at_the_limit_and_keeps_the_head() {
    let folder = folder();
    let file = folder.path().join("file");
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(whole(read_regular(&file, 200_000).unwrap()), bytes);
    let Some(Bounded::Head(head)) = read_regular(&file, 199_999).unwrap() else { panic!("too large") };
    assert_eq!(*head, bytes[..HEAD]);
    // A pipe does not say its size beforehand; it ends here only because reading does.
    let Bounded::Head(head) = read_bounded(std::io::repeat(7), 0, 100_000).unwrap() else { panic!("endless") };
    assert_eq!(*head, [7; HEAD]);
    assert_eq!(whole(Some(read_bounded(bytes.as_slice(), 0, 200_000).unwrap())), bytes);
}

#[test]
fn missing_folders_are_made_private_and_existing_ones_keep_their_mode() {
    let folder = folder();
    let deep = folder.path().join("a/b/c");
    create_folder(&deep, 0o700).unwrap();
    assert_eq!(std::fs::metadata(folder.path().join("a")).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&deep, std::fs::Permissions::from_mode(0o770)).unwrap();
    create_folder(&deep, 0o700).unwrap();
    assert_eq!(std::fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o770);
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(create_folder(&folder.path().join("file"), 0o700).is_err());
}

#[test]
fn only_our_own_old_leftovers_are_removed() {
    let folder = folder();
    for (name, hours) in [("our.old", 30), ("our.young", 1), ("theirs.old", 30)] {
        std::fs::write(folder.path().join(name), "").unwrap();
        age(&folder.path().join(name), hours);
    }
    remove_leftovers(folder.path(), "our.", Duration::from_secs(24 * 3600));
    assert_eq!(names(folder.path()), ["our.young", "theirs.old"]);
}
