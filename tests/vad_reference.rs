//! The program's own detector against probabilities that another implementation gave for the same files.
//!
//! That a session's probabilities are the same bits in a batch of 37 as alone is shown beside the kernel
//! (`systems/src/vad/tests.rs`).

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::given::references;

/// One hop of the detector on media time.
const HOP_US: u64 = 32_000;
const TOLERANCE: f64 = 1e-4;

/// (file, probabilities) of a reference.
fn read(path: &Path) -> Vec<(String, Vec<f64>)> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let entry = |line: &str| {
        let entry: Value = serde_json::from_str(line).expect("a line is one object");
        let all = entry["probabilities"].as_array().expect("probabilities").iter();
        let file = entry["file"].as_str().expect("a file name").to_string();
        (file, all.map(|p| p.as_f64().expect("a number")).collect())
    };
    text.lines().map(entry).collect()
}

#[test]
fn the_trace_of_the_program_agrees_with_the_reference_at_every_chunk() {
    for (reference, recordings) in references() {
        agrees(&read(&reference), &recordings);
    }
}

fn agrees(reference: &[(String, Vec<f64>)], recordings: &Path) {
    assert!(reference.len() >= 4, "{reference:?}");
    let trace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vad_reference.jsonl");
    let files = reference.iter().map(|(file, _)| recordings.join(file));
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    program.args(["run", "speculative_vad", "--vad-trace"]).arg(&trace).arg("--input").args(files);
    let out = program.output().expect("the program starts");
    assert!(out.status.success(), "{program:?}\n{}", String::from_utf8_lossy(&out.stderr));
    let text = std::fs::read_to_string(&trace).expect("the trace was written");
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("an object")).collect();
    let mut failed = Vec::new();
    for (file, expected) in reference {
        let got: Vec<(u64, f64)> = lines
            .iter()
            .filter(|line| line["session"] == file.as_str())
            .map(|line| (line["t_us"].as_u64().expect("a time"), line["p"].as_f64().expect("a probability")))
            .collect();
        // The reference pads the last chunk with silence; the program hears only what came.
        if got.len() + 1 < expected.len() || got.len() > expected.len() {
            failed.push(format!("{file}: {} chunks, {} in the reference", got.len(), expected.len()));
        }
        let mut worst: f64 = 0.0;
        for (k, ((t_us, p), want)) in (0u64..).zip(got.iter().zip(expected)) {
            worst = worst.max((p - want).abs());
            if *t_us != (k + 1) * HOP_US || (p - want).abs() > TOLERANCE {
                failed.push(format!("{file} chunk {k} at {t_us} us: {p}, reference {want}"));
            }
        }
        println!("{file}: {} chunks, greatest difference {worst:.1e}", got.len());
    }
    assert!(failed.is_empty(), "{program:?}\n{}", failed.join("\n"));
}
