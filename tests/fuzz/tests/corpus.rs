//! Every seed and every past finding, through its target. A name says what an entry is or what it once broke.

#![allow(
    clippy::print_stdout,
    reason = "the harness shows it when a test fails: the last entry is the culprit"
)]

use std::fs;
use std::path::{Path, PathBuf};

use mynah_fuzz_targets::TARGETS;

/// The entries of one target in order of their names.
fn entries(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_entry_keeps_what_its_target_promises() {
    for (name, target) in TARGETS {
        for path in entries(name) {
            println!("{}", path.display());
            target(&fs::read(&path).expect("it can be read"));
        }
    }
}

#[test]
fn every_target_has_seeds_and_every_folder_a_target() {
    for (name, _) in TARGETS {
        assert!(entries(name).len() >= 3, "{name} has too few seeds to begin from");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let names = fs::read_dir(folder).expect("it can be read").map(|e| e.expect("it can be read").file_name());
    let strangers: Vec<_> =
        names.filter(|name| TARGETS.iter().all(|(target, _)| *name != **target)).collect();
    assert!(strangers.is_empty(), "no target takes {strangers:?}");
}

#[test]
fn every_target_runs_under_libfuzzer_too() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cargo-fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("it can be read");
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}: not in the manifest");
        let main =
            fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).expect("it has a program");
        assert!(main.contains(&format!("mynah_fuzz_targets::{name}(data)")), "{name}: {main}");
    }
}
