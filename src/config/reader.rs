//! Reads tables of a TOML document key by key, and knows where each stands.
//!
//! Security: nothing is accepted and ignored. What was not asked for when a table is finished is an error, with its line.

use super::error::Lines;
use super::{ConfigError, Problem};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The document: which file, and on which line each key was found so far.
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    /// Relative paths begin here.
    pub(super) folder: &'a Path,
    text: &'a str,
    lines: RefCell<Lines>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a Path, folder: &'a Path, text: &'a str) -> Self {
        Self { file, folder, text, lines: RefCell::default() }
    }

    /// The whole document as a table.
    pub(super) fn parse(&'a self) -> Result<Table<'a>, ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let span = error.span();
            let line = span.as_ref().map(|span| self.line(span.start));
            let name = span.filter(|_| error.message() == "duplicate key").and_then(|span| self.text.get(span));
            let name = name.map(|name| format!(" {}", name.trim())).unwrap_or_default();
            let problem = Problem::new(format!("it is not valid TOML: {}{name}", error.message()), "correct this line");
            ConfigError::of_file(self.file, line, problem)
        })?;
        Ok(Table { source: self, path: String::new(), table: table.into_inner(), asked: BTreeSet::new() })
    }

    /// An error about a key by its whole path.
    pub(super) fn wrong(&self, path: &str, problem: Problem) -> ConfigError {
        ConfigError::of_key(self.file, &self.lines.borrow(), path, problem)
    }

    /// Where everything that was read stands.
    pub(super) fn into_lines(self) -> Lines {
        self.lines.into_inner()
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }
}

fn with_article(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// One table; each key is taken out by its reader, and [`Table::finish`] complains about what is left.
pub(super) struct Table<'a> {
    pub(super) source: &'a Source<'a>,
    path: String,
    table: DeTable<'a>,
    asked: BTreeSet<&'static str>,
}

impl<'a> Table<'a> {
    /// The dotted path of a key of this table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// An error about a key of this table.
    pub(super) fn wrong(&self, key: &str, problem: Problem) -> ConfigError {
        self.source.wrong(&self.key(key), problem)
    }

    /// An error about a key that must be there; `mend` says what to write.
    pub(super) fn missing(&self, key: &str, mend: &str) -> ConfigError {
        self.wrong(key, Problem::new("it is missing", mend))
    }

    fn mistyped(&self, key: &str, found: &DeValue<'_>, mend: &str) -> ConfigError {
        self.wrong(key, Problem::new(format!("{} does not belong here", with_article(found)), mend))
    }

    fn take(&mut self, key: &'static str) -> Option<DeValue<'a>> {
        self.asked.insert(key);
        let (name, value) = self.table.remove_entry(key)?;
        self.source.lines.borrow_mut().note(&self.key(key), self.source.line(name.span().start));
        Some(value.into_inner())
    }

    /// Text, if it is there.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(DeValue::String(text)) => Ok(Some(text.into_owned())),
            Some(other) => Err(self.mistyped(key, &other, "write it as text in double quotes")),
        }
    }

    /// Text that must be there; `mend` says what to write if it is not.
    pub(super) fn required(&mut self, key: &'static str, mend: &str) -> Result<String, ConfigError> {
        self.text(key)?.ok_or_else(|| self.missing(key, mend))
    }

    /// Text with a form of its own, if it is there.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        form: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, ConfigError> {
        self.text(key)?.map(|text| form(&text).map_err(|problem| self.wrong(key, problem))).transpose()
    }

    /// Text with a form of its own that must be there.
    pub(super) fn read_required<T>(
        &mut self,
        key: &'static str,
        mend: &str,
        form: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<T, ConfigError> {
        self.read(key, form)?.ok_or_else(|| self.missing(key, mend))
    }

    /// A list of texts with a form of their own; empty if it is not there. None may stand in it twice, case aside.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        form: impl Fn(&str) -> Result<String, Problem>,
    ) -> Result<Vec<String>, ConfigError> {
        const MEND: &str = "write a list of texts, as in [\"one\", \"two\"]";
        let items = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(DeValue::Array(items)) => items,
            Some(other) => return Err(self.mistyped(key, &other, MEND)),
        };
        let (mut texts, mut seen) = (Vec::new(), BTreeSet::new());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{key}[{}]", index + 1);
            self.source.lines.borrow_mut().note(&self.key(&path), self.source.line(item.span().start));
            let DeValue::String(text) = item.get_ref() else {
                return Err(self.mistyped(&path, item.get_ref(), MEND));
            };
            let text = form(text).map_err(|problem| self.wrong(&path, problem))?;
            if !seen.insert(text.to_lowercase()) {
                return Err(
                    self.wrong(&path, Problem::new(format!("{text:?} stands here twice"), "remove one of them"))
                );
            }
            texts.push(text);
        }
        Ok(texts)
    }

    /// `true` or `false`, if it is there.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(DeValue::Boolean(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.mistyped(key, &other, "write true or false, without quotes")),
        }
    }

    /// A whole number within bounds, if it is there.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<u32>,
    ) -> Result<Option<u32>, ConfigError> {
        let mend = format!("write a whole number from {} to {}", bounds.start(), bounds.end());
        match self.take(key) {
            None => Ok(None),
            Some(DeValue::Integer(number)) => u32::from_str_radix(number.as_str(), number.radix())
                .ok()
                .filter(|number| bounds.contains(number))
                .map(Some)
                .ok_or_else(|| self.wrong(key, Problem::new("it is out of bounds", mend))),
            Some(other) => Err(self.mistyped(key, &other, &mend)),
        }
    }

    /// A local date, if it is there.
    pub(super) fn date(&mut self, key: &'static str) -> Result<Option<jiff::civil::Date>, ConfigError> {
        const MEND: &str = "write a date without quotes, as in 2027-01-31";
        let value = match self.take(key) {
            None => return Ok(None),
            Some(value) => value,
        };
        match &value {
            DeValue::Datetime(toml::value::Datetime { date: Some(date), time: None, offset: None }) => {
                let parts = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
                if let (Ok(year), Ok(month), Ok(day)) = parts
                    && let Ok(date) = jiff::civil::Date::new(year, month, day)
                {
                    return Ok(Some(date));
                }
                Err(self.wrong(key, Problem::new("there is no such day", MEND)))
            }
            other => Err(self.mistyped(key, other, MEND)),
        }
    }

    /// One of some words; `default` where it is not there.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        default: T,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(default) };
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.wrong(
                key,
                Problem::new(format!("{text:?} is none of its values"), format!("use {}", words.join(" or "))),
            )
        })
    }

    /// A path, from the configuration's folder on, if it is there.
    pub(super) fn path(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        let folder = self.source.folder;
        self.read(key, |text| {
            if text.is_empty() || text.contains('\0') {
                return Err(Problem::new("it names no file", "write a path"));
            }
            Ok(folder.join(text))
        })
    }

    /// A path of something that exists. What this user may not look at is left to whoever reads it.
    pub(super) fn existing(&mut self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        let path = self.path(key)?;
        match path {
            Some(path) if path.try_exists().is_ok_and(|exists| !exists) => Err(self.wrong(
                key,
                Problem::new(format!("{} does not exist", path.display()), "put the file there, or correct the path"),
            )),
            path => Ok(path),
        }
    }

    /// A table inside this one; an empty one where it is not there.
    pub(super) fn table(&mut self, key: &'static str) -> Result<Table<'a>, ConfigError> {
        Ok(self.optional_table(key)?.unwrap_or_else(|| self.inner(key.to_owned(), DeTable::new())))
    }

    /// A table inside this one, if it is there.
    pub(super) fn optional_table(&mut self, key: &'static str) -> Result<Option<Table<'a>>, ConfigError> {
        let mend = if self.path.is_empty() {
            format!("write a table that begins with [{key}]")
        } else {
            format!("write a table, as in {key} = {{ … }}")
        };
        self.optional_table_or(key, &mend)
    }

    /// A table inside this one, if it is there; `mend` says what to write where it is something else.
    pub(super) fn optional_table_or(
        &mut self,
        key: &'static str,
        mend: &str,
    ) -> Result<Option<Table<'a>>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(DeValue::Table(table)) => Ok(Some(self.inner(key.to_owned(), table))),
            Some(other) => Err(self.mistyped(key, &other, mend)),
        }
    }

    /// A list of tables; empty if there is none.
    pub(super) fn tables(&mut self, key: &'static str) -> Result<Vec<Table<'a>>, ConfigError> {
        let mend = format!("write each one as a table that begins with [[{key}]]");
        let items = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(DeValue::Array(items)) => items,
            Some(other) => return Err(self.mistyped(key, &other, &mend)),
        };
        let mut tables = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{key}[{}]", index + 1);
            self.source.lines.borrow_mut().note(&self.key(&path), self.source.line(item.span().start));
            match Spanned::into_inner(item) {
                DeValue::Table(table) => tables.push(self.inner(path, table)),
                other => return Err(self.mistyped(&path, &other, &mend)),
            }
        }
        Ok(tables)
    }

    fn inner(&self, key: String, table: DeTable<'a>) -> Table<'a> {
        Table { source: self.source, path: self.key(&key), table, asked: BTreeSet::new() }
    }

    /// Refuses keys that are there, whatever their value, for this reason.
    pub(super) fn refuse(&mut self, keys: &[&'static str], what: &str, mend: &str) -> Result<(), ConfigError> {
        for key in keys {
            if self.take(key).is_some() {
                return Err(self.wrong(key, Problem::new(what, mend)));
            }
            self.asked.remove(key);
        }
        Ok(())
    }

    /// Whatever has not been read is an error.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let mut unknown: Vec<_> = self.table.keys().map(|key| (key.span().start, key.get_ref())).collect();
        unknown.sort_unstable();
        let Some((offset, key)) = unknown.first() else { return Ok(()) };
        let path = self.key(&key.escape_debug().to_string());
        self.source.lines.borrow_mut().note(&path, self.source.line(*offset));
        let known: Vec<&str> = self.asked.iter().copied().collect();
        Err(self.source.wrong(
            &path,
            Problem::new("there is no such key", format!("remove it, or use one of: {}", known.join(", "))),
        ))
    }
}
