//! Captions beside speech: an output that two branches feed with one answer. The answer is over when both are.

use std::sync::Arc;

use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, Event, Out, SessionSpec};

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
    let registry = mynah_systems::registry(None);
    let (plan, _) = compile(&Source::new("test.ron", SCENE), &[], None, &registry).expect("it is right");
    let mut engine = Engine::new(Arc::new(plan), EngineConfig::default());
    let session = engine.handle().open(SessionSpec::named("caller")).expect("there is room");
    let (mut made, mut heard, mut texts, mut ended) = (0, 0, 0, Vec::new());
    let mut tick = 0;
    while !session.is_closed() {
        tick += 1;
        assert!(tick < 4_000, "the session stays open");
        // Near silence, 400 ms of noise, near silence.
        let level = if (60..140).contains(&tick) { 0.3 } else { 0.000_5 };
        if tick < 500 {
            let noise = |n: u32| ((n + tick * 80).wrapping_mul(2_654_435_761) >> 16) as f32 / 32_768.0 - 1.0;
            let block: Vec<f32> = (0..80).map(|n| level * noise(n)).collect();
            session.try_push(&block).expect("it comes in time");
        } else if tick == 500 {
            session.finish();
        }
        engine.tick(u64::from(tick) * 5_000);
        for record in engine.records() {
            match record.event {
                Event::ServiceDone { samples, .. } => made += samples,
                Event::OutputEnded { segment, revision, samples } => ended.push((segment, revision, samples)),
                _ => {}
            }
        }
        while let Some(out) = session.poll() {
            match out {
                Out::Audio(audio) => {
                    heard += audio.block.len() as u64;
                    session.give_back(audio.block);
                }
                Out::Text { .. } => texts += 1,
                Out::Control(_) => {}
            }
        }
    }
    assert!(made > 8_000, "{made} samples were made");
    assert_eq!((heard, texts), (made, 1), "samples and captions that left");
    assert_eq!(ended, [(1, 1, made)], "one answer, over once");
    assert_eq!(engine.census().segments_active, 0);
}
