//! `TextCollector` in an assistant: between the reply and the voice, with an end of speech that is taken back.

use std::sync::Arc;

use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, Event, NodeId, Out, SessionSpec};

/// From a caller's voice to a voice that answers, with an end of speech that is taken back.
const ASSISTANT: &str = r#"(
    name: "assistant",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
        (id: "text_collector", kind: TextCollector(batch_window_ms: 100)),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [
        ("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "text_collector"), ("text_collector", "tts"),
        ("tts", "output"),
    ],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20))),
        "reply": (output: ScriptedReply(template: "Dr. Echo heard this. It was {text}."), timing: (latency: Fixed(ms: 20))),
        "tts": (output: FliteVoice(), timing: (latency: Fixed(ms: 20))),
    },
)"#;

/// Loud noise and near silence by turns, beginning with silence. Milliseconds.
fn bursts(stretches_ms: &[usize]) -> Vec<f32> {
    let mut seed = 1u32;
    let mut samples = Vec::new();
    for (at, ms) in stretches_ms.iter().enumerate() {
        let level = if at % 2 == 0 { 0.0005 } else { 0.3 };
        samples.extend((0..ms * 16).map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            level * (seed as i32 as f32 / 2_147_483_648.0)
        }));
    }
    samples
}

/// What leaves the collector, with its time in milliseconds, and the samples of the answer: an assistant that answers one
/// burst of speech with `template`.
fn answered(settings: &str, template: &str, words_per_s: f32) -> (Vec<(u64, String)>, usize) {
    let scene = ASSISTANT
        .replace("TextCollector(batch_window_ms: 100)", &format!("TextCollector({settings})"))
        .replace("\"Dr. Echo heard this. It was {text}.\"", &format!("{template:?}"))
        .replace(
            r#"(latency: Fixed(ms: 20))),
        "tts""#,
            &format!(
                r#"(latency: Fixed(ms: 20), words_per_s: {words_per_s:?})),
        "tts""#
            ),
        );
    let compiled = compile(&Source::new("test.ron", &*scene), &[], None, &mynah_systems::registry(None));
    let (plan, warnings) = compiled.unwrap_or_else(|found| panic!("{found}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    let mut engine = Engine::new(Arc::new(plan), EngineConfig { shards: Some(1), ..EngineConfig::default() });
    let session = engine.handle().open(SessionSpec::named("ada")).expect("there is room");
    let samples = bursts(&[500, 800, 1_000]);
    let mut pieces = samples.chunks(80);
    let (mut texts, mut heard, mut now_us) = (Vec::new(), 0, 0);
    while !session.is_closed() && now_us < 60_000_000 {
        match pieces.next() {
            Some(piece) => session.try_push(piece).expect("5 ms in 5 ms"),
            None => session.finish(),
        }
        now_us += 5_000;
        engine.tick(now_us);
        for record in engine.records() {
            if let Event::Text { node: NodeId(2 | 3), text, .. } = &record.event {
                texts.push((now_us / 1_000, text.to_string()));
            }
        }
        while let Some(out) = session.poll() {
            if let Out::Audio(audio) = out {
                heard += audio.block.samples().len();
                session.give_back(audio.block);
            }
        }
    }
    assert!(session.is_closed());
    (texts, heard)
}

#[test]
fn french_titles_stay_with_their_names() {
    let template = "Il parle avec M. Dupont et le Dr. Martin demain. Fin.";
    let (texts, _) = answered("language: \"fr\"", template, 60.0);
    let texts: Vec<&str> =
        texts.iter().map(|(_, text)| text.as_str()).filter(|text| text.ends_with('.')).collect();
    assert_eq!(
        texts[texts.len() - 2..],
        ["Il parle avec M. Dupont et le Dr. Martin demain.", "Fin."],
        "{texts:?}"
    );
}

#[test]
fn a_model_that_falls_silent_after_a_sentence_does_not_keep_it_waiting() {
    for settings in ["", "batch_window_ms: 100", "first_chunk_min_chars: 40"] {
        let (texts, _) = answered(settings, "Let me check that for you. One moment please. Here it is.", 0.5);
        for (sentence, last) in [("Let me check that for you.", "you. "), ("One moment please.", "please. ")]
        {
            let at = |what: &str| texts.iter().find(|(_, text)| text == what).map(|(ms, _)| *ms);
            let waited_ms = at(sentence).zip(at(last)).map(|(left_ms, came_ms)| left_ms - came_ms);
            assert_eq!(waited_ms, Some(250), "{settings}: {texts:?}");
        }
    }
}

#[test]
fn what_is_written_in_markdown_sounds_like_its_words() {
    let (_, plain) = answered("", "Find information now.", 60.0);
    let (texts, written) = answered("", "**Find [information](https://example.com/a?b=c)** now. 🎉", 60.0);
    assert_eq!(texts.last().map(|(_, text)| text.as_str()), Some("Find information now."), "{texts:?}");
    assert_eq!(written, plain);
    let (_, aloud) = answered("markup: Plain", "**Find information** now.", 60.0);
    assert!(aloud > 2 * plain, "{aloud} samples with the stars, {plain} without");
}

#[test]
fn an_assistant_speaks_whole_sentences_and_its_books_balance() {
    let compiled = compile(&Source::new("test.ron", ASSISTANT), &[], None, &mynah_systems::registry(None));
    let (plan, warnings) = compiled.unwrap_or_else(|found| panic!("{found}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    let mut engine = Engine::new(Arc::new(plan), EngineConfig { shards: Some(1), ..EngineConfig::default() });
    let session = engine.handle().open(SessionSpec::named("ada")).expect("there is room");
    let samples = bursts(&[500, 800, 200, 600, 2_500, 700, 3_000]);
    let mut pieces = samples.chunks(80);
    let (mut texts, mut answers, mut retracted) = (Vec::new(), 0, 0);
    let mut now_us = 0;
    while !session.is_closed() && now_us < 60_000_000 {
        match pieces.next() {
            Some(piece) => session.try_push(piece).expect("5 ms in 5 ms"),
            None => session.finish(),
        }
        now_us += 5_000;
        engine.tick(now_us);
        for record in engine.records() {
            match &record.event {
                Event::Text { node: NodeId(3), text, segment, revision } => {
                    texts.push((*segment, *revision, text.to_string()));
                }
                Event::EndpointRetracted { .. } => retracted += 1,
                Event::OutputStarted { revision: 1.., .. } => answers += 1,
                _ => {}
            }
        }
        while let Some(out) = session.poll() {
            if let Out::Audio(audio) = out {
                session.give_back(audio.block);
            }
        }
    }
    assert!(session.is_closed());
    assert_eq!((answers, retracted), (2, 1), "{texts:?}");
    for (segment, revision, text) in &texts {
        assert!(
            text.starts_with("Dr. Echo heard this. It was ") && text.ends_with('.'),
            "{segment}/{revision}: {text}"
        );
    }
    engine.tick(now_us);
    let census = engine.census();
    for (at, node) in census.nodes.iter().enumerate() {
        let ends = node.consumed + node.gated + node.merged + node.cancelled + node.dropped_all();
        assert_eq!((node.arrived, census.queued[at]), (ends, 0), "node {at}: {node:?}");
    }
    for (from, to) in [(2, 3), (3, 4)] {
        assert_eq!(
            census.nodes[from].created_all(),
            census.nodes[to].arrived,
            "from node {from} to node {to}"
        );
    }
    assert_eq!((census.sessions_open, census.segments_active), (0, 0));
}
