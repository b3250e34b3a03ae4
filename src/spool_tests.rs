use super::*;
use crate::adapters::fixture_tests::{Owner, age, names};
use std::os::unix::fs::{PermissionsExt, symlink};

const LIMIT: u64 = 1_000_000;

fn mail(text: &str) -> Plaintext {
    Plaintext::new(text.as_bytes().to_vec())
}

impl Owner {
    fn spool(&self) -> PathBuf {
        self.path("state/spool")
    }

    fn inbox(&self) -> SpoolInbox {
        SpoolInbox::new(self.spool(), Arc::clone(&self.keyring))
    }

    fn put(&self, text: &str) -> String {
        put(&self.spool(), &self.certificate, &mail(text)).unwrap()
    }
}

#[tokio::test]
async fn what_is_put_in_comes_out_again_in_order_until_it_is_done() {
    let owner = Owner::new();
    assert!(owner.inbox().list(10).await.unwrap().is_empty(), "a spool that does not exist yet is empty");
    for text in ["first", "second", ""] {
        owner.put(text);
    }
    let (inbox, found) = (owner.inbox(), owner.inbox().list(10).await.unwrap());
    for (found, text) in found.iter().zip(["first", "second", ""]) {
        let Ok(Fetched::Whole(mail)) = inbox.fetch(found, LIMIT).await else { panic!("{text} does not come out") };
        assert_eq!(owner.read(&mail), text.as_bytes());
        inbox.done(found).await.unwrap();
        inbox.done(found).await.unwrap();
        assert!(matches!(inbox.fetch(found, LIMIT).await, Ok(Fetched::Gone)));
    }
    assert_eq!(found.len(), 3);
    assert!(names(&owner.spool()).is_empty());
}

#[test]
fn a_spool_file_is_openpgp_that_only_the_gateway_reads() {
    let owner = Owner::new();
    let name = owner.put("heap overflow");
    let file = owner.spool().join(&name);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(13).any(|window| window == b"heap overflow"));
    assert_eq!(owner.decrypt(&file), b"heap overflow");
    assert_eq!(names(&owner.spool()), [name]);
    assert_eq!(std::fs::metadata(owner.spool()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(
        std::fs::metadata(file).unwrap().permissions().mode() & 0o137,
        0,
        "readable by others or writable by a group"
    );
}

#[tokio::test]
async fn a_file_that_does_not_open_is_told_and_stays_behind_the_others() {
    let owner = Owner::new();
    let stranger = Owner::new();
    put(&owner.spool(), &stranger.certificate, &mail("to another key")).unwrap();
    owner.put("ours");
    let inbox = owner.inbox();
    let found = inbox.list(10).await.unwrap();
    let Err(PortError::Permanent(text)) = inbox.fetch(&found[0], LIMIT).await else { panic!("it opened") };
    assert!(text.contains("put the key back"), "{text}");
    let again = inbox.list(10).await.unwrap();
    assert_eq!(again, [found[1].clone(), found[0].clone()]);
    // A damaged file never comes out in part.
    let file = owner.spool().join(names(&owner.spool())[1].as_str());
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(matches!(inbox.fetch(&found[1], LIMIT).await, Err(PortError::Permanent(_))));
    assert_eq!(names(&owner.spool()).len(), 2);
}

#[tokio::test]
async fn strangers_files_in_the_spool_do_no_harm() {
    let owner = Owner::new();
    owner.put("ours");
    let spool = owner.spool();
    symlink(owner.path("key.asc"), spool.join("000000000001.000000-link.mail")).unwrap();
    std::fs::create_dir(spool.join("000000000002.000000-folder.mail")).unwrap();
    std::fs::write(spool.join("notes.txt"), "x").unwrap();
    let huge = std::fs::File::create(spool.join("000000000003.000000-huge.mail")).unwrap();
    huge.set_len(300 * 1024 * 1024).unwrap();
    let inbox = owner.inbox();
    let found = inbox.list(10).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(matches!(inbox.fetch(&found[0], LIMIT).await, Err(PortError::Permanent(text)) if text.contains("larger")));
    assert!(matches!(inbox.fetch(&found[1], LIMIT).await, Ok(Fetched::Whole(_))));
    let outside = Found { source: "spool:../../key.asc".into(), size: 1 };
    assert!(matches!(inbox.fetch(&outside, LIMIT).await, Ok(Fetched::Gone)));
    inbox.done(&outside).await.unwrap();
    assert!(owner.path("key.asc").exists());
}

#[tokio::test]
async fn a_mail_beyond_a_lowered_limit_gives_its_head_and_is_kept() {
    let owner = Owner::new();
    owner.put(&"x".repeat(100_000));
    let inbox = owner.inbox();
    let found = inbox.list(10).await.unwrap().remove(0);
    assert!(matches!(inbox.fetch(&found, 70_000).await, Ok(Fetched::Head(head)) if head.len() == HEAD));
    inbox.keep(&found).await.unwrap();
    inbox.keep(&found).await.unwrap();
    assert!(inbox.list(10).await.unwrap().is_empty());
    let kept = names(&owner.spool());
    assert_eq!(kept.len(), 1);
    assert_eq!(owner.decrypt(&owner.spool().join(&kept[0])).len(), 100_000);
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_never_listed_and_goes_after_a_day() {
    let owner = Owner::new();
    owner.put("ours");
    for (name, hours) in [(".unfinished-0a", 23), (".unfinished-0b", 25)] {
        std::fs::write(owner.spool().join(name), "half").unwrap();
        age(&owner.spool().join(name), hours);
    }
    assert_eq!(owner.inbox().list(10).await.unwrap().len(), 1);
    let left = names(&owner.spool());
    assert!(left.len() == 2 && left[0] == ".unfinished-0a", "{left:?}");
}

#[test]
fn a_mail_that_cannot_be_stored_leaves_nothing_behind() {
    let owner = Owner::new();
    std::fs::write(owner.path("state"), "a file where the state folder should be").unwrap();
    assert!(matches!(put(&owner.spool(), &owner.certificate, &mail("x")), Err(PutError::Store(_))));
    assert_eq!(names(owner.folder.path()), ["key.asc", "state"]);
}

#[test]
fn the_status_can_be_told_without_any_key() {
    let owner = Owner::new();
    assert_eq!(waiting(&owner.spool()).unwrap(), (0, None));
    owner.put("one");
    owner.put("two");
    let (count, oldest) = waiting(&owner.spool()).unwrap();
    assert_eq!(count, 2);
    assert!(oldest.unwrap().elapsed().unwrap() < Duration::from_secs(60));
}

#[tokio::test]
async fn waiting_ends_when_a_mail_is_put_in() {
    let owner = Owner::new();
    owner.put("one");
    let inbox = owner.inbox();
    inbox.list(10).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), inbox.wait()).await.is_err());
    owner.put("two");
    tokio::time::timeout(Duration::from_secs(10), inbox.wait()).await.unwrap();
}
