//! Text files with a byte order mark or lines that end with two bytes, and names that are not UTF-8.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use crate::place::{FAULTS, Folder, LABELS, none};

const SIMULATE: &str = "simulate gate_only --sessions 2 --duration 4s --set limits=() --json";

/// The ways in which editors and shells save a text.
fn saved(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let two = text.replace('\n', "\r\n");
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    vec![
        ("as it is", text.into()),
        ("mark", marked(text)),
        ("two bytes a line", two.clone().into()),
        ("mark and two bytes", marked(&two)),
    ]
}

/// What a run says that does not depend on the machine.
fn told(out: &str) -> Value {
    let report: Value = serde_json::from_str(out).unwrap_or_else(|_| Value::String(out.into()));
    if report["event_hash"].is_string() { report["event_hash"].clone() } else { report }
}

#[test]
fn every_reader_takes_text_as_it_is_saved_anywhere() {
    let folder = Folder::new("texts");
    folder.done(&format!("{SIMULATE} --events log --save-baseline kept"));
    let [log, kept, scene] = ["log", "kept", "scene.ron"].map(|name| folder.text(name));
    folder.put("linked.ron", &{
        let at = scene.trim_end().rfind(')').expect("a scene ends with a bracket");
        format!("{}    transports: [SimulatedLink(scene: \"file\", delay_ms: 10)],\n)", &scene[..at])
            .into_bytes()
    });
    // The name of a scene is in its messages, so all are called the same.
    let readers = [
        (scene.as_str(), "check file"),
        (&scene, "graph file"),
        (&scene, "simulate file --sessions 2 --duration 4s --set limits=() --json"),
        (&scene, "run file --input said.wav --json"),
        (&scene, "check linked.ron"),
        (LABELS, "simulate gate_only --sessions 1 --duration 3s --set limits=() --json --load file"),
        (FAULTS, "simulate gate_only --sessions 2 --duration 4s --faults file --json"),
        (&log, "replay file"),
        (&log, "replay file --json"),
        (&kept, "compare file kept --json"),
        (&kept, "compare kept file"),
        (&kept, "simulate gate_only --sessions 2 --duration 4s --set limits=() --json --baseline file"),
    ];
    let mut failed = Vec::new();
    for (text, line) in readers {
        let mut plain = None;
        for (how, bytes) in saved(text) {
            folder.put("file", &bytes);
            let (code, out, err) = folder.run(line);
            let found = (code, told(&out));
            let plain = plain.get_or_insert_with(|| found.clone());
            if *plain != found || code != Some(0) {
                failed.push(format!("{line}, {how}: {found:?}\n{err}"));
            }
        }
    }
    none(failed);
}

#[test]
fn places_of_errors_and_logs_of_runs_are_the_same() {
    let folder = Folder::new("places");
    let wrong = folder.text("scene.ron").replace("threshold", "treshold");
    let mut places = Vec::new();
    for (how, bytes) in saved(&wrong) {
        folder.put("wrong.ron", &bytes);
        let (code, _, err) = folder.run("check wrong.ron");
        let place = err.lines().find(|line| line.contains("wrong.ron:")).unwrap_or_default().to_owned();
        assert!(code == Some(1) && place.contains("wrong.ron:"), "{how}: {err}");
        places.push(place);
    }
    places.dedup();
    assert_eq!(places.len(), 1, "{places:?}");

    // A log made with labels and a scene that were saved elsewhere replays.
    let scene = folder.text("scene.ron");
    for ((how, labels), (_, scene)) in saved(LABELS).into_iter().zip(saved(&scene)) {
        folder.put("labels.jsonl", &labels);
        folder.put("scene.ron", &scene);
        folder.done(
            "simulate scene.ron --sessions 1 --duration 3s --set limits=() --load labels.jsonl --events log",
        );
        let out = folder.done("replay log");
        assert!(out.starts_with("identical"), "{how}: {out}");
    }
    for (mark, name) in [(b"\xff\xfe", "little"), (b"\xfe\xff", "big")] {
        folder.put("utf16", &[mark.as_slice(), b"(\0n\0"].concat());
        for line in [
            "check utf16",
            "simulate gate_only --faults utf16",
            "compare utf16 utf16",
            "simulate gate_only --load utf16",
        ] {
            let (code, _, err) = folder.run(line);
            assert!(
                code.is_some_and(|code| code > 0) && err.contains("save it as UTF-8"),
                "{line} {name}: {err}"
            );
        }
    }
}

fn odd(name: &[u8]) -> OsString {
    OsStr::from_bytes(name).to_os_string()
}

#[test]
#[cfg(target_os = "linux")]
fn names_that_are_no_utf8_are_read_written_and_told() {
    let folder = Folder::new("names");
    let names =
        [b"s\xe9.wav".as_slice(), b"l\xe9.jsonl", b"e\xe9.jsonl", b"h\xe9.html", b"d\xe9", b"k\xe9.json"]
            .map(odd);
    let [wav, labels, events, html, made, kept] = &names;
    folder.put(wav, &folder.get("said.wav"));
    folder.put(labels, LABELS.as_bytes());
    let run = |words: &[&OsStr]| {
        let output = folder.mynah("").args(words).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let word = OsStr::new;
    let (code, out, err) = run(&[
        word("run"),
        word("gate_only"),
        word("--input"),
        wav,
        word("--events"),
        events,
        word("--html"),
        html,
        word("--output"),
        made,
        word("--json"),
    ]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("s\u{fffd}.wav"), "{out}");
    let log = folder.text(events);
    assert!(
        log.lines().next().is_some_and(|header| header.contains("\"path\":\"s\u{fffd}.wav\"")),
        "{log:.300}"
    );
    assert!(
        folder.at(made).join("s\u{fffd}.out.wav").is_file() && folder.text(html).contains("s\u{fffd}.wav")
    );
    let (code, out, err) = run(&[word("replay"), events]);
    assert!(code == Some(0) && out.starts_with("identical"), "{out} {err}");
    let (code, _, err) = run(&[word("replay"), events, word("--json")]);
    assert_eq!(code, Some(0), "{err}");

    let all = "simulate gate_only --sessions 1 --duration 3s --set limits=() --load";
    let mut words: Vec<&OsStr> = all.split(' ').map(OsStr::new).collect();
    words.extend(
        [labels, word("--events"), events, word("--save-baseline"), kept, word("--html"), html]
            .map(OsStr::new),
    );
    let (code, out, err) = run(&words);
    assert!(code == Some(0) && out.contains("l\u{fffd}.jsonl"), "{out} {err}");
    let (code, out, err) = run(&[word("replay"), events]);
    assert!(code == Some(0) && out.starts_with("identical"), "{out} {err}");
    let (code, _, err) = run(&[word("compare"), kept, kept]);
    assert_eq!(code, Some(0), "{err}");

    // Where it is refused it is named, and nothing panics.
    let refusals: [&[&OsStr]; 6] = [
        &[word("run"), word("gate_only"), word("--input"), wav, word("--events"), wav],
        &[word("run"), word("gate_only"), word("--input"), labels],
        &[word("compare"), wav, wav],
        &[word("replay"), labels],
        &[word("check"), wav],
        &[word("simulate"), word("gate_only"), word("--faults"), labels],
    ];
    for words in refusals {
        let (code, _, err) = run(words);
        assert!(matches!(code, Some(1 | 2)) && !err.is_empty(), "{words:?}: {code:?} {err}");
    }
    assert!(folder.get(wav).starts_with(b"RIFF"));
}
