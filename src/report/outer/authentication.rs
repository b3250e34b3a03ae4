//! Authentication-Results (RFC 8601): what the team's own mail server says of the sender's domain.
//!
//! Security: anybody can write such a field into a mail, so only one with the configured authserv-id counts, and of those only
//! the topmost, which the team's own server put there last. It must remove incoming ones with its own name (RFC 8601
//! section 5), and write its DMARC result into the topmost one. Nothing that cannot be read counts as a pass.

use super::entity::Entity;

/// The DMARC result of a trusted Authentication-Results field (RFC 8601 section 2.7, RFC 7489 section 11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dmarc {
    Pass,
    Fail,
    /// Another result, several that differ, or none that can be trusted or read.
    Other,
}

/// The result in the topmost field with this authserv-id.
pub(super) fn dmarc(header: &Entity<'_>, authserv_id: &str) -> Dmarc {
    header
        .all("Authentication-Results")
        .filter_map(|field| Tokens::read(&field.text()))
        .find(|statements| statements.server().is_some_and(|server| server.eq_ignore_ascii_case(authserv_id.trim())))
        .map_or(Dmarc::Other, |statements| statements.dmarc())
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A token or the content of a quoted string (RFC 2045 section 5.1).
    Word(String),
    Equals,
    Slash,
}

/// The field cut into its statements: the authserv-id first, then one for each method.
struct Tokens(Vec<Vec<Token>>);

impl Tokens {
    /// Nothing if a comment or a quoted string never ends.
    fn read(text: &str) -> Option<Self> {
        let mut statements = vec![Vec::new()];
        let mut word = String::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            let mut quoted = None;
            let special = match c {
                '(' => {
                    skip_comment(&mut characters)?;
                    true
                }
                '"' => {
                    quoted = Some(quoted_string(&mut characters)?);
                    true
                }
                ';' | '=' | '/' => true,
                c => c.is_whitespace(),
            };
            if !special {
                word.push(c);
                continue;
            }
            let statement = statements.last_mut()?;
            if !word.is_empty() {
                statement.push(Token::Word(std::mem::take(&mut word)));
            }
            match c {
                ';' => statements.push(Vec::new()),
                '=' => statement.push(Token::Equals),
                '/' => statement.push(Token::Slash),
                _ => statement.extend(quoted.map(Token::Word)),
            }
        }
        if !word.is_empty() {
            statements.last_mut()?.push(Token::Word(word));
        }
        Some(Self(statements))
    }

    fn server(&self) -> Option<&str> {
        match self.0.first()?.first()? {
            Token::Word(server) => Some(server),
            _ => None,
        }
    }

    fn dmarc(&self) -> Dmarc {
        let mut results = self.0.iter().skip(1).filter_map(|statement| result_of(statement, "dmarc"));
        match results.next() {
            None => Dmarc::Other,
            Some(first) if results.any(|other| other != first) => Dmarc::Other,
            Some(first) if first.eq_ignore_ascii_case("pass") => Dmarc::Pass,
            Some(first) if first.eq_ignore_ascii_case("fail") => Dmarc::Fail,
            Some(_) => Dmarc::Other,
        }
    }
}

/// The result of `method [/ version] = result …`.
fn result_of<'a>(statement: &'a [Token], method: &str) -> Option<&'a str> {
    let (Token::Word(name), rest) = statement.split_first()? else { return None };
    if !name.eq_ignore_ascii_case(method) {
        return None;
    }
    match rest {
        [Token::Equals, Token::Word(result), ..]
        | [Token::Slash, Token::Word(_), Token::Equals, Token::Word(result), ..] => Some(result),
        // A result that cannot be read is still one that is no pass.
        _ => Some(""),
    }
}

/// To the end of a comment (RFC 5322 section 3.2.2): they nest, and a backslash takes the next character's meaning away.
fn skip_comment(characters: &mut std::str::Chars<'_>) -> Option<()> {
    let mut depth = 1_usize;
    while depth > 0 {
        match characters.next()? {
            '\\' => {
                characters.next()?;
            }
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    Some(())
}

fn quoted_string(characters: &mut std::str::Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            c => text.push(c),
        }
    }
}
