//! A server that answers as it was told, one connection an answer, and remembers what it was asked.

use super::*;
use crate::report::{AdvisoryDraft, CaseId, Marker, Template};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// What the server does with the next connection.
pub(super) enum Next {
    /// Answers with status, further header lines, body.
    Says(u16, String, String),
    /// Reads the request and hangs up.
    HangsUp,
    /// Sends this instead of an answer, and hangs up.
    Writes(&'static str),
}

pub(super) fn says(status: u16, body: &str) -> Next {
    Next::Says(status, String::new(), body.to_owned())
}

pub(super) fn says_with(status: u16, header: &str, body: &str) -> Next {
    Next::Says(status, format!("{header}\r\n"), body.to_owned())
}

#[derive(Clone, Default)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) header: String,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn field(&self, name: &str) -> String {
        let found =
            self.header.lines().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

pub(super) struct Script {
    pub(super) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: Option<std::thread::JoinHandle<()>>,
}

impl Script {
    /// Answers so many requests, in this order; later ones find nobody. `{api}` in an answer becomes the server's address.
    pub(super) fn of(script: Vec<Next>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, api) = (Arc::clone(&asked), address.clone());
        if script.is_empty() {
            // Nobody listens at that address from here on.
            drop(listener);
            return Self { address, asked, server: None };
        }
        let server = std::thread::spawn(move || {
            for next in script {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream);
                let mut request = Asked::default();
                reader.read_line(&mut request.line).unwrap();
                if request.line == "enough\r\n" {
                    return;
                }
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if line == "\r\n" {
                        break;
                    }
                    request.header.push_str(&line);
                }
                let length = request.field("content-length").trim().parse().unwrap_or(0);
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                request.body = String::from_utf8(body).unwrap();
                request.line = request.line.trim_end().to_owned();
                log.lock().unwrap().push(request);
                let mut stream = reader.into_inner();
                let answer = match next {
                    Next::HangsUp => continue,
                    Next::Writes(text) => text.to_owned(),
                    Next::Says(status, header, body) => {
                        let (header, body) = (header.replace("{api}", &api), body.replace("{api}", &api));
                        let length = body.len();
                        format!("HTTP/1.1 {status} Word\r\nContent-Length: {length}\r\n{header}\r\n{body}")
                    }
                };
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, asked, server: Some(server) }
    }

    /// A desk at this server with a token.
    pub(super) fn desk(&self) -> Github {
        self.desk_with(Credentials::Token(Zeroizing::new("ghp_secretcanary".to_owned())))
    }

    pub(super) fn desk_with(&self, credentials: Credentials) -> Github {
        let repository = Repository::parse("kata-containers/kata-containers").unwrap();
        Github {
            client: Client::new(&Url::parse(&self.address).unwrap()).unwrap(),
            auth: Auth::new(credentials),
            limits: Arc::default(),
            repositories: vec![repository.clone()],
            repository,
            teams: Vec::new(),
            users: Vec::new(),
        }
    }

    /// What was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line.replace(" HTTP/1.1", "")).collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // An answer that nobody came for must not keep the test waiting.
        if let Some(server) = self.server.take().filter(|server| !server.is_finished())
            && let Ok(mut last) = std::net::TcpStream::connect(self.address.trim_start_matches("http://"))
        {
            let _ = last.write_all(b"enough\r\n");
            let _ = server.join();
        }
    }
}

pub(super) const HOME: &str = "https://github.com/kata-containers/kata-containers/security/advisories/";

pub(super) fn draft(number: u32) -> AdvisoryDraft {
    let template = Template::read("Component: runtime\n", &["runtime".to_owned()]);
    AdvisoryDraft::stub(&CaseId::new("KATA", 2026, number), &marker(number), &template)
}

pub(super) fn marker(number: u32) -> Marker {
    Marker::from_random(u128::from(number).to_be_bytes())
}

/// An advisory as GitHub shows it, with fields that nobody asked for.
pub(super) fn advisory(ghsa_id: &str, state: &str, created: &str, description: &str) -> serde_json::Value {
    serde_json::json!({
        "ghsa_id": ghsa_id, "html_url": format!("{HOME}{ghsa_id}"), "state": state, "created_at": created,
        "description": description, "summary": "Reportcanary", "a_field_of_tomorrow": { "of": [1, null] },
    })
}
