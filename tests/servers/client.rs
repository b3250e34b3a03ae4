//! A mail program that looks at a mailbox of the tests.
//!
//! Security: it says the password in clear, to a loopback address.

use crate::servers::PASSWORD;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// As much of a mail program as it takes to look at a mailbox.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self::with(port, PASSWORD)
    }

    pub(crate) fn with(port: u16, password: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = Self { stream: BufReader::new(stream) };
        client.line();
        client.does(&format!("LOGIN vmt \"{password}\""));
        client
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        assert!(!line.is_empty(), "the server hung up");
        // A literal follows, and the rest of the line.
        let text = String::from_utf8_lossy(&line).into_owned();
        let literal = text.trim_end().strip_suffix('}').and_then(|text| text.rsplit_once('{')).map(|(_, size)| size);
        if let Some(size) = literal.and_then(|size| size.parse::<usize>().ok()) {
            let mut data = vec![0; size];
            self.stream.read_exact(&mut data).unwrap();
            return text + &String::from_utf8_lossy(&data) + &self.line();
        }
        text
    }

    /// The answers to a command, the tagged one last.
    pub(crate) fn does(&mut self, command: &str) -> Vec<String> {
        self.stream.get_mut().write_all(format!("q1 {command}\r\n").as_bytes()).unwrap();
        self.answers()
    }

    fn answers(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line());
            let last = lines.last().unwrap();
            if last.starts_with("q1 ") {
                assert!(last.starts_with("q1 OK"), "{last}");
                return lines;
            }
        }
    }

    pub(crate) fn appends(&mut self, raw: &[u8]) {
        self.stream.get_mut().write_all(format!("q1 APPEND INBOX {{{}}}\r\n", raw.len()).as_bytes()).unwrap();
        assert!(self.line().starts_with('+'));
        self.stream.get_mut().write_all(raw).unwrap();
        self.stream.get_mut().write_all(b"\r\n").unwrap();
        self.answers();
    }

    /// The flags and subjects of all mails in a folder.
    pub(crate) fn mails(&mut self, folder: &str) -> Vec<String> {
        self.does(&format!("SELECT {folder}"));
        let mut lines = self.does("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
        lines.retain(|line| line.contains("FETCH ("));
        lines
    }
}
