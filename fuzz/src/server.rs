//! An IMAP server on a loopback address that behaves, but for the answers that a fuzzer gives it.
//!
//! A script is text: `%%% FETCH` begins the next answer to FETCH, up to the next such line; `@T` in it stands for the command's
//! tag, and `@CLOSE` hangs up. Commands for which the script has no answer (left) get a plain one. An answer without its last
//! line leaves the client waiting.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Commands of the client; whatever it is told, it says nothing else.
const COMMANDS: [&str; 18] = [
    "CAPABILITY",
    "LOGIN",
    "AUTHENTICATE",
    "SELECT",
    "UID SEARCH",
    "UID FETCH",
    "UID STORE",
    "UID MOVE",
    "UID COPY",
    "UID EXPUNGE",
    "NOOP",
    "LIST",
    "CREATE",
    "SUBSCRIBE",
    "IDLE",
    "LOGOUT",
    "STARTTLS",
    "DONE",
];

/// The answers of a script that are left.
pub struct Script {
    /// Once it is set, the rest of the script counts no more.
    behaves: Rc<Cell<bool>>,
    answers: HashMap<String, VecDeque<Vec<u8>>>,
}

impl Script {
    pub fn new(text: &[u8], behaves: Rc<Cell<bool>>) -> Self {
        let mut answers: HashMap<String, VecDeque<Vec<u8>>> = HashMap::new();
        let mut rest = text;
        while let Some(at) = crate::copy::find(rest, b"%%% ") {
            rest = &rest[at + 4..];
            let line = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |end| end + 1);
            let verb = String::from_utf8_lossy(&rest[..line]).trim().to_uppercase();
            rest = &rest[line..];
            let end = crate::copy::find(rest, b"%%% ").unwrap_or(rest.len());
            answers.entry(verb).or_default().push_back(rest[..end].to_vec());
        }
        Self { behaves, answers }
    }

    /// The next answer to something.
    pub fn next(&mut self, verb: &str) -> Option<Vec<u8>> {
        self.answers.get_mut(verb)?.pop_front()
    }

    fn answer(&mut self, verb: &str, tag: &str, command: &str) -> Vec<u8> {
        let told = if self.behaves.get() { None } else { self.next(verb) };
        let answer = told.unwrap_or_else(|| plain(verb, command).into_bytes());
        let mut out = Vec::with_capacity(answer.len() + 64);
        let mut rest = &answer[..];
        while let Some((&octet, after)) = rest.split_first() {
            if rest.starts_with(b"@T") {
                out.extend_from_slice(tag.as_bytes());
                rest = &rest[2..];
                continue;
            }
            if octet == b'\n' && out.last() != Some(&b'\r') {
                out.push(b'\r');
            }
            out.push(octet);
            rest = after;
        }
        out
    }
}

const MAIL: &str = "From: Eve <eve@redbrick-labs.example>\r\nSubject: hi\r\n\r\nHello {5}\r\n";

/// What a server of good will answers.
fn plain(verb: &str, command: &str) -> String {
    let untagged = match verb {
        "GREETING" => return "* OK hello\n".into(),
        "CAPABILITY" => "* CAPABILITY IMAP4rev1 UIDPLUS MOVE IDLE AUTH=PLAIN\n".into(),
        "SELECT" => "* FLAGS (\\Seen)\n* 3 EXISTS\n* OK [UIDVALIDITY 7] v\n* OK [UIDNEXT 14] n\n\
                     * OK [PERMANENTFLAGS (\\Seen \\*)] p\n"
            .into(),
        "SEARCH" => "* SEARCH 11 12 13\n".into(),
        "FETCH" if command.contains("BODY.PEEK") => {
            let of =
                |number: u32, uid: u32| format!("* {number} FETCH (UID {uid} BODY[] {{{}}}\n{MAIL})\n", MAIL.len());
            of(1, 11) + &of(2, 12) + &of(3, 13)
        }
        "FETCH" => (11..14)
            .map(|uid| format!("* {} FETCH (UID {uid} RFC822.SIZE {} FLAGS (\\Recent))\n", uid - 10, MAIL.len()))
            .collect(),
        "LIST" => "* LIST (\\HasNoChildren) \"/\" \"Archive\"\n".into(),
        "AUTHENTICATE" | "IDLE" => return "+ go on\n".into(),
        _ => String::new(),
    };
    untagged + "@T OK done\n"
}

/// Serves one connection after the other until it is dropped.
pub async fn serve(listener: &TcpListener, mut script: Script) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            // A client that hangs up is no concern.
            let _ = converse(stream, &mut script).await;
        }
    }
}

async fn converse(stream: TcpStream, script: &mut Script) -> std::io::Result<()> {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    let greeting = script.answer("GREETING", "*", "");
    stream.get_mut().write_all(&greeting).await?;
    let mut tag = String::new();
    let mut secret = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.strip_suffix("\r\n").expect("a command ends in CRLF");
        assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "a command in plain text: {line:?}");
        assert!(line.len() < 4096, "a command of {} octets", line.len());
        let command = match std::mem::take(&mut secret) {
            true => "",
            false if line == "DONE" => line,
            false => {
                let (first, command) = line.split_once(' ').expect("a command has a tag");
                tag = first.to_owned();
                command
            }
        };
        let known = command.is_empty() || COMMANDS.iter().any(|known| command.starts_with(known));
        assert!(known, "the client was made to say {line:?}");
        let verb = command.strip_prefix("UID ").unwrap_or(command).split(' ').next().unwrap_or_default();
        secret = verb == "AUTHENTICATE";
        let answer = script.answer(verb, &tag, command);
        if let Some(at) = crate::copy::find(&answer, b"@CLOSE") {
            return stream.get_mut().write_all(&answer[..at]).await;
        }
        stream.get_mut().write_all(&answer).await?;
    }
}
