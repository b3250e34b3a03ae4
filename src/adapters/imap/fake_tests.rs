//! An IMAP server of a few lines, for what real ones do not do on request: it can lie, hang and cut off.

use super::ImapInbox;
use super::dovecot_tests::memory;
use crate::adapters::server::{Login, Server};
use crate::config::{Done, Tls};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

/// What the server does instead of answering as it should.
pub(super) enum Quirk {
    /// Says this in place of an answer; `TAG` stands for the command's tag.
    Says(Vec<u8>),
    /// Says nothing any more.
    Hangs,
    /// Does what it was told, and closes the connection without saying so.
    DoesAndCloses,
}

type Quirks = Box<dyn FnMut(&str) -> Option<Quirk> + Send>;

#[derive(Default)]
pub(super) struct State {
    pub(super) abilities: String,
    pub(super) greeting: Option<String>,
    pub(super) validity: u32,
    pub(super) mails: BTreeMap<u32, (Vec<u8>, Vec<String>)>,
    pub(super) archive: Vec<Vec<u8>>,
    /// Every command without its tag.
    pub(super) commands: Vec<String>,
    pub(super) quirks: Option<Quirks>,
}

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) state: Arc<Mutex<State>>,
    port: u16,
}

impl Fake {
    /// A server with these mails, numbered from 1.
    pub(super) fn start(abilities: &str, mails: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = (1..).zip(mails).map(|(uid, mail)| (uid, (mail.as_bytes().to_vec(), Vec::new()))).collect();
        let state = State { abilities: abilities.into(), validity: 7, mails, ..State::default() };
        let fake = Self { state: Arc::new(Mutex::new(state)), port };
        let serving = fake.clone();
        // They end with the test's process; a listener of its own costs nothing.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(&stream));
            }
        });
        fake
    }

    pub(super) fn quirk(&self, quirks: impl FnMut(&str) -> Option<Quirk> + Send + 'static) {
        self.state.lock().unwrap().quirks = Some(Box::new(quirks));
    }

    pub(super) fn server(&self, tls: Tls) -> Server {
        Server {
            host: "127.0.0.1".into(),
            port: self.port,
            tls,
            login: Some(Login { user: "vmt".into(), password: Zeroizing::new("secret".into()) }),
            extra_roots: Vec::new(),
        }
    }

    pub(super) fn inbox(&self, done: Done) -> ImapInbox {
        ImapInbox::new(self.server(Tls::None), "INBOX".into(), done, Duration::from_secs(60), memory())
    }

    pub(super) fn said(&self, word: &str) -> usize {
        self.state.lock().unwrap().commands.iter().filter(|command| command.contains(word)).count()
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut out = stream.try_clone().unwrap();
        let greeting = self.state.lock().unwrap().greeting.clone().unwrap_or("* OK ready".into());
        out.write_all(format!("{greeting}\r\n").as_bytes()).ok()?;
        for line in BufReader::new(stream).lines() {
            let line = line.ok()?;
            if line == "DONE" {
                out.write_all(b"idle OK done\r\n").ok()?;
                continue;
            }
            let (tag, command) = line.split_once(' ')?;
            let mut state = self.state.lock().unwrap();
            state.commands.push(command.to_owned());
            let mut quirks = state.quirks.take();
            let quirk = quirks.as_mut().and_then(|quirks| quirks(command));
            state.quirks = quirks;
            match quirk {
                None => {
                    let answer = state.answer(tag, command);
                    drop(state);
                    out.write_all(&answer).ok()?;
                }
                Some(Quirk::Says(text)) => {
                    drop(state);
                    let whole = String::from_utf8_lossy(&text).replace("TAG", tag);
                    out.write_all(whole.as_bytes()).ok()?;
                }
                Some(Quirk::Hangs) => {
                    drop(state);
                    loop {
                        std::thread::park();
                    }
                }
                Some(Quirk::DoesAndCloses) => {
                    state.answer(tag, command);
                    return stream.shutdown(std::net::Shutdown::Both).ok();
                }
            }
        }
        Some(())
    }
}

impl State {
    fn answer(&mut self, tag: &str, command: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["CAPABILITY"] => writeln!(out, "* CAPABILITY IMAP4rev1 {}\r", self.abilities).unwrap(),
            ["SELECT", ..] => {
                let next = self.mails.keys().max().map_or(1, |uid| uid + 1);
                write!(out, "* {} EXISTS\r\n* OK [UIDVALIDITY {}] x\r\n", self.mails.len(), self.validity).unwrap();
                write!(out, "* OK [UIDNEXT {next}] x\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted)] x\r\n").unwrap();
            }
            ["NOOP"] => write!(out, "* {} EXISTS\r\n", self.mails.len()).unwrap(),
            ["LIST", _, "\"\""] => out.extend(b"* LIST (\\Noselect) \"/\" \"\"\r\n"),
            ["LIST", _, "\"Archive\""] => out.extend(b"* LIST () \"/\" Archive\r\n"),
            ["UID", "SEARCH", rest @ ..] => {
                out.extend(b"* SEARCH");
                for uid in self.mails.keys() {
                    if rest[0] != "UID" || members(rest[1]).contains(uid) {
                        write!(out, " {uid}").unwrap();
                    }
                }
                out.extend(b"\r\n");
            }
            ["UID", "FETCH", set, rest @ ..] => {
                for (place, uid) in self.chosen(set) {
                    let (mail, flags) = &self.mails[&uid];
                    if rest.contains(&"FLAGS)") {
                        let (size, flags) = (mail.len(), flags.join(" "));
                        write!(out, "* {place} FETCH (UID {uid} RFC822.SIZE {size} FLAGS ({flags}))\r\n").unwrap();
                    } else {
                        let head = rest.iter().any(|word| word.contains("<0."));
                        let (part, mail) =
                            if head { ("<0>", &mail[..mail.len().min(65_536)]) } else { ("", &mail[..]) };
                        write!(out, "* {place} FETCH (UID {uid} BODY[]{part} {{{}}}\r\n", mail.len()).unwrap();
                        out.extend(mail);
                        out.extend(b")\r\n");
                    }
                }
            }
            ["UID", "STORE", set, _, flags @ ..] => {
                for (_, uid) in self.chosen(set) {
                    let flags = flags.iter().map(|flag| flag.trim_matches(['(', ')']).to_owned());
                    self.mails.get_mut(&uid).unwrap().1.extend(flags);
                }
            }
            ["UID", how @ ("MOVE" | "COPY"), set, _] => {
                for (_, uid) in self.chosen(set) {
                    self.archive.push(self.mails[&uid].0.clone());
                    if *how == "MOVE" {
                        self.mails.remove(&uid);
                    }
                }
            }
            ["EXPUNGE"] => self.mails.retain(|_, (_, flags)| !flags.contains(&"\\Deleted".to_owned())),
            ["UID", "EXPUNGE", set] => {
                for (_, uid) in self.chosen(set) {
                    self.mails.remove(&uid);
                }
            }
            _ => {}
        }
        write!(out, "{tag} OK done\r\n").unwrap();
        out
    }

    fn chosen(&self, set: &str) -> Vec<(usize, u32)> {
        let members = members(set);
        (1..).zip(self.mails.keys().copied()).filter(|(_, uid)| members.contains(uid)).collect()
    }
}

fn members(set: &str) -> Vec<u32> {
    super::names::members(&set.replace('*', "999")).unwrap()
}
