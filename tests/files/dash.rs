//! `-`: standard input and standard output.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use crate::place::{Folder, none, said};

#[test]
fn a_dash_is_standard_output_and_the_table_makes_room() {
    let folder = Folder::new("dash_out");
    let run = "run gate_only --input said.wav";
    let simulate = "simulate gate_only --sessions 2 --duration 3s --set limits=()";
    let mut failed = Vec::new();
    for (command, flag, table) in [
        (run, "--events", "released s"),
        (run, "--vad-trace", "released s"),
        (run, "--html", "released s"),
        (simulate, "--events", "verdict:"),
        (simulate, "--vad-trace", "verdict:"),
        (simulate, "--html", "verdict:"),
        (simulate, "--save-baseline", "verdict:"),
        ("simulate gate_only --sessions 2 --duration 3s --faults chaos", "--events", "verdict:"),
    ] {
        let (code, out, err) = folder.run(&format!("{command} {flag} -"));
        let (also, file_out, _) = folder.run(&format!("{command} {flag} file"));
        // A report has the cost of its run in it, a page too.
        let same = if flag == "--events" || flag == "--vad-trace" {
            out == folder.text("file")
        } else {
            out.len() > 100 && out.as_bytes()[0] == folder.get("file")[0]
        };
        if code.is_none_or(|code| code > 1)
            || code != also
            || !same
            || out.contains(table)
            || !err.contains(table)
        {
            failed.push(format!("{command} {flag} -: {code:?} {err}\n{out:.300}"));
        }
        if !file_out.contains(table) {
            failed.push(format!("{command} {flag} file: no table: {file_out}"));
        }
        let (code, out, err) = folder.run(&format!("{command} {flag} - --json"));
        if code != Some(2) || !out.is_empty() || !err.contains("--json") {
            failed.push(format!("{command} {flag} - --json: {code:?} {err}"));
        }
    }
    let (code, _, err) = folder.run(&format!("{run} --events - --html -"));
    assert!(code == Some(2) && err.contains("--html -"), "{err}");
    assert!(!folder.at("-").exists());
    none(failed);
}

#[test]
fn a_dash_is_standard_input() {
    let folder = Folder::new("dash_in");
    let with = |line: &str, input: &str| {
        let file = File::open(folder.at(input)).expect("it is there");
        said(folder.mynah(line).stdin(Stdio::from(file)).output().expect("it starts"))
    };
    let plain: Value =
        serde_json::from_str(&folder.done("run gate_only --input said.wav --json --output a")).expect("JSON");
    let (code, out, err) = with("run gate_only --input - --json --output b --events e.jsonl", "said.wav");
    assert_eq!(code, Some(0), "{err}");
    let mut dashed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(dashed["sessions"][0]["session"], "stdin");
    dashed["sessions"][0]["session"] = "said.wav".into();
    assert_eq!(dashed, plain);
    assert!(folder.get("b/stdin.out.wav") == folder.get("a/said.out.wav"));
    let (code, _, err) = folder.run("replay e.jsonl");
    assert!(code == Some(2) && err.contains("standard input") && err.contains("--input FILE"), "{err}");
    // Twice the same, and beside a file.
    let (code, out, err) = with("run gate_only --input - said.wav -", "said.wav");
    assert!(code == Some(0) && out.contains("stdin#2"), "{out} {err}");
    let (code, _, err) = with("run gate_only --input -", "labels.jsonl");
    assert!(code == Some(2) && err.contains("standard input: it begins with"), "{err}");

    let (code, out, err) = with("check -", "scene.ron");
    assert!(code == Some(0) && out.contains("ok "), "{out} {err}");
    let (code, _, err) = with("check -", "faults.ron");
    assert!(code == Some(1) && err.contains("standard input:"), "{err}");
    assert_eq!(with("graph -", "scene.ron").1, folder.done("graph scene.ron"));
    let line = "simulate - --sessions 2 --duration 3s --seeds 1..2 --set limits=()";
    let (code, out, err) = with(line, "scene.ron");
    assert!(code == Some(0) && out.contains("2 of 2 ok"), "{out} {err}");
    let (code, _, err) = with("bench capacity -", "scene.ron");
    assert!(code == Some(2) && err.contains("expected a file"), "{err}");
}
