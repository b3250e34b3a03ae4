//! A mailbox at a real Dovecot, for the tests of this adapter.

use super::{ImapInbox, Memory};
use crate::adapters::server::{Login, Server};
use crate::config::{Done, Tls};
use crate::ports::Answer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use servers::{Authority, Dovecot, PASSWORD};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

pub(super) use crate::adapters::servers;

/// Remembers as long as the test runs.
#[derive(Default)]
pub(super) struct InMemory(pub(super) Mutex<Option<String>>);

pub(super) fn memory() -> Arc<InMemory> {
    Arc::new(InMemory::default())
}

impl Memory for InMemory {
    fn recall(&self) -> Answer<'_, Result<Option<String>, String>> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }

    fn remember<'a>(&'a self, text: &'a str) -> Answer<'a, Result<(), String>> {
        Box::pin(async move {
            *self.0.lock().unwrap() = Some(text.to_owned());
            Ok(())
        })
    }
}

pub(super) struct Mailbox {
    pub(super) authority: Authority,
    pub(super) dovecot: Dovecot,
    pub(super) memory: Arc<InMemory>,
}

impl Mailbox {
    pub(super) fn start() -> Self {
        Self::with("")
    }

    /// With more lines of configuration.
    pub(super) fn with(extra: &str) -> Self {
        let authority = Authority::new();
        let options = servers::dovecot::Options { extra: extra.into(), ..Default::default() };
        let dovecot = Dovecot::with(&authority, options);
        Self { authority, dovecot, memory: memory() }
    }

    pub(super) fn server(&self, tls: Tls) -> Server {
        let port = if tls == Tls::Implicit { self.dovecot.imaps } else { self.dovecot.imap };
        Server {
            host: "localhost".into(),
            port,
            tls,
            login: Some(Login { user: "vmt".into(), password: Zeroizing::new(PASSWORD.into()) }),
            extra_roots: vec![CertificateDer::from_pem_file(self.authority.root()).unwrap()],
        }
    }

    pub(super) fn inbox(&self, done: Done) -> ImapInbox {
        self.inbox_polled(done, Duration::from_secs(60))
    }

    pub(super) fn inbox_polled(&self, done: Done, poll: Duration) -> ImapInbox {
        self.inbox_at(self.server(Tls::Implicit), done, poll)
    }

    pub(super) fn inbox_at(&self, server: Server, done: Done, poll: Duration) -> ImapInbox {
        ImapInbox::new(server, "INBOX".into(), done, poll, Arc::clone(&self.memory) as Arc<dyn Memory>)
    }

    /// Marks a mail as deleted, and leaves it there.
    pub(super) fn somebody_deletes_without_expunging(&self, subject: &str) {
        let url = format!("imap://127.0.0.1:{}/INBOX", self.dovecot.imap);
        let curl = |command: &str| {
            let login = format!("vmt:{PASSWORD}");
            let out = std::process::Command::new("curl").args(["-sS", "-u", &login, "-X", command, &url]).output();
            String::from_utf8(out.unwrap().stdout).unwrap()
        };
        let found = curl(&format!("SEARCH SUBJECT {subject}"));
        let number = found.split_whitespace().last().unwrap();
        curl(&format!("STORE {number} +FLAGS (\\Deleted)"));
    }

    /// Delivers mails by LMTP, one after the other.
    pub(super) fn receives(&self, subjects: &[&str]) {
        let mails = subjects.iter().map(|subject| {
            format!("From: Eve <eve@reporter.example>\r\nTo: vmt@test.example\r\nSubject: {subject}\r\nMessage-ID: <{subject}.{}@reporter.example>\r\n\r\nThe report.\r\n", rand())
        });
        self.receives_mails(&mails.collect::<Vec<_>>());
    }

    pub(super) fn receives_mails(&self, mails: &[String]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.dovecot.lmtp)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut answer = move |code: &str| loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "{line}");
            if line.as_bytes()[3] == b' ' {
                break;
            }
        };
        answer("220");
        stream.write_all(b"LHLO test.example\r\n").unwrap();
        answer("250");
        for mail in mails {
            stream.write_all(b"MAIL FROM:<eve@reporter.example>\r\n").unwrap();
            answer("250");
            stream.write_all(b"RCPT TO:<vmt@test.example>\r\n").unwrap();
            answer("250");
            stream.write_all(b"DATA\r\n").unwrap();
            answer("354");
            stream.write_all(format!("{mail}.\r\n").as_bytes()).unwrap();
            answer("250");
        }
        stream.write_all(b"QUIT\r\n").unwrap();
    }

    /// Puts mails into the Maildir itself, as if they had been there for long: in `new`, or read in `cur`.
    pub(super) fn holds(&self, count: usize, read: bool) {
        let maildir = self.dovecot.maildir("vmt", "INBOX");
        let (part, flags) = if read { ("cur", ":2,S") } else { ("new", "") };
        let owner = std::fs::metadata(&maildir).unwrap();
        for number in 0..count {
            let file = maildir.join(part).join(format!("{}.M{number}P1.old{flags}", 1_600_000_000 + number));
            let mail = format!(
                "From: eve@reporter.example\nSubject: old {number}\nMessage-ID: <{number}.{read}@old.example>\n\nOld.\n"
            );
            std::fs::write(&file, mail).unwrap();
            let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            std::fs::File::options().append(true).open(&file).unwrap().set_modified(long_ago).unwrap();
            std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
    }

    /// Sets a flag as a mail program of somebody else does.
    pub(super) fn somebody_reads_all(&self) {
        let maildir = self.dovecot.maildir("vmt", "INBOX");
        for part in ["new", "cur"] {
            for entry in std::fs::read_dir(maildir.join(part)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                let base = name.split(":2,").next().unwrap().to_owned();
                std::fs::rename(&path, maildir.join("cur").join(format!("{base}:2,S"))).unwrap();
            }
        }
    }

    /// Lets the server number all mails anew, under another UIDVALIDITY.
    pub(super) fn numbers_anew(&mut self) {
        self.dovecot.stops();
        let maildir = self.dovecot.maildir("vmt", "INBOX");
        for entry in std::fs::read_dir(&maildir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.file_name().unwrap().to_string_lossy().starts_with("dovecot") {
                std::fs::remove_file(path).unwrap();
            }
        }
        // It is the time of their creation, in seconds.
        std::thread::sleep(Duration::from_millis(1_100));
        self.dovecot.begins_again();
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let maildir = self.dovecot.maildir("vmt", folder);
        let names = ["new", "cur"].map(|part| std::fs::read_dir(maildir.join(part)).into_iter().flatten());
        names.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(super) fn count(&self, folder: &str) -> usize {
        self.files(folder).len()
    }

    /// The Maildir flags of each mail.
    pub(super) fn flags(&self, folder: &str) -> Vec<String> {
        self.files(folder).iter().map(|name| name.split_once(":2,").unwrap_or_default().1.to_owned()).collect()
    }
}

fn rand() -> u64 {
    let mut bytes = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).unwrap();
    u64::from_be_bytes(bytes)
}
