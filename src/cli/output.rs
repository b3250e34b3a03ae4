//! What commands print: tables, JSON documents, coloured words, progress.
//!
//! Security: control characters are replaced before anything reaches a terminal, since names come from files that others
//! wrote; an escape sequence in one could rewrite what an admin sees.

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, Write};

/// Standard output as commands should get it: colours pass only if it is a terminal that wants them (`NO_COLOR` is
/// respected); everywhere else they are stripped.
pub fn stdout() -> anstream::AutoStream<io::Stdout> {
    anstream::stdout()
}

/// How important a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warning,
    Bad,
    /// A heading or a name.
    Strong,
    Dim,
}

/// A word in the colour of its tone, with escape sequences; write it only to [`stdout`] or another stripping stream.
pub fn tinted(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Warning => AnsiColor::Yellow.on_default().bold(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Strong => Style::new().bold(),
        Tone::Dim => Style::new().dimmed(),
    };
    format!("{style}{}{style:#}", harmless(text))
}

/// The text without control characters and without those that change the direction of others; each becomes U+FFFD.
pub fn harmless(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}')
    };
    text.chars().map(|c| if harmful(c) { '\u{FFFD}' } else { c }).collect()
}

/// Writes one JSON document, indented, with a line end.
///
/// # Errors
/// When the stream fails.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Rows under headings, columns aligned by two spaces.
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<(Option<Tone>, String)>>,
}

impl Table {
    /// An empty table.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { headings: headings.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row of plain cells.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.tinted_row(cells.into_iter().map(|cell| (None, cell.into())));
    }

    /// Adds a row of cells, some in colour.
    pub fn tinted_row(&mut self, cells: impl IntoIterator<Item = (Option<Tone>, String)>) {
        self.rows.push(cells.into_iter().map(|(tone, cell)| (tone, harmless(&cell))).collect());
    }

    /// Writes it; nothing at all if it has no row.
    ///
    /// # Errors
    /// When the stream fails.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let headings: Vec<_> = self.headings.iter().map(|text| (Some(Tone::Strong), text.clone())).collect();
        let all = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| {
            all().filter_map(|row| row.get(column)).map(|(_, cell)| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        for row in all() {
            let last = row.len().saturating_sub(1);
            for (index, ((tone, cell), width)) in row.iter().zip(&widths).enumerate() {
                match tone {
                    Some(tone) => write!(out, "{}", tinted(*tone, cell))?,
                    None => write!(out, "{cell}")?,
                }
                if index < last {
                    write!(out, "{:1$}", "", width - cell.chars().count() + 2)?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// A time for people: UTC, to the second.
pub fn time(at: jiff::Timestamp) -> String {
    jiff::tz::TimeZone::UTC.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A line on standard error that counts what is done; shown only if that is a terminal.
pub struct Counter {
    line: ProgressBar,
    counts: std::sync::Mutex<std::collections::BTreeMap<String, usize>>,
}

impl Counter {
    /// Starts it.
    pub fn start() -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        line.set_style(
            ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self { line, counts: std::sync::Mutex::default() }
    }

    /// Adds to a count.
    pub fn add(&self, what: &str, count: usize) {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *counts.entry(what.to_owned()).or_default() += count;
        let text: Vec<_> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        self.line.set_message(text.join(", "));
        self.line.tick();
    }

    /// Takes it off the terminal.
    pub fn finish(self) {
        self.line.finish_and_clear();
    }
}

/// A progress bar on standard error, shown only if that is a terminal.
pub fn progress(steps: u64, message: &str) -> ProgressBar {
    // `stderr` hides itself where it is no terminal.
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.with_message(harmless(message))
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
