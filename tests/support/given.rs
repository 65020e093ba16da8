//! What tests are given: the recordings of the checkout and those that two variables name, and programs that may be
//! installed. Nothing is looked for anywhere else, and what is skipped is said.
//!
//! A line on standard error says what a test did not ask; cargo hides what tests print, but not this. Where
//! `MYNAH_SKIPPED_FILE` names a file, the line is appended to it as well. With `CI=1` a skip that nobody expects fails:
//! `MYNAH_SKIPS_EXPECTED` lists the names that may be missing, and without it whatever truly is missing may.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Probabilities that another implementation of the detector gave for recordings, a line each.
const REFERENCE: &str = "silero_vad_v6_16k.reference.jsonl";
const MOONSHINE: &str = "moonshine_tiny_en/reference.jsonl";
const LABELS: &str = "labels.jsonl";

/// Why a test asks less than it could.
#[derive(Clone, Debug)]
pub(crate) enum Skip<'a> {
    /// The program, or a part of it, is not installed.
    Absent(&'a str),
    /// The variable is not set: the recordings of the checkout were asked alone.
    NotSet(&'a str),
    /// It is there and of no use; the text says why.
    Unusable(&'a str, String),
}

impl Skip<'_> {
    fn name(&self) -> &str {
        let (Self::Absent(name) | Self::NotSet(name) | Self::Unusable(name, _)) = self;
        name
    }

    /// Whether it fails, given the values of `CI` and `MYNAH_SKIPS_EXPECTED`.
    pub(crate) fn is_unexpected(&self, ci: Option<&str>, expected: Option<&str>) -> bool {
        let listed = expected.map(|names| names.split_whitespace().any(|name| name == self.name()));
        matches!(ci, Some("1" | "true")) && !listed.unwrap_or(!matches!(self, Self::Unusable(..)))
    }

    /// The line that says it.
    pub(crate) fn line(&self, test: &str) -> String {
        match self {
            Self::Absent(name) => format!("skipped: {name} is not installed: {test}"),
            Self::NotSet(name) => format!("not set: {name}, asked of tests/recordings alone: {test}"),
            Self::Unusable(name, why) => format!("skipped: {name}: {}: {test}", why.replace('\n', " ")),
        }
    }

    /// Says it where the list at the end is made.
    pub(crate) fn say(self) {
        let thread = std::thread::current();
        let line = self.line(thread.name().unwrap_or("a test"));
        writeln!(std::io::stderr(), "{line}").ok();
        if let Some(file) = env::var_os("MYNAH_SKIPPED_FILE") {
            let list = OpenOptions::new().create(true).append(true).open(&file);
            // In one piece: other tests write into it at the same time.
            let written = list.and_then(|mut list| list.write_all(format!("{line}\n").as_bytes()));
            written.unwrap_or_else(|error| panic!("MYNAH_SKIPPED_FILE {}: {error}", file.display()));
        }
        let value = |name| env::var(name).ok();
        let (ci, expected) = (value("CI"), value("MYNAH_SKIPS_EXPECTED"));
        assert!(
            !self.is_unexpected(ci.as_deref(), expected.as_deref()),
            "{line}\nCI={} and MYNAH_SKIPS_EXPECTED={:?}: make it available, or expect the skip",
            ci.unwrap_or_default(),
            expected
        );
    }
}

/// The first of these programs that is installed; a skip under the first name where none is.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut paths = env::split_paths(&folders).flat_map(|folder| names.iter().map(move |n| folder.join(n)));
    let found = paths.find(|path| path.is_file());
    if found.is_none() {
        Skip::Absent(names[0]).say();
    }
    found
}

/// Folders of labelled recordings: the checkout's, then the one that `MYNAH_RECORDINGS` names.
pub(crate) fn recordings() -> Vec<PathBuf> {
    std::iter::once(own()).chain(named("MYNAH_RECORDINGS", LABELS)).collect()
}

/// References of the detector, each with the folder of the recordings it names: the checkout's, then the one in the folder
/// that `MYNAH_REFERENCES` names, which is for the recordings of `MYNAH_RECORDINGS`.
pub(crate) fn references() -> Vec<(PathBuf, PathBuf)> {
    let mut found = vec![(own().join(REFERENCE), own())];
    if let Some(references) = named("MYNAH_REFERENCES", REFERENCE) {
        match env::var_os("MYNAH_RECORDINGS") {
            Some(folder) => found.push((references.join(REFERENCE), folder.into())),
            None => {
                Skip::Unusable("MYNAH_REFERENCES", "MYNAH_RECORDINGS names no recordings for it".into()).say()
            }
        }
    }
    found
}

/// The reference of the recogniser, and the folder of the recordings it names, where the two variables name both.
pub(crate) fn moonshine_reference() -> Option<(PathBuf, PathBuf)> {
    let references = named("MYNAH_REFERENCES", MOONSHINE)?;
    Some((references.join(MOONSHINE), named("MYNAH_RECORDINGS", LABELS)?))
}

/// The folder of the recogniser's model, which is part of the checkout.
pub(crate) fn moonshine() -> PathBuf {
    of_the_checkout("tools/mynah/models/moonshine_tiny_en")
}

/// The recordings of the checkout.
pub(crate) fn own() -> PathBuf {
    of_the_checkout("tests/recordings")
}

fn of_the_checkout(folder: &str) -> PathBuf {
    // A crate of the workspace lies one to three folders deep.
    let tops = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).take(3);
    let found = tops.map(|top| top.join(folder)).find(|path| path.is_dir());
    found.unwrap_or_else(|| panic!("{folder} belongs to the checkout"))
}

/// The folder that a variable names, which has `file`.
fn named(variable: &str, file: &str) -> Option<PathBuf> {
    let Some(folder) = env::var_os(variable) else {
        Skip::NotSet(variable).say();
        return None;
    };
    let folder = PathBuf::from(folder);
    assert!(
        folder.is_absolute() && folder.join(file).is_file(),
        "{variable}={}: expected the absolute path of a folder with {file}; unset it to do without",
        folder.display()
    );
    Some(folder)
}
