//! `--set`: every part of a scene can be reached, and what is wrong with a value is said of the argument.
use super::*;

/// The scene as the overrides leave it.
fn scene(sets: &[&str]) -> Scene {
    match compile_text(SCENE, sets) {
        Ok((plan, _)) => plan.scene,
        Err(found) => panic!("{sets:?}\n{found}"),
    }
}

#[test]
fn values_are_replaced_and_inserted_wherever_the_path_leads() {
    type Holds = fn(&Scene) -> bool;
    let cases: &[(&[&str], Holds)] = &[
        (&["gate.threshold=0.5"], |s| s.nodes[1].kind.config == "(threshold: 0.5, label: \"main\")"),
        (&["gate.speculate=false"], |s| {
            s.nodes[1].kind.config.ends_with("label: \"main\", speculate: false)")
        }),
        (&["gate.label=blue-ish"], |s| s.nodes[1].kind.config.contains("label: \"blue-ish\"")),
        (&["gate.label=5"], |s| s.nodes[1].kind.config.contains("label: \"5\"")),
        (&["gate.label=\"a\\\"b\""], |s| s.nodes[1].kind.config.contains("label: \"a\\\"b\"")),
        (&["gate.model=Neural(gather_ms: 4)", "gate.model.gather_ms=3"], |s| {
            s.nodes[1].kind.config.contains("Neural(gather_ms: 3)")
        }),
        (&["gate.pads_ms=[1, 2]", "gate.pads_ms.1=7"], |s| s.nodes[1].kind.config.contains("[1, 7]")),
        (&["gate.capabilities.queue_capacity=7"], |s| {
            s.nodes[1].capabilities.unwrap().queue_capacity == Some(7)
        }),
        (&["tts.capabilities.queue_capacity=7"], |s| {
            s.nodes[3].capabilities.unwrap().queue_capacity == Some(7)
        }),
        (&["tts.capabilities=None", "tts.capabilities.batch_aware=true"], |s| {
            s.nodes[3].capabilities.unwrap().batch_aware == Some(true)
        }),
        (&["tts.buffering.min_batch_size=3"], |s| {
            s.nodes[3].buffering.as_ref().unwrap().min_batch_size == Some(3)
        }),
        (&["tts.buffering.merge=ConcatenateText()"], |s| {
            s.nodes[3].buffering.as_ref().unwrap().merge
                == Some(MergeStrategy::ConcatenateText { separator: " ".into() })
        }),
        (
            &["asr.capabilities=(parallelizable: false)", "asr.deadline=(budget_ms: 5, policy: FlushEarly)"],
            |s| s.nodes[2].deadline.unwrap().budget_ms == 5.0,
        ),
        (&["tick.period_ms=10"], |s| s.tick.period_ms == 10),
        (&["tick.driver=Fixed", "tick.shards=3"], |s| {
            (s.tick.driver, s.tick.shards) == (TickDriver::Fixed, Some(3))
        }),
        (&["tick=(period_ms: 7)"], |s| s.tick == Tick { period_ms: 7, ..Tick::default() }),
        (&["session.input.rate_hz= 44100 "], |s| s.session.input.rate_hz == 44_100),
        (&["session.output.pace=Burst"], |s| s.session.output.pace == Pace::Burst),
        (&["session.output=()", "session.output.pace.lead_ms=80"], |s| {
            s.session.output.pace == Pace::RealTime { lead_ms: 80 }
        }),
        (&["services.asr.timing.speed=2"], |s| s.services["asr"].timing.unwrap().speed == 2.0),
        (&["services.asr.timing.latency=Fixed(ms: 3)"], |s| {
            s.services["asr"].timing.unwrap().latency == Latency::Fixed { ms: 3.0 }
        }),
        (&["services.asr.output.words=9"], |s| s.services["asr"].output.config == "(words: 9)"),
        (&["services.asr.output=Silence"], |s| s.services["asr"].output.name == "Silence"),
        (&["limits.cancelled_ratio=0.5"], |s| s.limits.cancelled_ratio == Some(0.5)),
        (&["limits=()"], |s| s.limits.iter().count() == 0),
        (&["metrics.enabled=true", "metrics.address=0.0.0.0:9"], |s| {
            s.metrics == Metrics { enabled: true, address: "0.0.0.0:9".into() }
        }),
        (&["name=two words"], |s| s.name == "two words"),
        (&["gate.threshold=0.4 // not a comment of the scene"], |s| s.nodes.len() == 5),
        (&["gate.threshold=0.5.x", "gate.threshold=0.3"], |s| s.nodes[1].kind.config.contains("0.3")),
        (&["gate.threshold=7", "tick.shards=2", "gate.threshold=0.3"], |s| {
            s.nodes[1].kind.config.contains("0.3")
        }),
    ];
    let failed: Vec<_> =
        cases.iter().filter(|(sets, holds)| !holds(&scene(sets))).map(|(sets, _)| sets).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_is_wrong_is_said_of_the_argument() {
    // Argument, what the caret stands under, part of the rendering.
    let cases = [
        ("gate.threshold=7", "7", "`gate.threshold`: 7 is no probability"),
        ("gate.threshold=high", "high", "`gate.threshold`: expected a number, found `high`"),
        ("gate.threshold=0.5.x", "0.5.x", "the scene has `0.9` there"),
        ("gate.threshold=)", ")", "it is not RON"),
        ("gate.thresold=0.5", "thresold", "did you mean `threshold`?"),
        ("gate.threshold.x=1", "x", "`gate.threshold` has no fields, it is `0.9`"),
        ("gate.model.gather_ms=5", "model", "`gate.model`: expected a name, or a name with fields"),
        ("gate.model=Neural(gather_ms: 1, x: 2)", "x", "`gate.model` (Neural) has no field `x`"),
        ("gate.capabilities.queue=5", "queue", "`gate.capabilities` has no field `queue`"),
        ("gate=5", "gate", "only its fields can be set"),
        ("gat.threshold=1", "gat", "did you mean `gate`?"),
        ("tts.rate=5", "rate", "`tts` (Speak) has no field `rate`"),
        ("tts.capabilities.queue_capacity=5000", "5000", "expected 1..=1000 frames"),
        ("tick.period=4", "period", "did you mean `period_ms`?"),
        ("tick.driver=fixed", "fixed", "did you mean `Fixed`?"),
        ("tick.shards=0", "0", "1..=4096"),
        ("tick=(period_ms: 500)", "500", "1..=100 ms"),
        ("session.inptu.rate_hz=8000", "inptu", "did you mean `input`?"),
        ("session.output.pace.lead_ms=99999", "99999", "0..=10000 ms"),
        ("services.ars.timing.speed=1", "ars", "did you mean `asr`?"),
        ("services.asr.timing.speed=0", "0", "0.01..=10000"),
        ("asr.service=xyz", "xyz", "calls the service `xyz`"),
        ("limits.a.b=1", "a", "`limits` has no field `a`"),
        ("metrics.address=nowhere", "nowhere", "HOST:PORT"),
        ("edges=[]", "edges", "change it in the file"),
        ("nodes.0.id=x", "nodes", "change it in the file"),
    ];
    for (set, excerpt, part) in cases {
        let found = findings(SCENE, &[set]);
        let first = found.first().unwrap_or_else(|| panic!("{set} is accepted"));
        let shown = first.render(Rendering::Plain);
        assert_eq!(first.place.to_string(), format!("--set {set}"), "{shown}");
        assert_eq!(first.place.excerpt(), excerpt, "{set}\n{shown}");
        assert!(shown.contains(part) && shown.contains(&format!("--set {set}")), "{set}\n{shown}");
    }
}

#[test]
fn a_clash_with_the_file_shows_both_places() {
    let found = findings(SCENE, &["services.asr.timing.latency.p50_ms=99"]);
    let shown = found[0].render(Rendering::Plain);
    assert!(shown.contains("scene.ron:30:") && shown.contains("--set services.asr"), "{shown}");
}

#[test]
fn places_in_the_file_are_those_of_the_file() {
    let text = changed("parallelism: 64", "parallelism: 0");
    let plain = findings(&text, &[]);
    let set = findings(&text, &["description=much longer than before, by far", "gate.pads_ms=[1, 2, 3, 4]"]);
    assert_eq!(plain, set);
    let broken = changed("period_ms: 5", "period_ms 5");
    assert_eq!(findings(&broken, &["gat.x=1"]), findings(&broken, &[]), "the file's own fault comes first");
}

#[test]
fn all_wrong_paths_are_reported() {
    assert_eq!(findings(SCENE, &["gat.x=1", "edges=2", "services.x.y=3"]).len(), 3);
}

#[test]
fn arguments_that_are_no_overrides() {
    for (text, part) in [
        ("gate.threshold", "there is no `=`"),
        ("gate.threshold=", "there is no value"),
        ("gate..x=1", "empty"),
        ("=1", "empty"),
        ("gate x=1", "letters, digits"),
    ] {
        let error = Override::parse(text).expect_err(text).to_string();
        assert!(error.contains(part) && error.contains("PATH=VALUE"), "{error}");
    }
    assert_eq!(Override::parse("a.b=x=y").map(|set| set.path().to_owned()), Ok("a.b".into()));
}
