//! From a configured server to a session that is logged in: TCP, TLS, STARTTLS, login.
//!
//! Security: the password is said only over TLS with a verified certificate, or to a loopback address. STARTTLS is never left
//! out, whatever the server claims before it; what came in clear is thrown away, and more of it than belongs there ends the
//! attempt (CVE-2011-0411 and its kin; RFC 8314, RFC 3501 section 6.2.1). Every step has a time limit.

use super::trouble::{Trouble, harmless};
use super::wire::{Allowance, Transport, Wire};
use crate::adapters::server::{Login, Server, tls_config};
use crate::config::Tls;
use async_imap::imap_proto::{Capability, Response, Status};
use async_imap::{Authenticator, Client};
use rustls::pki_types::ServerName;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// How long finding the addresses, and connecting to each, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// How long a greeting may take.
const WELCOME: Duration = Duration::from_secs(30);
/// What is waited for first.
pub(super) const GREETING: &str = "greeting";
/// How long an answer to a short command may take. Some servers make a failed login wait.
const ANSWER: Duration = Duration::from_secs(60);
/// A connection on which nothing was heard for so long is asked whether it still stands.
const KEEPALIVE: Duration = Duration::from_secs(120);
/// What may come before the login is done.
const SMALL: Allowance = Allowance { literal: 0, total: 64 * 1024 };

pub(super) type Session = async_imap::Session<Wire>;

/// What a server can do, in capitals (RFC 3501 section 7.2.1).
#[derive(Clone, Debug, Default)]
pub(super) struct Abilities(HashSet<String>);

impl Abilities {
    pub(super) fn has(&self, ability: &str) -> bool {
        self.0.contains(ability)
    }

    pub(super) fn forget(&mut self, ability: &str) {
        self.0.remove(ability);
    }

    pub(super) fn take(&mut self, response: &Response<'_>) {
        if let Response::Capabilities(all) = response {
            self.0.extend(all.iter().map(|one| match one {
                Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
                Capability::Auth(mechanism) => format!("AUTH={}", mechanism.to_ascii_uppercase()),
                Capability::Atom(name) => name.to_ascii_uppercase(),
            }));
        }
    }
}

/// Connects and logs in.
///
/// # Errors
/// At the first step that fails; nothing is left open then.
pub(super) async fn connect(server: &Server) -> Result<Session, Trouble> {
    let login = server.login.as_ref().ok_or(Trouble::NoLogin)?;
    let stream = reach(server).await?;
    let (client, abilities) = match server.tls {
        Tls::Implicit => greeted(Wire::new(Transport::Tls(Box::new(shake_hands(server, stream).await?)))).await?,
        Tls::StartTls => raised(server, stream).await?,
        Tls::None => greeted(Wire::new(Transport::Plain(stream))).await?,
    };
    log_in(client, &abilities, login).await
}

/// A TCP connection to the first of the host's addresses that answers.
async fn reach(server: &Server) -> Result<TcpStream, Trouble> {
    let looked_up = timeout(CONNECT, tokio::net::lookup_host((server.host.as_str(), server.port))).await;
    let addresses: Vec<SocketAddr> = match looked_up {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(_)) => return Err(Trouble::Unreachable("its name is not known; check `host` and the DNS".into())),
        Err(_) => return Err(Trouble::Unreachable("the DNS does not answer".into())),
    };
    let mut why = "its name has no address".to_owned();
    for address in addresses {
        if server.tls == Tls::None && !address.ip().is_loopback() {
            why = "it is no loopback address, and nothing is said in clear on a network".into();
            continue;
        }
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 8);
                // They only make things better; where the system refuses, the time limits remain.
                let _ = stream.set_nodelay(true);
                let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
                return Ok(stream);
            }
            Ok(Err(error)) => why = format!("port {}: {error}", server.port),
            Err(_) => why = format!("port {} does not answer; check `port` and the firewall", server.port),
        }
    }
    Err(Trouble::Unreachable(why))
}

async fn shake_hands(
    server: &Server,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Trouble> {
    let config = tls_config(&server.extra_roots).map_err(Trouble::Tls)?;
    let name = ServerName::try_from(server.host.clone())
        .map_err(|_| Trouble::Unreachable("`host` is neither a host name nor an address".into()))?;
    match timeout(HANDSHAKE, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(match Trouble::of_io(&error, "TLS") {
            Trouble::Lost => Trouble::Tls("it hangs up; check `port` and `tls`".into()),
            Trouble::Unintelligible(_) => Trouble::Tls("it does not speak TLS; check `port` and `tls`".into()),
            trouble => trouble,
        }),
        Err(_) => Err(Trouble::TimedOut("TLS")),
    }
}

/// Reads the greeting and asks what the server can do.
async fn greeted(wire: Wire) -> Result<(Client<Wire>, Abilities), Trouble> {
    let mut client = Client::new(wire);
    greeting(&mut client).await?;
    let (abilities, _) = ask(&mut client, "CAPABILITY").await?;
    Ok((client, abilities))
}

async fn greeting(client: &mut Client<Wire>) -> Result<(), Trouble> {
    client.get_mut().allow(SMALL, Some(WELCOME));
    let response = timeout(WELCOME, client.read_response()).await.map_err(|_| Trouble::TimedOut(GREETING))?;
    let response = response.map_err(|error| match Trouble::of_io(&error, GREETING) {
        Trouble::Unintelligible(_) | Trouble::TooMuch(_) => Trouble::NoGreeting,
        trouble => trouble,
    })?;
    match response.as_ref().map(|response| response.parsed()) {
        Some(Response::Data { status: Status::Ok, .. }) => Ok(()),
        // An attacker who greets so would have the client leave STARTTLS and login out.
        Some(Response::Data { status: Status::PreAuth, .. }) => Err(Trouble::PreAuthenticated),
        Some(Response::Data { status: Status::Bye, outcome }) => {
            Err(Trouble::TurnedAway(harmless(outcome.information.as_deref().unwrap_or_default())))
        }
        Some(_) => Err(Trouble::NoGreeting),
        None => Err(Trouble::Lost),
    }
}

/// Begins in clear, says nothing but STARTTLS, and goes on over TLS as if nothing had been said before.
async fn raised(server: &Server, stream: TcpStream) -> Result<(Client<Wire>, Abilities), Trouble> {
    let mut client = Client::new(Wire::new(Transport::Plain(stream)));
    greeting(&mut client).await?;
    let (_, responses) = ask(&mut client, "STARTTLS").await.map_err(|trouble| match trouble {
        Trouble::Refused { .. } => Trouble::NoStartTls,
        trouble => trouble,
    })?;
    let wire = client.into_inner();
    // The greeting and the responses were one line each. Whatever else is here already was put in by somebody who cannot speak TLS
    // for the server.
    if wire.lines() != (responses + 1, false) {
        return Err(Trouble::Injected);
    }
    let Transport::Plain(stream) = wire.into_transport() else { return Err(Trouble::Injected) };
    let stream = shake_hands(server, stream).await?;
    let mut client = Client::new(Wire::new(Transport::Tls(Box::new(stream))));
    let (abilities, _) = ask(&mut client, "CAPABILITY").await?;
    Ok((client, abilities))
}

/// Says one word before the login; the abilities that were told, and how many responses there were.
async fn ask(client: &mut Client<Wire>, command: &'static str) -> Result<(Abilities, u64), Trouble> {
    let answer = async {
        // The library has a function for commands at this stage, but none that shows what is answered.
        let tag = format!("E{}", command.len());
        let wire = client.get_mut();
        wire.allow(SMALL, Some(ANSWER));
        let line = format!("{tag} {command}\r\n");
        let written = async {
            wire.write_all(line.as_bytes()).await?;
            wire.flush().await
        };
        written.await.map_err(|error| Trouble::of_io(&error, command))?;
        let (mut abilities, mut responses) = (Abilities::default(), 0);
        loop {
            let response = client.read_response().await.map_err(|error| Trouble::of_io(&error, command))?;
            let response = response.ok_or(Trouble::Lost)?;
            responses += 1;
            match response.parsed() {
                Response::Done { tag: of, status: Status::Ok, .. } if of.0 == tag => return Ok((abilities, responses)),
                Response::Done { tag: of, outcome, .. } if of.0 == tag => {
                    let words = harmless(outcome.information.as_deref().unwrap_or_default());
                    return Err(Trouble::Refused { what: command, words, create: false });
                }
                other => abilities.take(other),
            }
        }
    };
    timeout(ANSWER, answer).await.map_err(|_| Trouble::TimedOut(command))?
}

async fn log_in(mut client: Client<Wire>, abilities: &Abilities, login: &Login) -> Result<Session, Trouble> {
    client.get_mut().allow(SMALL, Some(ANSWER));
    // A quoted string holds no other octets (RFC 3501 section 9).
    let plain_text = |text: &str| text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    let quotable = plain_text(&login.user) && plain_text(&login.password);
    let logged_in = async {
        if quotable && !abilities.has("LOGINDISABLED") {
            client.login(&login.user, login.password.as_str()).await
        } else {
            client.authenticate("PLAIN", Plain(login)).await
        }
    };
    if (!quotable || abilities.has("LOGINDISABLED")) && !abilities.has("AUTH=PLAIN") {
        return Err(Trouble::LoginDisabled);
    }
    let logged_in = timeout(ANSWER, logged_in).await.map_err(|_| Trouble::TimedOut("login"))?;
    logged_in.map_err(|(error, _client)| match Trouble::of_library(&error, "login") {
        // Not the password's fault (RFC 5530 section 3).
        Trouble::Refused { words, .. }
            if ["[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]"].iter().any(|code| words.starts_with(code)) =>
        {
            Trouble::TurnedAway(words)
        }
        Trouble::Refused { words, .. } => Trouble::LoginRefused(words),
        trouble => trouble,
    })
}

/// SASL PLAIN (RFC 4616).
struct Plain<'a>(&'a Login);

impl Authenticator for Plain<'_> {
    type Response = Zeroizing<Vec<u8>>;

    fn process(&mut self, _: &[u8]) -> Self::Response {
        let mut answer = Zeroizing::new(Vec::with_capacity(self.0.user.len() + self.0.password.len() + 2));
        answer.push(0);
        answer.extend_from_slice(self.0.user.as_bytes());
        answer.push(0);
        answer.extend_from_slice(self.0.password.as_bytes());
        answer
    }
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
