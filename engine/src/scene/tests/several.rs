//! All that is wrong in one step is said at once, and nothing that is wrong only because something else is.
use super::diagnostics::check;
use super::*;

#[test]
fn every_field_that_does_not_fit_is_told() {
    check(&[
        (
            "threshold: 0.9, label: \"main\"",
            "thresold: 0.9, lable: \"main\"",
            &[
                ("thresold", &["`gate` (Gate) has no field", "did you mean `threshold`?"]),
                ("lable", &["`gate` (Gate) has no field", "did you mean `label`?"]),
            ],
        ),
        (
            "threshold: 0.9, label: \"main\"",
            "thresold: 0.9 /* a, b: ( */, // ä, ö: ]\n speculate: maybe, threshold: 0.8, threshold: 0.7, lable: 1",
            &[
                ("thresold", &["has no field"]),
                ("maybe", &["`gate.speculate`: expected `true` or `false`"]),
                ("threshold", &["twice", ":15:36"]),
                ("lable", &["has no field", ":15:52"]),
            ],
        ),
        // In the node, in its kind, in another section.
        (
            "kind: Gate(threshold: 0.9, label: \"main\"), // the gate\n            capabilities: (queue_capacity: 100,",
            "kind: Gate(thresold: 0.9, lable: \"main\"),\n            capabilites: (), capabilities: (queue_capacty: 1,",
            &[
                ("capabilites", &["node `gate` has no field", "did you mean `capabilities`?"]),
                ("queue_capacty", &["`gate.capabilities` has no field"]),
                ("thresold", &["`gate` (Gate) has no field"]),
                ("lable", &["`gate` (Gate) has no field"]),
            ],
        ),
        (
            "tick: (period_ms: 5)",
            "tick: (period: 5, period_ms: -5), tock: 1",
            &[
                ("period", &["`tick` has no field"]),
                ("-5", &["expected a number from 0 up"]),
                ("tock", &["the scene has no field"]),
            ],
        ),
    ]);
}

#[test]
fn what_is_left_out_is_not_missed() {
    check(&[
        // Required, and meant by the name that nobody knows.
        ("(rate_hz: 16000)", "(rate_zh: 16000)", &[("rate_zh", &["did you mean `rate_hz`?"])]),
        ("(rate_hz: 16000)", "(rate_hz: fast)", &[("fast", &["expected a whole number"])]),
        ("timing:", "timig:", &[("timig", &["did you mean `timing`?"])]),
        // Required, and not there at all: the one has nothing to do with the other.
        (
            "(rate_hz: 16000)",
            "(volume: 3)",
            &[("volume", &["has no field `volume`"]), ("Resample", &["lacks the field `rate_hz`"])],
        ),
    ]);
}

#[test]
fn a_kind_that_nobody_knows_is_one_error() {
    check(&[
        (
            "kind: Gate(threshold: 0.9, label: \"main\")",
            "kind: Loudness(window_ms: 5)",
            &[("Loudness", &["unknown node kind"])],
        ),
        // Two edges from ports that nobody knows are not the same edge.
        (
            "(\"gate.notices\", \"notes.events\")",
            "(\"gate.notices\", \"asr\"), (\"gate.notices\", \"notes.events\")",
            &[("(\"gate.notices\", \"asr\")", &["`gate.notices` sends event"])],
        ),
    ]);
    let twice = SCENE.replace("kind: Gate(threshold: 0.9, label: \"main\")", "kind: Loudness").replace(
        "(\"gate.notices\", \"notes.events\")",
        "(\"gate.level\", \"asr\"), (\"gate.level\", \"asr\")",
    );
    let titles: Vec<String> = findings(&twice, &[]).into_iter().map(|one| one.title).collect();
    assert_eq!(titles, ["unknown node kind `Loudness`", "this edge is given twice"], "as it is written");
    let source = SCENE
        .replace("kind: Gate(threshold: 0.9, label: \"main\")", "kind: Microphone")
        .replace("        (\"resample\", \"gate\"),\n", "")
        .replace(
            "        (\"input\", \"resample\"),\n",
            "        (\"input\", \"resample\"), (\"resample\", \"asr\"),\n",
        );
    let titles: Vec<String> = findings(&source, &[]).into_iter().map(|one| one.title).collect();
    assert_eq!(titles, ["unknown node kind `Microphone`"], "it may need nothing that comes in");
}

#[test]
fn a_bracket_without_its_other_half_is_shown_where_it_stands() {
    check(&[
        (
            "label: \"main\")",
            "label: \"main\"",
            &[("(", &["`(` is not closed", "scene.ron:12:9", "opened here"])],
        ),
        (
            "Resample(rate_hz: 16000)",
            "Resample(rate_hz: 16000",
            &[("(", &["scene.ron:11:9", "expected its closing"])],
        ),
        ("    limits:", "    ]limits:", &[("]", &["`]` closes nothing"])]),
        (
            "dropped_frames: 0),\n)\n",
            "",
            &[("(", &["`(` is not closed", "limits: (speech", "the text ends"])],
        ),
    ]);
}

#[test]
fn an_error_returned_from_main_is_shown_and_not_dumped() {
    let found = Diagnostics(findings(&changed("threshold: 0.9", "thresold: 0.9"), &[]));
    assert_eq!(format!("{found:?}"), found.to_string());
    assert!(found.to_string().contains("did you mean `threshold`?"), "{found}");
    let refused = Override::parse("gate.threshold").unwrap_err();
    assert_eq!(format!("{refused:?}"), refused.to_string());
}
