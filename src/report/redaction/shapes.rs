//! What tells about people by its shape alone, whoever they are: addresses, telephone numbers, OpenPGP material, header
//! and author lines, greetings and signatures.
//!
//! Security: nothing here needs to be known beforehand, so it also protects people the gateway has never heard of. Where a shape
//! could be one or the other, it is taken out; the exceptions are those without which ordinary reports would become unreadable
//! (versions, dates, hex dumps, code).

use super::view::View;
use super::words::{CLOSINGS, GREETINGS};
use super::{Hit, Removed, pattern};
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// A pattern and what it finds: the whole match, or the group `it`.
struct Shape {
    what: Removed,
    pattern: Regex,
}

/// An address has a domain with a top-level label of letters: `pkg@1.2.3` and `memcpy@GLIBC_2.14` are none.
const ADDRESS: &str = r"(?i)[\p{L}\p{N}._%+'/=!#$&*?^{|}`~-]+@\s?(?:[\p{L}\p{N}][\p{L}\p{N}-]*\.\n?)+[\p{L}-]{2,}";

static ALWAYS: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    [
        (Removed::Address, ADDRESS.to_owned()),
        // me (at) here [dot] org; me AT here DOT org
        (Removed::Address, r"(?i)[\p{L}\p{N}._+-]+ ?[\[({<] ?(?:at|@|ät) ?[\])}>] ?[\p{L}\p{N}-]+(?: ?(?:\.|[\[({<] ?(?:dot|\.|punkt) ?[\])}>]|\bdot\b) ?[\p{L}\p{N}-]+)*".to_owned()),
        (Removed::Address, r"(?i)[\p{L}\p{N}._+-]+ at [\p{L}\p{N}-]+(?: ?dot [\p{L}\p{N}-]+)+".to_owned()),
        // Address literals, Matrix IDs, shell prompts.
        (Removed::Address, r"(?i)[\p{L}\p{N}._%+-]+@\[[0-9a-f:.v]+\]".to_owned()),
        (Removed::Address, r"(?i)@[a-z0-9._=/+-]+:[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}\b".to_owned()),
        (Removed::Address, r"(?m)^[ \t>\[(]*(?P<it>[\p{L}\p{N}._-]+@[\p{L}\p{N}._-]+)[: ][^\s\])]*[\])]?[$#%]".to_owned()),
        (Removed::Address, r"(?i)\b(?:mailto|xmpp|sip|sips|skype|signal|threema|im):[^\s>\])]+@?[^\s>\])]*".to_owned()),
        // +49 170 1234567; (555) 123-4567; 0170/1234567; and whatever is called a telephone number.
        (Removed::Phone, r"(?:^|[^\p{L}\p{N}_+.])(?P<it>\+ ?[1-9](?:[ \u{a0}().\n/-]{0,3}[0-9]){6,14})(?:[^\p{L}\p{N}]|$)".to_owned()),
        (Removed::Phone, r"(?:^|[^\p{L}\p{N}_.+/-])(?P<it>\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4})(?:[^\p{L}\p{N}.-]|$)".to_owned()),
        (Removed::Phone, r"(?:^|[^\p{L}\p{N}_.+/-])(?P<it>\(?0(?:0[1-9][0-9]{0,2}[ /.-])?[1-9][0-9]{1,4}\)?(?: ?[/-] ?| )[0-9]{3,8}(?:[ -][0-9]{2,8}){0,3})(?:[^\p{L}\p{N}.:-]|$)".to_owned()),
        (Removed::Phone, r"(?i)\b(?:tel|telephone|telefon|téléphone|teléfono|phone|mobile|mobil|handy|cell|fax|call me|whatsapp|signal|telegram|sms|wechat|tel\.)\b[^\n0-9]{0,20}(?P<it>[+(]{0,2}[0-9](?:[ ().\n/-]{0,3}[0-9]){4,14})".to_owned()),
        (Removed::Phone, r"(?i)\btel:[^\s>)]+".to_owned()),
        // Profiles.
        (Removed::Link, r"(?i)\b(?:https?://)?(?:[a-z0-9-]+\.)*(?:twitter\.com|x\.com|linkedin\.com|facebook\.com|instagram\.com|t\.me|keybase\.io|hackerone\.com|bugcrowd\.com|yeswehack\.com|intigriti\.com|mastodon\.social|infosec\.exchange|bsky\.app|orcid\.org|about\.me|discord\.gg|medium\.com|reddit\.com/u(?:ser)?)/[^\s<>\])]+".to_owned()),
        // OpenPGP and SSH material.
        (Removed::Key, r"(?s)-----BEGIN PGP SIGNED MESSAGE-----[^\n]*(?:\n[>| \t]*Hash:[^\n]*)*".to_owned()),
        (Removed::Key, r"(?s)-----BEGIN PGP (?:MESSAGE|SIGNATURE|PUBLIC|PRIVATE|SECRET|ARMORED)[^\n]*.*?(?:-----END PGP [^\n]*|\z)".to_owned()),
        (Removed::Key, r"(?s)-----BEGIN SSH SIGNATURE-----.*?(?:-----END SSH SIGNATURE-----|\z)".to_owned()),
        (Removed::Key, r"\b(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+)[ \t]+AAAA\S+[^\n]*".to_owned()),
        (Removed::Key, r"(?i)\b(?:pgp|gpg|openpgp|open pgp|key ?id|key|fingerprint|fpr)\b[^\n]{0,40}?[\s:=](?P<it>(?:0x)?[0-9a-f]{4}(?:[ :\u{a0}]{0,2}[0-9a-f]{4}){7,15})\b".to_owned()),
        (Removed::Key, r"(?i)\b(?:pgp|gpg|openpgp|key ?id)\b[^\n]{0,30}?[\s:=/](?P<it>(?:0x)?[0-9a-f]{8}(?:[0-9a-f]{8})?)\b".to_owned()),
        (Removed::Key, r"\b[0-9A-F]{4}(?: {1,2}[0-9A-F]{4}){9}\b".to_owned()),
        // Quoted mail and patches.
        (Removed::Header, concat!(
                // Plain words only capitalised, since `to: 80` is as often a setting.
                r"(?m)^[>| \t]*(?:F(?:rom|ROM)|T(?:o|O)|C(?:c|C)|B(?:cc|CC)|Date|DATE|Sent|SENT|Sender|References|Received|Organization|Von|An|Gesendet|De|Para|À|Envoyé|Da|От|Кому|Отправитель|发件人|收件人|抄送",
                r"|(?i:reply-to|message-id|in-reply-to|return-path|delivered-to|envelope-to|errors-to|dkim-signature|authentication-results|arc-[a-z-]+|received-spf|autocrypt|x-originating-ip|x-mailer|user-agent|list-[a-z]+))",
                r"[ \t]*[::][ \t]*\S[^\n]*(?:\n[ \t]+[^\n]*(?:@|;|=)[^\n]*)*"
            ).to_owned()),
        (Removed::Header, r"(?im)^[>| \t]*(?:on|am|le|el|il|em|op)\b[^\n]{4,160}(?:\n[>| \t]*[^\n]{0,80})?\b(?:wrote|schrieb[^\n:]{0,60}|a écrit|escribió|ha scritto|escreveu|schreef)[^\n:]{0,60}:[ \t]*$".to_owned()),
        (Removed::Author, concat!(
                r"(?m)^[>|+ \t-]*(?:Author|AUTHOR|AuthorDate|Committer|CommitDate|Reporter|(?:Reported|Found|Discovered|Submitted) by|Discoverer|Researcher|Finder|Contact|Name|E-?mail|Submitter|Credits? to|Acknowledge?ments?",
                r"|(?i:[\p{L}-]+-by))[ \t]*:[ \t]*\S[^\n]*"
            ).to_owned()),
        (Removed::Author, r"(?i)@author\b[^\n]*".to_owned()),
        (Removed::Author, r"(?i)(?:copyright|©|\B\(c\))[^\n]{0,20}[12][0-9]{3}[^\n]*".to_owned()),
        // The template's own line: the credit stands in the table, if anywhere.
        (Removed::Name, r"(?im)^[>| \t*-]*credit[* \t]*:[ \t]*(?P<it>[^\n]+)".to_owned()),
        // People who say who they are, or are greeted.
        (Removed::Name, r"(?:[Mm]y name is|[Mm]y name's|[Mm]y handle is|[Ii] go by|[Mm]y nick(?:name)? is|[Ii]ch hei(?:ß|ss)e|[Jj]e m'appelle|[Mm]e llamo|[Mm]eu nome é|[Mm]i chiamo|[Мм]еня зовут|我叫|我是)[ :]*(?P<it>@?[\p{L}\p{N}_'.-]+(?: \p{Lu}[\p{L}'.-]*){0,4})".to_owned()),
        (Removed::Name, r"(?:\bI am|\bI'm|\b[Tt]his is|\bHere is)[ ](?P<it>\p{Lu}[\p{L}'-]+(?: \p{Lu}[\p{L}'.-]*){1,3})".to_owned()),
        (Removed::Name, r"(?:\bI am|\bI'm|\b[Tt]his is)[ ](?P<it>\p{Lu}[\p{L}'-]+)(?:,| from | with | of | at )".to_owned()),
        (Removed::Name, format!(r"(?im)^[>| \t]*{GREETINGS}[ ,]+(?P<it>(?:(?:mr|mrs|ms|dr|prof)\. ?)?[^\n,!:;.]{{1,60}})(?:[,!:;.]|[ \t]*$)")),
        (Removed::Name, r"(?m)^[> \t]*(?P<it>\p{L}{2,4}(?:先生|女士|老师|様|さん|님))".to_owned()),
    ]
    .into_iter()
    .map(|(what, text)| Shape { what, pattern: pattern(&text) })
    .collect()
});

/// Whom a greeting may name: nobody in particular.
static NOBODY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:(?:dear|to|the|my|and|you|all|both|there|again|everyone|everybody|folks|team|friends?|people|world|sir|madam|sirs?|or|colleagues|maintainers?|developers?|devs|security|vulnerability|management|response|kata|containers?|project|vmt|psirt|list|committee|damen|herren|und|à|tous|équipe|a|todos|equipo|tutti)[ /&-]*)+$",
    )
});

/// Everything in a tidied reading that tells by its shape, in ranges of the original.
pub(super) fn find(view: &View) -> Vec<Hit> {
    let mut hits = find_some(view, |_| true);
    hits.extend(
        signatures(&view.text).into_iter().map(|range| Hit { range: view.source(range), what: Removed::Signature }),
    );
    hits
}

/// Only addresses and telephone numbers: what may stand nowhere in a finished draft.
pub(super) fn find_contacts(view: &View) -> Vec<Hit> {
    find_some(view, |what| matches!(what, Removed::Address | Removed::Phone))
}

fn find_some(view: &View, wanted: impl Fn(Removed) -> bool) -> Vec<Hit> {
    let mut hits = Vec::new();
    for shape in ALWAYS.iter().filter(|shape| wanted(shape.what)) {
        for found in shape.pattern.captures_iter(&view.text) {
            let Some(range) = found.name("it").or_else(|| found.get(0)).map(|it| it.range()) else { continue };
            let text = view.text.get(range.clone()).unwrap_or_default();
            let ordinary = match shape.what {
                Removed::Name => NOBODY.is_match(text.trim()) || text.trim().eq_ignore_ascii_case("none"),
                Removed::Phone => !is_phone(&view.text, &range),
                _ => false,
            };
            if !ordinary {
                hits.push(Hit { range: view.source(range), what: shape.what });
            }
        }
    }
    hits
}

/// Rows of numbers that are no telephone numbers: hex and byte dumps, dates and times, registers.
fn is_phone(text: &str, range: &Range<usize>) -> bool {
    let number = text.get(range.clone()).unwrap_or_default();
    if number.starts_with('+') && number.len() > 8 {
        return true;
    }
    let start = text.get(..range.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(range.end..).and_then(|after| after.find('\n')).map_or(text.len(), |at| range.end + at);
    let line = text.get(start..end).unwrap_or_default();
    // Dumps: many groups of hex digits, or an offset at the beginning of the line.
    let groups =
        line.split_whitespace().filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_hexdigit())).count();
    let is_date =
        number.get(..5).is_some_and(|year| year.ends_with('-') && (year.starts_with("19") || year.starts_with("20")));
    !is_date && groups < 6 && !line.contains("0x")
}

/// Signature blocks: from the delimiter `-- ` (RFC 3676 section 4.3) to the end, and what follows a closing.
fn signatures(text: &str) -> Vec<Range<usize>> {
    static CLOSING: LazyLock<Regex> =
        LazyLock::new(|| pattern(&format!(r"(?i)^[>| \t]*{CLOSINGS}(?:[ \t]*[,.!;~–—-]+)?[ \t]*$")));
    static CLOSING_WITH_NAME: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"^[>| \t]*(?i:{CLOSINGS})[ \t]*[,.!;~–—/-]*[ \t]+(?:\p{{Lu}}[\p{{L}}'.-]*|\p{{Lo}}+|@\w+)(?: \p{{Lu}}[\p{{L}}'.-]*){{0,3}}[.!]?[ \t]*$"
        ))
    });
    static NAME_LINE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"^[> \t]*(?:[-–—~/*]{1,2} ?)?(?:@?\p{Lu}[\p{L}'.-]+|\p{Lo}{2,6})(?: (?:\p{Lu}[\p{L}'.-]*|van|von|de|der|da)){0,3}[ \t]*$",
        )
    });
    let mut found = Vec::new();
    let lines: Vec<(Range<usize>, &str)> = text
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start..*at - usize::from(line.ends_with('\n')), line.trim_end_matches('\n')))
        })
        .collect();
    // Counted from the end once, since every line asks how many written ones follow it.
    let mut written: Vec<usize> = lines
        .iter()
        .rev()
        .scan(0, |count, (_, line)| {
            *count += usize::from(!line.trim().is_empty());
            Some(*count)
        })
        .collect();
    written.reverse();
    let written = |from: usize| written.get(from).copied().unwrap_or(0);
    let end_of = |line: usize| lines.get(line).map_or(text.len(), |(range, _)| range.end);
    let mut at = 0;
    while let Some((range, line)) = lines.get(at) {
        let quote = line.len() - line.trim_start_matches(['>', '|', ' ']).len();
        let bare = line.get(quote..).unwrap_or_default();
        let is_delimiter = bare.trim_end() == "--" && (bare == "-- " || written(at) <= 13)
            || bare.len() > 9 && bare.chars().all(|c| c == '_') && written(at) <= 13;
        let is_name_line = written(at) == 1 && written(0) > 1 && NAME_LINE.is_match(line);
        if is_delimiter && quote == 0 {
            found.push(range.start..text.len());
            break;
        } else if is_delimiter {
            let last =
                lines.iter().enumerate().skip(at).take_while(|(_, (_, line))| line.starts_with(['>', '|'])).last();
            let last = last.map_or(at, |(index, _)| index);
            found.push(range.start..end_of(last));
            at = last;
        } else if CLOSING.is_match(line) {
            if written(at) <= 13 {
                found.push(range.start..text.len());
                break;
            }
            let last = end_of_paragraph(&lines, at + 1, &NAME_LINE);
            found.push(range.start..end_of(last));
            at = last;
        } else if CLOSING_WITH_NAME.is_match(line) || is_name_line {
            found.push(range.clone());
        }
        at += 1;
    }
    found
}

/// The last line of what follows a closing in the middle of a text: a paragraph, if it begins with a name.
fn end_of_paragraph(lines: &[(Range<usize>, &str)], from: usize, name_line: &Regex) -> usize {
    let first = (from..from + 3).find(|at| lines.get(*at).is_some_and(|(_, line)| !line.trim().is_empty()));
    let Some(first) = first.filter(|at| lines.get(*at).is_some_and(|(_, line)| name_line.is_match(line))) else {
        return from.saturating_sub(1);
    };
    (first..first + 8)
        .take_while(|at| lines.get(*at).is_some_and(|(_, line)| !line.trim().is_empty()))
        .last()
        .unwrap_or(first)
}

/// Names that a text gives itself away with: in signatures after a closing and in author lines.
pub(super) fn names(text: &str) -> (Vec<String>, Vec<String>) {
    static AUTHOR: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?m)^[>|+ \t-]*(?:From|Author|Committer|(?i:(?:signed-off|co-authored|co-developed|reported)-by)|Reporter|Name|Researcher)[ \t]*:[ \t]*([^\n<]{2,60}?)[ \t]*(?:<([^>\n]{3,120})>|$)",
        )
    });
    static AFTER_CLOSING: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?m)^[>| \t]*(?i:{CLOSINGS})[ \t]*[,.!;~–—-]*[ \t]*\n?[ \t\n]*(?:[-–—~/*]{{1,2}} ?)?((?:\p{{Lu}}[\p{{L}}'.-]*|\p{{Lo}}{{2,6}})(?: (?:\p{{Lu}}[\p{{L}}'.-]*|van|von|de|der|da)){{0,3}})[ \t]*$"
        ))
    });
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    for found in AUTHOR.captures_iter(text).take(50) {
        let name = found.get(1).map(|name| name.as_str()).unwrap_or_default();
        if name.split_whitespace().count() <= 5 && name.chars().all(|c| c.is_alphabetic() || " .'-,".contains(c)) {
            names.push(name.to_owned());
        }
        addresses.extend(found.get(2).map(|address| address.as_str().to_owned()));
    }
    names
        .extend(AFTER_CLOSING.captures_iter(text).take(20).filter_map(|found| Some(found.get(1)?.as_str().to_owned())));
    (names, addresses)
}
