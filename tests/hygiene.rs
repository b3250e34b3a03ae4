//! The rules of the house, held up by searching the sources.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use regex::Regex;
use std::path::{Path, PathBuf};

/// All Rust files below a folder of the project, sorted.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_tests"))
}

/// A file's lines of code, with their numbers; comments (and the examples in them) are left out.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(str::to_owned).enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

/// Every line of the sources that matches, as `file:line: text`.
fn offences(files: &[PathBuf], pattern: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for file in files {
        for (number, line) in code(file) {
            if pattern.is_match(&line) {
                found.push(format!("{}:{number}: {}", file.strip_prefix(root).unwrap().display(), line.trim()));
            }
        }
    }
    found
}

fn none(offences: &[String], why: &str) {
    assert!(offences.is_empty(), "{why}:\n{}", offences.join("\n"));
}

#[test]
fn the_plaintext_room_does_no_input_or_output() {
    let files: Vec<_> = sources("src/report").into_iter().filter(|path| !is_test(path)).collect();
    assert!(files.len() > 10, "the room is where it was");
    let words = r"\b(tokio|sqlx|tracing|reqwest|log|anstream|rustix|tempfile)::|std::(fs|net|env|process|io::(stdout|stderr|stdin))\b|\be?print(ln)?!|\bdbg!|use std::\{[^}]*\b(fs|net|env|process)\b";
    none(&offences(&files, words), "the plaintext room does input or output");
}

/// Modules that a module must not know, since imports go `main → cli, daemon → steps → report, ports, store`.
const FORBIDDEN: [(&str, &str); 8] = [
    ("src/report", "config|ports|store|steps|adapters|cli|daemon|spool"),
    ("src/store", "steps|adapters|cli|daemon"),
    ("src/adapters", "steps|store|cli|daemon"),
    ("src/config", "steps|adapters|store|cli|daemon"),
    ("src/steps", "cli|daemon|adapters"),
    ("src/ports.rs", "steps|adapters|store|cli|daemon"),
    ("src/store.rs", "steps|adapters|cli|daemon"),
    ("src/daemon.rs", "cli"),
];

#[test]
fn nothing_points_back() {
    for (place, modules) in FORBIDDEN {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        let files = if path.is_file() { vec![path] } else { sources(place) };
        let files: Vec<_> = files.into_iter().filter(|path| !is_test(path)).collect();
        let found = offences(&files, &format!(r"\b(crate|embargod)::(\{{[^}}]*\b)?({modules})\b"));
        none(&found, &format!("{place} knows what it must not"));
    }
}

#[test]
fn nothing_outside_the_tests_can_panic_by_unwrapping() {
    let files: Vec<_> = sources("src").into_iter().filter(|path| !is_test(path)).collect();
    none(&offences(&files, r"\.unwrap\(\)|\.expect\(|\bunreachable!|\btodo!|\bunimplemented!"), "this can panic");
}

#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    let mut long = Vec::new();
    for file in ["src", "tests"].into_iter().flat_map(sources) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        if lines > 400 {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    none(&long, "split these");
}

#[test]
fn every_file_says_what_it_does_first() {
    let silent: Vec<String> = ["src", "tests"]
        .into_iter()
        .flat_map(sources)
        .filter(|file| !std::fs::read_to_string(file).unwrap().trim_start().starts_with("//!"))
        .filter(|file| !is_test(file))
        .map(|file| file.display().to_string())
        .collect();
    none(&silent, "no //! at the top");
}

#[test]
fn nothing_allows_unsafe_code() {
    let files = sources("src");
    none(&offences(&files, r"\bunsafe\s*(\{|fn|impl)|allow\(unsafe"), "unsafe code");
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    assert!(lib.contains("#![forbid(unsafe_code)]"));
}
