//! Commands to a server that is logged in, and what is learnt from its answers.
//!
//! Security: every command has a time limit and a bound on what may come back, and a refusal is never taken for an empty answer;
//! the IMAP library's own commands have neither, so only its connection and its parser are used. Mail is read with BODY.PEEK alone.
//!
//! Source: RFC 3501; RFC 2177 (IDLE), RFC 4315 (UIDPLUS), RFC 6851 (MOVE).

use super::connect::{Abilities, Session};
use super::names;
use super::trouble::{Trouble, caught, harmless};
use super::wire::Allowance;
use async_imap::imap_proto::{AttributeValue, MailboxDatum, NameAttribute, RequestId, Response, ResponseCode, Status};
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long an answer may take to begin, and how long it may stand still.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 60 });
/// The slowest server that is borne with; octets in a second.
const SLOWEST: u64 = 32 * 1024;
/// What a command that fetches no mail may be answered with.
const SMALL: Allowance = Allowance { literal: 64 * 1024, total: 64 * 1024 * 1024 };
/// Marks, where the server keeps such marks, a mail that stays in the mailbox for ever.
pub(super) const KEPT: &str = "$EmbargodKept";

/// A logged-in connection with a folder open.
pub(super) struct Link {
    session: Session,
    pub(super) abilities: Abilities,
    pub(super) folder: Folder,
    /// More mail was announced since somebody last looked.
    news: bool,
    /// The server ends the session, or numbers its mails anew.
    closing: bool,
    idling: Option<RequestId>,
}

/// What is known of the open folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) validity: u32,
    /// The UID that the next mail gets; not every server says it.
    pub(super) next: Option<u32>,
    pub(super) exists: u32,
    pub(super) read_only: bool,
    /// Whether [`KEPT`] can be set.
    pub(super) keywords: bool,
}

/// A mail as a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) uid: u32,
    /// Octets as announced; nothing where the server did not say.
    pub(super) size: Option<u32>,
    pub(super) seen: bool,
    pub(super) deleted: bool,
    pub(super) kept: bool,
}

/// A folder as a listing shows it; the name as the server writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) delimiter: Option<String>,
    pub(super) selectable: bool,
}

/// The content of a mail; nothing where the server sends none.
pub(super) type Content = (u32, Option<Zeroizing<Vec<u8>>>);

impl Link {
    /// Asks what the server can do now that somebody is logged in, which may be more than before.
    pub(super) async fn new(session: Session) -> Result<Self, Trouble> {
        let mut link = Self {
            session,
            abilities: Abilities::default(),
            folder: Folder::default(),
            news: false,
            closing: false,
            idling: None,
        };
        let mut abilities = Abilities::default();
        link.run("CAPABILITY", "CAPABILITY", SMALL, |response| abilities.take(response)).await?;
        link.abilities = abilities;
        Ok(link)
    }

    /// Whether more mail was announced than was looked at.
    pub(super) fn has_news(&self) -> bool {
        self.news
    }

    /// The same, and forgets it.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// Sends one command and reads until it is answered.
    pub(super) async fn run(
        &mut self,
        what: &'static str,
        command: &str,
        allowance: Allowance,
        mut each: impl FnMut(&Response<'_>) + Send,
    ) -> Result<(), Trouble> {
        self.session.get_mut().allow(allowance, Some(PATIENCE));
        let answered = async {
            let tag = self.session.run_command(command).await.map_err(|error| Trouble::of_library(&error, what))?;
            self.until_done(&tag, what, &mut each).await
        };
        let limit = 2 * PATIENCE + Duration::from_secs(allowance.literal / SLOWEST);
        timeout(limit, caught(what, answered)).await.map_err(|_| Trouble::TimedOut(what))?
    }

    async fn until_done(
        &mut self,
        tag: &RequestId,
        what: &'static str,
        each: &mut (impl FnMut(&Response<'_>) + Send),
    ) -> Result<(), Trouble> {
        loop {
            let response = self.session.read_response().await.map_err(|error| Trouble::of_io(&error, what))?;
            let response = response.ok_or(Trouble::Lost)?;
            let response = response.parsed();
            note(response, &mut self.folder, &mut self.news, &mut self.closing);
            if self.closing {
                return Err(Trouble::Lost);
            }
            match response {
                Response::Done { tag: of, status, outcome } if of == tag => {
                    each(response);
                    if *status == Status::Ok {
                        return Ok(());
                    }
                    let words = harmless(outcome.information.as_deref().unwrap_or_default());
                    return Err(Trouble::Refused {
                        what,
                        words,
                        create: outcome.code == Some(ResponseCode::TryCreate),
                    });
                }
                other => each(other),
            }
        }
    }

    /// Opens a folder; its name as the server writes it.
    pub(super) async fn select(&mut self, name: &str) -> Result<(), Trouble> {
        let quoted = quoted(name)?;
        self.folder = Folder::default();
        let (mut found, mut validity) = (Folder { keywords: true, ..Folder::default() }, None);
        self.run("SELECT", &format!("SELECT {quoted}"), SMALL, |response| match response {
            Response::MailboxData(MailboxDatum::Exists(exists)) => found.exists = *exists,
            Response::Data { outcome, .. } | Response::Done { outcome, .. } => match &outcome.code {
                Some(ResponseCode::UidValidity(number)) => validity = Some(*number),
                Some(ResponseCode::UidNext(next)) => found.next = Some(*next),
                Some(ResponseCode::ReadOnly) => found.read_only = true,
                Some(ResponseCode::PermanentFlags(flags)) => {
                    found.keywords = flags.iter().any(|flag| flag == "\\*" || flag.eq_ignore_ascii_case(KEPT));
                }
                _ => {}
            },
            _ => {}
        })
        .await?;
        found.validity = validity.ok_or(Trouble::Unintelligible("SELECT"))?;
        self.folder = found;
        (self.news, self.closing) = (false, false);
        Ok(())
    }

    /// The UIDs of all mails that match, in no order.
    pub(super) async fn search(&mut self, query: &str) -> Result<Vec<u32>, Trouble> {
        let mut uids = Vec::new();
        self.run("SEARCH", &format!("UID SEARCH {query}"), SMALL, |response| {
            if let Response::MailboxData(MailboxDatum::Search(some)) = response {
                uids.extend_from_slice(some);
            }
        })
        .await?;
        Ok(uids)
    }

    /// Size and flags of the mails of a set that are there.
    pub(super) async fn look(&mut self, set: &str) -> Result<Vec<Listed>, Trouble> {
        let mut found = Vec::new();
        self.run("FETCH", &format!("UID FETCH {set} (UID RFC822.SIZE FLAGS)"), SMALL, |response| {
            if let Response::Fetch(_, attributes) = response
                && let Some(listed) = listed(attributes)
            {
                found.push(listed);
            }
        })
        .await?;
        // What changes meanwhile is told in between, and is no answer.
        found.sort_by_key(|mail| (mail.uid, mail.size.is_none()));
        found.dedup_by_key(|mail| mail.uid);
        Ok(found)
    }

    /// Reads mails: all of each, or its first octets. Those that are gone are missing in `mails`, also when the server refuses the
    /// whole for their sake.
    pub(super) async fn read(
        &mut self,
        set: &str,
        head: Option<usize>,
        allowance: Allowance,
        mails: &mut Vec<Content>,
    ) -> Result<(), Trouble> {
        let part = head.map(|octets| format!("<0.{octets}>")).unwrap_or_default();
        self.run("FETCH", &format!("UID FETCH {set} (UID BODY.PEEK[]{part})"), allowance, |response| {
            if let Response::Fetch(_, attributes) = response
                && let Some(content) = content(attributes)
            {
                mails.push(content);
            }
        })
        .await
    }

    /// A command without an answer of interest.
    pub(super) async fn tell(&mut self, what: &'static str, command: &str) -> Result<(), Trouble> {
        self.run(what, command, SMALL, |_| {}).await
    }

    /// Folders; `pattern` as the server writes names, with its wildcards.
    pub(super) async fn list(&mut self, pattern: &str) -> Result<Vec<Named>, Trouble> {
        let command = format!("LIST \"\" {}", quoted(pattern)?);
        let mut names = Vec::new();
        self.run("LIST", &command, SMALL, |response| {
            if let Response::MailboxData(MailboxDatum::List(data)) = response {
                let absent = |attribute: &NameAttribute<'_>| match attribute {
                    NameAttribute::NoSelect => true,
                    NameAttribute::Extension(name) => name.eq_ignore_ascii_case("\\NonExistent"),
                    _ => false,
                };
                names.push(Named {
                    name: data.name.to_string(),
                    delimiter: data.delimiter.as_ref().map(ToString::to_string),
                    selectable: !data.name_attributes.iter().any(absent),
                });
            }
        })
        .await?;
        Ok(names)
    }

    /// Begins to listen (RFC 2177).
    pub(super) async fn begin_idle(&mut self) -> Result<(), Trouble> {
        const WHAT: &str = "IDLE";
        self.session.get_mut().allow(SMALL, Some(PATIENCE));
        let begun = async {
            let tag = self.session.run_command(WHAT).await.map_err(|error| Trouble::of_library(&error, WHAT))?;
            loop {
                let response = self.session.read_response().await.map_err(|error| Trouble::of_io(&error, WHAT))?;
                let response = response.ok_or(Trouble::Lost)?;
                let response = response.parsed();
                note(response, &mut self.folder, &mut self.news, &mut self.closing);
                match response {
                    Response::Continue(_) => return Ok(tag),
                    Response::Done { tag: of, .. } if *of == tag => {
                        return Err(Trouble::Refused { what: WHAT, words: String::new(), create: false });
                    }
                    _ => {}
                }
            }
        };
        self.idling = Some(timeout(PATIENCE, caught(WHAT, begun)).await.map_err(|_| Trouble::TimedOut(WHAT))??);
        // From here on silence is what is expected.
        self.session.get_mut().allow(SMALL, None);
        Ok(())
    }

    /// Waits until something is told while listening. It may be dropped at any time.
    pub(super) async fn hear(&mut self) -> Result<(), Trouble> {
        let heard = async {
            let response = self.session.read_response().await.map_err(|error| Trouble::of_io(&error, "IDLE"))?;
            let response = response.ok_or(Trouble::Lost)?;
            note(response.parsed(), &mut self.folder, &mut self.news, &mut self.closing);
            Ok(())
        };
        caught("IDLE", heard).await?;
        if self.closing { Err(Trouble::Lost) } else { Ok(()) }
    }

    /// Ends listening.
    pub(super) async fn end_idle(&mut self) -> Result<(), Trouble> {
        const WHAT: &str = "DONE";
        let Some(tag) = self.idling.take() else { return Ok(()) };
        self.session.get_mut().allow(SMALL, Some(PATIENCE));
        let ended = async {
            self.session.run_command_untagged(WHAT).await.map_err(|error| Trouble::of_library(&error, WHAT))?;
            self.until_done(&tag, WHAT, &mut |_| {}).await
        };
        timeout(PATIENCE, caught(WHAT, ended)).await.map_err(|_| Trouble::TimedOut(WHAT))?
    }

    /// Says goodbye, for as long as that takes a server of good will.
    pub(super) async fn log_out(mut self) {
        let _leaving_anyway = timeout(Duration::from_secs(2), self.tell("LOGOUT", "LOGOUT")).await;
    }
}

/// A name as a string of IMAP.
pub(super) fn quoted(name: &str) -> Result<String, Trouble> {
    names::quoted(name).ok_or(Trouble::Unintelligible("a folder's name"))
}

/// Keeps up with what a server may tell at any time (RFC 3501 section 7).
fn note(response: &Response<'_>, folder: &mut Folder, news: &mut bool, closing: &mut bool) {
    match response {
        Response::MailboxData(MailboxDatum::Exists(exists)) => {
            *news |= *exists > folder.exists;
            folder.exists = *exists;
        }
        Response::Expunge(_) => folder.exists = folder.exists.saturating_sub(1),
        Response::Data { status: Status::Bye, .. } => *closing = true,
        Response::Data { outcome, .. } => {
            if let Some(ResponseCode::UidValidity(validity)) = outcome.code {
                *closing |= folder.validity != 0 && folder.validity != validity;
            }
        }
        _ => {}
    }
}

fn listed(attributes: &[AttributeValue<'_>]) -> Option<Listed> {
    let (mut uid, mut size, mut seen, mut deleted, mut kept) = (None, None, false, false, false);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(number) => uid = Some(*number),
            AttributeValue::Rfc822Size(octets) => size = Some(*octets),
            AttributeValue::Flags(flags) => {
                let has = |wanted: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(wanted));
                (seen, deleted, kept) = (has("\\Seen"), has("\\Deleted"), has(KEPT));
            }
            _ => {}
        }
    }
    Some(Listed { uid: uid?, size, seen, deleted, kept })
}

fn content(attributes: &[AttributeValue<'_>]) -> Option<Content> {
    let (mut uid, mut body) = (None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(number) => uid = Some(*number),
            AttributeValue::BodySection { section: None, data, .. } => {
                body = Some(data.as_ref().map(|octets| Zeroizing::new(octets.to_vec())));
            }
            _ => {}
        }
    }
    Some((uid?, body?))
}
