//! Mail that no person wrote to the team: bounces, automatic answers, lists.
//!
//! Security: two machines that answer each other never stop. Everything that looks like a machine's is never answered
//! (RFC 3834 section 2, RFC 5230 section 4.6). All of it is read from the outside of a mail.

use super::entity::{Entity, Kind, Leaf};
use mail_parser::HeaderValue;

/// What a mail's outside says of how it came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Nothing says that a machine wrote it.
    Personal,
    /// A report that a mail was not, or not yet, delivered (RFC 3464), or mail with the null return path.
    Bounce,
    /// Sent by a machine: an automatic answer, a receipt, a report (RFC 3834, RFC 8098, RFC 8460).
    Automatic,
}

/// Judges the outside of a mail.
pub(super) fn nature(header: &Entity<'_>, root: &Kind, from: &[String], subject: &str) -> Nature {
    if is_bounce(header, root, from, subject) {
        Nature::Bounce
    } else if is_automatic(header, root, subject) {
        Nature::Automatic
    } else {
        Nature::Personal
    }
}

fn is_bounce(header: &Entity<'_>, root: &Kind, from: &[String], subject: &str) -> bool {
    let delivery_status =
        root.media_type == "multipart/report" && root.report_type.as_deref() == Some("delivery-status");
    // The return path is the last server's to write, on top (RFC 5321 section 4.4); lower ones are the sender's inventions.
    let null_return_path = header
        .field("Return-Path")
        .is_some_and(|field| field.text().chars().filter(|c| !c.is_whitespace()).eq("<>".chars()));
    let from_daemon = from.iter().filter_map(|address| address.split('@').next()).any(|local| {
        local.eq_ignore_ascii_case("mailer-daemon")
            || (local.eq_ignore_ascii_case("postmaster") && tells_of_failure(subject))
    });
    delivery_status || null_return_path || from_daemon || header.field("X-Failed-Recipients").is_some()
}

/// Subjects of the delivery failures of common mail servers.
fn tells_of_failure(subject: &str) -> bool {
    let subject = subject.to_lowercase();
    [
        "undeliver",
        "delivery status",
        "delivery fail",
        "failure notice",
        "mail delivery",
        "returned mail",
        "delivery delay",
    ]
    .iter()
    .any(|words| subject.contains(words))
}

fn is_automatic(header: &Entity<'_>, root: &Kind, subject: &str) -> bool {
    let submitted = ["Auto-Submitted", "Autosubmitted"]
        .iter()
        .any(|name| header.all(name).any(|field| first_token(&field.text()).is_some_and(|word| word != "no")));
    let marked =
        ["X-Autoreply", "X-Autorespond", "X-Autoresponse", "X-Autoreply-From", "X-Auto-Reply-From", "X-Vacation"]
            .iter()
            .any(|name| {
                header.field(name).is_some_and(|field| first_token(&field.text()).is_none_or(|word| word != "no"))
            });
    let precedence = has_precedence(header, &["auto_reply", "auto-reply"]);
    // Of multipart/report (RFC 6522) every kind is a machine's: receipts, feedback, TLS reports.
    let report = root.media_type == "multipart/report" || header.field("TLS-Report-Domain").is_some();
    // Aggregate reports are known by their subject (RFC 7489 section 7.2.1.1, RFC 8460 section 5.3).
    let subject = subject.trim().to_lowercase();
    let aggregate = subject.starts_with("report domain:") && subject.contains("submitter:");
    submitted || marked || precedence || report || aggregate
}

/// Whether it came through a list or was sent in bulk (RFC 2369, RFC 2919, RFC 3834 section 3.1.8).
pub(super) fn is_list(header: &Entity<'_>) -> bool {
    let fields = [
        "List-Id",
        "List-Post",
        "List-Unsubscribe",
        "List-Help",
        "List-Subscribe",
        "List-Owner",
        "Mailing-List",
        "X-Mailing-List",
        "X-BeenThere",
    ];
    fields.iter().any(|name| header.field(name).is_some()) || has_precedence(header, &["bulk", "list", "junk"])
}

/// Whether the list that it came through is one of these addresses (List-Post of RFC 2369, List-Id of RFC 2919, which list
/// managers make of the address).
pub(super) fn is_list_at(header: &Entity<'_>, is_address: impl Fn(&str) -> bool) -> bool {
    let between = |text: &str| Some(text.split_once('<')?.1.split_once('>')?.0.trim().to_owned());
    let posted_to = header.all("List-Post").filter_map(|field| between(&field.text())).any(|post| {
        let scheme = post.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
        scheme.and(post.get(7..)).and_then(|address| address.split('?').next()).is_some_and(&is_address)
    });
    let named = header.all("List-Id").filter_map(|field| between(&field.text()));
    posted_to || named.into_iter().any(|id| id.split_once('.').is_some_and(|(l, d)| is_address(&format!("{l}@{d}"))))
}

/// Whether the sender asks not to be answered automatically (X-Auto-Response-Suppress of Exchange). People's mail has it
/// too, so it says nothing of the kind of mail.
pub(super) fn wants_no_answer(header: &Entity<'_>) -> bool {
    header.all("X-Auto-Response-Suppress").any(|field| {
        field.text().split(',').any(|word| ["all", "oof", "autoreply"].contains(&word.trim().to_lowercase().as_str()))
    })
}

fn has_precedence(header: &Entity<'_>, words: &[&str]) -> bool {
    header.all("Precedence").any(|field| first_token(&field.text()).is_some_and(|word| words.contains(&word.as_str())))
}

/// The first word, lower-case; parameters and comments end it.
fn first_token(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| !c.is_whitespace() && !matches!(c, ';' | '(' | ',')).collect();
    (!word.is_empty()).then(|| word.to_lowercase())
}

/// A subject as a reader would see it.
pub(super) fn subject(header: &Entity<'_>) -> String {
    match header.field("Subject").map(|field| field.parsed("Subject")) {
        Some(HeaderValue::Text(text)) => text.chars().filter(|c| !c.is_control()).take(2_000).collect(),
        _ => String::new(),
    }
}

/// Octets of a returned mail whose header is searched.
const MAX_RETURNED: usize = 64 * 1024;

/// The Message-IDs of the mails that a delivery report returns (RFC 3464 section 2, RFC 6522 section 3), or repeats in its
/// text, as qmail, Exim and old Exchange do.
pub(super) fn returned_ids(leaves: &[Leaf<'_>]) -> Vec<String> {
    let returned =
        ["message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers"];
    let (parts, texts): (Vec<_>, Vec<_>) =
        leaves.iter().partition(|leaf| returned.contains(&leaf.kind.media_type.as_str()));
    let of_parts = parts.into_iter().take(5).filter_map(|leaf| {
        let content = leaf.decoded();
        let start = content.get(..MAX_RETURNED).unwrap_or(&content);
        let limits = crate::report::limits::Limits::default();
        let field = Entity::read(start, &limits).field("Message-ID").map(|field| field.text())?;
        super::ids::message_ids(&field).into_iter().next()
    });
    let of_texts = texts.into_iter().filter(|leaf| leaf.kind.media_type.starts_with("text/")).take(5).flat_map(in_text);
    of_parts.chain(of_texts).collect()
}

/// The Message-IDs of header lines in a text, quoted or not; a few, since more than one mail is hardly ever returned.
fn in_text(leaf: &Leaf<'_>) -> Vec<String> {
    const NAME: &str = "message-id:";
    let content = leaf.decoded();
    let text = String::from_utf8_lossy(content.get(..MAX_RETURNED).unwrap_or(&content)).into_owned();
    let lines = text.lines().map(|line| line.trim_start_matches(['>', ' ', '\t']));
    let values = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    });
    values.take(5).filter_map(|value| super::ids::message_ids(value).into_iter().next()).collect()
}
