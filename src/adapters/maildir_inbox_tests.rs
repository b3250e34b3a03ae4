use super::*;
use crate::adapters::fixture_tests::{Owner, age, names};
use crate::ports::HEAD;
use std::os::unix::fs::symlink;

const LIMIT: u64 = 100_000;

struct Mailbox {
    folder: tempfile::TempDir,
    inbox: MaildirInbox,
}

impl Mailbox {
    fn with(done: Done) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tmp", "new", "cur"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let inbox = MaildirInbox::new(folder.path().to_owned(), done, Duration::from_millis(300));
        Self { folder, inbox }
    }

    fn archiving() -> Self {
        Self::with(Done::Move("Archive".into()))
    }

    fn put(&self, path: &str, content: &str) {
        std::fs::write(self.path(path), content).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    async fn list(&self) -> Vec<Found> {
        self.inbox.list(100).await.unwrap()
    }

    /// The unique names of what is listed.
    async fn bases(&self) -> Vec<String> {
        let name = |found: Found| found.source.rsplit(':').next().unwrap().to_owned();
        self.list().await.into_iter().map(name).collect()
    }
}

#[tokio::test]
async fn waiting_mail_is_listed_oldest_first_and_nothing_else_is() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1700000300.M1P1.host", "third");
    mailbox.put("cur/1700000100.M1P1.host:2,FS", "first");
    mailbox.put("new/1700000200.M1P1.host,S=6", "second");
    mailbox.put("new/no-time-in-the-name", "now");
    mailbox.put("tmp/1700000000.M1P1.host", "unfinished");
    mailbox.put("new/.hidden", "a server's own file");
    std::fs::create_dir(mailbox.path("new/1600000000.folder")).unwrap();
    symlink("/etc/passwd", mailbox.path("new/1600000000.link")).unwrap();
    let bases = mailbox.bases().await;
    assert_eq!(
        bases,
        ["1700000100.M1P1.host", "1700000200.M1P1.host,S=6", "1700000300.M1P1.host", "no-time-in-the-name"]
    );
    assert_eq!(mailbox.list().await[0].size, 5);
    assert_eq!(mailbox.inbox.list(2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_mail_keeps_its_source_when_a_mail_program_sets_flags() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1.a.host", "mail");
    let found = mailbox.list().await.remove(0);
    std::fs::rename(mailbox.path("new/1.a.host"), mailbox.path("cur/1.a.host:2,RS")).unwrap();
    assert_eq!(mailbox.list().await, std::slice::from_ref(&found));
    assert!(matches!(mailbox.inbox.fetch(&found, LIMIT).await, Ok(Fetched::Whole(mail)) if mail.len() == 4));
}

#[tokio::test]
async fn fetching_gives_the_mail_octet_by_octet_and_changes_nothing() {
    let (mailbox, owner) = (Mailbox::archiving(), Owner::new());
    mailbox.put("new/1.a.host", "Subject: x\r\n\r\nmixed\nline ends\r\n");
    let found = mailbox.list().await.remove(0);
    let Ok(Fetched::Whole(mail)) = mailbox.inbox.fetch(&found, LIMIT).await else { panic!("not fetched") };
    assert_eq!(owner.read(&mail), b"Subject: x\r\n\r\nmixed\nline ends\r\n");
    assert_eq!((names(&mailbox.path("new")), names(&mailbox.path("cur"))), (vec!["1.a.host".to_owned()], vec![]));
}

#[tokio::test]
async fn of_a_mail_beyond_the_limit_only_the_head_is_read() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1.a.host", &"x".repeat(100_001));
    let found = mailbox.list().await.remove(0);
    assert!(matches!(mailbox.inbox.fetch(&found, LIMIT).await, Ok(Fetched::Head(head)) if head.len() == HEAD));
    assert!(matches!(mailbox.inbox.fetch(&found, 100_001).await, Ok(Fetched::Whole(mail)) if mail.len() == 100_001));
}

#[tokio::test]
async fn a_mail_that_vanished_is_gone_and_done_twice_is_fine() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1.a.host", "mail");
    let found = mailbox.list().await.remove(0);
    mailbox.inbox.done(&found).await.unwrap();
    assert!(matches!(mailbox.inbox.fetch(&found, LIMIT).await, Ok(Fetched::Gone)));
    mailbox.inbox.done(&found).await.unwrap();
    mailbox.inbox.keep(&found).await.unwrap();
}

#[tokio::test]
async fn a_link_put_in_the_place_of_a_mail_is_refused() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1.a.host", "mail");
    let found = mailbox.list().await.remove(0);
    std::fs::remove_file(mailbox.path("new/1.a.host")).unwrap();
    symlink("/etc/passwd", mailbox.path("new/1.a.host")).unwrap();
    assert!(matches!(mailbox.inbox.fetch(&found, LIMIT).await, Err(PortError::Permanent(_))));
}

#[tokio::test]
async fn a_source_that_is_a_path_leads_nowhere() {
    let mailbox = Mailbox::archiving();
    mailbox.put("secret", "not a mail");
    for name in ["../secret", "%2E%2E%2Fsecret", "..", "", "%0", "a%zz", "x%3A2,S"] {
        let found = Found { source: format!("maildir:{}:{name}", mailbox.folder.path().display()), size: 1 };
        assert!(matches!(mailbox.inbox.fetch(&found, LIMIT).await, Ok(Fetched::Gone)), "{name}");
        mailbox.inbox.done(&found).await.unwrap();
    }
    assert!(mailbox.path("secret").exists());
}

#[tokio::test]
async fn a_mail_with_a_strange_file_name_is_not_overlooked() {
    let mailbox = Mailbox::with(Done::Delete);
    let name = OsString::from_vec(b"100%\xff\x01 \xe2\x80\xae".to_vec());
    std::fs::write(mailbox.path("new").join(&name), "mail").unwrap();
    let found = mailbox.list().await.remove(0);
    assert!(found.source.bytes().all(|octet| octet.is_ascii_graphic()));
    assert!(matches!(mailbox.inbox.fetch(&found, LIMIT).await, Ok(Fetched::Whole(mail)) if mail.len() == 4));
    mailbox.inbox.done(&found).await.unwrap();
    assert!(mailbox.list().await.is_empty());
}

#[tokio::test]
async fn done_moves_into_the_maildir_folder_with_the_flags_it_had() {
    let mailbox = Mailbox::with(Done::Move("Archive/2026".into()));
    mailbox.put("new/1.a.host", "one");
    mailbox.put("cur/2.b.host:2,RS", "two");
    for found in mailbox.list().await {
        mailbox.inbox.done(&found).await.unwrap();
    }
    assert!(mailbox.list().await.is_empty());
    assert_eq!(names(&mailbox.path(".Archive.2026/cur")), ["1.a.host:2,", "2.b.host:2,RS"]);
    assert_eq!(names(&mailbox.path(".Archive.2026")), ["cur", "maildirfolder", "new", "tmp"]);
}

#[tokio::test]
async fn a_mail_in_the_archive_is_never_overwritten() {
    let mailbox = Mailbox::archiving();
    for content in ["first", "second", "third"] {
        mailbox.put("new/1.a.host", content);
        let found = mailbox.list().await.remove(0);
        mailbox.inbox.done(&found).await.unwrap();
    }
    let archive = mailbox.path(".Archive/cur");
    let mut contents: Vec<_> =
        names(&archive).iter().map(|name| std::fs::read_to_string(archive.join(name)).unwrap()).collect();
    contents.sort();
    assert_eq!(contents, ["first", "second", "third"]);
}

#[tokio::test]
async fn a_move_that_a_crash_cut_in_half_leaves_one_mail() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1.a.host", "mail");
    std::fs::create_dir_all(mailbox.path(".Archive/cur")).unwrap();
    std::fs::hard_link(mailbox.path("new/1.a.host"), mailbox.path(".Archive/cur/1.a.host:2,")).unwrap();
    let found = mailbox.list().await.remove(0);
    mailbox.inbox.done(&found).await.unwrap();
    assert_eq!((names(&mailbox.path("new")), names(&mailbox.path(".Archive/cur")).len()), (vec![], 1));
}

#[tokio::test]
async fn done_can_delete_or_mark_as_seen() {
    let mailbox = Mailbox::with(Done::Delete);
    mailbox.put("cur/1.a.host:2,S", "read by a person, but not yet by the gateway");
    let found = mailbox.list().await.remove(0);
    mailbox.inbox.done(&found).await.unwrap();
    assert!(names(&mailbox.path("cur")).is_empty());

    let mailbox = Mailbox::with(Done::Seen);
    mailbox.put("new/1.a.host", "one");
    mailbox.put("cur/2.b.host:2,T", "two");
    mailbox.put("cur/3.c.host:2,S", "done before");
    assert_eq!(mailbox.bases().await, ["1.a.host", "2.b.host"]);
    for found in mailbox.list().await {
        mailbox.inbox.done(&found).await.unwrap();
        mailbox.inbox.done(&found).await.unwrap();
    }
    assert!(mailbox.list().await.is_empty());
    assert_eq!(names(&mailbox.path("cur")), ["1.a.host:2,S", "2.b.host:2,ST", "3.c.host:2,S"]);
}

#[tokio::test]
async fn a_kept_mail_leaves_the_list_but_never_the_mailbox() {
    for done in [Done::Delete, Done::Seen, Done::Move("Archive".into())] {
        let mailbox = Mailbox::with(done.clone());
        mailbox.put("new/1.a.host", "large");
        let found = mailbox.list().await.remove(0);
        mailbox.inbox.keep(&found).await.unwrap();
        mailbox.inbox.keep(&found).await.unwrap();
        mailbox.inbox.done(&found).await.unwrap();
        assert!(mailbox.list().await.is_empty(), "{done:?}");
        let folder = mailbox.path(if matches!(done, Done::Move(_)) { ".Archive/cur" } else { "cur" });
        let kept = names(&folder);
        assert_eq!(kept.len(), 1, "{done:?}");
        assert_eq!(std::fs::read(folder.join(&kept[0])).unwrap(), b"large");
    }
}

#[tokio::test]
async fn mail_that_cannot_be_read_does_not_keep_other_mail_waiting() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1.broken", "mail");
    mailbox.put("new/2.good", "mail");
    let broken = mailbox.inbox.list(1).await.unwrap().remove(0);
    std::fs::remove_file(mailbox.path("new/1.broken")).unwrap();
    symlink("nowhere", mailbox.path("new/1.broken")).unwrap();
    assert!(mailbox.inbox.fetch(&broken, LIMIT).await.is_err());
    std::fs::remove_file(mailbox.path("new/1.broken")).unwrap();
    mailbox.put("new/1.broken", "mail");
    assert!(mailbox.inbox.list(1).await.unwrap()[0].source.ends_with("2.good"));
    assert_eq!(mailbox.bases().await, ["2.good", "1.broken"]);
}

#[tokio::test]
async fn a_folder_that_is_no_maildir_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for path in [folder.path().to_owned(), missing] {
        let inbox = MaildirInbox::new(path.clone(), Done::Delete, Duration::from_secs(1));
        let Err(PortError::Temporary(text)) = inbox.list(1).await else { panic!("no error for {}", path.display()) };
        assert!(text.contains(&path.display().to_string()) && text.contains("[mailbox] path"), "{text}");
    }
    let inbox = MaildirInbox::new(folder.path().to_owned(), Done::Move("a//b".into()), Duration::from_secs(1));
    assert!(matches!(inbox.list(1).await, Err(PortError::Permanent(text)) if text.contains("a//b")));
}

#[test]
fn folder_names_become_maildir_names_or_are_refused() {
    assert_eq!(maildir_subfolder("Archive").unwrap(), ".Archive");
    assert_eq!(maildir_subfolder("Old Mail/2026").unwrap(), ".Old Mail.2026");
    for bad in ["", ".", "..", "../x", "/x", "x/", "a/../b", "Entwürfe", "R&D", "a\0b", "a\nb"] {
        assert_eq!(maildir_subfolder(bad), Err(BadFolder(bad.to_owned())), "{bad:?}");
    }
}

#[tokio::test]
async fn waiting_ends_when_mail_comes_and_otherwise_after_the_polling_time() {
    let mailbox = Mailbox::archiving();
    mailbox.put("new/1.a.host", "mail");
    age(&mailbox.path("new/1.a.host"), 1);
    let inbox = MaildirInbox::new(mailbox.folder.path().to_owned(), Done::Delete, Duration::from_secs(3600));
    // Nothing was listed yet: there may be something.
    inbox.wait().await;
    inbox.list(10).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(50), inbox.wait()).await;
    assert!(waiting.is_err(), "it returned though nothing came");
    mailbox.put("new/2.b.host", "mail");
    tokio::time::timeout(Duration::from_secs(10), inbox.wait()).await.unwrap();

    mailbox.list().await;
    tokio::time::timeout(Duration::from_secs(10), mailbox.inbox.wait()).await.unwrap();
}
