//! How the demo writes: headings, short sentences, quoted text, and what was checked.
//!
//! Security: everything passes [`output::harmless`] on its way to the terminal.

use crate::cli::output::{self, Tone};
use std::io::{self, Write};

/// Columns of a line; a terminal is seldom narrower than what the brief lines of mail need.
const WIDTH: usize = 98;

/// The demo's output.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    section: usize,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, section: 0 }
    }

    /// The first line.
    pub(super) fn title(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", output::tinted(Tone::Strong, text))
    }

    /// An empty line.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// Begins a numbered section.
    pub(super) fn section(&mut self, title: &str) -> io::Result<()> {
        self.section += 1;
        let title = format!("{}. {title}", self.section);
        writeln!(self.out, "\n{}", output::tinted(Tone::Strong, &title))
    }

    /// A sentence or two.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.lines("", None, text)
    }

    /// Something that was checked just now, and is so.
    pub(super) fn checked(&mut self, text: &str) -> io::Result<()> {
        for (number, line) in wrapped(text, WIDTH - 6).into_iter().enumerate() {
            if number == 0 {
                write!(self.out, "  {}  ", output::tinted(Tone::Good, "ok"))?;
            } else {
                write!(self.out, "      ")?;
            }
            writeln!(self.out, "{}", output::harmless(&line))?;
        }
        Ok(())
    }

    /// Text as it stands somewhere else.
    pub(super) fn quote(&mut self, text: &str) -> io::Result<()> {
        self.quote_in(None, text)
    }

    /// The same in the colour of a tone.
    pub(super) fn quote_in(&mut self, tone: Option<Tone>, text: &str) -> io::Result<()> {
        for line in text.trim_end_matches('\n').split('\n') {
            self.lines("    | ", tone, line)?;
        }
        Ok(())
    }

    /// A command to type; never broken into lines, so that it can be copied.
    pub(super) fn command(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "    {}", output::tinted(Tone::Strong, text))
    }

    /// A table of cells.
    pub(super) fn table(&mut self, table: &output::Table) -> io::Result<()> {
        table.write(self.out)
    }

    fn lines(&mut self, before: &str, tone: Option<Tone>, text: &str) -> io::Result<()> {
        for line in wrapped(text, WIDTH - before.len()) {
            let line = line.trim_end();
            match tone {
                _ if line.is_empty() => writeln!(self.out, "{}", before.trim_end())?,
                Some(tone) => writeln!(self.out, "{before}{}", output::tinted(tone, line))?,
                None => writeln!(self.out, "{before}{}", output::harmless(line))?,
            }
        }
        Ok(())
    }
}

/// Breaks a line between words; what follows is indented by two spaces where the line itself begins with a name and a colon.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let indent = text.split(' ').next().filter(|word| word.ends_with(':')).map_or("", |_| "  ");
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        for (piece, chunk) in pieces(word, width - indent.len()).into_iter().enumerate() {
            let start = lines.len() == 1;
            let Some(line) = lines.last_mut() else { break };
            let empty = line.trim_start().is_empty() && (start || *line == indent);
            if !empty && (piece > 0 || line.chars().count() + 1 + chunk.chars().count() > width) {
                lines.push(format!("{indent}{chunk}"));
            } else {
                if !empty {
                    line.push(' ');
                }
                line.push_str(&chunk);
            }
        }
    }
    lines
}

/// A word in pieces that fit on a line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.is_empty() { vec![String::new()] } else { letters.chunks(width).map(|c| c.iter().collect()).collect() }
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
