//! `mynah simulate --to`: the load simulator against a server in another process, over real sockets.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// `mynah serve`, until this is dropped.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn of(arguments: &[&str]) -> Self {
        let all = ["serve", "--bind", "127.0.0.1:0", "--ops", "127.0.0.1:0"];
        let mut child = mynah()
            .args(all)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        lines.read_line(&mut line).expect("it says where it serves");
        let address = line.trim().strip_prefix("serving on http://").unwrap_or_else(|| panic!("{line}"));
        Self { url: format!("ws://{address}"), child }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it is a child");
    }
}

fn mynah() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mynah"))
}

fn simulate(arguments: &[&str]) -> Output {
    mynah().arg("simulate").args(arguments).output().expect("the program starts")
}

/// The exit code and the report.
fn report(arguments: &[&str]) -> (i32, Value) {
    let out = simulate(&[arguments, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&out.stderr);
    let report = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{errors}"));
    (out.status.code().expect("no signal"), report)
}

/// What a run says that could not be one.
fn unable(arguments: &[&str]) -> String {
    let out = simulate(arguments);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{arguments:?}: {errors}");
    assert!(out.stdout.is_empty(), "{arguments:?}");
    errors
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

/// Limits that any machine holds, so that the exit code says something.
const EASY: [&str; 4] = [
    "--set",
    "limits.speech_end_to_response_p99_ms=5000",
    "--set",
    "limits.speech_start_to_forward_p95_ms=5000",
];

#[test]
fn callers_are_heard_answered_and_understood() {
    let served = Served::of(&["voice_assistant"]);
    let arguments =
        ["voice_assistant", "--to", &served.url, "--sessions", "4", "--duration", "12s", "--aligned"];
    let (code, report) = report(&[&arguments[..], &EASY].concat());
    let verdict = report["verdict"].as_str().expect("a word");
    // A machine with other work may be late itself, and says so.
    let expected = if verdict == "invalid" { 2 } else { i32::from(verdict != "ok") };
    assert_eq!(code, expected, "{report:#}");
    assert!(verdict == "ok" || report["noisy"] == true, "{report:#}");

    assert_eq!(
        (&report["to"], &report["transport"]),
        (&Value::from(served.url.as_str()), &Value::from("websocket"))
    );
    assert_eq!((&report["clock"], &report["scene"]), (&Value::from("wall"), &Value::from("voice_assistant")));
    for absent in ["nodes", "services", "tick_stats", "cost", "event_hash"] {
        assert!(report.get(absent).is_none(), "{absent}");
    }
    let judged: Vec<&str> =
        report["limits"].as_array().expect("a list").iter().filter_map(|l| l["name"].as_str()).collect();
    assert!(
        judged.contains(&"speech_end_to_response_p99_ms") && judged.contains(&"premature_ratio"),
        "{judged:?}"
    );
    let others = report["not_judged"].as_array().expect("a list");
    assert!(
        others.contains(&"silence_to_processing_p95_ms".into()) && others.contains(&"dropped_frames".into())
    );

    let turns = &report["turns"];
    let sounded = count(&turns["answered"]) + count(&turns["premature"]);
    assert!(count(&turns["utterances"]) >= 4 && sounded >= 4, "{turns}");
    let response = &report["latency_ms"]["speech_end_to_response"];
    assert_eq!(response["count"], turns["answered"]);
    assert_eq!(report["segments"]["open_at_end"], 0);
    // Four callers of 600 chunks; the last may fall on the very end.
    let sent = count(&report["frames"]["in"]);
    assert!((2_390..=2_400).contains(&sent) && count(&report["frames"]["out"]) > 0, "{}", report["frames"]);
    let messages = &report["messages"];
    assert_eq!(messages["sent"], messages["acked"]);
    assert!(count(&messages["receipts"]) >= count(&report["segments"]["opened"]), "{messages}");
    let callers = &report["callers"];
    assert_eq!((count(&callers["opened"]), count(&callers["ended"])), (4, 4), "{callers}");
    // The words went there as parameters, and came back as transcripts.
    let rate = report["recognition"]["word_error_rate"].as_f64().expect("words were said");
    assert!(rate < 0.2, "{}", report["recognition"]);
}

#[test]
fn what_passes_through_comes_back_whole() {
    let served = Served::of(&["gate_only", "passthrough"]);
    let easy = ["--set", "limits.frame_in_to_out_p99_ms=2000"];
    let (_, report) = report(
        &[
            &[
                "passthrough",
                "--to",
                &served.url,
                "--model",
                "passthrough",
                "--sessions",
                "3",
                "--duration",
                "5s",
            ],
            &easy[..],
        ]
        .concat(),
    );
    let frames = &report["frames"];
    assert_eq!(frames["samples_sent"], frames["samples_received"], "{frames}");
    let there = &report["latency_ms"]["frame_in_to_out"];
    assert!(count(&there["count"]) > 500 && there["p99"].as_f64().is_some_and(|ms| ms > 0.0), "{there}");
    assert_eq!(report["not_judged"], Value::from(vec!["dropped_frames"]));
    // Another scene than the callers are for.
    let told = unable(&["passthrough", "--to", &served.url, "--sessions", "1", "--duration", "1s"]);
    assert!(told.contains("`gate_only`") && told.contains("--model"), "{told}");
}

#[test]
fn callers_without_a_place_make_the_verdict_over() {
    let served = Served::of(&["passthrough", "--max-sessions", "2"]);
    let easy = ["--set", "limits.frame_in_to_out_p99_ms=2000"];
    let run = ["passthrough", "--to", &served.url, "--sessions", "5", "--duration", "2s"];
    let (code, report) = report(&[&run[..], &easy].concat());
    assert_eq!(report["callers"]["refused"]["503 capacity"], 3, "{report:#}");
    assert_eq!(report["callers"]["opened"], 2);
    if report["verdict"] != "invalid" {
        assert_eq!((code, &report["verdict"]), (1, &Value::from("over")), "{report:#}");
    }
    let table = simulate(&[&run[..], &easy].concat());
    let table = String::from_utf8_lossy(&table.stdout);
    assert!(table.contains("3 callers refused: 503 capacity") && table.contains("2 of 5"), "{table}");
}

#[test]
fn what_cannot_be_one_says_where_and_what_would_do() {
    let served = Served::of(&["passthrough"]);
    let run = |more: &[&'static str], to: &str| {
        unable(&[&["passthrough", "--sessions", "2", "--duration", "1s", "--to", to], more].concat())
    };
    let cases = [
        (run(&[], "ws://127.0.0.1:1"), ["ws://127.0.0.1:1", "mynah serve"]),
        (run(&[], "127.0.0.1:8080"), ["127.0.0.1:8080", "expected ws://HOST:PORT"]),
        (run(&["--key-env", "MYNAH_NO_SUCH_KEY"], &served.url), ["MYNAH_NO_SUCH_KEY", "set it"]),
        (run(&["--html", "report.html"], &served.url), ["--to", "--html"]),
    ];
    for (told, words) in cases {
        assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
    }
    let without = simulate(&["passthrough", "--model", "x"]);
    assert!(String::from_utf8_lossy(&without.stderr).contains("--to"));
}

#[test]
fn a_model_that_is_not_there_is_named_with_those_that_are() {
    let file = std::env::temp_dir().join(format!("mynah-serve-load-{}.toml", std::process::id()));
    std::fs::write(&file, "[models]\nmine = \"passthrough\"\n").expect("a temporary file");
    let served = Served::of(&["--config", file.to_str().expect("a path of text")]);
    std::fs::remove_file(&file).expect("it was read");
    let told = unable(&[
        "passthrough",
        "--sessions",
        "2",
        "--duration",
        "1s",
        "--to",
        &served.url,
        "--model",
        "other",
    ]);
    assert!(told.contains("404") && told.contains("`other`") && told.contains("mine"), "{told}");
}
