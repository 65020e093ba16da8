//! A scene in which a host can have a whole tick panic: how two texts of one answer become one is the host's own, runs in
//! the engine's world where the calls of all sessions meet, and nothing contains it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mynah_engine::scene::{Source, compile};
use mynah_engine::{Control, ControlIn, ScenePlan};

/// Audio passes at once. A text is split into sentences for a voice before which one has room: the next is merged.
const SCENE: &str = r#"(
    name: "sick",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "pass", kind: Pass(), capabilities: (queue_capacity: 1000)),
        (id: "gate", kind: VadGate(vad: Energy)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "text_collector", kind: TextCollector()),
        (
            id: "tts",
            kind: Service(service: "tts", task: Synthesize),
            capabilities: (overflow_policy: MergeOnOverflow),
            buffering: (max_batch_size: 1, max_buffer_size: 1, merge: Custom(name: "sick")),
        ),
    ],
    edges: [
        ("input", "pass"), ("pass", "output"),
        ("input", "gate"), ("gate", "asr"), ("asr", "text_collector"), ("text_collector", "tts"),
        ("tts", "output"),
    ],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 1))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 1), speed: 100)),
    },
)"#;

/// What the panic says.
pub(crate) const FAULT: &str = "the strategy's own fault";

/// The scene, whose strategy panics until it is `well`.
pub(crate) fn plan(well: &Arc<AtomicBool>) -> Arc<ScenePlan> {
    let well = Arc::clone(well);
    let joins = move |texts: &[Arc<str>]| -> Arc<str> {
        assert!(well.load(Ordering::SeqCst), "{FAULT}");
        texts.join(" ").into()
    };
    let mut registry = mynah_systems::registry(None);
    registry.add_merge("sick", Arc::new(joins));
    let (plan, _) =
        compile(&Source::new("sick.ron", SCENE), &[], None, &registry).expect("the scene is right");
    Arc::new(plan)
}

/// The tick that takes this from a session's host panics.
pub(crate) fn last_straw() -> ControlIn {
    ControlIn { message_id: 1, control: Control::SendText { text: "One two three. Four five six.".into() } }
}
