//! What was said and what of the answers was heard: the engine remembers it, tells those who answer, and gives it to hosts.

#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/reciter.rs"]
mod reciter;
#[path = "support/white.rs"]
mod white;

use std::sync::Arc;

use host::{Host, compiled, one_shard};
use mynah_engine::edge::Line;
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::service::Commit;
use mynah_engine::speech::{HISTORY_ENTRIES_MAX, History, HistoryEntry, InterruptMode, Speaker};
use mynah_engine::{Control, Event, Say, SessionSpec};
use reciter::{Calls, registry};
use white::bursts;

/// Anything loud is speech; what is recognised is answered, and the answer spoken.
const SPOKEN: &str = r#"(
    name: "spoken",
    session: (
        input: (rate_hz: 16000),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 40), interrupt_min_ms: 200),
    ),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
        (id: "text_collector", kind: TextCollector()),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [
        ("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "text_collector"),
        ("text_collector", "tts"), ("said", "tts"), ("tts", "output"),
    ],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "reply": (output: Reciter, timing: (latency: Fixed(ms: 10))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 10), speed: 100)),
    },
)"#;

/// The same, and the answer leaves as text.
const WRITTEN: &str = r#"(
    name: "written",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "output"), ("asr", "reply"), ("reply", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "reply": (output: Reciter, timing: (latency: Fixed(ms: 10))),
    },
)"#;

/// One session, whose every tick is watched.
struct Talk {
    host: Host,
    calls: Calls,
    commits: Vec<Commit>,
}

impl Talk {
    fn new(scene: &str, sets: &[&str]) -> Self {
        Self::with(scene, sets, SessionSpec::named("caller"))
    }

    fn with(scene: &str, sets: &[&str], spec: SessionSpec) -> Self {
        let (registry, calls) = registry();
        let plan = compiled(scene, sets, &registry).unwrap_or_else(|wrong| panic!("{wrong}"));
        let host = Host::of(plan, one_shard()).with(spec);
        Self { host, calls, commits: Vec::new() }
    }

    fn tick(&mut self) {
        self.host.tick();
        self.commits.extend(self.host.engine.hub().commits().cloned());
    }

    fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    /// Near silence and loud noise by turns, near silence first, milliseconds.
    fn hear(&mut self, stretches_ms: &[usize]) {
        for piece in bursts(stretches_ms).chunks(80) {
            self.host.sessions[0].try_push(piece).expect("each tick takes what came");
            self.tick();
        }
    }

    fn say(&mut self, text: &str) {
        let line = Line { words: text.into(), say: Say::default() };
        self.host.say(0, Control::Say(Arc::new(line)));
    }

    fn type_in(&mut self, text: &str) {
        self.host.say(0, Control::SendText { text: text.into() });
    }

    fn history(&self) -> Vec<String> {
        told(&self.host.sessions[0].history())
    }

    /// What was recognised of a revision.
    fn recognised(&self, segment: u32, revision: u32) -> String {
        let texts = self.host.records.iter().filter_map(|record| match &record.event {
            Event::Text { node, segment: s, revision: r, text }
                if node.0 == 1 && (*s, *r) == (segment, revision) =>
            {
                Some(&**text)
            }
            _ => None,
        });
        texts.collect()
    }
}

/// One line an entry.
fn told(history: &History) -> Vec<String> {
    let line = |entry: &HistoryEntry| match entry {
        HistoryEntry::Said { by, turn, text, interrupted } => {
            let by = if *by == Speaker::User { "user" } else { "assistant" };
            format!("{turn} {by}: {text}{}", if *interrupted { " --" } else { "" })
        }
        HistoryEntry::ToolCall { turn, call_id, name, arguments } => {
            format!("{turn} {call_id}: {name}({arguments})")
        }
        HistoryEntry::ToolResult { turn, call_id, result } => format!("{turn} {call_id} = {result}"),
    };
    history.entries().iter().map(line).collect()
}

const REST: &str = "There are several ways to look at it. Which one do you like?";

#[test]
fn a_question_and_its_answer_are_remembered_and_the_next_call_knows_them() {
    let mut talk = Talk::new(SPOKEN, &[]);
    talk.hear(&[300, 600, 9_000]);
    let asked = talk.recognised(1, 1);
    let first = [format!("1 user: {asked}"), format!("1 assistant: You said {asked}. {REST}")];
    assert_eq!(talk.history(), first);
    talk.hear(&[1, 800, 9_000]);
    assert_eq!(talk.history().len(), 4);
    let calls = talk.calls.all();
    assert!(calls[0].2.is_empty(), "nothing was said before: {:?}", calls[0]);
    assert_eq!(told(&calls[1].2), first, "and no words of its own turn");
    assert_eq!(*talk.commits[0].heard.text, *first[1].trim_start_matches("1 assistant: "));
}

/// The words of an answer that is interrupted by `how` after about `ms` of it.
fn interrupted(scene: &str, ms: usize, how: impl FnOnce(&mut Talk)) -> (Talk, String, u64) {
    let mut talk = Talk::new(scene, &[]);
    talk.hear(&[300, 600, 400]);
    let began = |talk: &Talk| {
        talk.host.count(|event| matches!(event, Event::OutputStarted { revision: 1.., .. })) > 0
    };
    while !began(&talk) {
        talk.hear(&[5]);
    }
    talk.hear(&[ms]);
    how(&mut talk);
    talk.hear(&[100]);
    let heard_us = talk.host.records.iter().find_map(|record| match record.event {
        Event::AnswerInterrupted { heard_us, .. } => Some(heard_us),
        _ => None,
    });
    let words =
        talk.history().into_iter().find_map(|line| line.strip_prefix("1 assistant: ").map(String::from));
    (talk, words.unwrap_or_default(), heard_us.expect("it was interrupted"))
}

/// Length of the speech of a text, microseconds.
fn speech_us(text: &str) -> u64 {
    let voice = mynah_systems::service::FliteVoice::default();
    voice.speech(text).len() as u64 * 1_000_000 / 16_000
}

#[test]
fn of_an_interrupted_answer_the_words_heard_are_remembered_and_no_more() {
    let interrupt = |talk: &mut Talk| talk.host.say(0, Control::Interrupt { mode: InterruptMode::Now });
    for ms in [300, 700, 1_200, 1_700, 2_400, 3_300, 4_100] {
        let (talk, words, heard_us) = interrupted(SPOKEN, ms, interrupt);
        let released: usize = talk.host.sounds.iter().map(|sound| sound.samples.len()).sum();
        assert!(heard_us.abs_diff(released as u64 * 1_000_000 / 16_000) < 1_000, "{heard_us} of {released}");
        let answer = format!("You said {}. {REST}", talk.recognised(1, 1));
        let words = words.strip_suffix(" --").unwrap_or_else(|| panic!("after {ms} ms: {words:?}"));
        assert!(answer.starts_with(words) && words.len() < answer.len(), "{words:?} of {answer:?}");
        assert!(answer[words.len()..].starts_with(' '), "whole words: {words:?}");
        // A sentence that ends there is drawn out and followed by a pause; each sentence before had a pause, too.
        let alone_us = speech_us(words);
        assert!(alone_us < heard_us + 500_000, "after {heard_us} us not yet {words:?}, of {alone_us} us");
        let next = answer[words.len() + 1..].split(' ').next().expect("a word");
        let more_us = speech_us(&format!("{words} {next}"));
        assert!(
            more_us + 600_000 > heard_us,
            "after {heard_us} us already {words:?} {next:?}, of {more_us} us"
        );
        assert_eq!(*talk.commits[0].heard.text, *words);
        assert_eq!((talk.commits[0].heard.us, talk.commits[0].heard.whole), (heard_us, false));
    }
}

#[test]
fn speech_over_an_answer_begins_a_turn_that_knows_what_was_heard() {
    let (talk, words, _) = interrupted(SPOKEN, 1_500, |talk| talk.hear(&[1, 600, 6_000]));
    let lines = talk.history();
    assert!(words.ends_with(" --") && lines[1].ends_with(&words), "{lines:?}");
    assert_eq!(lines[2], format!("2 user: {}", talk.recognised(2, 1)));
    assert_eq!(told(&talk.calls.all()[1].2), lines[..2]);
}

#[test]
fn an_answer_that_nobody_heard_is_no_entry() {
    let mut talk = Talk::new(SPOKEN, &["services.tts.timing.latency=Fixed(ms: 3000.0)"]);
    talk.hear(&[300, 600, 1_000]);
    talk.host.say(0, Control::Interrupt { mode: InterruptMode::Now });
    talk.hear(&[5_000]);
    assert_eq!(talk.history(), [format!("1 user: {}", talk.recognised(1, 1))]);
    assert_eq!(
        (talk.commits.len(), &*talk.commits[0].heard.text, talk.commits[0].heard.whole),
        (1, "", false)
    );
}

#[test]
fn words_of_an_end_that_was_retracted_are_forgotten() {
    let mut talk = Talk::new(SPOKEN, &[]);
    talk.hear(&[300, 600, 120, 600, 9_000]);
    assert_eq!(talk.host.count(|event| matches!(event, Event::EndpointRetracted { .. })), 1);
    let (void, held) = (talk.recognised(1, 1), talk.recognised(1, 2));
    assert!(!void.is_empty() && void != held, "{void:?}, {held:?}");
    assert_eq!(talk.history(), [format!("1 user: {held}"), format!("1 assistant: You said {held}. {REST}")]);
    assert_eq!(talk.commits.iter().map(|commit| commit.revision).collect::<Vec<_>>(), [2]);
}

#[test]
fn words_count_once_their_end_holds_and_they_have_come_in_either_order() {
    for (latency, first) in [("10.0", "words"), ("900.0", "end")] {
        let mut talk = Talk::new(SPOKEN, &[&format!("services.asr.timing.latency=Fixed(ms: {latency})")]);
        talk.hear(&[300, 600]);
        let (mut heard, mut held) = (None, None);
        for tick in 0..400 {
            talk.hear(&[5]);
            heard = heard.or((!talk.recognised(1, 1).is_empty()).then_some(tick));
            let ends = talk.host.count(|event| matches!(event, Event::SegmentEnded { .. }));
            held = held.or((ends > 0).then_some(tick));
            assert_eq!(
                talk.history().is_empty(),
                heard.is_none() || held.is_none(),
                "{first} first, tick {tick}"
            );
        }
        assert_eq!(heard < held, first == "words", "{heard:?} {held:?}");
    }
}

#[test]
fn all_segments_of_a_turn_are_remembered_in_their_order() {
    let sets = ["session.output.interrupt_min_ms=None", "services.tts.timing.latency=Fixed(ms: 1500.0)"];
    let mut talk = Talk::new(SPOKEN, &sets);
    talk.hear(&[300, 600, 500, 900, 16_000]);
    let (one, two) = (talk.recognised(1, 1), talk.recognised(2, 1));
    let want = [
        format!("1 user: {one}"),
        format!("1 user: {two}"),
        format!("1 assistant: You said {one}. {REST}"),
        format!("1 assistant: You said {two}. {REST}"),
    ];
    assert_eq!(talk.history(), want);
    assert_eq!(told(&talk.calls.all()[1].2), want[..1], "what was said before is known");
}

#[test]
fn lines_clips_and_what_is_typed_are_remembered() {
    let mut talk = Talk::new(SPOKEN, &[]);
    talk.say("Halt! Who goes there?");
    talk.ticks(800);
    talk.type_in("It is me.");
    talk.tick();
    assert_eq!(talk.history().last().map(String::as_str), Some("2 user: It is me."), "at once");
    talk.ticks(2_000);
    let format = Format { rate_hz: 16_000, channels: 1 };
    let clip = Clip { subtitle: "La la la la.".into(), format, samples: vec![0.1; 32_000].into() };
    let line = Line { words: clip.into(), say: Say::default() };
    talk.host.say(0, Control::Say(Arc::new(line)));
    talk.ticks(210);
    talk.host.say(0, Control::Interrupt { mode: InterruptMode::Now });
    talk.ticks(10);
    let want = [
        "1 assistant: Halt! Who goes there?".to_string(),
        "2 user: It is me.".into(),
        format!("2 assistant: You said It is me.. {REST}"),
        "3 assistant: La la --".into(),
    ];
    assert_eq!(talk.history(), want);
    let calls = talk.calls.all();
    assert_eq!(told(&calls[0].2), want[..1], "what is typed is the call's text");
}

#[test]
fn tools_are_remembered_with_what_came_of_them() {
    let mut talk = Talk::new(SPOKEN, &[]);
    talk.type_in("tool");
    talk.ticks(100);
    talk.host.say(0, Control::ToolResult { call_id: "call-1".into(), result: "rain".into() });
    talk.host.say(0, Control::ToolResult { call_id: "call-9".into(), result: "nobody asked".into() });
    talk.ticks(800);
    let want = ["1 user: tool", "1 call-1: look({})", "1 call-1 = rain", "1 assistant: It says rain."];
    assert_eq!(talk.history(), want);
}

#[test]
fn where_nothing_speaks_the_text_that_left_was_heard() {
    let mut talk = Talk::new(WRITTEN, &[]);
    talk.hear(&[300, 600, 2_000]);
    let asked = talk.recognised(1, 1);
    assert_eq!(
        talk.history(),
        [format!("1 user: {asked}"), format!("1 assistant: You said {asked}. {REST}")]
    );
    assert!(talk.commits[0].heard.whole && talk.commits[0].heard.us == 0);
}

#[test]
fn a_conversation_is_saved_and_goes_on_in_another_session() {
    let mut talk = Talk::new(SPOKEN, &[]);
    talk.type_in("I am Ann.");
    talk.ticks(2_000);
    talk.host.sessions[0].finish();
    talk.ticks(10);
    assert!(talk.host.sessions[0].is_closed());
    let saved = serde_json::to_string(&*talk.host.sessions[0].history()).expect("it is plain data");
    let history: History = serde_json::from_str(&saved).expect("as it was written");
    let before = told(&history);
    assert_eq!(before.len(), 2);
    let mut talk = Talk::with(SPOKEN, &[], SessionSpec { history, ..SessionSpec::named("again") });
    assert_eq!(talk.history(), before, "at once");
    talk.type_in("Who am I?");
    talk.ticks(2_000);
    assert_eq!(told(&talk.calls.all()[0].2), before);
    assert_eq!(talk.history().len(), 4);
    assert_eq!(talk.history()[..2], before);
    assert_eq!(talk.history()[2], "1 user: Who am I?");
}

#[test]
fn a_session_that_hung_up_leaves_what_was_heard_until_then() {
    let (talk, words, heard_us) = {
        let mut talk = Talk::new(SPOKEN, &[]);
        talk.say("This is a long story about a bird that listens and talks back, and it goes on and on.");
        talk.ticks(500);
        talk.host.sessions[0].close();
        talk.ticks(3);
        let words = talk.history().pop().unwrap_or_default();
        let heard_us = talk.commits[0].heard.us;
        (talk, words, heard_us)
    };
    assert!(talk.host.sessions[0].is_closed());
    assert!(words.starts_with("1 assistant: This is a long story") && words.ends_with(" --"), "{words}");
    let alone_us = speech_us(words.trim_start_matches("1 assistant: ").trim_end_matches(" --"));
    assert!(alone_us < heard_us + 500_000, "{alone_us} of {heard_us}");
}

#[test]
fn a_history_has_its_bounds_however_it_comes() {
    let said = |turn| HistoryEntry::Said { by: Speaker::User, turn, text: "word".into(), interrupted: false };
    let history: History = (1..=200).map(said).collect();
    let mut talk = Talk::with(SPOKEN, &[], SessionSpec { history, ..SessionSpec::named("caller") });
    assert_eq!(talk.history().len(), HISTORY_ENTRIES_MAX);
    talk.type_in(&"long words ".repeat(1_400));
    talk.ticks(5);
    assert!(talk.host.sessions[0].history().entries().len() <= HISTORY_ENTRIES_MAX);
    assert!(talk.history().last().is_some_and(|line| line.starts_with("1 user: long words")));
}
