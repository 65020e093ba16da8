//! A host that decides in place of the detector: what is said while a key is held is forwarded from the pre-roll on,
//! whatever the detector makes of it, the answer is worked on in the tick in which the key is let go, and nothing else
//! is heard.

#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/push_to_talk.rs"]
mod example;
#[path = "support/host.rs"]
mod host;
#[path = "support/keys.rs"]
mod keys;

use std::sync::Arc;

use host::{Host, compiled, findings, one_shard, plan};
use keys::{DOWN, UP, caller, gate, key, quiet, tone};
use mynah_engine::scene::Format;
use mynah_engine::speech::GateMode;
use mynah_engine::{Control, EngineConfig, Event, SessionSpec};
use mynah_systems::service::Script;
use mynah_systems::speech::flite::{Flite, VoiceStyle};

/// What is said is looked up, and said back.
const ASSISTANT: &str = r#"(
    name: "assistant",
    session: (
        input: (rate_hz: 16000),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 20), interrupt_min_ms: 300),
    ),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, pad_ms: 100)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
        (id: "text", kind: TextCollector()),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [
        ("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "text"), ("text", "tts"), ("tts", "output"),
    ],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20))),
        "reply": (
            output: ScriptedReply(template: "You said {text}, and there is a lot that I could say about that."),
            timing: (latency: Fixed(ms: 20)),
        ),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 20), speed: 100)),
    },
)"#;

/// Words are heard where there are any, up to this media time.
struct Until(u64);

impl Script for Until {
    fn heard(&self, _: &str, from_us: u64, _: u64) -> Option<String> {
        Some(if from_us < self.0 { "open the gate".into() } else { String::new() })
    }
}

fn assistant(spec: SessionSpec, words_until_us: u64) -> Host {
    let registry = mynah_systems::registry(Some(Arc::new(Until(words_until_us))));
    let plan = compiled(ASSISTANT, &[], &registry).unwrap_or_else(|found| panic!("{found}"));
    Host::of(plan, one_shard()).with(spec)
}

/// A sentence in near silence that goes on for so long.
fn speech(ms: u64) -> Vec<f32> {
    let mut samples: Vec<f32> = quiet(ms);
    let voice = Flite::new().expect("the voice is part of the program");
    let said =
        voice.speak("there is a dragon behind the gate", VoiceStyle::default()).expect("a style in range");
    for (sample, voiced) in samples[16 * 600..].iter_mut().zip(said) {
        *sample += voiced;
    }
    samples
}

#[test]
fn what_is_said_while_the_key_is_held_is_forwarded_from_the_pre_roll_on_bit_for_bit() {
    let samples = speech(2_400);
    let mut wrong = Vec::new();
    for vad in ["Energy", "Silero", "Earshot"] {
        for more in ["", ", forward: Always", ", speculate: false"] {
            // Ten milliseconds, twenty, and pieces of which hops and pre-roll hold no whole number.
            for piece in [160, 320, 224] {
                let mut host = Host::new(&gate(&format!("vad: {vad}, pad_ms: 100{more}")), &[])
                    .with(caller(GateMode::Shut));
                host.sends(&samples, piece, &[(800, DOWN), (1_600, UP)]);
                let (down, up) = (800 * 16 / piece * piece, 1_600 * 16 / piece * piece);
                // Whole frames: the one in which the pre-roll begins, too.
                let from = (down - 100 * 16) / piece * piece;
                let want = &samples[from..up];
                let got = host.whole(0);
                if got != want {
                    wrong.push(format!("{vad}{more}, {piece}: {} samples, not {}", got.len(), want.len()));
                }
                let [opened, speech, end, over] = &host.told()[..] else {
                    wrong.push(format!("{vad}{more}, {piece}: {:?}", host.told()));
                    continue;
                };
                let media_ms = |samples: usize| samples / 16;
                let wanted = [
                    format!("open 1 from {}", media_ms(from)),
                    "speech 1".into(),
                    format!("end 1.1 at {}", media_ms(up)),
                    "over 1.1".into(),
                ];
                let got = [opened, speech, end, over].map(|told| told.split_once(' ').expect("a time").1);
                if got != wanted {
                    wrong.push(format!("{vad}{more}, {piece}: {got:?}, not {wanted:?}"));
                }
            }
        }
    }
    findings(&wrong);
}

#[test]
fn any_format_is_held_whole() {
    let input = Some(Format { rate_hz: 44_100, channels: 2 });
    let mut host = Host::new(&gate("pad_ms: 200"), &[]).with(SessionSpec { input, ..caller(GateMode::Shut) });
    let samples: Vec<f32> = (0..44_100 * 2).map(|at| (at as f32 * 0.01).sin()).collect();
    for (nth, frame) in samples.chunks(882 * 2).enumerate() {
        match nth {
            20 => host.say(0, DOWN),
            40 => host.say(0, UP),
            _ => {}
        }
        // The message first, and the frame in a later tick.
        host.tick();
        host.sessions[0].try_push(frame).expect("there is room");
        host.ticks(3);
    }
    assert_eq!(host.whole(0), samples[882 * 2 * 10..882 * 2 * 40]);
}

#[test]
fn a_message_comes_before_the_audio_of_its_own_tick() {
    let mut host = Host::new(&gate("vad: Energy, pad_ms: 0"), &[]).with(caller(GateMode::Shut));
    let samples = tone(100);
    for (nth, frame) in samples.chunks(320).enumerate() {
        match nth {
            1 => host.say(0, DOWN),
            3 => host.say(0, UP),
            _ => {}
        }
        host.sessions[0].try_push(frame).expect("there is room");
        host.tick();
    }
    assert_eq!(host.whole(0), samples[320..960]);
}

#[test]
fn nothing_is_forwarded_while_the_gate_is_shut() {
    for more in ["", ", forward: Always", ", speculate: false"] {
        let mut host =
            Host::new(&gate(&format!("vad: Energy, pad_ms: 100{more}")), &[]).with(caller(GateMode::Shut));
        host.hears(&tone(1_500), &[]);
        assert!(host.sounds.is_empty() && host.told().is_empty(), "{more}: {:?}", host.told());
        host.finish();
        host.nothing_left();
    }
}

#[test]
fn work_on_the_answer_begins_in_the_tick_in_which_the_key_is_let_go() {
    type Case<'a> = (&'a str, GateMode, &'a [(u64, Control)]);
    let cases: [Case<'_>; 4] = [
        ("held", GateMode::Shut, &[(600, DOWN), (1_900, UP)]),
        ("heard by the detector, and shut", GateMode::Auto, &[(1_900, UP)]),
        ("the turn ends by word", GateMode::Auto, &[(1_900, Control::EndTurn)]),
        ("the turn of a held key", GateMode::Open, &[(1_900, Control::EndTurn), (1_950, UP)]),
    ];
    let mut wrong = Vec::new();
    for (name, mode, messages) in cases {
        let mut host = assistant(caller(mode), u64::MAX);
        host.hears(&speech(2_000), messages);
        let over = host.at(|event| matches!(event, Event::SegmentEnded { segment: 1, .. }));
        let asked = host.at(|event| matches!(event, Event::ServiceSubmitted { segment: 1, revision: 1, .. }));
        let end = host.at(|event| matches!(event, Event::Endpoint { segment: 1, revision: 1, .. }));
        host.until("an answer", |host| host.sounds.iter().any(|sound| sound.revision > 0));
        // One tick takes the audio up to 1.9 s, the next one the message.
        if (over, asked, end) != (Some(1_910), Some(1_910), Some(1_910)) {
            wrong.push(format!("{name}: end {end:?}, over {over:?}, asked {asked:?}: {:?}", host.told()));
        }
    }
    findings(&wrong);
}

#[test]
fn silence_that_was_held_is_a_turn_without_an_answer() {
    let mut host = assistant(caller(GateMode::Shut), 0);
    host.hears(&quiet(6_000), &[(600, DOWN), (1_500, UP), (3_000, DOWN), (3_500, UP)]);
    let told = host.told_in_order();
    let want = [
        "open 1 from 500",
        "speech 1",
        "end 1.1 at 1500",
        "over 1.1",
        "open 2 from 2900",
        "speech 2",
        "end 2.1 at 3500",
        "over 2.1",
    ];
    assert_eq!(told, want);
    assert!(host.sounds.is_empty(), "nothing is answered: {} blocks", host.sounds.len());
    let turns: Vec<u32> = host
        .records
        .iter()
        .filter(|record| matches!(record.event, Event::SegmentConfirmed { .. }))
        .map(|record| record.turn)
        .collect();
    assert_eq!(turns, [1, 2], "each is over");
    host.finish();
    host.nothing_left();
}

/// A question, and the key again for so long while the answer sounds.
fn pressed_again(for_ms: u64) -> (Host, u64) {
    let mut host = assistant(caller(GateMode::Shut), 2_000_000);
    host.hears(&speech(2_000), &[(500, DOWN), (1_900, UP)]);
    let quiet_for = |host: &mut Host, ms: u64| host.hears(&quiet(ms), &[]);
    while !host.sounds.iter().any(|sound| sound.revision > 0) {
        quiet_for(&mut host, 20);
    }
    quiet_for(&mut host, 200);
    host.say(0, DOWN);
    host.tick();
    let down_ms = host.now_us() / 1_000;
    quiet_for(&mut host, for_ms);
    host.say(0, UP);
    quiet_for(&mut host, 6_000);
    (host, down_ms)
}

#[test]
fn a_key_that_is_pressed_while_an_answer_sounds_pauses_it_and_interrupts_it_if_it_is_held() {
    let paused = |event: &Event| matches!(event, Event::AnswerPaused { segment: 2, .. });
    let resumed = |event: &Event| matches!(event, Event::AnswerResumed { segment: 2, .. });
    let interrupted = |event: &Event| matches!(event, Event::AnswerInterrupted { segment: 2, .. });
    let (host, down_ms) = pressed_again(600);
    assert_eq!(host.at(paused), Some(down_ms + 5), "the tick after that of the key");
    let stopped_ms = host.at(interrupted).expect("the key was held for 600 ms");
    // A frame, a hop, and a tick later at most.
    assert!((down_ms + 300..=down_ms + 350).contains(&stopped_ms), "{down_ms}: {stopped_ms}");
    let (host, down_ms) = pressed_again(200);
    assert_eq!(host.at(paused), Some(down_ms + 5));
    assert_eq!(host.at(interrupted), None);
    assert!(host.at(resumed).is_some_and(|ms| ms <= down_ms + 250), "{:?}", host.at(resumed));
}

#[test]
fn a_held_key_stays_open_without_a_microphone_and_is_split_when_it_is_held_for_long() {
    let mut host =
        Host::new(&gate("vad: Energy, pad_ms: 0, max_segment_ms: 400"), &[]).with(caller(GateMode::Open));
    let samples = tone(1_000);
    host.hears(&samples, &[]);
    // Five seconds in which nothing comes.
    host.ticks(1_000);
    assert!(!host.told().iter().any(|told| told.contains("over")), "{:?}", host.told());
    host.say(0, UP);
    host.tick();
    let splits = host.count(|event| matches!(event, Event::SegmentEnded { split: true, .. }));
    let overs = host.count(|event| matches!(event, Event::SegmentEnded { split: false, .. }));
    assert_eq!((splits, overs), (2, 1), "{:?}", host.told());
    assert_eq!(host.whole(0), samples);
    // A key held before anything comes: the first frame opens, and there is nothing before it.
    let mut host = Host::new(&gate("vad: Energy"), &[]).with(caller(GateMode::Shut));
    host.say(0, DOWN);
    host.ticks(400);
    assert!(host.told().is_empty());
    host.hears(&samples[..320], &[]);
    assert_eq!(host.told().len(), 2, "{:?}", host.told());
    assert!(host.told()[0].ends_with("open 1 from 0"), "{:?}", host.told());
    // The pre-roll does not reach over a pause.
    host.say(0, UP);
    host.ticks(2);
    host.hears(&samples[..3_200], &[]);
    host.ticks(300);
    host.say(0, DOWN);
    host.tick();
    host.hears(&samples[..640], &[]);
    assert!(host.told().iter().any(|told| told.ends_with("open 2 from 220")), "{:?}", host.told());
}

#[test]
fn a_key_that_is_let_go_has_all_that_waited_for_the_gate() {
    // Nothing but a frame every tenth of a second gets out of the gate, and everybody waits.
    let scene = gate("vad: Energy, pad_ms: 100")
        .replace("100))]", &format!("100), capabilities: (queue_capacity: 60, {BLOCK})), {NARROW}]"))
        .replace("(\"gate\", \"output\")", "(\"gate\", \"narrow\"), (\"narrow\", \"output\")");
    let mut host = Host::new(&scene, &[]).with(caller(GateMode::Shut));
    let samples = tone(1_400);
    host.hears(&samples, &[(400, DOWN), (1_000, UP), (1_200, DOWN)]);
    host.say(0, UP);
    host.ticks(4_000);
    let pieces = [&samples[300 * 16..1_000 * 16], &samples[1_100 * 16..]].concat();
    assert_eq!(host.whole(0).len(), pieces.len(), "{:?}", host.told());
    assert_eq!(host.whole(0), pieces);
}

const BLOCK: &str = "overflow_policy: Block";
const NARROW: &str = r#"(id: "narrow", kind: Throttle(carries: Audio, per_s: 10),
        capabilities: (queue_capacity: 2, overflow_policy: Block))"#;

#[test]
fn neither_shards_nor_neighbours_change_what_a_key_does() {
    let story = |shards: u32, callers: usize| {
        let config = EngineConfig { shards: Some(shards), ..EngineConfig::simulated() };
        let spec = |at| SessionSpec { name: format!("caller-{at}"), ..caller(GateMode::Auto) };
        let host = Host::of(plan(&gate("pad_ms: 100"), &[]), config);
        let mut host = (0..callers).fold(host, |host, at| host.with(spec(at)));
        let samples = speech(2_400);
        for (nth, frame) in samples.chunks(320).enumerate() {
            for session in &host.sessions {
                session.try_push(frame).expect("there is room");
            }
            // In the tick after a frame, which waits for its hop.
            host.tick();
            match nth {
                31 | 60 => host.say(0, DOWN),
                34 | 110 => host.say(0, key(GateMode::Auto)),
                75 => host.say(0, Control::EndTurn),
                90 => host.say(0, UP),
                _ => {}
            }
            host.ticks(3);
        }
        let mine = host.records.iter().filter(|record| record.session.0 == 0);
        let events: Vec<_> = mine.map(|record| (record.t_us, record.event.clone())).collect();
        (events, host.whole(0))
    };
    let alone = story(1, 1);
    assert!(alone.0.iter().filter(|(_, event)| matches!(event, Event::SegmentEnded { .. })).count() >= 2);
    for (shards, callers) in [(1, 5), (3, 7)] {
        assert!(story(shards, callers) == alone, "{shards} shards, {callers} callers");
    }
    // With 16 and more, hops wait for the gather time: for all alike.
    let many = story(1, 16);
    assert!(story(3, 20) == many, "three shards");
    assert!(many.1 == alone.1, "the same audio");
}

#[test]
fn the_example_tells_what_a_key_does() {
    let story = example::story();
    let wanted = [
        "KEY DOWN",
        "the assistant listens, from 0.4",
        "KEY UP",
        "has heard the player out",
        "player:    please open the door",
        "the answer sounds",
        "assistant: You said please open the door.",
        "KEY DOWN",
        "the assistant listens, from 5.7",
        "the answer waits",
        "the answer is withdrawn",
        "KEY UP",
        "player:    that is enough thanks",
        "the answer sounds",
    ];
    let mut lines = story.iter();
    for words in wanted {
        assert!(lines.any(|line| line.contains(words)), "{words:?} in its place in\n{}", story.join("\n"));
    }
    assert!(!story.iter().any(|line| line.contains("who lives")), "no key was held: {}", story.join("\n"));
}
