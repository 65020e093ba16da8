//! Nodes without control messages: what waits before them is cleared all the same, what they work on they finish, and it
//! is dropped at the output. They are told of the end of their session, and of nothing else.

#[path = "support/kinds/ask.rs"]
mod ask;
#[path = "support/guarded/mod.rs"]
mod guarded;
#[path = "support/kinds/narrator.rs"]
mod narrator;
#[allow(dead_code, reason = "every test uses its own part of it")]
#[path = "support/program.rs"]
mod program;

use std::process::Command;
use std::sync::Arc;

use bevy_ecs::prelude::Component;
use guarded::{Case, simulate};
use mynah_engine::base::SegmentKey;
use mynah_engine::media::{Payload, Queue};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, ReadyContext, SessionContext, StepNode};
use mynah_engine::scene::{
    Format, Issue, NodeCapabilities, OverflowPolicy, Override, Port, PortType, Source, Tick, compile,
};
use mynah_engine::speech::{CancelScope, Cancellation};
use mynah_engine::{DropReason, Engine, EngineConfig, Event, Frame, Out, Registry, SessionSpec};
use serde::Deserialize;

const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];

/// Says in a text of its own which cancellations it is told of. What comes in its first 50 ms waits.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Told {}

#[derive(Component)]
struct Nothing;

impl NodeKind for Told {
    const NAME: &'static str = "Told";
    type State = Nothing;

    fn inputs(&self) -> &[Port] {
        TEXT
    }
    fn outputs(&self) -> &[Port] {
        TEXT
    }
    fn check(&self, _: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        None
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            queue_capacity: 100,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, _: &SessionContext) -> Result<Nothing, String> {
        Ok(Nothing)
    }
}

impl StepNode for Told {
    fn step(&self, _: &mut Nothing, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        cx.send(0, frame);
    }
    fn ready(&self, _: &Nothing, _: &Queue, look: ReadyContext<'_>) -> bool {
        look.now.us >= 50_000
    }
    fn control(&self, _: &mut Nothing, cancellation: &Cancellation, cx: &mut NodeContext<'_>, _: NodePlace) {
        let text = match cancellation.scope {
            CancelScope::Session => return,
            scope => format!("{scope:?}"),
        };
        let frame = Frame {
            payload: Payload::Text(text.into()),
            pts_us: 0,
            arrived_us: cx.now.us,
            queued_us: cx.now.us,
            deadline_us: 0,
            session: cancellation.session,
            segment: SegmentKey::default(),
            revision: 0,
            turn: 0,
            seq: 0,
        };
        cx.send(0, frame);
    }
}

fn registry() -> Registry {
    let mut registry = narrator::registry();
    registry.add::<Told>();
    registry
}

const SCENE: &str = r#"(
    name: "untold",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Narrator(lines: [
            (10, Say(1, 0, "one")), (10, Say(2, 0, "two")), (20, Cancel(2)), (60, Say(3, 0, "three")),
        ])),
        (id: "told", kind: Told()),
    ],
    edges: [("input", "prompter"), ("prompter", "told"), ("told", "output")],
)"#;

/// The texts that come out, and whether the log says that a text was cancelled before the second node.
fn heard(set: Option<&str>) -> (Vec<String>, bool) {
    let sets: Vec<Override> = set.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let compiled = compile(&Source::new("untold.ron", SCENE), &sets, None, &registry());
    let (plan, warnings) = compiled.unwrap_or_else(|found| panic!("{found:?}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    let mut engine =
        Engine::new(Arc::new(plan), EngineConfig { shards: Some(1), ..EngineConfig::simulated() });
    let session = engine.handle().open(SessionSpec::named("caller")).expect("there is room");
    let (mut texts, mut cancelled) = (Vec::new(), false);
    for tick in 0..40 {
        engine.tick(tick * 5_000);
        while let Some(out) = session.poll() {
            if let Out::Text { text, .. } = out {
                texts.push(text.to_string());
            }
        }
        cancelled |= engine.records().iter().any(|record| {
            matches!(&record.event, Event::FrameDropped { node, reason: DropReason::Cancelled, .. } if node.0 == 1)
        });
    }
    (texts, cancelled)
}

#[test]
fn a_node_without_control_messages_is_told_of_no_correction_and_its_queue_is_cleared() {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(heard(None), (texts(&["Segment { segment: 2 }", "one", "three"]), true));
    let untold = heard(Some("told.capabilities.supports_control_messages=false"));
    assert_eq!(untold, (texts(&["one", "three"]), true));
}

const OFF: [&str; 6] = ["resample_in", "asr", "reply", "text_collector", "tts", "resample_out"];

fn off(node: &str) -> String {
    format!("{node}.capabilities.supports_control_messages=false")
}

#[test]
fn nothing_void_comes_out_and_all_is_accounted_for_without_control_messages() {
    let all: Vec<String> = OFF.map(off).into();
    let single = OFF.map(|node| vec![off(node)]);
    let mut wrong = Vec::new();
    for sets in single.iter().chain([&all]) {
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        for seed in [1, 2] {
            let case = Case { seed, ..Case::of("voice_assistant", &sets, 6, 20) };
            let verdict = simulate(&case);
            wrong.extend(verdict.words.iter().map(|words| format!("{}: {words}", case.command())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Work that was taken back is finished, and its output dropped: more of it than where every node lets go at once.
#[test]
fn what_was_taken_back_is_finished_and_dropped_at_the_output() {
    let voice = |sets: &[String]| {
        let flags: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let run = ["voice_assistant", "--sessions", "8", "--duration", "20s"];
        let report = program::simulate(&[&run[..], &flags].concat());
        let of = |id: &str| {
            let nodes = report["nodes"].as_array().expect("nodes");
            let node = nodes.iter().find(|node| node["id"] == id).expect("a node of the scene");
            (node["in"].as_u64().expect("a count"), node["out"].as_u64().expect("a count"))
        };
        of("tts")
    };
    let told = voice(&[]);
    let untold = voice(&[off("asr"), off("reply"), off("text_collector"), off("tts")]);
    assert!(untold > told, "the voice made {untold:?} of work that was taken back, {told:?} of what was not");
}

fn mynah(arguments: &str) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(arguments.split_whitespace())
        .output()
        .expect("the program starts");
    let said = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn check_and_graph_show_it_and_refuse_what_would_be_ignored() {
    let gate = "gate.capabilities.supports_control_messages=false";
    let near = "resample_in.deadline=(budget_ms:20,policy:LowerQuality)";
    let cases = [
        (format!("check voice_assistant --set {}", off("tts")), Some(0), "tts: no control messages, so that"),
        (
            format!("graph voice_assistant --set {}", off("tts")),
            Some(0),
            "merge on overflow, no control messages;",
        ),
        (
            format!("check voice_assistant --set {gate}"),
            Some(1),
            "`gate` decides what is speech, and is told of",
        ),
        (
            format!("check voice_assistant --set {near} --set {}", off("resample_in")),
            Some(1),
            "a node without control messages is told of no deadline",
        ),
    ];
    for (line, code, words) in cases {
        let (found, said) = mynah(&line);
        assert!(found == code && said.contains(words), "mynah {line}: {found:?}\n{said}");
    }
    let (_, plain) = mynah("check voice_assistant");
    assert!(!plain.contains("control messages"), "{plain}");
}

/// A kind that says it is told nothing is not told because a scene says so.
#[test]
fn a_scene_that_asks_for_control_messages_of_a_kind_without_them_is_warned() {
    let mut registry = ask::registry();
    let sets = [Override::parse("ask.capabilities.supports_control_messages=true").expect("a setting")];
    let source = Source::new("asking.ron", ask::SCENE);
    let (_, warnings) = compile(&source, &sets, None, registry.add::<Told>()).expect("a warning, no error");
    assert!(
        warnings.iter().any(|found| found.title.contains("supports no control messages")),
        "{warnings:?}"
    );
}
