//! Reports side by side: what is real, what is noise, what fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare").join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn mynah(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(line.split(' '))
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program was built");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (status.code(), text(stdout), text(stderr))
}

/// A report as small as one can be, with these figures.
fn report(seed: u64, p99_ms: f64, cpu_s: f64) -> Value {
    json!({
        "schema": 1, "version": "0.1.0", "scene": "small", "scene_hash": "0", "set": [], "load": "synthesized",
        "seed": seed, "clock": "virtual", "sessions": 8, "duration_s": 16.0, "cpu_features": [], "verdict": "ok",
        "noisy": false,
        "latency_ms": {"frame_in_to_out": {"count": 9, "p50": 5.0, "p95": 8.0, "p99": p99_ms, "max": p99_ms}},
        "segments": {"opened": 4, "cancelled": {"too_short": 1}}, "turns": {"answered": 3}, "frames": {"in": 100},
        "nodes": [{"id": "gate", "in": 9, "out": 9, "work_us": 100_000, "queue": {"depth_max": 2, "dropped": 0}}],
        "tick_stats": {"work_us": {"p50": 10, "p95": 20, "p99": 1_000}, "overruns": 0},
        "cost": {"cpu_s": cpu_s, "session_s_per_cpu_s": 128.0 / cpu_s, "allocations_per_tick": 1.0,
                 "bytes_per_session": 10_000.0},
    })
}

/// Compares what is in two files with these reports: exit code and comparison.
fn compare(folder: &Path, a: &[Value], b: &[Value], flags: &str) -> (Option<i32>, Value) {
    for (name, reports) in [("a.json", a), ("b.json", b)] {
        let text: String = reports.iter().map(|report| format!("{report}\n")).collect();
        fs::write(folder.join(name), text).expect("the folder can be written");
    }
    let (code, out, err) = mynah(folder, &format!("compare a.json b.json --json{flags}"));
    (code, serde_json::from_str(&out).unwrap_or(Value::String(err)))
}

fn row<'a>(comparison: &'a Value, name: &str) -> &'a Value {
    let rows = comparison["figures"].as_array().expect("there are figures");
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {comparison}"))
}

const LATENCY: &str = "latency_ms.frame_in_to_out.p99";

#[test]
fn one_report_a_side_modelled_figures_are_real_and_costs_are_noisy() {
    let folder = folder("single");
    // Latency and CPU of the second side; the first has 100 ms and 10 s.
    let cases = [
        (100.0, 10.0, "same", "same", 0),
        (101.5, 10.0, "worse", "same", 0),
        (112.0, 10.0, "worse", "same", 1),
        (88.0, 10.0, "better", "same", 0),
        // Nearer than anybody would notice.
        (100.9, 10.1, "same", "same", 0),
        (100.0, 12.0, "same", "noise", 0),
        (100.0, 13.0, "same", "worse", 1),
        (100.0, 7.0, "same", "better", 0),
    ];
    let mut wrong = Vec::new();
    for (p99_ms, cpu_s, latency, cost, code) in cases {
        let (a, b) = (report(1, 100.0, 10.0), report(1, p99_ms, cpu_s));
        let (got, comparison) = compare(&folder, &[a], &[b], " --fail-on-regression 10");
        let changes = [LATENCY, "cost.cpu_s"].map(|name| row(&comparison, name)["change"].clone());
        if got != Some(code) || changes != [latency, cost] {
            wrong.push(format!(
                "{p99_ms} ms, {cpu_s} s: {got:?} {changes:?}, expected {code} {latency} {cost}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_percentage_is_a_matter_of_the_flag_and_without_it_nothing_fails() {
    let folder = folder("percent");
    let (a, b) = (report(1, 100.0, 1.0), report(1, 107.0, 1.0));
    let cases = [
        ("", 0),
        (" --fail-on-regression", 1),
        (" --fail-on-regression 6", 1),
        (" --fail-on-regression 8%", 0),
    ];
    for (flags, code) in cases {
        let (got, comparison) = compare(&folder, std::slice::from_ref(&a), std::slice::from_ref(&b), flags);
        assert_eq!(got, Some(code), "{flags}: {comparison}");
    }
}

#[test]
fn several_seeds_show_what_is_noise() {
    let folder = folder("seeds");
    let side = |values: [f64; 3]| -> Vec<Value> {
        (1..).zip(values).map(|(seed, p99_ms)| report(seed, p99_ms, 1.0)).collect()
    };
    let a = side([100.0, 200.0, 300.0]);
    // Every seed is slower by a tenth, although the sides overlap.
    let (code, comparison) = compare(&folder, &a, &side([110.0, 220.0, 336.0]), " --fail-on-regression 5");
    let slower = row(&comparison, LATENCY);
    assert_eq!((code, &slower["change"]), (Some(1), &"worse".into()), "{slower}");
    let ratios = ["ratio", "ratio_min", "ratio_max"].map(|name| slower[name].as_f64().expect("a ratio"));
    for (got, expected) in ratios.into_iter().zip([1.1, 1.1, 1.12]) {
        assert!((got - expected).abs() < 1e-9, "{slower}");
    }
    // One seed is faster: that is no regression, however slow the others are.
    let (code, comparison) = compare(&folder, &a, &side([90.0, 260.0, 390.0]), " --fail-on-regression 5");
    assert_eq!((code, &row(&comparison, LATENCY)["change"]), (Some(0), &"noise".into()));
    // In another order they are matched all the same.
    let mut turned = side([110.0, 220.0, 330.0]);
    turned.reverse();
    let (_, comparison) = compare(&folder, &a, &turned, "");
    assert_eq!(
        (&comparison["paired"], &row(&comparison, LATENCY)["change"]),
        (&true.into(), &"worse".into())
    );
    // Other seeds cannot be matched: 1.1 times as slow is nothing where values move by a factor of three.
    let others: Vec<Value> = (7..).zip([110.0, 220.0, 330.0]).map(|(s, ms)| report(s, ms, 1.0)).collect();
    let (_, comparison) = compare(&folder, &a, &others, "");
    assert_eq!(
        (&comparison["paired"], &row(&comparison, LATENCY)["change"]),
        (&false.into(), &"noise".into())
    );
}

#[test]
fn stopwatches_fail_only_what_they_measured_several_times() {
    let folder = folder("stopwatch");
    let slow = |seed| {
        let mut slow = report(seed, 100.0, 1.0);
        slow["tick_stats"]["work_us"]["p99"] = 3_000.into();
        slow
    };
    let name = "tick_stats.work_us.p99";
    let (code, comparison) = compare(&folder, &[report(1, 100.0, 1.0)], &[slow(1)], " --fail-on-regression");
    assert_eq!((code, &row(&comparison, name)["change"]), (Some(0), &"worse".into()));
    let several: Vec<Value> = (1..=3).map(|seed| report(seed, 100.0, 1.0)).collect();
    let slower: Vec<Value> = (1..=3).map(slow).collect();
    let (code, comparison) = compare(&folder, &several, &slower, " --fail-on-regression");
    assert_eq!((code, &comparison["regressions"]), (Some(1), &json!([name])), "{comparison}");
}

#[test]
fn what_differs_beside_the_figures_is_said() {
    let folder = folder("warnings");
    let a = report(1, 100.0, 1.0);
    let mut b = a.clone();
    b["scene"] = "other".into();
    b["load"] = "recordings x".into();
    b["sessions"] = 9.into();
    b["clock"] = "wall".into();
    b["noisy"] = true.into();
    b["nodes"] = json!([]);
    let (code, comparison) = compare(&folder, &[a], &[b], "");
    assert_eq!(code, Some(0));
    let warnings = comparison["warnings"].to_string();
    for part in [
        "scene differs: small (A), other (B)",
        "load differs",
        "sessions differs: 8 (A), 9 (B)",
        "B is noisy",
        "wall clock",
    ] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    assert_eq!(row(&comparison, "nodes.gate.in")["change"], "one_sided");
    let (_, text, _) = mynah(&folder, "compare a.json b.json");
    for part in
        ["A: a.json (1 report, scene small, 8 sessions x 16.0 s", "warning: B is noisy", "only on one side"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_no_report_is_refused() {
    let folder = folder("refused");
    let fits = report(1, 100.0, 1.0);
    fs::write(folder.join("good.json"), fits.to_string()).expect("the folder can be written");
    let mut schema = fits.clone();
    schema["schema"] = 2.into();
    let cases = [
        (schema.to_string(), "report 1: schema 2; this mynah compares schema 1"),
        (format!("{fits}\n{{}}"), "report 2: no report of a simulation"),
        (format!("{fits}\n{{\"a\":"), "bad.json:2:5: EOF"),
        (String::new(), "bad.json: no report"),
        ("[1]".into(), "no report of a simulation"),
    ];
    for (text, said) in cases {
        fs::write(folder.join("bad.json"), &text).expect("the folder can be written");
        for line in ["compare good.json bad.json", "compare bad.json good.json"] {
            let (code, _, err) = mynah(&folder, line);
            assert!(code == Some(2) && err.contains(said), "{text}\n{code:?} {err}");
        }
    }
    let (code, _, err) = mynah(&folder, "compare good.json nowhere.json");
    assert!(code == Some(2) && err.contains("nowhere.json: No such file"), "{err}");
    let (code, _, err) = mynah(&folder, "compare --fail-on-regression good.json good.json");
    assert!(code == Some(2) && err.contains("--fail-on-regression=5"), "{err}");
}

#[test]
fn a_run_is_kept_and_the_next_one_held_against_it() {
    let folder = folder("baseline");
    let run = "simulate voice_assistant --sessions 2 --duration 14s";
    let (code, _, err) = mynah(&folder, &format!("{run} --save-baseline main.json"));
    assert!(code.is_some() && err.is_empty(), "{err}");
    let verdict = code;
    // Modelled figures repeat exactly, so against itself nothing is worse but perhaps what the machine decides.
    let (code, out, err) = mynah(&folder, &format!("{run} --baseline main.json --fail-on-regression 900"));
    assert_eq!(code, verdict, "{out}\n{err}");
    assert!(out.contains("verdict: ") && out.contains("B: this run (1 report"), "{out}");
    // Slower services: the answer comes later.
    let slow =
        format!("{run} --set services.asr.timing.scale=20 --baseline main.json --fail-on-regression --json");
    let (code, out, err) = mynah(&folder, &slow);
    assert_eq!(code, Some(1), "{out}\n{err}");
    serde_json::from_str::<Value>(&out).expect("stdout is the report alone");
    for part in ["regression: latency_ms.speech_end_to_response.p50", "set differs"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    // What cannot be compared is refused, with what is different.
    let (code, _, err) =
        mynah(&folder, "simulate voice_assistant --sessions 3 --duration 14s --baseline main.json");
    assert!(code == Some(2) && err.contains("sessions is 2 there and 3 here"), "{code:?} {err}");
    let (code, _, err) = mynah(&folder, &format!("{run} --baseline nowhere.json"));
    assert!(code == Some(2) && err.contains("--save-baseline FILE"), "{code:?} {err}");
    let (code, _, err) = mynah(&folder, &format!("{run} --fail-on-regression"));
    assert!(code == Some(2) && err.contains("--baseline"), "{code:?} {err}");
    let (code, _, err) = mynah(&folder, &format!("{run} --save-baseline no/main.json"));
    assert!(code == Some(2) && err.contains("--save-baseline no/main.json"), "{code:?} {err}");
}
