//! `benches/instructions.sh`: when it fails, when it passes, what it says when it cannot compare. A script stands in for
//! valgrind and says how much was counted.

#![cfg(unix)]

#[path = "support/given.rs"]
mod given;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use given::program;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/instructions.sh");

/// Tells `$COUNT` instructions for the workload `gate_16`, 1000 for the others.
const VALGRIND: &str = r#"#!/usr/bin/env bash
count=1000
for word in "$@"; do [[ $word == *gate_16.out ]] && count=$COUNT; done
echo "==1== Collected : $count" >&2
printf '{"cpu_features":["%s","fma"]}\n' "$FEATURE"
"#;

/// A checkout with nothing in it but the script, a program that was built, and the stand-in.
fn checkout() -> PathBuf {
    let top = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    drop(fs::remove_dir_all(&top));
    for folder in ["benches", "bin", "target/release"] {
        fs::create_dir_all(top.join(folder)).expect("the target folder can be written");
    }
    let script = fs::read_to_string(SCRIPT).expect("the script is there");
    for (name, text) in
        [("benches/instructions.sh", &*script), ("bin/valgrind", VALGRIND), ("target/release/mynah", "")]
    {
        let path = top.join(name);
        fs::write(&path, text).expect("the folder is new");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    top
}

fn run(top: &Path, flags: &[&str], count: u32, feature: &str) -> (Option<i32>, String) {
    let path = format!("{}:{}", top.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let out = Command::new("bash")
        .arg(top.join("benches/instructions.sh"))
        .args(flags)
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", top.join("target"))
        .env("COUNT", count.to_string())
        .env("FEATURE", feature)
        .output()
        .expect("there is a bash");
    let text = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (out.status.code(), text)
}

#[test]
fn two_percent_more_than_the_baseline_fail() {
    if program(&["bash"]).is_none() {
        return;
    }
    let top = checkout();
    let (update, none): (&[&str], &[&str]) = (&["--update"], &[]);
    // In order: each row finds the baseline that those above left.
    let rows = [
        (none, 1_000, "avx2", 0, "skipped: benches/instructions.txt has no counts of rustc-"),
        (update, 1_000, "avx2", 0, "benches/instructions.txt has the counts of rustc-"),
        (none, 1_000, "avx2", 0, "+0.00%"),
        (none, 1_020, "avx2", 0, "+2.00%"),
        (none, 1_021, "avx2", 1, "+2.10% OVER"),
        (none, 970, "avx2", 0, "-3.00% fewer"),
        (none, 2_000, "sse2", 0, "skipped: "),
        (update, 2_000, "sse2", 0, "+0.00%"),
        (none, 1_000, "avx2", 0, "+0.00%"),
        (none, 0, "avx2", 2, "gate_16 could not be counted"),
        (&["--what"], 1_000, "avx2", 2, "usage: "),
    ];
    let mut wrong = Vec::new();
    for (flags, count, feature, code, part) in rows {
        let (got, text) = run(&top, flags, count, feature);
        if got != Some(code) || !text.contains(part) {
            wrong.push(format!("{flags:?} {count} {feature}: {got:?}, wanted {code} and {part:?}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs::remove_file(top.join("target/release/mynah")).expect("it is there");
    let (code, text) = run(&top, none, 1_000, "avx2");
    assert!(code == Some(2) && text.contains("cargo build --release"), "{text}");
}

#[test]
fn without_valgrind_it_says_so_and_passes() {
    let line = format!("PATH=; source {SCRIPT}");
    let Some(bash) = program(&["bash"]) else { return };
    let out = Command::new(bash).args(["-c", &line]).output().expect("bash starts");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("skipped: valgrind is not installed"), "{text}");
}
