//! Files, folders and items that the pages name in backticks: they are there, and an item is in the file it is said to be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mynah_proof::invariants::{NAMES, OVER_RUNS};

use super::{documents, read, top};

/// Endings of names that are taken for files of the checkout.
const ENDINGS: [&str; 7] = ["rs", "ron", "sh", "md", "toml", "svg", "txt"];

/// What stands in backticks outside of blocks, by line.
fn quoted(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            found.push((at + 1, line.split('`').skip(1).step_by(2).collect()));
        }
    }
    found
}

/// Whether these words name a file or a folder of the checkout; a name in capitals stands for what one fills in.
fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let capitals =
        word.split('/').any(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase()));
    // An ending alone is no file.
    let ends =
        ENDINGS.iter().any(|ending| word.len() > 1 + ending.len() && word.ends_with(&format!(".{ending}")));
    plain && !capitals && word.len() > 1 && (word.ends_with('/') || ends)
}

/// The folders that a page's paths may begin in: the top, its own, and every folder that it names, or a file of which.
fn folders(name: &str, text: &str) -> Vec<PathBuf> {
    let top = top();
    let own = top.join(name).parent().map(Path::to_path_buf);
    let named = quoted(text).into_iter().flat_map(|(_, words)| words).filter(|word| word.contains('/'));
    let named = named.filter(|word| is_path(word)).filter_map(|word| {
        let path = top.join(word);
        if path.is_dir() { Some(path) } else { path.parent().filter(|_| path.is_file()).map(Into::into) }
    });
    std::iter::once(top.clone()).chain(own).chain(named.collect::<BTreeSet<PathBuf>>()).collect()
}

/// The text of every source file, by its path.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("the checkout can be read").flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).expect("sources are text")));
            }
        }
    }
    let mut found = Vec::new();
    ["engine", "systems", "tools", "tests", "benches"]
        .iter()
        .for_each(|part| walk(&top().join(part), &mut found));
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Whether this file says what the item is: a function, a type, a field, a variant.
fn declares(source: &str, item: &str) -> bool {
    let keywords = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];
    let declared = |line: &str| {
        let mut words = words(line);
        words.by_ref().any(|word| keywords.contains(&word)) && words.next() == Some(item)
    };
    // A field, or a variant of an enum.
    let member = |line: &str| {
        let line = line.trim_start().trim_start_matches("pub ");
        let behind = line.strip_prefix(item).map(str::trim_start);
        behind.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ',', '{', '(']))
    };
    source.lines().any(|line| declared(line) || member(line))
}

/// Whether this file has a type or what it can do.
fn defines(source: &str, owner: &str) -> bool {
    let keywords = ["impl", "struct", "enum", "trait"];
    let about =
        |line: &str| words(line).any(|word| keywords.contains(&word)) && words(line).any(|w| w == owner);
    source.lines().any(about)
}

/// The last part of `Type::method`, if the words are such a name.
fn item(word: &str) -> Option<&str> {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    word.rsplit_once("::").filter(|_| plain && !word.starts_with("std::")).map(|(_, last)| last)
}

#[test]
fn files_and_folders_that_pages_name_are_there() {
    let (mut count, mut missing) = (0, Vec::new());
    for (name, text) in documents() {
        let folders = folders(&name, &text);
        for (at, words) in quoted(&text) {
            for word in words.into_iter().filter(|word| is_path(word)) {
                count += 1;
                if !folders.iter().any(|folder| folder.join(word).exists()) {
                    missing.push(format!("{name}:{at}: {word}"));
                }
            }
        }
    }
    assert!(count > 100, "only {count} paths were found");
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

#[test]
fn items_that_pages_name_are_in_the_sources() {
    let sources = sources();
    let (mut count, mut missing) = (0, Vec::new());
    for (name, text) in documents() {
        for (at, quoted) in quoted(&text) {
            for word in quoted.iter().filter(|word| item(word).is_some()) {
                count += 1;
                let parts: Vec<&str> = word.split("::").collect();
                let in_it =
                    |text: &str, part: &str| text.contains(part) && words(text).any(|one| one == part);
                let together = |text: &str| parts.iter().all(|part| in_it(text, part));
                let known = sources.iter().any(|(_, text)| together(text));
                let lint = read("clippy.toml").contains(*word);
                if !known && !lint {
                    missing.push(format!("{name}:{at}: {word}"));
                }
            }
        }
    }
    assert!(count > 20, "only {count} names were found");
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

/// "`Hub::submit` in `engine/src/hub.rs`": the file says what it is.
#[test]
fn items_are_in_the_files_where_pages_have_them() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, text) in documents() {
        for (at, line) in text.lines().enumerate() {
            let pieces: Vec<&str> = line.split('`').collect();
            for piece in pieces.windows(3).skip(1).step_by(2) {
                let [what, between, file] = piece else { continue };
                let in_file = between.trim() == "in" && is_path(file) && top().join(file).is_file();
                if !in_file || !file.ends_with(".rs") {
                    continue;
                }
                count += 1;
                let last = item(what).unwrap_or(what);
                let source = read(file);
                let owner = what.rsplit_once("::").map(|(owner, _)| owner);
                if !declares(&source, last) || owner.is_some_and(|owner| !defines(&source, owner)) {
                    wrong.push(format!("{name}:{}: {file} does not say what `{what}` is", at + 1));
                }
            }
        }
    }
    assert!(count >= 3, "only {count} places were found");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

const NUMBERS: [&str; 21] = [
    "none",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

#[test]
fn the_number_of_invariants_is_what_runs() {
    let folder = top().join("tools/proof/src/invariants");
    // A law with a file of its own that belongs to an invariant takes that one's name.
    let owner = |file: fs::DirEntry| {
        let text = fs::read_to_string(file.path()).ok().filter(|text| text.contains("fn finish("))?;
        let own = file.path().file_stem()?.to_str()?.to_owned();
        let other = text.split("use super::").filter_map(|rest| rest.split_once("::NAME;")).next();
        let name = other.map_or(own, |(name, _)| name.to_owned());
        NAMES.contains(&name.as_str()).then_some(name)
    };
    let at_end: BTreeSet<String> =
        fs::read_dir(folder).expect("the checkers have a folder").flatten().filter_map(owner).collect();
    let [all, ticks, ends, runs] =
        [NAMES.len(), NAMES.len() - OVER_RUNS.len(), at_end.len(), OVER_RUNS.len()].map(|n| NUMBERS[n]);
    let said = format!(
        "[{all} invariants](docs/invariants.md), {ticks} of them after every tick and {ends} of these once more at the \
         end; {runs} compare whole runs"
    );
    assert!(read("README.md").contains(&said), "README.md does not say: {said}");
    let said = format!("{all} invariants, {ticks} of them after every tick");
    assert!(read("CHANGELOG.md").contains(&said), "CHANGELOG.md does not say: {said}");
    let page = read("docs/invariants.md");
    let rows: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(rows, NAMES.into_iter().collect::<BTreeSet<&str>>(), "docs/invariants.md has each");
}
