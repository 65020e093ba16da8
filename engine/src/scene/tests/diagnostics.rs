//! Every finding: what it says, and the text it points at.
use super::*;

/// Replaced text, its replacement, then for each finding the excerpt under the caret and parts of the rendering.
pub(super) type Case = (&'static str, &'static str, &'static [(&'static str, &'static [&'static str])]);

/// Runs the cases and prints every failing row.
pub(super) fn check(cases: &[Case]) {
    let mut failed = Vec::new();
    for (from, to, wanted) in cases {
        let found = findings(&changed(from, to), &[]);
        let fits = found.len() == wanted.len()
            && found.iter().zip(*wanted).all(|(one, (excerpt, parts))| {
                let shown = one.render(Rendering::Plain);
                one.place.excerpt() == *excerpt && parts.iter().all(|part| shown.contains(part))
            });
        if !fits {
            failed.push(format!("{from:?} -> {to:?}\n{}", Diagnostics(found)));
        }
    }
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n\n"));
}

#[test]
fn the_scene_of_the_tests_is_right() {
    assert_eq!(findings(SCENE, &[]), []);
}

#[test]
fn a_finding_looks_like_rustc() {
    let found = findings(&changed(r#"("asr", "tts")"#, r#"("asr", "tss")"#), &[]);
    let wanted = r#"error: the edge names no node: `tss`
  --> scene.ron:26:17
   |
26 |         ("asr", "tss"),
   |                 ^^^^^ no node has this id
   |
   = help: did you mean `tts`? nodes are: `resample`, `gate`, `asr`, `tts`, `notes`, `output`"#;
    assert_eq!(Diagnostics(found.clone()).to_string(), wanted);
    assert_eq!(found[0].place.to_string(), "scene.ron:26:17");
    assert!(found[0].render(Rendering::Styled).contains("\u{1b}["), "colours");
}

#[test]
fn values_that_do_not_parse() {
    check(&[
        (
            "period_ms: 5",
            "period_ms: \"x\"",
            &[("\"x\"", &["`tick.period_ms`: expected a whole number, found `\"x\"`"])],
        ),
        ("period_ms: 5", "period_ms: 5.5", &[("5.5", &["expected a whole number, found `5.5`"])]),
        ("period_ms: 5", "period_ms: -5", &[("-5", &["expected a number from 0 up, found `-5`"])]),
        ("period_ms: 5", "period_ms: 99999999999", &[("99999999999", &["expected a smaller number"])]),
        ("\"assistant\"", "assistant", &[("assistant", &["`name`: expected a string in double quotes"])]),
        ("(period_ms: 5)", "5", &[("5", &["`tick`: expected fields in parentheses"])]),
        ("(period_ms: 5)", "[5]", &[("[5]", &["`tick`: expected fields in parentheses"])]),
        ("threshold: 0.9", "threshold: \"hi\"", &[("\"hi\"", &["`gate.threshold`: expected a number"])]),
        (
            "threshold: 0.9",
            "speculate: maybe",
            &[("maybe", &["`gate.speculate`: expected `true` or `false`"])],
        ),
        ("threshold: 0.9", "pads_ms: [1, x]", &[("x", &["`gate.pads_ms.1`: expected a whole number"])]),
        ("threshold: 0.9", "pads_ms: 5", &[("5", &["`gate.pads_ms`: expected a list"])]),
        ("threshold: 0.9", "model: Neural", &[("Neural", &["`gate.model`: expected fields in parentheses"])]),
        (
            "threshold: 0.9",
            "model: (gather_ms: 1)",
            &[("(gather_ms: 1)", &["expected a name, or a name with"])],
        ),
        (
            "dropped_frames: 0",
            "dropped_frames: Some(-3)",
            &[("-3", &["`limits.dropped_frames`: expected a number from"])],
        ),
        (
            "Resample(rate_hz: 16000)",
            "Resample(16000)",
            &[("16000", &["`resample` (Resample): fields are given by name"])],
        ),
        ("RealTime(lead_ms: 40)", "Burst(lead_ms: 4)", &[("(lead_ms: 4)", &["`Burst` has no fields"])]),
        (
            r#"("asr", "tts")"#,
            r#"("asr", "tts", "x")"#,
            &[(r#"("asr", "tts", "x")"#, &["`edges[4]` is no pair"])],
        ),
        (
            r#"("asr", "tts")"#,
            r#"("asr")"#,
            &[(r#"("asr")"#, &["`edges[4]` is no pair of names", "(\"from\", \"to\")"])],
        ),
        (r#"("asr", "tts")"#, r#""asr""#, &[("\"asr\"", &["`edges[4]` is no pair of names"])]),
    ]);
}

#[test]
fn fields_that_are_unknown_missing_or_twice() {
    check(&[
        (
            "period_ms: 5",
            "period_m: 5",
            &[("period_m", &["`tick` has no field", "did you mean `period_ms`?"])],
        ),
        ("period_ms: 5", "period_ms: 5, period_ms: 6", &[("period_ms", &["`period_ms` twice", ":5:26"])]),
        (
            "description:",
            "descripton:",
            &[("descripton", &["the scene has no field", "did you mean `description`"])],
        ),
        ("kind: Speak", "kin: Speak", &[("kin", &["node `tts` has no field `kin`", "did you mean `kind`"])]),
        ("lead_ms: 40", "led_ms: 40", &[("led_ms", &["`session.output.pace` (RealTime) has no field"])]),
        (
            "threshold: 0.9",
            "thresold: 0.9",
            &[("thresold", &["`gate` (Gate) has no field", "did you mean `threshold`"])],
        ),
        (
            "threshold: 0.9",
            "model: Neural(gather: 5)",
            &[("gather", &["`gate.model` (Neural) has no field"])],
        ),
        ("Speak", "Speak(x: 1)", &[("x", &["`tts` (Speak) has no field `x`"])]),
        ("words:", "word:", &[("word", &["`services.asr.output` (Script) has no field", "`words`"])]),
        ("timing:", "timig:", &[("timig", &["`services.asr` has no field", "did you mean `timing`"])]),
        ("limits: (", "limits: (premature: 1, ", &[("premature", &["`limits` has no field"])]),
        ("id: \"tts\", ", "", &[("(kind: Speak)", &["`nodes[3]` lacks the field `id`"])]),
        ("name: \"assistant\",\n", "", &[("(", &["the scene lacks the field `name`", "scene.ron:2:1"])]),
        (
            "Resample(rate_hz: 16000)",
            "Resample",
            &[("Resample", &["lacks the field `rate_hz`", "`Resample(rate_hz: ...)`"])],
        ),
        (
            "Resample(rate_hz: 16000)",
            "Resample()",
            &[("Resample", &["`resample` (Resample) lacks the field `rate_hz`"])],
        ),
        (
            ", p99_ms: 27",
            "",
            &[("LogNormal", &["`services.asr.timing.latency` (LogNormal) lacks the field `p99_ms`"])],
        ),
    ]);
}

#[test]
fn names_nobody_knows() {
    check(&[
        (
            "OnConfirm",
            "OnConfrim",
            &[("OnConfrim", &["`session.output.release` cannot be", "did you mean `OnConfirm`"])],
        ),
        (
            "DropOldest",
            "DropOldst",
            &[("DropOldst", &["`gate.capabilities.overflow_policy` cannot", "`DropOldest`"])],
        ),
        ("LogNormal(", "Normal(", &[("Normal", &["did you mean `LogNormal`"])]),
        (
            "threshold: 0.9",
            "model: Neurl(gather_ms: 5)",
            &[("Neurl", &["`gate.model` cannot be", "`Neural`"])],
        ),
        ("Resample(", "Resampel(", &[("Resampel", &["unknown node kind", "did you mean `Resample`?"])]),
        ("Resample(rate_hz: 16000)", "5", &[("5", &["a node kind is a name"])]),
        ("Script(", "Scirpt(", &[("Scirpt", &["unknown service output", "did you mean `Script`?"])]),
        (
            "limits:",
            "transports: [Htpp],\n    limits:",
            &[("Htpp", &["unknown transport", "did you mean `Http`?"])],
        ),
        (
            "limits:",
            "transports: [Http(port: 1)],\n    limits:",
            &[("port", &["`transports[0]` (Http) has no field"])],
        ),
        (
            "service: \"asr\"",
            "service: \"ars\"",
            &[("\"ars\"", &["`asr` calls the service `ars`", "did you mean `asr`?"])],
        ),
        (
            "services: {",
            "services: { \"x\": (output: Silence, timing: (latency: Fixed(ms: 1))),",
            &[("\"x\"", &["warning: no node calls"])],
        ),
        (
            "services: {",
            "services: { \"asr\": (output: Silence, timing: (latency: Fixed(ms: 1))),",
            &[("\"asr\"", &["two services", "first"])],
        ),
    ]);
}

#[test]
fn text_that_is_no_ron() {
    check(&[
        (")\n", ") x\n", &[("x", &["not RON", "the scene ends before this"])]),
        ("    limits:", "    ]limits:", &[("]", &["not RON"])]),
        ("threshold: 0.9,", "threshold: 0.9", &[("l", &["not RON: expected comma"])]),
        (r#"("asr", "tts"),"#, r#"("asr", "tts")"#, &[("(", &["not RON: expected comma", "scene.ron:27:9"])]),
        ("dropped_frames: 0),\n)\n", "", &[("(", &["not RON", "scene.ron:32:13"])]),
    ]);
}

#[test]
fn values_out_of_range() {
    const MS: &str = "0.001..=60000 ms";
    check(&[
        ("\"assistant\"", "\"\"", &[("\"\"", &["`name` is empty"])]),
        ("period_ms: 5", "period_ms: 0", &[("0", &["`tick.period_ms` is 0", "expected 1..=100 ms"])]),
        ("period_ms: 5", "period_ms: 101", &[("101", &["expected 1..=100 ms"])]),
        ("period_ms: 5", "shards: 0", &[("0", &["expected 1..=4096"])]),
        (
            "rate_hz: 48000",
            "rate_hz: 7999",
            &[("7999", &["`session.input.rate_hz` is 7999", "8000..=192000 Hz"])],
        ),
        ("channels: 1", "channels: 9", &[("9", &["`session.input.channels` is 9", "1..=8"])]),
        ("chunk_ms: 20", "chunk_ms: 1001", &[("1001", &["1..=1000 ms"])]),
        ("lead_ms: 40", "lead_ms: 10001", &[("10001", &["0..=10000 ms"])]),
        (
            "limits:",
            "metrics: (address: \"x\"),\n    limits:",
            &[("\"x\"", &["`metrics.address`", "HOST:PORT"])],
        ),
        (
            "p99_ms: 250",
            "p99_ms: -1",
            &[("-1", &["`limits.speech_end_to_response_p99_ms` is -1", "from 0 up"])],
        ),
        ("limits: (", "limits: (cancelled_ratio: 2,", &[("2", &["`limits.cancelled_ratio` is 2", "0..=1"])]),
        ("p50_ms: 20", "p50_ms: 0", &[("0", &[MS])]),
        ("p50_ms: 20", "p50_ms: -2", &[("-2", &[MS])]),
        ("p99_ms: 27", "p99_ms: NaN", &[("NaN", &["is NaN", MS])]),
        ("p99_ms: 27", "p99_ms: 7", &[("7", &["is 7, below `services.asr.timing.latency.p50_ms`, 20"])]),
        ("parallelism: 64", "parallelism: 0", &[("0", &["1..=1000"])]),
        ("parallelism: 64", "speed: inf", &[("inf", &["0.01..=10000"])]),
        ("parallelism: 64", "batch_item_cost: -1", &[("-1", &["0..=10"])]),
        ("LogNormal(p50_ms: 20, p99_ms: 27)", "Fixed(ms: 0)", &[("0", &["latency.ms", MS])]),
        (
            "queue_capacity: 100",
            "queue_capacity: 0",
            &[("0", &["`gate.capabilities.queue_capacity` is 0", "1..=1000"])],
        ),
        ("queue_capacity: 100", "queue_capacity: 1001", &[("1001", &["1..=1000"])]),
    ]);
}

#[test]
fn values_that_have_no_effect_or_are_no_good_where_they_stand() {
    const MS: &str = "0.001..=60000 ms";
    check(&[
        (
            "kind: Speak",
            "kind: Speak, buffering: (min_batch_size: 9)",
            &[
                ("(min_batch_size: 9)", &["below `tts.buffering.min"]),
                ("(min_batch_size: 9)", &["has no effect"]),
            ],
        ),
        (
            "kind: Speak",
            "kind: Speak, deadline: (budget_ms: 0, policy: GrowBatch(max: 9))",
            &[
                ("0", &["`tts.deadline.budget_ms`", "0.001..=600000 ms"]),
                ("GrowBatch(max: 9)", &["no batches are formed here"]),
            ],
        ),
        (
            "kind: Speak",
            "kind: Speak, buffering: (max_wait_ms: 0)",
            &[("0", &["`tts.buffering.max_wait_ms` is 0", MS]), ("(max_wait_ms: 0)", &["has no effect"])],
        ),
        (
            "kind: Speak",
            "kind: Speak, buffering: (min_batch_size: 4, max_buffer_size: 3)",
            &[
                ("3", &["at least min_batch_size"]),
                ("(min_batch_size: 4, max_buffer_size: 3)", &["no effect"]),
            ],
        ),
    ]);
}

#[test]
fn what_a_node_cannot_be_asked_for() {
    check(&[
        (
            "kind: Speak",
            "kind: Speak, buffering: (merge: ConcatenateAudio(max_gap_ms: 101))",
            &[
                ("101", &["0..=100 ms"]),
                ("(merge: ConcatenateAudio(max_gap_ms: 101))", &["no effect"]),
                ("ConcatenateAudio(max_gap_ms: 101)", &["`tts` takes text, and this joins audio"]),
            ],
        ),
        (
            "kind: Speak",
            "kind: Speak, capabilities: (overflow_policy: MergeOnOverflow), buffering: (merge: ConcatenateAudio())",
            &[(
                "ConcatenateAudio()",
                &["`tts` takes text, and this joins audio", "expected `ConcatenateText()`", "become one"],
            )],
        ),
        (
            "kind: Speak",
            "kind: Speak, capabilities: (parallelizable: false)",
            &[("false", &["`tts` calls no service"])],
        ),
        (
            "kind: Speak",
            "kind: Speak, deadline: (budget_ms: 9, policy: SkipOptional)",
            &[("SkipOptional", &["the node is not optional"])],
        ),
        ("kind: Speak", "kind: Speak, optional: true", &[("true", &["nothing passes it by"])]),
        ("lead_ms: 40)", "lead_ms: 40), interrupt_min_ms: 50", &[("50", &["100..=5000 ms"])]),
        // What the node itself says, at the field it says it of.
        (
            "threshold: 0.9",
            "threshold: 7",
            &[("7", &["`gate.threshold`: 7 is no probability", "0.0..=1.0", "good start"])],
        ),
        ("threshold: 0.9", "pads_ms: [1, 900]", &[("900", &["`gate.pads_ms.1`: too long"])]),
        (
            "threshold: 0.9",
            "model: Neural(gather_ms: 9)",
            &[("9", &["warning: `gate.model.gather_ms`: longer"])],
        ),
    ]);
}

#[test]
fn ids_of_nodes() {
    check(&[
        ("\"notes\"", "\"\"", &[("\"\"", &["id is empty"]), ("\"notes.events\"", &["names no node"])]),
        (
            "id: \"tts\"",
            "id: \"TTS\"",
            &[
                ("\"TTS\"", &["`TTS` is no id"]),
                ("\"tts\"", &["names no node", "did you mean `TTS`"]),
                ("\"tts\"", &["names no node"]),
            ],
        ),
        (
            "id: \"notes\"",
            "id: \"input\"",
            &[("\"input\"", &["cannot be called `input`"]), ("\"notes.events\"", &["names no"])],
        ),
        (
            "id: \"notes\"",
            "id: \"tick\"",
            &[("\"tick\"", &["cannot be called `tick`"]), ("\"notes.events\"", &["names no"])],
        ),
        (
            "id: \"notes\"",
            "id: \"tts\"",
            &[("\"tts\"", &["two nodes are called `tts`", "first"]), ("\"notes.events\"", &["names"])],
        ),
    ]);
}

#[test]
fn edges_that_cannot_be() {
    check(&[
        (
            "\"gate.audio\"",
            "\"gate.adio\"",
            &[("\"gate.adio\"", &["`gate` has no output port `adio`", "did you mean `audio`"])],
        ),
        (
            "\"notes.events\"",
            "\"notes.event\"",
            &[("\"notes.event\"", &["no input port", "did you mean `events`"])],
        ),
        ("\"output\"", "\"output.x\"", &[("\"output.x\"", &["`output` has no ports"])]),
        (
            r#"("tts", "output")"#,
            r#"("tts", "output"), ("tts", "input")"#,
            &[("\"input\"", &["leads into `input`"])],
        ),
        (
            r#"("tts", "output")"#,
            r#"("tts", "output"), ("output", "tts")"#,
            &[("\"output\"", &["comes out of `output`"])],
        ),
        (
            r#"("tts", "output")"#,
            r#"("tts", "output"), ("notes", "output")"#,
            &[("\"notes\"", &["`notes` has no output port"])],
        ),
        (
            r#"("tts", "output")"#,
            r#"("tts", "output"), ("tts", "output")"#,
            &[(r#"("tts", "output")"#, &["given twice", "first", ":27:28"])],
        ),
        (
            r#"("tts", "output")"#,
            r#"("tts", "output"), ("gate.notices", "asr")"#,
            &[(r#"("gate.notices", "asr")"#, &["`gate.notices` sends event, `asr` takes audio"])],
        ),
    ]);
}

#[test]
fn graphs_that_cannot_be() {
    check(&[
        (
            r#"("asr", "tts")"#,
            r#"("asr", "tts"), ("tts", "gate")"#,
            &[(r#"("tts", "gate")"#, &["loop: gate -> asr -> tts -> gate"])],
        ),
        (
            r#"("asr", "tts")"#,
            r#"("asr", "tts"), ("resample", "resample")"#,
            &[(r#"("resample", "resample")"#, &["loop: resample -> resample"])],
        ),
        (
            r#"("tts", "output")"#,
            r#"("tts", "output"), ("resample", "output"), ("input", "output")"#,
            &[(
                r#"("input", "output")"#,
                &["two formats meets at `output`: 16000 Hz mono and 48000 Hz mono"],
            )],
        ),
        (
            r#"        ("input", "resample"),"#,
            "",
            &[
                ("\"resample\"", &["nothing reaches node `resample`"]),
                ("[", &["no path leads from `input` to `output`"]),
            ],
        ),
        (
            r#"        ("tts", "output"),"#,
            "",
            &[("\"tts\"", &["warning: the output of node `tts` goes nowhere"]), ("[", &["no path leads"])],
        ),
        (
            r#"("resample", "gate")"#,
            r#"("input", "gate")"#,
            &[
                ("\"resample\"", &["warning: the output of node `resample`"]),
                ("Gate", &["`gate` (Gate): audio must arrive with 16000 Hz", "resample before"]),
            ],
        ),
    ]);
}

#[test]
fn queues_that_drop_hold_a_burst() {
    let text = changed("Resample(rate_hz: 16000)", "Burst(frames: 101)");
    let found = findings(&text, &["session.input.rate_hz=16000"]);
    let shown = Diagnostics(found.clone()).to_string();
    assert!(
        shown.contains("the queue of `gate` holds 100 frames, `resample` sends up to 101 at once"),
        "{shown}"
    );
    assert_eq!((found.len(), found[0].place.excerpt()), (1, "100"));
    let fitting = ["session.input.rate_hz=16000", "gate.capabilities.queue_capacity=101"];
    assert_eq!(findings(&text, &fitting), []);
    let waiting = ["session.input.rate_hz=16000", "gate.capabilities.overflow_policy=Block"];
    assert_eq!(findings(&text, &waiting), [], "a burst stands outside a queue whose senders wait");
}

#[test]
fn settings_without_effect_are_said_to_be() {
    let found = findings(SCENE, &["tts.buffering=(max_batch_size: 4)"]);
    let titles: Vec<_> = found.iter().map(|f| f.title.as_str()).collect();
    assert_eq!(titles, ["`tts.buffering` has no effect"]);
}

#[test]
fn counts_are_bounded() {
    let many: String = (0..60).map(|index| format!("(id: \"n{index}\", kind: Collect),")).collect();
    let shown = Diagnostics(findings(&changed("nodes: [", &format!("nodes: [{many}")), &[])).to_string();
    assert!(shown.contains("the scene has 65 nodes, at most 64"), "{shown}");
    let nodes: String = (0..4).map(|index| format!("(id: \"n{index}\", kind: Collect),")).collect();
    let edges: String = (0..4).map(|index| format!("(\"gate\", \"n{index}\"),")).collect();
    let text =
        changed("nodes: [", &format!("nodes: [{nodes}")).replace("edges: [", &format!("edges: [{edges}"));
    let found = findings(&text, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].title, "`gate` has 6 targets, at most 4 are possible");
}

#[test]
fn all_findings_come_at_once() {
    let text = changed("Resample(", "Resampel(")
        .replace("threshold: 0.9", "threshold: 9")
        .replace("\"gate.audio\"", "\"gat.audio\"")
        .replace("period_ms: 5", "period_ms: 0")
        .replace("words: 3", "words: -3");
    let titles: Vec<String> = findings(&text, &[]).into_iter().map(|one| one.title).collect();
    assert_eq!(
        titles,
        [
            "`tick.period_ms` is 0, expected 1..=100 ms",
            "unknown node kind `Resampel`",
            "`services.asr.output.words`: expected a number from 0 up, found `-3`",
            "the edge names no node: `gat`",
            "`gate.threshold`: 9 is no probability",
        ]
    );
}

#[test]
fn places_count_characters_and_survive_odd_text() {
    let text = changed("// A voice assistant in small.", "// ähm 漢字")
        .replace("description: \"audio in", "description: \"äö 漢\", tic: \"");
    let found = findings(&text.replace('\n', "\r\n"), &[]);
    assert_eq!(found[0].place.to_string(), "scene.ron:4:26", "{found:?}");
    assert_eq!(found[0].place.excerpt(), "tic");
    let odd =
        "(name: \"x\", nodes: [(id: \"a\u{1b}[31m\", kind: Speak)], edges: [(\"b\u{1b}[31m\", \"output\")])";
    let found = findings(odd, &[]);
    assert!(!Diagnostics(found).to_string().contains('\u{1b}'), "no control characters reach the terminal");
}
