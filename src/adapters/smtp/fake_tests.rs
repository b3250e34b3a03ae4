//! A submission server for tests on loopback that does what its script says, with certificates of an authority of its own.
//!
//! Security: test code; keys are made for one test and thrown away.

use crate::adapters::server::{Login, Server};
use crate::config::Tls;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

pub(super) const PASSWORD: &str = "canary-password";

/// What the server does when its turn comes.
#[derive(Clone, Copy)]
pub(super) enum Act {
    Say(&'static str),
    /// Closes the connection without a word.
    Close,
    /// Says nothing, and keeps the connection open.
    Stall,
}

/// How one connection goes.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) greeting: Act,
    pub(super) hello: &'static str,
    /// What is answered to a command instead of yes; `.` stands for the end of the content, `MAIL/2` for the second MAIL.
    pub(super) acts: HashMap<&'static str, Act>,
    /// Closes the connection once so many octets of content were read.
    pub(super) cut_at: Option<usize>,
    /// Appended to the reply to STARTTLS in the same packet.
    pub(super) injected: &'static str,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: Act::Say("220 fake ESMTP"),
            hello: "250-fake\r\n250-SIZE 100000\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
            acts: HashMap::new(),
            cut_at: None,
            injected: "",
        }
    }
}

impl Script {
    pub(super) fn with(act: &'static str, does: Act) -> Self {
        Self { acts: HashMap::from([(act, does)]), ..Self::default() }
    }
}

/// What the server saw of one connection.
#[derive(Clone, Default, Debug)]
pub(super) struct Seen {
    pub(super) lines: Vec<String>,
    pub(super) contents: Vec<String>,
}

pub(super) struct Fake {
    pub(super) port: u16,
    pub(super) root: CertificateDer<'static>,
    tls: Tls,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// A server that speaks TLS so; the last script goes for all further connections.
    pub(super) async fn start(tls: Tls, scripts: Vec<Script>) -> Self {
        Self::start_as("localhost", tls, scripts).await
    }

    /// `name` is the one in the certificate.
    pub(super) async fn start_as(name: &str, tls: Tls, scripts: Vec<Script>) -> Self {
        let (root, acceptor) = authority(name);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let script = scripts.get(number).or(scripts.last()).unwrap().clone();
                all.lock().unwrap().push(Seen::default());
                let talk = Talk { script, seen: Arc::clone(&all), number, counts: HashMap::new() };
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match tls {
                        Tls::Implicit => match acceptor.accept(stream).await {
                            Ok(stream) => talk.run(BufReader::new(stream)).await,
                            Err(_) => None,
                        },
                        _ => talk.begin_clear(stream, acceptor).await,
                    }
                });
            }
        });
        Self { port, root, tls, seen, task }
    }

    /// As a configuration would name it, with a login.
    pub(super) fn server(&self) -> Server {
        Server {
            host: "localhost".into(),
            port: self.port,
            tls: self.tls,
            login: Some(Login { user: "vmt".into(), password: Zeroizing::new(PASSWORD.into()) }),
            extra_roots: vec![self.root.clone()],
        }
    }

    /// What each connection saw.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Everything that came over all connections, as one text.
    pub(super) fn text(&self) -> String {
        self.seen().iter().map(|seen| format!("{}\n{}\n", seen.lines.join("\n"), seen.contents.join("\n"))).collect()
    }
}

fn authority(name: &str) -> (CertificateDer<'static>, TlsAcceptor) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&server_key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(server_key.serialize_der()).unwrap())
        .unwrap();
    (root.der().clone(), TlsAcceptor::from(Arc::new(config)))
}

struct Talk {
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
    number: usize,
    counts: HashMap<String, usize>,
}

impl Talk {
    async fn begin_clear(mut self, stream: TcpStream, acceptor: TlsAcceptor) -> Option<()> {
        let mut stream = BufReader::new(stream);
        self.act(&mut stream, self.script.greeting).await?;
        loop {
            let line = self.line(&mut stream).await?;
            if line.eq_ignore_ascii_case("STARTTLS") {
                if let Some(act) = self.planned("STARTTLS") {
                    self.act(&mut stream, act).await?;
                    continue;
                }
                let reply = format!("220 go\r\n{}", self.script.injected);
                stream.write_all(reply.as_bytes()).await.ok()?;
                let raised = acceptor.accept(stream.into_inner()).await.ok()?;
                return self.answer(BufReader::new(raised)).await;
            }
            self.command(&mut stream, &line).await?;
        }
    }

    async fn run(self, mut stream: BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<()> {
        self.act(&mut stream, self.script.greeting).await?;
        self.answer(stream).await
    }

    async fn answer(mut self, mut stream: BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<()> {
        loop {
            let line = self.line(&mut stream).await?;
            self.command(&mut stream, &line).await?;
        }
    }

    /// Answers one command; nothing when the connection is over.
    async fn command(&mut self, stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>, line: &str) -> Option<()> {
        let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
        if let Some(act) = self.planned(&verb) {
            return self.act(stream, act).await;
        }
        let reply = match verb.as_str() {
            "EHLO" => self.script.hello,
            "AUTH" => "235 2.7.0 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 2.0.0 ok",
        };
        self.act(stream, Act::Say(reply)).await?;
        match verb.as_str() {
            "QUIT" => None,
            "DATA" => self.content(stream).await,
            _ => Some(()),
        }
    }

    async fn content(&mut self, stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<()> {
        let mut content = Vec::new();
        while !content.ends_with(b"\r\n.\r\n") {
            content.push(stream.read_u8().await.ok()?);
            if self.script.cut_at.is_some_and(|most| content.len() >= most) {
                return None;
            }
        }
        self.seen.lock().unwrap()[self.number].contents.push(String::from_utf8(content).unwrap());
        let act = self.planned(".").unwrap_or(Act::Say("250 2.0.0 queued"));
        self.act(stream, act).await
    }

    /// What the script says to this command, this time.
    fn planned(&mut self, verb: &str) -> Option<Act> {
        let count = self.counts.entry(verb.to_owned()).or_default();
        *count += 1;
        let numbered = format!("{verb}/{count}");
        self.script.acts.get(numbered.as_str()).or_else(|| self.script.acts.get(verb)).copied()
    }

    async fn act(&self, stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>, act: Act) -> Option<()> {
        match act {
            Act::Say(reply) => {
                stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
                stream.flush().await.ok()
            }
            Act::Close => None,
            Act::Stall => std::future::pending().await,
        }
    }

    async fn line(&self, stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<String> {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        self.seen.lock().unwrap()[self.number].lines.push(line.clone());
        Some(line)
    }
}
