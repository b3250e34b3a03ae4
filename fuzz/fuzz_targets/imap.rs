//! An IMAP server that says anything: the mailbox is listed, read and tidied over a real connection, whose time passes at once
//! where nobody speaks. No answer makes the client say what it must not, take more memory than it allowed, or repeat an address.
#![no_main]

use embargod::adapters::{ImapInbox, Login, Memory, Server};
use embargod::config::{Done, Tls};
use embargod::ports::{Answer, Fetched, HEAD, Inbox, PortError};
use embargod_fuzz::bounds::{bounded_by, watch};
use embargod_fuzz::server::{Script, serve};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Octets of a mail at most.
const LARGEST: u64 = 1024 * 1024;
/// Octets of memory beyond the script: twice the largest mail, and what the runtime needs.
const MEMORY: usize = 8 * 1024 * 1024;

struct Remembered(Mutex<Option<String>>);

impl Memory for Remembered {
    fn recall(&self) -> Answer<'_, Result<Option<String>, String>> {
        let text = self.0.lock().expect("nobody panicked").clone();
        Box::pin(async { Ok(text) })
    }

    fn remember<'a>(&'a self, text: &'a str) -> Answer<'a, Result<(), String>> {
        *self.0.lock().expect("nobody panicked") = Some(text.to_owned());
        Box::pin(async { Ok(()) })
    }
}

thread_local! {
    /// One runtime and one door for all inputs; its clock stands still but where everybody waits for it.
    static WORLD: (Runtime, TcpListener) = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime starts");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port is free");
        (runtime, listener)
    };
}

libfuzzer_sys::fuzz_target!(init: watch(), |data: &[u8]| {
    let Some((&how, text)) = data.split_first() else { return };
    bounded_by(MEMORY, data.len(), || {
        WORLD.with(|(runtime, listener)| {
            runtime.block_on(async {
                let behaves = Rc::new(Cell::new(false));
                tokio::select! {
                    () = serve(listener, Script::new(text, Rc::clone(&behaves))) => {}
                    () = tidy(listener, how, text, &behaves) => {}
                }
            });
        });
    });
});

async fn tidy(listener: &TcpListener, how: u8, text: &[u8], behaves: &Cell<bool>) {
    let login = Login { user: "vmt@kata.example".into(), password: "correct horse".to_owned().into() };
    let server = Server {
        host: "127.0.0.1".into(),
        port: listener.local_addr().expect("it listens").port(),
        tls: if how & 8 == 0 { Tls::None } else { Tls::StartTls },
        login: Some(login),
        extra_roots: Vec::new(),
    };
    let done = match how & 3 {
        0 => Done::Move("Archive/Übriges".into()),
        1 => Done::Delete,
        _ => Done::Seen,
    };
    let remembered =
        Script::new(text, Rc::default()).next("MEMORY").map(|text| String::from_utf8_lossy(&text).into_owned());
    let recovers = how & 8 == 0 && remembered.is_none();
    let memory = Arc::new(Remembered(Mutex::new(remembered)));
    let inbox = ImapInbox::new(server, "INBOX".into(), done, Duration::from_secs(60), memory);
    for _ in 0..2 {
        let found = match inbox.list(3).await {
            Ok(found) => found,
            Err(error) => {
                presentable(&error);
                continue;
            }
        };
        assert!(found.len() <= 3, "no more are listed than were asked for");
        for one in &found {
            match inbox.fetch(one, LARGEST).await {
                Ok(Fetched::Whole(mail)) => assert!(mail.len() as u64 <= LARGEST, "a mail is larger than it may be"),
                Ok(Fetched::Head(head)) => assert!(head.len() <= HEAD, "the beginning of a mail is longer than that"),
                Ok(Fetched::Gone) => {}
                Err(error) => presentable(&error),
            }
        }
        for one in &found {
            let taken_off = if how & 4 == 0 { inbox.done(one).await } else { inbox.keep(one).await };
            taken_off.unwrap_or_else(|error| presentable(&error));
        }
        if how & 16 != 0 {
            inbox.wait().await;
        }
    }
    // Whatever it said, half an hour later it behaves, and all is well.
    behaves.set(true);
    for last in [false, true] {
        tokio::time::sleep(Duration::from_secs(1_800)).await;
        match inbox.list(3).await {
            Err(error) if recovers && last => panic!("the mailbox is dead: {error}"),
            _ => {}
        }
    }
}

/// An error goes to a log and to the admins' screens.
fn presentable(error: &PortError) {
    let words = error.to_string();
    assert!(!words.contains('@') && !words.chars().any(char::is_control), "an error says {words:?}");
    assert!(words.len() < 1_000, "an error of {} octets", words.len());
}
