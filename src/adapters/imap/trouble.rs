//! What can go wrong between the gateway and an IMAP server, in words.
//!
//! Security: of a server's own words only the response code is shown: they may repeat the user's name, an address or a piece of
//! mail. Errors of the IMAP library are never shown, since they hold what could not be parsed.

use super::wire::TooMuch;
use crate::ports::PortError;
use async_imap::error::Error;
use futures::FutureExt;
use std::io::{self, ErrorKind};
use std::panic::AssertUnwindSafe;

/// Characters of a server's words that are shown at most.
const SHOWN: usize = 200;

/// Waits for the server. The parser behind the IMAP library unwinds on some answers (a letter beyond ASCII right after a response
/// code); that must cost a connection, not the mailbox.
pub(super) async fn caught<T>(
    what: &'static str,
    waiting: impl Future<Output = Result<T, Trouble>> + Send,
) -> Result<T, Trouble> {
    AssertUnwindSafe(waiting).catch_unwind().await.unwrap_or(Err(Trouble::Unintelligible(what)))
}

/// Why something could not be done. What a server said is kept for whoever can make sense of it, and not shown.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Trouble {
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("its certificate is not trusted: {0}")]
    Certificate(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("it does not offer STARTTLS, and nothing is said without TLS")]
    NoStartTls,
    #[error("more came in clear before TLS than belongs there; somebody between may have put it in")]
    Injected,
    #[error("it does not greet as an IMAP server does")]
    NoGreeting,
    #[error("it turns the gateway away before the login{}", code(.0))]
    TurnedAway(String),
    #[error("it greets as if somebody were logged in already; that is not accepted")]
    PreAuthenticated,
    #[error("no user and password are configured")]
    NoLogin,
    #[error("it takes passwords neither by LOGIN nor by AUTHENTICATE PLAIN")]
    LoginDisabled,
    #[error("it refuses user or password{}", code(.0))]
    LoginRefused(String),
    #[error("it refuses {what}{}", code(.words))]
    Refused { what: &'static str, words: String, create: bool },
    #[error("no answer in time ({0})")]
    TimedOut(&'static str),
    #[error("it closed the connection")]
    Lost,
    #[error("it sends more than it announced or than is allowed ({0})")]
    TooMuch(&'static str),
    #[error("its answer could not be understood ({0})")]
    Unintelligible(&'static str),
    #[error("what is remembered of the mailbox cannot be used: {0}")]
    Memory(String),
}

impl Trouble {
    /// Whether the connection is of no more use.
    pub(super) fn ends_connection(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Memory(_))
    }

    /// Whether trying again soon may lock the account.
    pub(super) fn is_about_login(&self) -> bool {
        matches!(self, Self::LoginRefused(_) | Self::LoginDisabled | Self::NoLogin)
    }

    pub(super) fn of_io(error: &io::Error, what: &'static str) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(tls);
        }
        if error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) {
            return Self::TooMuch(what);
        }
        match error.kind() {
            ErrorKind::TimedOut => Self::TimedOut(what),
            ErrorKind::Other | ErrorKind::InvalidData => Self::Unintelligible(what),
            _ => Self::Lost,
        }
    }

    pub(super) fn of_library(error: &Error, what: &'static str) -> Self {
        match error {
            Error::Io(error) => Self::of_io(error, what),
            Error::No(words) | Error::Bad(words) => {
                Self::Refused { what, words: harmless(&information(words)), create: false }
            }
            Error::ConnectionLost => Self::Lost,
            _ => Self::Unintelligible(what),
        }
    }

    pub(super) fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => Self::Certificate(certificate(why)),
            other => Self::Tls(other.to_string()),
        }
    }

    /// As the mailbox's adapter says it.
    pub(super) fn at(&self, host: &str) -> PortError {
        PortError::Temporary(format!("the IMAP server {host}: {self}"))
    }
}

fn certificate(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as C;
    match why {
        C::Expired | C::ExpiredContext { .. } => "it has expired".into(),
        C::NotValidYet | C::NotValidYetContext { .. } => "it is not valid yet; check the clocks".into(),
        C::UnknownIssuer => "its issuer is none of the known authorities; set `ca` if it is your own".into(),
        C::NotValidForName | C::NotValidForNameContext { .. } => "it is for another host name than `host`".into(),
        other => other.to_string(),
    }
}

/// What the library's text of a refusal has of the server's words.
fn information(text: &str) -> String {
    let words = text.split_once("info: Some(\"").map(|(_, words)| words.trim_end_matches("\")"));
    words.unwrap_or_default().replace("\\\"", "\"")
}

/// The response code (RFC 5530), which is the one part of a server's words that cannot hold anything personal.
fn code(words: &str) -> String {
    let code = words.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(code, _)| code);
    let plain = |code: &&str| {
        !code.is_empty() && code.len() <= 30 && code.bytes().all(|octet| octet.is_ascii_uppercase() || octet == b'-')
    };
    code.filter(plain).map(|code| format!(" [{code}]")).unwrap_or_default()
}

/// A server's words without anything that may be personal: printable ASCII, no word that could be an address, no more than so
/// many characters.
pub(super) fn harmless(words: &str) -> String {
    let clean: String = words.chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { ' ' }).collect();
    let kept: Vec<&str> = clean
        .split_whitespace()
        .map(|word| if word.contains('@') || word.contains("%40") { "…" } else { word })
        .collect();
    let mut text = kept.join(" ");
    text = text.chars().take(SHOWN).collect();
    if text.is_empty() { "it does not say why".into() } else { text }
}

#[cfg(test)]
#[path = "trouble_tests.rs"]
mod tests;
