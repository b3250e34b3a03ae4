//! From nothing to a session that may send: TCP, TLS, EHLO, login.
//!
//! Security: nothing but EHLO and STARTTLS is said before TLS stands and the server's certificate is verified; STARTTLS that is
//! not offered, refused, or answered with more than its own reply (an injection, CVE-2011-0411) ends the attempt. The login is
//! offered by PLAIN or LOGIN, inside TLS or to a loopback address only.

use super::fault::{Fault, Reply, Step, Trouble};
use super::wire::{Carrier, Wire};
use crate::adapters::server::{Server, tls_config};
use crate::config::Tls;
use lettre::transport::smtp;
use rustls::pki_types::ServerName;
use smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use smtp::client::AsyncSmtpConnection;
use smtp::commands::{Ehlo, Starttls};
use smtp::extension::{ClientId, Extension};
use smtp::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Octets of one reply that is read before TLS stands.
const REPLY: usize = 16 * 1024;

/// How long each step may take. They are shorter than what RFC 5321 section 4.5.3.2 gives relays: a submission server is near,
/// a member waits, and what was cut off before the final dot is tried again.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For the TCP connection to one address, and for the TLS handshake.
    pub(super) connect: Duration,
    /// For a greeting or the reply to a command.
    pub(super) command: Duration,
    /// For everything until mail can be sent.
    pub(super) open: Duration,
    /// For the first command on a connection that was kept open.
    pub(super) reuse: Duration,
    /// For the content of a mail, besides a second for each [`super::OCTETS_A_SECOND`].
    pub(super) content: Duration,
    /// For the reply to the final dot: servers check content then. Cutting it short makes an end unknown.
    pub(super) end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            command: Duration::from_secs(20),
            open: Duration::from_secs(40),
            reuse: Duration::from_secs(5),
            content: Duration::from_secs(20),
            end: Duration::from_secs(60),
        }
    }
}

/// A session that may send.
pub(super) struct Session {
    pub(super) connection: AsyncSmtpConnection,
    /// Largest mail that the server takes, in octets (RFC 1870); nothing if it knows SIZE and names no limit.
    pub(super) size: Size,
}

/// What a server says of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It does not know SIZE.
    Unknown,
    /// It knows it, and has no fixed limit.
    Unlimited,
    Most(u64),
}

/// How TLS is spoken with a server; nothing where it is not.
pub(super) type MaybeTls = Option<Arc<rustls::ClientConfig>>;

/// # Errors
/// When there is no root certificate to verify the server's with; in words for an admin.
pub(super) fn tls_for(server: &Server) -> Result<MaybeTls, String> {
    match server.tls {
        Tls::None => Ok(None),
        Tls::Implicit | Tls::StartTls => Ok(Some(tls_config(&server.extra_roots)?)),
    }
}

/// Where mail is handed in.
pub(super) struct Door<'a> {
    pub(super) server: &'a Server,
    pub(super) tls: &'a MaybeTls,
    pub(super) patience: Patience,
}

impl Door<'_> {
    /// Opens a session and logs in.
    pub(super) async fn open(&self) -> Result<Session, Fault> {
        let opened = tokio::time::timeout(self.patience.open, async {
            let mut session = self.greet().await?;
            self.log_in(&mut session).await?;
            Ok(session)
        });
        opened.await.unwrap_or_else(|_| Err(Fault::silent(Step::Login, self.patience.open)))
    }

    /// Opens a session up to the answer to EHLO, without logging in.
    pub(super) async fn greet(&self) -> Result<Session, Fault> {
        let (stream, peer) = self.connect().await?;
        let hello = match stream.local_addr().map(|local| local.ip()) {
            Ok(IpAddr::V4(local)) => ClientId::Ipv4(local),
            Ok(IpAddr::V6(local)) => ClientId::Ipv6(local),
            Err(_) => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
        };
        let wire = match self.tls {
            None if !peer.ip().to_canonical().is_loopback() => {
                return Err(trouble(
                    "outgoing.tls",
                    format!("{} is not this machine, and without TLS nothing is sent elsewhere", self.server.host),
                    "set [outgoing] tls to \"implicit\" or \"starttls\"",
                ));
            }
            None => Wire::new(Box::new(stream), peer, b""),
            Some(config) if self.server.tls == Tls::Implicit => {
                Wire::new(self.shake_hands(config, stream).await?, peer, b"")
            }
            Some(config) => {
                let stream = self.start_tls(stream, &hello).await?;
                // The greeting came before TLS and counts no more; the library waits for one.
                Wire::new(self.shake_hands(config, stream).await?, peer, b"220 \r\n")
            }
        };
        let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello);
        let mut connection = self.timed(Step::Greeting, connecting).await?;
        // The library keeps of the answer only what it uses itself; SIZE is not among it.
        let answer = self.timed(Step::Hello, connection.command(Ehlo::new(hello))).await?;
        Ok(Session { connection, size: announced_size(&answer) })
    }

    async fn connect(&self) -> Result<(TcpStream, SocketAddr), Fault> {
        let (host, port) = (self.server.host.as_str(), self.server.port);
        let limit = self.patience.connect;
        let looked_up = tokio::time::timeout(limit, tokio::net::lookup_host((host, port))).await;
        let addresses: Vec<SocketAddr> = match looked_up {
            Ok(Ok(addresses)) => addresses.collect(),
            _ => Vec::new(),
        };
        if addresses.is_empty() {
            return Err(trouble(
                "outgoing.host",
                format!("the name {host} was not found"),
                "check [outgoing] host, and this machine's name resolution",
            ));
        }
        let mut why = String::new();
        for address in addresses {
            match tokio::time::timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // The final dot is a packet of its own; it must not wait for the acknowledgement of the one before.
                    let _slower_at_worst = stream.set_nodelay(true);
                    return Ok((stream, address));
                }
                Ok(Err(error)) => why = error.kind().to_string(),
                Err(_) => why = format!("no answer within {} s", limit.as_secs()),
            }
        }
        Err(trouble(
            "outgoing.port",
            format!("{host} cannot be reached at port {port} ({why})"),
            "check [outgoing] host and port, and the firewall",
        ))
    }

    async fn shake_hands(
        &self,
        config: &Arc<rustls::ClientConfig>,
        stream: TcpStream,
    ) -> Result<Box<dyn Carrier>, Fault> {
        let (host, port) = (&self.server.host, self.server.port);
        let name = ServerName::try_from(host.clone()).map_err(|_| {
            let what = format!("{host} is no name that a certificate can have");
            trouble("outgoing.host", what, "name the server as its certificate does")
        })?;
        let connector = TlsConnector::from(Arc::clone(config));
        let error = match tokio::time::timeout(self.patience.connect, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => return Ok(Box::new(stream)),
            Ok(Err(error)) => error,
            Err(_) => {
                let what = format!("{host} does not answer to TLS at port {port}");
                return Err(trouble("outgoing.port", what, self.other_port()));
            }
        };
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Err(match tls {
            Some(rustls::Error::InvalidCertificate(why)) => trouble(
                "outgoing.ca",
                format!("the certificate of {host} cannot be trusted: {}", certificate_words(why)),
                "let [outgoing] host be a name that stands in it, or set `ca` to the root of its authority; until it verifies \
                 nothing is sent",
            ),
            Some(rustls::Error::InvalidMessage(_)) => {
                let what = format!("{host} does not speak TLS at port {port} from the start");
                trouble("outgoing.tls", what, self.other_port())
            }
            _ => {
                let what = format!("TLS with {host} failed: {}", printable(&error.to_string()));
                trouble("outgoing.tls", what, self.other_port())
            }
        })
    }

    fn other_port(&self) -> String {
        let port = self.server.port;
        format!("port 465 mostly goes with tls = \"implicit\", port 587 with \"starttls\"; here it is {port}")
    }

    /// Greeting, EHLO and STARTTLS in clear (RFC 3207). What the server says here is believed for nothing else.
    async fn start_tls(&self, mut stream: TcpStream, hello: &ClientId) -> Result<TcpStream, Fault> {
        let greeting = self.say(&mut stream, Step::Greeting, "").await.map_err(|fault| match fault {
            Fault::Lost(Step::Greeting, why) => {
                let what = format!("{} says nothing that SMTP begins with: {why}", self.server.host);
                trouble("outgoing.tls", what, self.other_port())
            }
            other => other,
        })?;
        positive(Step::Greeting, &greeting)?;
        let answer = self.say(&mut stream, Step::Hello, &Ehlo::new(hello.clone()).to_string()).await?;
        positive(Step::Hello, &answer)?;
        let offers = smtp::extension::ServerInfo::from_response(&answer)
            .is_ok_and(|info| info.supports_feature(Extension::StartTls));
        if !offers {
            return Err(trouble(
                "outgoing.tls",
                format!("{} offers no STARTTLS at port {}", self.server.host, self.server.port),
                "nothing is sent without TLS: use port 465 with tls = \"implicit\", or see whether something on the way takes \
                 the offer out",
            ));
        }
        let ready = self.say(&mut stream, Step::StartTls, &Starttls.to_string()).await?;
        positive(Step::StartTls, &ready)?;
        Ok(stream)
    }

    /// Says a line and reads exactly one reply; that more than it came is an error.
    async fn say(&self, stream: &mut TcpStream, step: Step, line: &str) -> Result<Response, Fault> {
        let talking = async {
            stream.write_all(line.as_bytes()).await?;
            let mut said = Vec::new();
            while !ends_with_last_line(&said) {
                if said.len() > REPLY || stream.read_buf(&mut said).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok::<_, std::io::Error>(said)
        };
        let said = match tokio::time::timeout(self.patience.command, talking).await {
            Ok(Ok(said)) => said,
            Ok(Err(_)) => return Err(Fault::Lost(step, "the connection was lost".into())),
            Err(_) => return Err(Fault::silent(step, self.patience.command)),
        };
        let text: String = said.iter().map(|&octet| if octet.is_ascii() { char::from(octet) } else { '?' }).collect();
        // The parser takes the first reply; a second one behind it was put there by somebody.
        let reply = text.parse::<Response>().ok().filter(|_| only_one_reply(&text));
        reply.ok_or_else(|| Fault::Lost(step, "the reply could not be understood, or held more than one".into()))
    }

    async fn log_in(&self, session: &mut Session) -> Result<(), Fault> {
        let Some(login) = &self.server.login else { return Ok(()) };
        let connection = &mut session.connection;
        if connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            return Err(trouble(
                "outgoing.user",
                format!("{} offers no login by password (AUTH PLAIN or LOGIN)", self.server.host),
                "it may want OAuth only, or another port; leave `user` and `password` out if it wants no login",
            ));
        }
        let credentials = Credentials::new(login.user.clone(), login.password.to_string());
        let secret = [login.user.as_str(), login.password.as_str()];
        let logging_in = connection.auth(DEFAULT_MECHANISMS, &credentials);
        let limit = self.patience.command;
        match tokio::time::timeout(limit, logging_in).await {
            Ok(Ok(reply)) if reply.has_code(235) => Ok(()),
            Ok(Ok(_)) => Err(Fault::Lost(Step::Login, "the login did not come to an end".into())),
            Ok(Err(error)) => Err(Fault::of(Step::Login, &error, &secret)),
            Err(_) => Err(Fault::silent(Step::Login, limit)),
        }
    }

    async fn timed<T>(&self, step: Step, work: impl Future<Output = Result<T, smtp::Error>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.patience.command, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Fault::of(step, &error, &[])),
            Err(_) => Err(Fault::silent(step, self.patience.command)),
        }
    }
}

fn trouble(key: &'static str, what: String, mend: impl Into<String>) -> Fault {
    Fault::Unreachable(Trouble::new(key, what, mend))
}

fn positive(step: Step, reply: &Response) -> Result<(), Fault> {
    if reply.is_positive() {
        return Ok(());
    }
    let text: Vec<&str> = reply.message().collect();
    Err(Fault::Refused(step, Reply::new(reply.code().into(), &text.join(" "), &[])))
}

/// `250 text` ends a reply, `250-text` does not (RFC 5321 section 4.2.1).
fn ends_with_last_line(said: &[u8]) -> bool {
    let Some(lines) = said.strip_suffix(b"\r\n") else { return false };
    lines.rsplit(|&octet| octet == b'\n').next().is_some_and(|last| last.get(3) != Some(&b'-'))
}

fn only_one_reply(text: &str) -> bool {
    let mut ends = text.split_terminator("\r\n").map(|line| line.as_bytes().get(3) != Some(&b'-'));
    ends.by_ref().any(|end| end) && ends.next().is_none()
}

/// `SIZE 35882577` in the answer to EHLO (RFC 1870 section 4).
fn announced_size(answer: &Response) -> Size {
    for line in answer.message().skip(1) {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("SIZE")) {
            return match words.next().and_then(|number| number.parse().ok()) {
                None | Some(0) => Size::Unlimited,
                Some(most) => Size::Most(most),
            };
        }
    }
    Size::Unknown
}

fn certificate_words(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Why;
    match why {
        Why::UnknownIssuer | Why::BadSignature => "its issuer is not trusted".to_owned(),
        Why::Expired | Why::ExpiredContext { .. } => "it has expired".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => "it is not valid yet; check the clock".to_owned(),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => "it is for another name".to_owned(),
        Why::Revoked => "it was revoked".to_owned(),
        other => printable(&other.to_string()),
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').filter(|&c| c != '@').take(200).collect()
}
