//! The layers of the engine: its folders in order, and which imports lead from one to another.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::imports::Imports;

/// The folders of `engine/src`: a file uses only those that stand before its own, and its own. What lies beside them comes
/// last.
pub(crate) const LAYERS: [&str; 12] = [
    "base", "scene", "media", "speech", "record", "edge", "service", "session", "node", "observe", "tick",
    "wire",
];
/// What the files beside the folders are called here.
const BESIDE: &str = "(beside)";

/// Place of a file's folder in [`LAYERS`]; one more for files beside the folders, and in folders that are not there.
fn layer(file: &str) -> usize {
    let folder = file.split_once('/').map(|(folder, _)| folder);
    folder.and_then(|folder| LAYERS.iter().position(|layer| *layer == folder)).unwrap_or(LAYERS.len())
}

/// Imports that lead from a folder to one that stands behind it.
pub(crate) fn upward(imports: &Imports) -> Vec<String> {
    let arrows = imports.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    let wrong = arrows.filter(|(from, to)| layer(to) > layer(from));
    wrong.map(|(from, to)| format!("{from} uses {to}, which stands behind it")).collect()
}

/// A line for each layer: its files, and how many imports of theirs lead to each other layer.
pub(crate) fn drawn(imports: &Imports) -> String {
    let name = |at: usize| LAYERS.get(at).copied().unwrap_or(BESIDE);
    let mut arrows: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (from, to) in imports.iter().flat_map(|(from, to)| to.iter().map(move |to| (layer(from), layer(to))))
    {
        if from != to {
            *arrows.entry((from, to)).or_default() += 1;
        }
    }
    let mut text = format!("{:<9} {:>5}  imports of\n", "layer", "files");
    for at in 0..=LAYERS.len() {
        let files = imports.keys().filter(|file| layer(file) == at).count();
        let uses: Vec<String> = arrows
            .range((at, 0)..(at + 1, 0))
            .map(|((_, to), count)| format!("{} {count}", name(*to)))
            .collect();
        text += format!("{:<9} {files:>5}  {}", name(at), uses.join(", ")).trim_end();
        text += "\n";
    }
    text
}

/// Sources below a folder by their path from there.
///
/// # Panics
/// The folder, or a file in it, cannot be read.
pub(crate) fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the checkout can be read") {
            let path = entry.expect("the checkout can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(folder).expect("it lies below").to_string_lossy();
                let text = fs::read_to_string(&path).expect("sources are text");
                found.insert((name.replace('\\', "/"), text));
            }
        }
    }
    found.into_iter().collect()
}
