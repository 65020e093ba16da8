//! Pipes that nobody writes to, and devices without an end, where a file is read: refused at once, with what helps.

use std::fs;
use std::os::unix::fs::symlink;

use crate::place::{Folder, none};

/// Seconds after which a line is taken to hang, and kilobytes of memory it may have.
const BOUNDS: &str = "ulimit -v 4000000; exec timeout 20 \"$@\"";

/// A line for every file that is read as a whole; `FILE` is that file.
const READS: &[&str] = &[
    "check FILE",
    "graph FILE",
    "simulate FILE --sessions 1 --duration 1s",
    "run FILE --input said.wav",
    "simulate gate_only --sessions 1 --duration 1s --load FILE",
    "simulate gate_only --sessions 1 --duration 1s --load FILE --events out.jsonl",
    "simulate gate_only --sessions 1 --duration 1s --faults FILE",
    "simulate gate_only --sessions 1 --duration 1s --faults FILE --events out.jsonl",
    "simulate gate_only --sessions 1 --duration 1s --baseline FILE",
    "replay FILE",
    "compare FILE report.json",
    "compare report.json FILE",
    // The recording of a log is hashed before it is read.
    "simulate gate_only --sessions 1 --duration 1s --load names_FILE.jsonl --events out.jsonl",
    "replay names_FILE.log",
];

/// A folder with a pipe, a link to one and a link to a device, and labels and logs whose recordings they are.
fn prepared(name: &str) -> (Folder, [&'static str; 3]) {
    let folder = Folder::new(name);
    assert_eq!(folder.shell("mkfifo pipe", "").0, Some(0));
    symlink("pipe", folder.at("to_pipe")).expect("links can be made");
    symlink("/dev/zero", folder.at("zero")).expect("links can be made");
    let simulated = "simulate gate_only --sessions 1 --duration 1s --set limits=() --json";
    folder.put("report.json", folder.done(simulated).as_bytes());
    folder.done("run gate_only --input said.wav --events log");
    let files = ["pipe", "to_pipe", "zero"];
    for file in files {
        let named = |text: String| text.replace("said.wav", file);
        folder.put(format!("names_{file}.jsonl"), named(folder.text("labels.jsonl")).as_bytes());
        folder.put(format!("names_{file}.log"), named(folder.text("log")).as_bytes());
    }
    (folder, files)
}

#[test]
fn what_may_never_end_is_refused_at_once() {
    let (folder, files) = prepared("endless");
    let mut failed = Vec::new();
    for line in READS {
        for file in files {
            let line = line.replace("FILE", file);
            let (code, out, err) = folder.shell(BOUNDS, &line);
            let says_why = err.contains(file) && (err.contains("a device") || err.contains("a pipe"));
            if code != Some(2) || !says_why || !out.is_empty() {
                failed.push(format!("{line}: {code:?} {out}{err}"));
            }
        }
    }
    assert!(!folder.at("out.jsonl").exists() && folder.drafts().is_empty(), "{:?}", folder.names());
    none(failed);
}

#[test]
fn a_pipe_that_is_open_is_read_to_its_end_and_not_beyond_a_bound() {
    let (folder, _) = prepared("open_pipes");
    let replayed = folder.shell("cat log | \"$@\"", "replay /dev/stdin");
    assert!(replayed.0 == Some(0) && replayed.1.starts_with("identical"), "{replayed:?}");
    let compared = folder.shell("cat report.json | \"$@\"", "compare report.json /dev/stdin");
    assert_eq!(compared.0, Some(0), "{compared:?}");
    let zeros = format!("{{ cat /dev/zero | {{ {BOUNDS}; }}; }} 2>&1");
    for line in ["replay /dev/stdin", "compare report.json /dev/stdin"] {
        let (code, out, _) = folder.shell(&zeros, line);
        let says_why = out.contains("bytes") && out.contains("is it another file?");
        assert!(code == Some(2) && says_why, "{line}: {code:?} {out}");
    }
    // Recordings may come from any pipe.
    fs::remove_file(folder.at("pipe")).expect("it is there");
    let fed = folder.shell("mkfifo pipe; cat said.wav > pipe & \"$@\"", "run gate_only --input pipe");
    assert_eq!(fed.0, Some(0), "{fed:?}");
}
