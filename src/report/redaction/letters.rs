//! A text reduced to its letters and digits, and whether an identifier that stands in them is meant.
//!
//! Security: a name is found across blanks, line breaks, quotation marks and punctuation set into it, yet ordinary words that
//! happen to hold or to make up a name ("and read" for Andrea) are left alone.

use super::identity::{Freedom, Identifier};
use super::view::{View, fold};

/// What stands between two letters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Sign,
    Blank,
    Line,
}

#[derive(Clone, Copy)]
struct Letter {
    /// In the view's text.
    start: usize,
    end: usize,
    gap: Gap,
    upper: bool,
    digit: bool,
    beside_mark: bool,
}

/// A view reduced to folded letters and digits, each remembering what stood before it.
pub(super) struct Letters {
    pub(super) text: String,
    letters: Vec<Letter>,
    /// For each octet of `text`, the letter it belongs to.
    at: Vec<u32>,
}

impl Letters {
    pub(super) fn of(view: &View, shape_first: bool) -> Self {
        let mut this = Self { text: String::new(), letters: Vec::new(), at: Vec::new() };
        let mut gap = Gap::Line;
        let mut mark = false;
        for (start, c) in view.text.char_indices() {
            if super::view::is_invisible(c) {
                continue;
            }
            let before = this.letters.len();
            // A look-alike may be a sign by nature, as | is for l; only letters and digits count as letters here.
            if c.is_alphanumeric() {
                let letter = Letter {
                    start,
                    end: start + c.len_utf8(),
                    gap,
                    upper: c.is_uppercase(),
                    digit: c.is_numeric(),
                    beside_mark: mark,
                };
                fold(c, shape_first, |folded| {
                    if folded.is_alphanumeric() {
                        let first = this.letters.len() == before;
                        this.letters.push(if first { letter } else { Letter { gap: Gap::None, ..letter } });
                        this.text.push(folded);
                        this.at.resize(this.text.len(), u32::try_from(this.letters.len() - 1).unwrap_or(u32::MAX));
                    }
                });
            }
            if this.letters.len() > before {
                (gap, mark) = (Gap::None, false);
            } else if !unicode_normalization::char::is_combining_mark(c) {
                // A line break weighs most: what quoting and diffs set at the beginning of a line comes after it.
                gap = match (c, gap) {
                    ('\n', _) | (_, Gap::Line) => Gap::Line,
                    (c, _) if c.is_whitespace() => Gap::Blank,
                    (_, Gap::Blank) => Gap::Blank,
                    _ => Gap::Sign,
                };
                mark = matches!(c, '@' | '/' | '\\' | '~');
                if mark && let Some(last) = this.letters.last_mut() {
                    last.beside_mark |= c == '@';
                }
            }
        }
        this
    }

    pub(super) fn word(&self, range: std::ops::Range<usize>) -> Option<Word<'_>> {
        let first = *self.at.get(range.start)? as usize;
        let last = *self.at.get(range.end.checked_sub(1)?)? as usize;
        let letters = self.letters.get(first..=last)?;
        let (start, end) = (letters.first()?.start, letters.last()?.end);
        let before = first.checked_sub(1).and_then(|at| self.letters.get(at));
        Some(Word { letters, before, after: self.letters.get(last + 1), start, end })
    }
}

/// A place where an identifier's letters stand in a row.
pub(super) struct Word<'a> {
    letters: &'a [Letter],
    before: Option<&'a Letter>,
    after: Option<&'a Letter>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Word<'_> {
    /// Whether the identifier may be matched here.
    pub(super) fn is(&self, identifier: &Identifier) -> bool {
        let (begins, ends) = (self.begins(), self.ends());
        let gaps = || self.letters.iter().skip(1).map(|letter| letter.gap);
        let whole = gaps().all(|gap| gap == Gap::None);
        let length = identifier.length;
        match identifier.freedom {
            Freedom::Anywhere => true,
            Freedom::Phrase => begins && ends,
            Freedom::AsName => begins && ends && (whole || self.is_spaced_out()) && self.is_written_as_name(),
            Freedom::Word if whole => match length {
                6.. => true,
                5 => begins || ends,
                2 | 3 if self.letters.iter().all(|letter| letter.end - letter.start > 2) => true,
                _ => begins && ends,
            },
            Freedom::Word => {
                let broken = gaps().any(|gap| gap == Gap::Line) && length > 3;
                let signs_only = gaps().all(|gap| matches!(gap, Gap::None | Gap::Sign)) && length > 5;
                begins && ends && (broken || signs_only || length > 7 || self.is_spaced_out())
            }
        }
    }

    fn begins(&self) -> bool {
        let Some(first) = self.letters.first() else { return false };
        first.gap != Gap::None || self.before.is_none_or(|before| turns(before, first))
    }

    fn ends(&self) -> bool {
        let Some(last) = self.letters.last() else { return false };
        self.after.is_none_or(|after| after.gap != Gap::None || turns(last, after))
    }

    /// `a l i c e`, `a.l.i.c.e`
    fn is_spaced_out(&self) -> bool {
        self.letters.len() > 2
            && self
                .letters
                .iter()
                .zip(self.letters.iter().skip(1))
                .all(|(left, right)| left.start == right.start || right.gap != Gap::None)
    }

    fn is_written_as_name(&self) -> bool {
        self.letters.first().is_some_and(|first| first.upper || first.beside_mark)
            || self.letters.last().is_some_and(|last| last.beside_mark)
    }
}

/// Whether a new word begins between two letters without a gap: `evaSmith`, `eva42`.
fn turns(left: &Letter, right: &Letter) -> bool {
    (right.upper && !left.upper) || left.digit != right.digit
}
