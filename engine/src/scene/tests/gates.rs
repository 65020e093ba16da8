//! A scene has one node that decides what is speech.
use super::*;

/// Nodes and edges beside those of [`SCENE`], and what each finding points at and says first.
type Case = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    (
        "in a row",
        r#"(id: "far", kind: Gate())"#,
        r#"("gate.audio", "far"), ("far.audio", "asr")"#,
        &[("\"far\"", "`far` decides what is speech, and so does `gate`")],
    ),
    (
        "side by side into one recogniser",
        r#"(id: "beside", kind: Gate())"#,
        r#"("resample", "beside"), ("beside.audio", "asr")"#,
        &[("\"beside\"", "`beside` decides what is speech, and so does `gate`")],
    ),
    (
        "side by side, for its notices alone",
        r#"(id: "beside", kind: Gate())"#,
        r#"("resample", "beside"), ("beside.notices", "output")"#,
        &[("\"beside\"", "`beside` decides what is speech, and so does `gate`")],
    ),
    (
        "behind the answer, which is of the same session",
        r#"(id: "behind", kind: Gate())"#,
        r#"("tts", "behind"), ("behind.audio", "output")"#,
        &[("\"behind\"", "`behind` decides what is speech, and so does `gate`")],
    ),
    (
        "each further one is told",
        r#"(id: "b", kind: Gate()), (id: "c", kind: Gate())"#,
        r#"("resample", "b"), ("b.audio", "asr"), ("resample", "c"), ("c.audio", "asr")"#,
        &[
            ("\"b\"", "`b` decides what is speech, and so does `gate`"),
            ("\"c\"", "`c` decides what is speech, and so does `gate`"),
        ],
    ),
    (
        "what decides nothing may come as often as it likes",
        r#"(id: "b", kind: Resample(rate_hz: 16000)), (id: "c", kind: Burst(frames: 2))"#,
        r#"("resample", "b"), ("b", "asr"), ("resample", "c"), ("c", "asr")"#,
        &[],
    ),
];

#[test]
fn a_second_gate_is_refused_where_it_stands() {
    let mut failed = Vec::new();
    for (what, nodes, edges, wanted) in CASES {
        let text =
            changed("    ],\n    edges: [\n", &format!("        {nodes},\n    ],\n    edges: [\n{edges},\n"));
        let found = findings(&text, &[]);
        let said: Vec<(&str, &str)> =
            found.iter().map(|one| (one.place.excerpt(), one.title.as_str())).collect();
        if said != *wanted {
            failed.push(format!("{what}:\n{}", Diagnostics(found)));
        }
    }
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n\n"));
}

#[test]
fn the_refusal_gives_the_reason_and_the_remedy() {
    let text = changed(r#"kind: Call(service: "asr")"#, "kind: Gate()");
    let found = Diagnostics(findings(&text, &[])).to_string();
    for part in ["second gate", "first gate", "counted by session", "help: keep one gate"] {
        assert!(found.contains(part), "{part} is not in\n{found}");
    }
}
