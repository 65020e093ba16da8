//! `TextCollector` in an assistant: between the reply and the voice, with an end of speech that is taken back.

#[path = "support/host.rs"]
mod host;
#[path = "support/white.rs"]
mod white;

use host::{Host, faultless, one_shard};
use mynah_engine::{Event, NodeId, SessionSpec};
use white::bursts;

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

/// Speech and pauses, as [`bursts`] has them, to an assistant until it has said all.
fn spoken_to(scene: &str, stretches_ms: &[usize]) -> Host {
    let plan = faultless(scene, &mynah_systems::registry(None));
    let mut host = Host::of(plan, one_shard()).with(SessionSpec::named("ada"));
    for piece in bursts(stretches_ms).chunks(80) {
        host.sessions[0].try_push(piece).expect("5 ms in 5 ms");
        host.tick();
    }
    host.finish_within(12_000);
    host
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
    let host = spoken_to(&scene, &[500, 800, 1_000]);
    let texts = host.events(|event| match event {
        Event::Text { node: NodeId(2 | 3), text, .. } => Some(text.to_string()),
        _ => None,
    });
    let heard = host.whole(0).len();
    (texts.into_iter().map(|(_, t_us, text)| (t_us / 1_000, text)).collect(), heard)
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
fn an_assistant_speaks_whole_sentences_and_its_counts_balance() {
    let host = spoken_to(ASSISTANT, &[500, 800, 200, 600, 2_500, 700, 3_000]);
    let texts = host.events(|event| match event {
        Event::Text { node: NodeId(3), text, segment, revision } => {
            Some((*segment, *revision, text.to_string()))
        }
        _ => None,
    });
    let answers = host.count(|event| matches!(event, Event::OutputStarted { revision: 1.., .. }));
    let retracted = host.count(|event| matches!(event, Event::EndpointRetracted { .. }));
    assert_eq!((answers, retracted), (2, 1), "{texts:?}");
    for (.., (segment, revision, text)) in &texts {
        assert!(
            text.starts_with("Dr. Echo heard this. It was ") && text.ends_with('.'),
            "{segment}/{revision}: {text}"
        );
    }
    host.nothing_left();
    let census = host.census();
    for (from, to) in [(2, 3), (3, 4)] {
        assert_eq!(
            census.nodes[from].created_all(),
            census.nodes[to].arrived,
            "from node {from} to node {to}"
        );
    }
}
