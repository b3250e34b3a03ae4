//! How a delivery can fail, and what each end means: try again, give up, do not know, or too large.
//!
//! Security: a reply often quotes the recipient. Only its codes are kept, and those words of its text that can be no part of an
//! address. Credentials stand in no fault.

use crate::ports::PortError;
use lettre::transport::smtp;
use std::error::Error as _;
use std::fmt;

/// Characters kept of what a server said.
const SHOWN: usize = 200;

/// How far a session had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Greeting,
    Hello,
    StartTls,
    Login,
    Sender,
    Recipient,
    Data,
    /// Of the mail's content something is on its way, but not the final dot.
    Content,
    /// The final dot may have left.
    End,
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Self::Greeting => "before its greeting",
            Self::Hello => "in answer to EHLO",
            Self::StartTls => "in answer to STARTTLS",
            Self::Login => "during the login",
            Self::Sender => "in answer to MAIL FROM",
            Self::Recipient => "in answer to RCPT TO",
            Self::Data => "in answer to DATA",
            Self::Content => "while the mail was being sent",
            Self::End => "after the whole mail was sent",
        }
    }
}

/// An enhanced status code (RFC 3463): class, subject, detail.
type Enhanced = (u16, u16, u16);

/// A refusal by the server, without its text but for harmless words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) enhanced: Option<Enhanced>,
    /// It speaks of relaying, or of a login that is missing: about us, not about the recipient.
    pub(super) about_us: bool,
    words: String,
}

impl Reply {
    /// `secret` are texts of which no part may be shown: the envelope's addresses.
    pub(super) fn new(code: u16, text: &str, secret: &[&str]) -> Self {
        let enhanced = text.split_whitespace().next().and_then(enhanced);
        let lower = text.to_ascii_lowercase();
        let about_us = ["relay", "authenticat", "not logged in", "login"].iter().any(|word| lower.contains(word));
        Self { code, enhanced, about_us, words: harmless(text, secret) }
    }

    /// The server takes nothing of this size (RFC 1870 section 6, RFC 3463 sections 3.3 and 3.4).
    fn is_too_large(&self) -> bool {
        match self.enhanced {
            Some((_, subject, detail)) => self.code >= 500 && matches!((subject, detail), (3, 4) | (2, 3)),
            None => matches!(self.code, 523 | 552),
        }
    }

    /// Something is wrong with the login or with what it may do, whatever the mail (RFC 4954 sections 4 and 6; 57, 60, 139 and
    /// 2.252 are Exchange Online's).
    pub(super) fn is_about_login(&self) -> bool {
        matches!(self.code, 503 | 530 | 534 | 535 | 538)
            || matches!(self.enhanced, Some((5, 7, 8 | 9 | 11 | 14 | 57 | 60 | 139) | (5, 2, 252)))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}

/// Something that an admin can mend: the key of the configuration, what was found, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) key: &'static str,
    pub(super) what: String,
    pub(super) mend: Option<String>,
}

impl Trouble {
    pub(super) fn new(key: &'static str, what: String, mend: impl Into<String>) -> Self {
        Self { key, what, mend: Some(mend.into()) }
    }
}

/// Why a mail was not accepted, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server said no.
    Refused(Step, Reply),
    /// The connection ended, fell silent, or the server said what cannot be understood.
    Lost(Step, String),
    /// No connection, no name, no trust.
    Unreachable(Trouble),
    /// Larger than the server announced to take (octets).
    TooLarge { announced: u64 },
    /// The mail or its envelope cannot be sent by SMTP at all.
    Unfit(&'static str),
}

impl Fault {
    /// What the SMTP library met at this step.
    pub(super) fn of(step: Step, error: &smtp::Error, secret: &[&str]) -> Self {
        if let Some(code) = error.status() {
            let text = error.source().map(ToString::to_string).unwrap_or_default();
            return Self::Refused(step, Reply::new(code.into(), &text, secret));
        }
        let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
        let what = match io {
            Some(io) => format!("the connection was lost ({})", harmless(&io.to_string(), secret)),
            // The library calls both the end of the stream and nonsense so; its text may hold what the server said.
            None if error.is_response() => "the connection ended, or the reply could not be understood".to_owned(),
            None => "the session could not go on".to_owned(),
        };
        Self::Lost(step, what)
    }

    pub(super) fn silent(step: Step, limit: std::time::Duration) -> Self {
        Self::Lost(step, format!("there was no answer within {} s", limit.as_secs()))
    }

    /// User or password are not accepted.
    pub(super) fn refuses_login(&self) -> bool {
        matches!(self, Self::Refused(Step::Login, reply) if reply.is_about_login())
    }

    /// The session is over: nothing more can be said in it.
    pub(super) fn ends_session(&self) -> bool {
        match self {
            Self::Refused(_, reply) => reply.code == 421,
            Self::Lost(..) | Self::Unreachable(_) => true,
            Self::TooLarge { .. } | Self::Unfit(_) => false,
        }
    }

    /// Nothing of the mail was sent, and the session is over: a fresh connection can take it at once.
    pub(super) fn is_stale_connection(&self) -> bool {
        let before = |step: &Step| matches!(step, Step::Sender | Step::Recipient | Step::Data);
        matches!(self, Self::Refused(step, _) | Self::Lost(step, _) if before(step)) && self.ends_session()
    }

    /// A server that takes no further connection beside those it has.
    pub(super) fn is_crowding(&self) -> bool {
        matches!(self, Self::Refused(Step::Greeting | Step::Hello | Step::Login, reply) if reply.code < 500)
    }

    /// What it means for the mail. `server` is its name in the configuration; `null_sender` where MAIL FROM was `<>`.
    pub(super) fn meaning(&self, server: &str, null_sender: bool) -> PortError {
        let Trouble { what, mend, .. } = self.trouble(server, null_sender);
        let text = mend.map_or_else(|| what.clone(), |mend| format!("{what}; {mend}"));
        match self {
            Self::TooLarge { .. } => PortError::TooLarge(text),
            Self::Unfit(_) => PortError::Permanent(text),
            Self::Unreachable(_) => PortError::Temporary(text),
            Self::Lost(Step::End, _) => PortError::Ambiguous(text),
            Self::Lost(..) => PortError::Temporary(text),
            Self::Refused(step, reply) => match step {
                _ if reply.code < 500 || reply.is_about_login() => PortError::Temporary(text),
                Step::Greeting | Step::Hello | Step::StartTls | Step::Login => PortError::Temporary(text),
                _ if reply.is_too_large() => PortError::TooLarge(text),
                // Our own sender is refused, whatever the mail; the null one is for this mail alone.
                Step::Sender if !null_sender => PortError::Temporary(text),
                Step::Recipient if reply.about_us => PortError::Temporary(text),
                _ => PortError::Permanent(text),
            },
        }
    }

    /// The same in words.
    pub(super) fn trouble(&self, server: &str, null_sender: bool) -> Trouble {
        let (step, reply) = match self {
            Self::Unreachable(trouble) => return trouble.clone(),
            Self::Lost(step, why) => {
                return Trouble {
                    key: "outgoing.host",
                    what: format!("{server}: {why}, {}", step.words()),
                    mend: None,
                };
            }
            Self::TooLarge { announced } => {
                let what = format!("{server} takes no mail of more than {announced} octets");
                return Trouble { key: "outgoing.host", what, mend: None };
            }
            Self::Unfit(why) => return Trouble { key: "outgoing", what: (*why).to_owned(), mend: None },
            Self::Refused(step, reply) => (*step, reply),
        };
        let refused = format!("{server} refused with {reply} {}", step.words());
        match step {
            Step::Login => Trouble::new("outgoing.password", refused, login_mend(server, reply)),
            _ if reply.is_about_login() => Trouble::new(
                "outgoing.user",
                refused,
                "it does not let this login send: check [outgoing] user and password, and what the account may do",
            ),
            Step::Sender if reply.code >= 500 && !reply.is_too_large() && !null_sender => Trouble::new(
                "outgoing.bounces",
                refused,
                "let [outgoing] bounces be an address that this login may send from",
            ),
            Step::Sender if reply.code >= 500 && null_sender => {
                let what = format!("{refused}: it takes no automatic answers, which go out with the null return path");
                Trouble { key: "outgoing.host", what, mend: None }
            }
            Step::Recipient if reply.code >= 500 && reply.about_us => Trouble::new(
                "outgoing.user",
                refused,
                "it wants a login before it passes mail on: check [outgoing] user",
            ),
            _ => Trouble { key: "outgoing.host", what: refused, mend: None },
        }
    }
}

/// What an admin can do about a refused login: the commonest mistakes, by provider.
fn login_mend(server: &str, reply: &Reply) -> String {
    if reply.code < 500 {
        return "it says to try again later".to_owned();
    }
    let ends = |domains: &[&str]| domains.iter().any(|d| server == *d || server.ends_with(&format!(".{d}")));
    let provider = match reply.enhanced {
        Some((5, 7, 139 | 57)) => {
            return "Microsoft 365 has SMTP AUTH switched off for this tenant or mailbox: an admin of the tenant can switch \
                    it on for the mailbox (Authenticated SMTP); else let mail leave another way"
                .to_owned();
        }
        _ if ends(&["gmail.com", "googlemail.com", "google.com"]) => "Google",
        _ if ends(&["fastmail.com", "messagingengine.com"]) => "Fastmail",
        _ if ends(&["mail.me.com", "icloud.com"]) => "iCloud",
        Some((5, 7, 9)) => "the provider",
        _ => {
            return "check [outgoing] user and password; many providers want an app password instead of the account's own"
                .to_owned();
        }
    };
    format!("{provider} wants an app password here, not the account's own: make one in the account's settings")
}

/// `5.7.8` as numbers.
fn enhanced(word: &str) -> Option<Enhanced> {
    let mut numbers = word.split('.').map(|number| number.parse().ok());
    let code = (numbers.next()??, numbers.next()??, numbers.next()??);
    (numbers.next().is_none() && matches!(code.0, 2 | 4 | 5) && code.1 < 1000 && code.2 < 1000).then_some(code)
}

/// The words of a text that can be no part of an address: letters and plain punctuation, nothing of what is secret.
fn harmless(text: &str, secret: &[&str]) -> String {
    let secret: Vec<String> = secret
        .iter()
        .flat_map(|address| address.split('@'))
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut out = String::new();
    let mut left_out = false;
    for word in text.split_whitespace().skip_while(|word| enhanced(word).is_some()) {
        let plain = word.chars().all(|c| c.is_ascii_alphabetic() || "'(),:;.-/".contains(c));
        let lower = word.to_ascii_lowercase();
        let bare = lower.trim_matches(|c: char| !c.is_ascii_alphabetic());
        let telling = secret.iter().any(|part| if part.len() > 1 { lower.contains(part) } else { bare == part });
        // A dot inside a word may stand in a domain.
        let name = word.trim_end_matches(['.', ',', ':', ';', ')']).contains('.');
        if !plain || telling || name {
            if !left_out {
                out.push_str(if out.is_empty() { "…" } else { " …" });
            }
            left_out = true;
            continue;
        }
        left_out = false;
        if out.len() + word.len() > SHOWN {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
