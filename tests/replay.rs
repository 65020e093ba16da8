//! A log is run again and found identical; one line that was changed, is missing or too many is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use mynah_sim::scenes::SHIPPED;
use proptest::prelude::*;
use serde_json::Value;

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replay").join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn mynah(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(line.split(' '))
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program was built")
}

fn words(out: &Output) -> String {
    [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Records `simulate SCENE FLAGS` and gives the lines of its log.
fn record(folder: &Path, line: &str) -> Vec<String> {
    let out = mynah(folder, &format!("{line} --events events.jsonl"));
    // Runs this short may have nothing to measure a limit on.
    let told = !out.stdout.is_empty() && out.status.code().is_some();
    assert!(told, "{line}\n{}", words(&out));
    let text = fs::read_to_string(folder.join("events.jsonl")).expect("the log was written");
    text.lines().map(Into::into).collect()
}

/// Writes the lines as a log and replays it: exit code and result.
fn replay(folder: &Path, lines: &[String]) -> (Option<i32>, Value) {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    fs::write(folder.join("changed.jsonl"), text).expect("the folder can be written");
    let out = mynah(folder, "replay changed.jsonl --json");
    let result = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| Value::String(words(&out)));
    (out.status.code(), result)
}

fn event(line: &str) -> Value {
    serde_json::from_str(line).expect("every line is JSON")
}

#[test]
fn logs_of_all_scenes_are_identical_on_other_threads_and_shards() {
    let folder = folder("scenes");
    let mut wrong = Vec::new();
    for (scene, _) in SHIPPED {
        let lines = record(&folder, &format!("simulate {scene} --sessions 2 --duration 14s --seed 5"));
        for flags in ["", " --threads 1 --shards 1"] {
            let out = mynah(&folder, &format!("replay events.jsonl{flags}"));
            let said = words(&out);
            if out.status.code() != Some(0) || !said.contains(&format!("identical: {} lines", lines.len())) {
                wrong.push(format!("{scene}{flags}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn runs_with_faults_are_replayed_though_their_file_is_gone() {
    let folder = folder("faults");
    let file = folder.join("bad_line.ron");
    let text = "(description: \"A bad line.\", sites: {\"loss\": (ratio: (0.1, 0.2)), \"leave\": (ratio: (0.3, 0.4))})";
    fs::write(&file, text).expect("the folder can be written");
    let runs =
        [("voice_assistant", "chaos"), ("remote_consumer", "chaos"), ("speculative_vad", "bad_line.ron")];
    let logs = runs.map(|(scene, faults)| {
        record(&folder, &format!("simulate {scene} --faults {faults} --sessions 3 --duration 9s --seed 5"))
    });
    fs::remove_file(&file).expect("it was written");
    for ((scene, faults), lines) in runs.iter().zip(&logs) {
        let (code, result) = replay(&folder, lines);
        assert_eq!(code, Some(0), "{scene} --faults {faults}: {result}");
        // What goes wrong is part of what the run is a function of: other faults are another run.
        let mut first = event(&lines[0]);
        first["faults"] = "churn".into();
        let (code, result) = replay(&folder, &[&[first.to_string()], &lines[1..]].concat());
        assert_eq!(code, Some(1), "{scene} --faults {faults}: {result}");
    }
}

#[test]
fn a_log_says_what_it_is_of_and_what_came_out() {
    let folder = folder("complete");
    let flags = "--sessions 3 --duration 12s --seed 9 --set gate.min_silence_ms=320";
    let line = format!("simulate speculative_vad {flags} --aligned");
    let lines = record(&folder, &line);
    let (first, last) = (event(&lines[0]), event(&lines[lines.len() - 1]));
    assert_eq!((&first["event"], &first["command"]), (&"run".into(), &"simulate".into()));
    assert_eq!((&first["seed"], &first["sessions"]), (&9.into(), &3.into()));
    assert_eq!((&first["set"][0], &first["phase"]), (&"gate.min_silence_ms=320".into(), &"aligned".into()));
    let text = SHIPPED.iter().find(|(name, _)| *name == "speculative_vad").map(|(_, text)| *text);
    assert_eq!(first["scene"]["text"].as_str(), text);
    assert_eq!((&last["event"], &last["lines"]), (&"end".into(), &lines.len().into()));
    let report = mynah(&folder, &format!("{line} --json"));
    let report: Value = serde_json::from_slice(&report.stdout).expect("a report");
    assert_eq!(last["event_hash"], report["event_hash"]);
    let outputs: Vec<Value> =
        lines.iter().map(|line| event(line)).filter(|e| e["event"] == "output").collect();
    let samples: u64 = outputs.iter().filter_map(|output| output["samples"].as_u64()).sum();
    // What a gate lets through: some of what was said, and not more than all that was sent.
    assert!((16_000..3 * 12 * 16_000).contains(&samples), "{samples}");
    // Each caller's digest goes on from the one before.
    let mut digests: Vec<&str> = outputs.iter().filter_map(|output| output["digest"].as_str()).collect();
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

/// What was done to a log, where it must be found, and what must be said of it.
struct Change {
    what: &'static str,
    lines: Vec<String>,
    at: usize,
    said: &'static str,
}

/// The line of the first event of this name.
fn place(lines: &[String], name: &str) -> usize {
    lines.iter().position(|line| event(line)["event"] == name).expect(name)
}

fn changes(lines: &[String]) -> Vec<Change> {
    let mut changes = changed_fields(lines);
    changes.extend(changed_lines(lines));
    changes
}

fn changed_fields(lines: &[String]) -> Vec<Change> {
    let [confirmed, output, text] = ["segment_confirmed", "output", "text"].map(|name| place(lines, name));
    let last = lines.len() - 1;
    let edited = |at: usize, from: &str, to: &str| {
        let mut changed = lines.to_vec();
        assert!(changed[at].contains(from), "{} has no {from}", changed[at]);
        changed[at] = changed[at].replacen(from, to, 1);
        changed
    };
    vec![
        Change {
            what: "time",
            lines: edited(confirmed, "\"t_us\":", "\"t_us\":1"),
            at: confirmed,
            said: "differ in t_us",
        },
        Change {
            what: "field",
            lines: edited(confirmed, "\"to_us\":", "\"to_us\":1"),
            at: confirmed,
            said: "differ in to_us",
        },
        Change {
            what: "session",
            lines: edited(text, "caller-", "cellar-"),
            at: text,
            said: "differ in session",
        },
        Change {
            what: "text",
            lines: edited(text, "\"text\":\"", "\"text\":\"x"),
            at: text,
            said: "differ in text",
        },
        Change {
            what: "samples",
            lines: edited(output, "\"digest\":\"", "\"digest\":\"f"),
            at: output,
            said: "differ in digest",
        },
        Change {
            what: "other count",
            lines: edited(last, "\"lines\":", "\"lines\":1"),
            at: last,
            said: "differ in lines",
        },
        Change { what: "other seed", lines: edited(0, "\"seed\":1", "\"seed\":2"), at: usize::MAX, said: "" },
    ]
}

fn changed_lines(lines: &[String]) -> Vec<Change> {
    let [confirmed, text] = ["segment_confirmed", "text"].map(|name| place(lines, name));
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat();
    let with = |at: usize, line: &str| [&lines[..at], &[line.to_string()], &lines[at..]].concat();
    let mut swapped = lines.to_vec();
    swapped.swap(confirmed, confirmed + 1);
    let last = lines.len() - 1;
    let alien = r#"{"t_us":1,"session":"caller-00000","turn":0,"event":"session_closed"}"#;
    vec![
        Change {
            what: "deleted",
            lines: without(confirmed),
            at: confirmed,
            said: "the replay has a line that the log has not",
        },
        Change { what: "deleted first event", lines: without(1), at: 1, said: "the replay has a line" },
        Change {
            what: "inserted",
            lines: with(confirmed, alien),
            at: confirmed,
            said: "the log has a line that the replay has not",
        },
        Change {
            what: "doubled",
            lines: with(confirmed, &lines[confirmed]),
            at: confirmed + 1,
            said: "the log has a line",
        },
        Change { what: "swapped", lines: swapped, at: confirmed, said: "in another order" },
        Change { what: "cut between lines", lines: lines[..text].to_vec(), at: text, said: "cut off" },
        Change { what: "without its last line", lines: lines[..last].to_vec(), at: last, said: "cut off" },
        Change { what: "goes on", lines: with(last + 1, alien), at: last + 1, said: "the replay is over" },
    ]
}

#[test]
fn the_first_line_that_differs_is_named() {
    let folder = folder("changed");
    let lines = record(&folder, "simulate voice_assistant --sessions 2 --duration 12s");
    let mut wrong = Vec::new();
    for Change { what, lines: changed, at, said } in changes(&lines) {
        let (code, result) = replay(&folder, &changed);
        let divergence = &result["divergence"];
        let found = divergence["line"].as_u64();
        let place = at == usize::MAX || found == Some(at as u64 + 1);
        let reading = divergence["reading"].as_str().unwrap_or_default();
        if code != Some(1) || !place || !reading.contains(said) {
            wrong.push(format!("{what}: {code:?}, line {found:?}, expected {}: {result}", at + 1));
        }
        // The lines around it are there, and the log's own line is the one that was changed.
        let before = divergence["before"].as_array().map_or(0, Vec::len);
        let expected = divergence["expected"].as_str();
        if at != usize::MAX && (before != 3.min(at - 1) || expected != changed.get(at).map(String::as_str)) {
            wrong.push(format!("{what}: {before} lines before, {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where nothing is decided, other callers make the same events: only what they said differs.
#[test]
fn samples_alone_are_a_divergence() {
    let folder = folder("samples");
    let mut lines = record(&folder, "simulate passthrough --sessions 2 --duration 3s");
    lines[0] = lines[0].replace("\"seed\":1", "\"seed\":2");
    let (code, result) = replay(&folder, &lines);
    let divergence = &result["divergence"];
    assert_eq!((code, &divergence["event"]), (Some(1), &"output".into()), "{result}");
    let fields: Vec<&Value> = divergence["differences"].as_array().into_iter().flatten().collect();
    assert!(fields.len() == 1 && fields[0]["field"] == "digest", "{result}");
}

#[test]
fn people_see_the_line_the_fields_and_what_stands_around() {
    let folder = folder("people");
    let mut lines = record(&folder, "simulate speculative_vad --sessions 1 --duration 12s");
    let at = lines.iter().position(|line| line.contains("segment_confirmed")).expect("somebody spoke");
    let old = event(&lines[at])["to_us"].clone();
    lines[at] = lines[at].replace(&format!("\"to_us\":{old}"), "\"to_us\":7");
    fs::write(folder.join("changed.jsonl"), lines.join("\n") + "\n").expect("the folder can be written");
    let out = mynah(&folder, "replay changed.jsonl");
    let said = words(&out);
    let parts = [
        format!("divergence: changed.jsonl:{}, segment_confirmed at ", at + 1),
        "session caller-00000".into(),
        format!("to_us  7        {old}"),
        lines[at - 1].clone(),
        lines[at + 1].clone(),
        "the log was changed after it was written".into(),
    ];
    for part in parts {
        assert!(said.contains(&part), "{part} is not in\n{said}");
    }
}

#[test]
fn a_log_written_anew_is_the_same_log() {
    let folder = folder("anew");
    let lines = record(&folder, "simulate gate_only --sessions 2 --duration 12s");
    // As another program would write it: fields by name, spaces between.
    let anew: Vec<String> = lines.iter().map(|line| event(line).to_string().replace("\":", "\": ")).collect();
    assert_ne!(anew, lines);
    let (code, result) = replay(&folder, &anew);
    assert_eq!((code, &result["verdict"]), (Some(0), &"identical".into()), "{result}");
    assert!(result["notices"][0].as_str().is_some_and(|notice| notice.contains("changed")), "{result}");
}

#[test]
fn another_version_or_processor_is_said_and_compared_all_the_same() {
    let folder = folder("strange");
    let lines = record(&folder, "simulate passthrough --sessions 2 --duration 2s");
    let mut first = event(&lines[0]);
    first["version"] = "0.0.9".into();
    first["cpu_features"] = Value::from(vec!["neon"]);
    let strange = [&[first.to_string()], &lines[1..]].concat();
    let (code, result) = replay(&folder, &strange);
    assert_eq!(code, Some(0), "{result}");
    let notices = result["notices"].to_string();
    for part in ["mynah 0.0.9", "CPU with neon"] {
        assert!(notices.contains(part), "{part}: {notices}");
    }
}

/// What cannot be replayed is said with its place and what helps, and ends with 2.
#[test]
fn what_cannot_be_replayed_is_refused_with_its_remedy() {
    let folder = folder("refused");
    let lines = record(&folder, "simulate gate_only --sessions 1 --duration 2s");
    let header = |change: fn(&mut Value)| {
        let mut first = event(&lines[0]);
        change(&mut first);
        [&[first.to_string()], &lines[1..]].concat()
    };
    let with = |at: usize, line: &str| [&lines[..at], &[line.to_string()], &lines[at..]].concat();
    let cases: Vec<(&str, Vec<String>, &[&str])> = vec![
        ("empty", vec![], &["is empty", "--events FILE"]),
        (
            "no header",
            lines[1..].to_vec(),
            &["changed.jsonl:1: the event is `session_opened`", "expected `run`"],
        ),
        ("no JSON", vec!["hello".into()], &["changed.jsonl:1:1: expected value"]),
        ("a list", vec!["[1]".into()], &["changed.jsonl:1:"]),
        ("schema", header(|first| first["schema"] = 2.into()), &["schema 2", "replays schema 1"]),
        (
            "wall clock",
            header(|first| first["clock"] = "wall".into()),
            &["wall clock", "record it in virtual time"],
        ),
        (
            "a field less",
            header(|first| drop(first.as_object_mut().map(|f| f.remove("seed")))),
            &[":1:", "missing field `seed`"],
        ),
        ("a command", header(|first| first["command"] = "serve".into()), &["changed.jsonl:1:", "serve"]),
        ("sessions", header(|first| first["sessions"] = 4_000_000_000u32.into()), &["4000000000 sessions"]),
        ("set", header(|first| first["set"] = Value::from(vec!["gate"])), &["there is no `=`"]),
        (
            "a setting",
            header(|first| first["set"] = Value::from(vec!["gate.x=1"])),
            &["does not compile", "gate.x"],
        ),
        ("scene", header(|first| first["scene"]["text"] = "(".into()), &["does not compile"]),
        ("malformed", with(2, "{\"t_us\":1,"), &["changed.jsonl:3:10: EOF"]),
        ("a blank line", with(2, ""), &["changed.jsonl:3:1: EOF"]),
        ("no event", with(2, "{\"t_us\":1}"), &["changed.jsonl:3:1: no event: `session`"]),
    ];
    let mut wrong = Vec::new();
    for (what, changed, parts) in cases {
        let (code, result) = replay(&folder, &changed);
        let said = result.as_str().unwrap_or_default();
        if code != Some(2) || parts.iter().any(|part| !said.contains(part)) {
            wrong.push(format!("{what}: {code:?}, expected {parts:?}: {result}"));
        }
    }
    let missing = words(&mynah(&folder, "replay nowhere.jsonl"));
    assert!(missing.contains("nowhere.jsonl: No such file"), "{missing}");
    fs::write(folder.join("bytes.jsonl"), b"{\"a\":\xff}\n").expect("the folder can be written");
    let bytes = words(&mynah(&folder, "replay bytes.jsonl"));
    assert!(bytes.contains("bytes.jsonl:1:6: not UTF-8"), "{bytes}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_log_outlives_its_scene_files() {
    let folder = folder("scenes_gone");
    let text =
        |name: &str| SHIPPED.iter().find(|(shipped, _)| *shipped == name).map_or("", |(_, text)| *text);
    let near = text("remote_consumer").replace("\"remote_answers\"", "\"far.ron\"");
    assert!(near.contains("far.ron"));
    fs::write(folder.join("near.ron"), near).expect("the folder can be written");
    fs::write(folder.join("far.ron"), text("remote_answers")).expect("the folder can be written");
    record(&folder, "simulate near.ron --sessions 2 --duration 12s");
    for scene in ["near.ron", "far.ron"] {
        fs::remove_file(folder.join(scene)).expect("it was there");
    }
    let out = mynah(&folder, "replay events.jsonl");
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
}

/// Speech between two seconds of silence, as a WAV file and labels.
fn recordings(folder: &Path) {
    use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};
    let voice = Flite::new().expect("the voice is part of the program");
    let speech = voice.speak("please open the garden door", VoiceStyle::default()).expect("these are words");
    let silence = vec![0.0; RATE_HZ as usize];
    let samples = [&silence[..], &speech, &silence].concat();
    mynah_load::wav::write(&folder.join("call.wav"), RATE_HZ, 1, &samples).expect("the folder is new");
    let to_ms = 1_000 + 1_000 * speech.len() / RATE_HZ as usize;
    let label = format!(
        r#"{{"file": "call.wav", "segments": [{{"start_ms": 1000, "end_ms": {to_ms}, "kind": "utterance", "text": "please open the garden door"}}]}}"#
    );
    fs::write(folder.join("labels.jsonl"), label + "\n").expect("the folder is new");
}

#[test]
fn recordings_are_found_again_and_must_be_what_they_were() {
    let commands = [
        "simulate voice_assistant --sessions 2 --duration 5s --load labels.jsonl",
        "run voice_assistant --input call.wav call.wav --chunk random:64-2048 --seed 3",
        "run speculative_vad --input call.wav --chunk 2.5ms --vad-trace trace.jsonl --set gate.threshold=0.8",
    ];
    for (at, line) in commands.iter().enumerate() {
        let folder = folder(&format!("recordings{at}"));
        recordings(&folder);
        let lines = record(&folder, line);
        assert!(lines.len() > 8, "{line}: {lines:?}");
        assert_eq!(replay(&folder, &lines).0, Some(0), "{line}");
        // From elsewhere they are found beside the log.
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let above = folder.parent().expect("it is in a folder");
        let out = mynah(above, &format!("replay {name}/events.jsonl"));
        assert_eq!(out.status.code(), Some(0), "{line}: {}", words(&out));
        // Changed in one byte.
        let mut bytes = fs::read(folder.join("call.wav")).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(folder.join("call.wav"), &bytes).expect("it can be written");
        let (code, result) = replay(&folder, &lines);
        assert_eq!(code, Some(2), "{line}: {result}");
        assert!(result.to_string().contains("when the log was written"), "{line}: {result}");
        fs::remove_file(folder.join("call.wav")).expect("it was there");
        let (code, result) = replay(&folder, &lines);
        assert_eq!(code, Some(2), "{line}: {result}");
        assert!(result.to_string().contains("call.wav"), "{line}: {result}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any byte of any event line changed, any line cut anywhere: found there, or refused there, never elsewhere.
    #[test]
    fn any_changed_byte_is_found_where_it_is(line in 1usize..1_000, byte in any::<prop::sample::Index>(), cut in any::<bool>()) {
        static LOG: OnceLock<String> = OnceLock::new();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replay/bytes");
        let text = LOG.get_or_init(|| {
            let folder = self::folder("bytes");
            record(&folder, "simulate speculative_vad --sessions 1 --duration 12s");
            fs::read_to_string(folder.join("events.jsonl")).expect("it was recorded")
        });
        let mut lines: Vec<String> = text.lines().map(Into::into).collect();
        let at = 1 + line % (lines.len() - 2);
        let place = byte.index(lines[at].len());
        let mut bytes = lines[at].clone().into_bytes();
        if cut {
            bytes.truncate(place);
            lines.truncate(at);
        } else {
            bytes[place] = if bytes[place] == b'7' { b'8' } else { b'7' };
        }
        let changed = String::from_utf8(bytes).expect("the log is ASCII");
        let whole = if cut { lines.join("\n") + "\n" + &changed } else {
            lines[at] = changed;
            lines.join("\n") + "\n"
        };
        fs::write(folder.join("changed.jsonl"), whole).expect("the folder can be written");
        let out = mynah(&folder, "replay changed.jsonl");
        let said = words(&out);
        let code = out.status.code();
        prop_assert!(matches!(code, Some(1 | 2)), "{code:?} {said}");
        prop_assert!(said.contains(&format!("changed.jsonl:{}", at + 1)), "line {}: {said}", at + 1);
    }
}
