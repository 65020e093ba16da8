//! Captions beside speech: an output that two branches feed with one answer. The answer is over when both are.

#[path = "support/host.rs"]
mod host;
#[path = "support/white.rs"]
mod white;

use host::{Host, plan};
use mynah_engine::{EngineConfig, Event, SessionSpec};
use white::bursts;

/// Anything loud is speech; what is recognised leaves as text and is spoken, too.
const SCENE: &str = r#"(
    name: "captions",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: RealTime(lead_ms: 40))),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 100, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "tts"), ("asr", "output"), ("tts", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 10), speed: 100)),
    },
)"#;

#[test]
fn an_answer_with_captions_is_heard_to_its_end() {
    let mut host = Host::of(plan(SCENE, &[]), EngineConfig::simulated()).with(SessionSpec::named("caller"));
    for piece in bursts(&[300, 400, 1_800]).chunks(80) {
        host.sessions[0].try_push(piece).expect("it comes in time");
        host.tick();
    }
    host.finish_within(3_500);
    let made = host.events(|event| match event {
        Event::ServiceDone { samples, .. } => Some(*samples),
        _ => None,
    });
    let made: u64 = made.iter().map(|(.., samples)| samples).sum();
    assert!(made > 8_000, "{made} samples were made");
    assert_eq!((host.whole(0).len() as u64, host.texts.len()), (made, 1), "samples and captions that left");
    let ended = host.events(|event| match event {
        Event::OutputEnded { segment, revision, samples } => Some((*segment, *revision, *samples)),
        _ => None,
    });
    let ended: Vec<_> = ended.into_iter().map(|(.., ended)| ended).collect();
    assert_eq!(ended, [(1, 1, made)], "one answer, over once");
    assert_eq!(host.census().segments_active, 0);
}
