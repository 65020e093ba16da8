//! Words and shapes of the mouth: they fill the time in which a line sounds, in order.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/host.rs"]
mod host;

use ends::Player;
use mynah_engine::media::{Spoken, SpokenTime, Viseme};
use mynah_engine::{Params, Say, SessionEvent, SessionSpec};

/// A block of synthesis.
const BLOCK_US: u64 = 20_000;
const SCENE: &str = r#"(
    name: "speaks",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: RealTime(lead_ms: 40))),
    nodes: [(id: "tts", kind: Service(service: "tts", task: Synthesize))],
    edges: [("said", "tts"), ("tts", "output")],
    services: {"tts": (output: FliteVoice, timing: (latency: Fixed(ms: 10), speed: 50))},
)"#;

/// A line that was heard to its end.
struct Heard {
    text: String,
    length_us: u64,
    times: Vec<SpokenTime>,
}

fn heard(line: &str, spec: SessionSpec) -> Heard {
    let mut player = Player::new(SCENE, &[], spec);
    player.control.say(line, Say::default()).expect("the scene speaks");
    for _ in 0..20_000 {
        player.tick();
        if player.events.iter().any(|(_, event)| matches!(event, SessionEvent::AnswerEnded { .. })) {
            break;
        }
    }
    let mut heard = Heard { text: String::new(), length_us: 0, times: Vec::new() };
    for (_, event) in &player.events {
        match event {
            SessionEvent::Line { text, from_us: 0, until_us: Some(until_us), .. } => {
                (heard.text, heard.length_us) = (text.to_string(), *until_us);
            }
            SessionEvent::Spoken { from_us, times, .. } => {
                assert_eq!(*from_us, 0, "one line, from its beginning");
                heard.times.extend(times.iter().cloned());
            }
            _ => {}
        }
    }
    heard
}

#[test]
fn phones_and_pauses_fill_a_line_and_words_ascend() {
    let lines = [
        "Halt!",
        "Halt! Who goes there?",
        "Follow the river to the old mill, turn left at the bridge, and knock three times on the red door.",
        "I have 3 apples, and Dr. Smith has 12 of them; shall we count? No. Very well then.",
    ];
    for line in lines {
        for rate in [0.8, 1.0, 1.6] {
            let params = Params::new().with("rate", rate);
            let Heard { text, length_us, times } =
                heard(line, SessionSpec { params, ..SessionSpec::named("npc") });
            assert_eq!(text, line);
            assert!(length_us > 200_000, "{line} at {rate}: {length_us} us");
            let (mut mouth_us, mut word_us, mut words) = (0, 0, Vec::new());
            for time in &times {
                assert!(time.from_us < time.until_us, "{line} at {rate}: {time:?}");
                match &time.what {
                    Spoken::Word { from, to } => {
                        assert!(time.from_us >= word_us, "{line} at {rate}: {time:?} before {word_us}");
                        word_us = time.until_us;
                        words.push(&text[*from as usize..*to as usize]);
                    }
                    mouth => {
                        assert!(mouth.viseme().is_some(), "{mouth:?} has no shape");
                        // A piece ends with a whole pitch period, of which the voice's times know nothing.
                        let gap_us = time.from_us as i64 - mouth_us as i64;
                        assert!(
                            gap_us.abs() <= BLOCK_US as i64,
                            "{line} at {rate}: {time:?} behind {mouth_us}"
                        );
                        mouth_us = time.until_us;
                    }
                }
            }
            assert_eq!(words.join(" "), line.split_whitespace().collect::<Vec<_>>().join(" "));
            assert!(word_us <= mouth_us, "{line} at {rate}");
            let off_us = mouth_us.abs_diff(length_us);
            assert!(
                off_us <= BLOCK_US,
                "{line} at {rate}: shapes last {mouth_us} us, the sound {length_us} us"
            );
        }
    }
}

#[test]
fn lips_close_for_a_b_and_rest_between_sentences() {
    let Heard { times, .. } = heard("Bob. Bob.", SessionSpec::named("npc"));
    // The silence before the first word is cut off.
    let mut shapes: Vec<Viseme> = times.iter().filter_map(|time| time.what.viseme()).collect();
    shapes.dedup();
    use Viseme::{AA, PP, Rest};
    assert_eq!(shapes, [PP, AA, PP, Rest, PP, AA, PP, Rest]);
}
