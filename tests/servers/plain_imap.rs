//! IMAP servers with the fewest abilities: no IDLE, no MOVE, no UIDPLUS, no keywords. One of them is another program than
//! Dovecot: hoodiecrow.
//!
//! Without UIDPLUS nobody can expunge one mail alone (RFC 4315), so "move" leaves the original marked as deleted, and so does
//! "delete": what else is marked so in the mailbox is somebody else's.

use crate::client::Client;
use crate::servers::dovecot::Options;
use crate::servers::service::{self, Service};
use crate::servers::{Authority, Dovecot, PASSWORD, Proxy, ports};
use crate::site::{PATIENCE, connect};
use crate::world::*;
use std::path::{Path, PathBuf};

/// On loopback, with nothing but what IMAP4rev1 asks for; in its mailbox lies a mail that somebody has marked as deleted.
const SERVER: &str = r#"
const [port, password] = process.argv.slice(1);
require("hoodiecrow-imap")({
    plugins: [],
    users: { vmt: { password } },
    storage: { INBOX: { messages: [{ raw: "Subject: old\r\n\r\nold", flags: ["\\Seen", "\\Deleted"] }] }, "": {} }
}).listen(Number(port), "127.0.0.1");
"#;

/// A running hoodiecrow.
struct Hoodiecrow {
    port: u16,
    _service: Service,
}

impl Hoodiecrow {
    fn start(world: &World) -> Self {
        let tools: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-tools");
        assert!(
            tools.join("node_modules/hoodiecrow-imap/package.json").exists(),
            "hoodiecrow-imap, the second IMAP server of the tests, is not in {}; `make test` installs it",
            tools.display()
        );
        for _ in 0..5 {
            let port = ports::free();
            let modules = format!("NODE_PATH={}", tools.join("node_modules").display());
            let command = ["env", &modules, "node", "-e", SERVER, "--", &port.to_string(), PASSWORD];
            // Beside what is searched for secrets: it says what it likes.
            let service = Service::start(&command, &world.layout.secrets.join("hoodiecrow.log"));
            if service::greets(&service, port, "Hoodiecrow") {
                return Self { port, _service: service };
            }
        }
        let log = std::fs::read_to_string(world.layout.secrets.join("hoodiecrow.log")).unwrap();
        panic!("hoodiecrow does not start: {log}");
    }
}

/// Everything an IMAP server without abilities must be good for. There is one mail in the mailbox that is marked as deleted.
fn works_without_abilities(world: &World, port: u16, done: &'static str) {
    let proxy = Proxy::before(port);
    connect(world, Some((proxy.port, "vmt", PASSWORD, done)), None);
    let eve = world.reporter("eve");
    let mut somebody = Client::new(port);
    let certificate = world.gateway.current_certificate();
    somebody
        .appends(&report().from(&eve).about("first").encrypted().saying("with few abilities").write(&certificate).raw);
    let daemon = world.gateway.starts();
    wait_until("the first report", PATIENCE, || !world.members.copies_of("alice", "with few abilities").is_empty());
    // It is found by looking again and again, since nobody tells.
    somebody
        .appends(&report().from(&eve).about("second").encrypted().saying("found by polling").write(&certificate).raw);
    wait_until("the second report", PATIENCE, || !world.members.copies_of("alice", "found by polling").is_empty());
    let marked = |inbox: &[String], flag: &str| {
        let ours = inbox.iter().filter(|line| line.contains("first") || line.contains("second"));
        ours.filter(|line| line.contains(flag)).count()
    };
    match done {
        "seen" => {
            wait_until("both are marked as read", PATIENCE, || {
                marked(&Client::new(port).mails("INBOX"), "\\Seen") == 2
            });
            assert_eq!(marked(&Client::new(port).mails("INBOX"), "\\Deleted"), 0);
        }
        _ => wait_until("both are marked as deleted", PATIENCE, || {
            marked(&Client::new(port).mails("INBOX"), "\\Deleted") == 2
        }),
    }
    assert_eq!(daemon.terminates().0, Some(0));
    // A new session sees them again, and knows them.
    world.gateway.runs_once();
    let inbox = Client::new(port).mails("INBOX");
    assert_eq!(inbox.len(), 3, "nothing is expunged, and least of all what is not ours: {inbox:?}");
    if done.starts_with("move") {
        let archive = Client::new(port).mails("Archive");
        for subject in ["first", "second"] {
            assert_eq!(archive.iter().filter(|line| line.contains(subject)).count(), 1, "{archive:?}");
        }
    }
    for text in ["with few abilities", "found by polling"] {
        assert_eq!(world.members.copies_of("alice", text).len(), 1, "{text}");
    }
    let cases = world.gateway.lists(&["cases", "list"]).len();
    assert!((2..=3).contains(&cases), "{cases} cases");
    world.outbox_is_empty();
    let said = String::from_utf8_lossy(&proxy.client_said()).to_uppercase();
    for command in [" IDLE", " MOVE ", "EXPUNGE", " CLOSE"] {
        assert!(!said.contains(command), "the server cannot do{command}");
    }
    assert_eq!(said.contains(" UID COPY "), done.starts_with("move"));
}

fn plan() -> Plan {
    World::new().members(["alice"])
}

#[test]
fn hoodiecrow_without_any_extension_is_enough_for_done_by_moving() {
    let world = plan().start();
    let server = Hoodiecrow::start(&world);
    works_without_abilities(&world, server.port, "move:Archive");
}

#[test]
fn hoodiecrow_without_any_extension_is_enough_for_done_by_deleting() {
    let world = plan().start();
    let server = Hoodiecrow::start(&world);
    works_without_abilities(&world, server.port, "delete");
}

#[test]
fn hoodiecrow_without_any_extension_is_enough_for_done_by_reading() {
    let world = plan().start();
    let server = Hoodiecrow::start(&world);
    works_without_abilities(&world, server.port, "seen");
}

#[test]
fn check_is_content_with_a_server_without_abilities() {
    let world = plan().start();
    let server = Hoodiecrow::start(&world);
    connect(&world, Some((server.port, "vmt", PASSWORD, "move:Archive")), None);
    let said = world.gateway.does(&["check", "--online"]).ends_with(0).said();
    assert!(!said.contains(PASSWORD), "{said}");
    connect(&world, Some((server.port, "vmt", "not the passcanary", "move:Archive")), None);
    let said = world.gateway.does(&["check", "--online"]).ends_with(1).said();
    assert!(said.contains(": mailbox.") && !said.contains("passcanary"), "{said}");
}

#[test]
fn dovecot_without_any_extension_is_enough_too() {
    let extra = "imap_capability = IMAP4rev1".to_owned();
    let authority = Authority::new();
    for done in ["move:Archive", "delete", "seen"] {
        let dovecot = Dovecot::with(&authority, Options { extra: extra.clone(), ..Options::default() });
        let mut somebody = Client::new(dovecot.imap);
        somebody.appends(b"Subject: old\r\n\r\nold\r\n");
        somebody.does("SELECT INBOX");
        somebody.does("STORE 1 +FLAGS (\\Seen \\Deleted)");
        works_without_abilities(&plan().start(), dovecot.imap, done);
    }
}
