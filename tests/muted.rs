//! A microphone that delivers nothing any more, in a word or right after it: what is open ends a second later, the answer
//! comes then, and nothing of it is left for when the microphone is back.

#[path = "support/host.rs"]
mod host;

use host::{Host, plan};
use mynah_engine::{Control, EngineConfig, Event, SessionHandle, SessionSpec};

const FRAME_MS: u64 = 20;
/// The sound that the gate takes for speech, milliseconds of media time.
const SPOKEN_MS: std::ops::Range<u64> = 400..2_000;

/// What a caller does: sends audio except between those two times, and ends at the third, milliseconds of engine time.
#[derive(Clone, Copy, Debug)]
struct Mute {
    from_ms: u64,
    until_ms: u64,
    end_ms: u64,
}

fn room(scene: &str, sets: &[&str], shards: u32, callers: usize) -> Host {
    let config = EngineConfig { shards: Some(shards), ..EngineConfig::simulated() };
    let spec = |at| SessionSpec::named(format!("caller-{at}"));
    (0..callers).fold(Host::of(plan(scene, sets), config), |host, at| host.with(spec(at)))
}

/// With one caller.
fn caller(scene: &str, sets: &[&str]) -> Host {
    room(scene, sets, 1, 1)
}

impl Host {
    fn now_ms(&self) -> u64 {
        self.now_us() / 1_000
    }

    /// What happened to the first caller, and when.
    fn story(&self) -> Vec<(u64, Event)> {
        let first = self.records.iter().filter(|record| record.session.0 == 0);
        first.map(|record| (record.t_us / 1_000, record.event.clone())).collect()
    }

    /// Lets the first caller do what he does, and all others send on.
    fn live_until(mut self, mute: Mute) -> Self {
        let mut sent_ms = 0;
        while self.now_ms() < mute.end_ms {
            let now_ms = self.now_ms();
            let muted = (mute.from_ms..mute.until_ms).contains(&now_ms);
            // What a muted microphone would have heard is lost.
            while sent_ms + FRAME_MS <= now_ms {
                for session in &self.sessions[usize::from(muted)..] {
                    let frame = sound(sent_ms, session.input().rate_hz);
                    session.try_push(&frame).expect("there is room");
                }
                sent_ms += FRAME_MS;
            }
            self.tick();
        }
        self
    }

    /// The same until all is over.
    fn live(self, mute: Mute) -> Self {
        let mut host = self.live_until(mute);
        host.sessions.iter().for_each(SessionHandle::finish);
        host.ticks(4_000);
        host
    }

    fn first(&self, wanted: impl Fn(&Event) -> bool) -> Option<u64> {
        let mine = self.records.iter().find(|record| record.session.0 == 0 && wanted(&record.event));
        mine.map(|record| record.t_us / 1_000)
    }

    fn ended_ms(&self) -> Option<u64> {
        self.first(|event| matches!(event, Event::SegmentEnded { .. } | Event::SegmentCancelled { .. }))
    }
}

/// 20 ms from there on.
fn sound(from_ms: u64, rate_hz: u32) -> Vec<f32> {
    let level = if SPOKEN_MS.contains(&from_ms) { 0.5 } else { 0.000_1 };
    (0..u64::from(rate_hz) * FRAME_MS / 1_000).map(|at| level * (at as f32 * 0.3).sin()).collect()
}

const ENERGY: &str = "gate.vad=Energy";

#[test]
fn what_is_open_ends_a_second_after_the_last_audio_and_is_answered_then() {
    let scenes: [(&str, &[&str], bool); 8] = [
        ("gate_only", &[], false),
        ("gate_only", &["gate.forward=Always"], false),
        ("gate_only", &["gate.speculate=false"], false),
        ("speculative_vad", &[], false),
        ("voice_assistant", &[], true),
        ("voice_assistant", &["gate.speculate=false"], true),
        ("voice_assistant", &["session.output.release=Immediately"], true),
        ("barge_in", &[], true),
    ];
    let mut wrong = Vec::new();
    for (scene, sets, answers) in scenes {
        // In the word, right at its end, and while its end is only suspected; for ever and for eight seconds.
        for from_ms in [1_000, 1_990, 2_020, 2_080] {
            for until_ms in [35_000, 10_000] {
                let sets: Vec<&str> = sets.iter().chain(&[ENERGY]).copied().collect();
                let mute = Mute { from_ms, until_ms, end_ms: until_ms.min(14_000) };
                let host = caller(scene, &sets).live(mute);
                let what = format!("{scene} {sets:?}, {mute:?}");
                let due_ms = from_ms + 1_000;
                let ended_ms = host.first(|event| matches!(event, Event::SegmentEnded { split: false, .. }));
                if ended_ms.is_none_or(|ms| ms + 40 < due_ms || ms > due_ms + 20) {
                    wrong.push(format!("{what}: the segment ended at {ended_ms:?}, due {due_ms}"));
                }
                let at_us = host.records.iter().find_map(|record| match record.event {
                    Event::Endpoint { at_us, .. } => Some(at_us),
                    _ => None,
                });
                // Media time is what was heard: the word's end, or the last hop before the microphone went.
                let spoken_us = from_ms.min(SPOKEN_MS.end) * 1_000;
                if at_us.is_none_or(|us| us.abs_diff(spoken_us) > 60_000) {
                    wrong.push(format!("{what}: speech ended at {at_us:?}, spoken until {spoken_us}"));
                }
                let answer = host.sounds.iter().filter(|sound| sound.revision > 0);
                let answer: Vec<u64> = answer.map(|sound| sound.t_us / 1_000).collect();
                let began = answer.first().is_some_and(|ms| (due_ms - 40..due_ms + 2_500).contains(ms));
                // The longest answer takes eight seconds.
                if answers && (!began || answer.iter().any(|ms| *ms > due_ms + 9_500)) {
                    let (first, last) = (answer.first(), answer.last());
                    wrong.push(format!("{what}: the answer sounded from {first:?} to {last:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_onset_is_judged_as_if_silence_had_come() {
    // The window has five hops of 20 ms, and three of them must be speech.
    let sets = [ENERGY, "gate.min_speech_ms=100", "gate.pad_ms=40"];
    let mut wrong = Vec::new();
    for (heard_ms, speech) in [(20, false), (40, false), (60, true), (80, true)] {
        let from_ms = SPOKEN_MS.start + heard_ms + FRAME_MS;
        let host = caller("gate_only", &sets).live(Mute { from_ms, until_ms: 9_000, end_ms: 8_000 });
        let (confirmed, ended) = (host.first(is_confirmed), host.ended_ms());
        let in_time = ended.is_some_and(|ms| (from_ms + 940..=from_ms + 1_020).contains(&ms));
        if confirmed.is_some() != speech || !in_time {
            wrong.push(format!("{heard_ms} ms: confirmed {confirmed:?}, over {ended:?}, muted {from_ms}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_confirmed(event: &Event) -> bool {
    matches!(event, Event::SegmentConfirmed { .. })
}

#[test]
fn the_scene_says_how_long_and_audio_that_is_back_by_then_goes_on() {
    // The last frame before the mute comes with the tick at 1005 ms, the first one behind it with that at `back_ms` + 5.
    let cases = [
        ("gate.silence_timeout_ms=1000", 1_900, false),
        ("gate.silence_timeout_ms=1000", 2_000, false),
        ("gate.silence_timeout_ms=1000", 2_020, true),
        ("gate.silence_timeout_ms=300", 1_300, false),
        ("gate.silence_timeout_ms=300", 1_320, true),
        ("gate.silence_timeout_ms=3000", 3_980, false),
    ];
    let mut wrong = Vec::new();
    for (timeout, back_ms, ends) in cases {
        // A long sound, of which the end is not what is looked at.
        let mut host = caller("gate_only", &[ENERGY, timeout]);
        let mut last_ms = 0;
        while host.now_ms() < 6_000 {
            let now_ms = host.now_ms();
            if now_ms.is_multiple_of(FRAME_MS) && !(1_001..back_ms).contains(&now_ms) {
                let rate_hz = host.sessions[0].input().rate_hz;
                let media_ms = if now_ms < SPOKEN_MS.start { 0 } else { SPOKEN_MS.start };
                host.sessions[0].try_push(&sound(media_ms, rate_hz)).expect("there is room");
                last_ms = if now_ms <= 1_000 { now_ms } else { last_ms };
            }
            host.tick();
        }
        assert_eq!(last_ms, 1_000);
        let ended = host.ended_ms();
        if ended.is_some() != ends {
            wrong.push(format!("{timeout}, audio is back at {back_ms}: the segment ended at {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn neither_shards_nor_neighbours_nor_the_beat_of_the_ticks_change_what_ends() {
    let mute = Mute { from_ms: 1_500, until_ms: 5_000, end_ms: 8_000 };
    let events = |shards, callers| room("voice_assistant", &[ENERGY], shards, callers).live(mute).story();
    let alone = events(1, 1);
    assert!(alone.iter().any(|(_, event)| matches!(event, Event::SegmentEnded { .. })));
    for (shards, callers) in [(1, 2), (2, 2), (3, 5)] {
        let others = events(shards, callers);
        let differs = others.iter().zip(&alone).find(|(a, b)| a != b);
        assert!(others == alone, "{shards} shards, {callers} callers: {differs:?}");
    }
    for tick_ms in [20, 100, 400] {
        let mut host = caller("gate_only", &[ENERGY]);
        host.tick_us = tick_ms * 1_000;
        let ended_ms = host.live(mute).ended_ms().expect("it ends");
        assert!((2_500..=2_500 + tick_ms).contains(&ended_ms), "every {tick_ms} ms: {ended_ms}");
    }
}

/// Nothing but a frame every two seconds gets out of the gate, and everybody waits.
const NARROW: &str = r#"(
    name: "narrow",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy), capabilities: (queue_capacity: 8, overflow_policy: Block)),
        (id: "narrow", kind: Throttle(carries: Audio, per_s: 0.5),
            capabilities: (queue_capacity: 1, overflow_policy: Block)),
    ],
    edges: [("input", "gate"), ("gate", "narrow"), ("narrow", "output")],
)"#;

/// The gate hears a frame every second and a half.
const SLOW: &str = r#"(
    name: "slow",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "slow", kind: Throttle(carries: Audio, per_s: 0.66)),
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 20)),
    ],
    edges: [("input", "slow"), ("slow", "gate"), ("gate", "output")],
)"#;

#[test]
fn a_gate_that_has_to_wait_for_others_does_not_take_them_for_a_microphone() {
    for (scene, seconds) in [(NARROW, 30), (SLOW, 20)] {
        let mut host = caller(scene, &[]);
        while host.now_ms() < seconds * 1_000 {
            // As much as is taken, and the sound never stops.
            while host.sessions[0].try_push(&sound(SPOKEN_MS.start, 16_000)).is_ok() {}
            host.tick();
        }
        let ended = host.ended_ms();
        let opened = host.first(|event| matches!(event, Event::SegmentOpened { .. }));
        assert!(opened.is_some() && ended.is_none(), "opened {opened:?}, ended {ended:?}\n{scene}");
    }
}

#[test]
fn hanging_up_and_finishing_meanwhile_leave_nothing_open() {
    for hangs_up in [false, true] {
        for at_ms in (1_000..2_100).step_by(45) {
            let mut host = caller("voice_assistant", &[ENERGY]);
            for sent_ms in (0..at_ms + 500).step_by(5) {
                if sent_ms % FRAME_MS == 0 && sent_ms < 1_000 {
                    let rate_hz = host.sessions[0].input().rate_hz;
                    host.sessions[0].try_push(&sound(sent_ms, rate_hz)).expect("there is room");
                }
                if sent_ms == at_ms {
                    if hangs_up { host.sessions[0].close() } else { host.sessions[0].finish() }
                }
                host.tick();
            }
            host.ticks(4_000);
            let ends = host.count(|event| matches!(event, Event::SegmentEnded { .. }));
            let census = host.census();
            assert_eq!((ends, census.segments_active, census.sessions_open), (1, 0, 0), "{at_ms} ms");
        }
    }
}

const FOLLOWED: &str = r#"(
    name: "followed",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "follow", kind: Follow()),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "follow"), ("follow", "asr"), ("asr", "output")],
    services: {"asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20)))},
)"#;

/// Half a second of a sender's segment, then nothing, and what his gate says of it after so long; when it was answered and
/// when it was over.
fn followed(confirmed: bool, word_ms: u64) -> (Option<u64>, Option<u64>) {
    let mut host = caller(FOLLOWED, &[]);
    (0..25).for_each(|block| host.push_tagged(0, 1, block * 20_000, &[0.1; 320]));
    if confirmed {
        host.say(0, Control::ConfirmSpeculation { segment: 1, turn: 1, from_us: 0, to_us: 1 });
    }
    while host.now_ms() < 6_000 {
        if host.now_ms() == word_ms {
            if !confirmed {
                host.say(0, Control::ConfirmSpeculation { segment: 1, turn: 1, from_us: 0, to_us: 1 });
            }
            let end = |last| Control::EndOfSpeech { segment: 1, revision: 1, at_us: 480_000, last };
            host.say(0, end(false));
            host.say(0, end(true));
        }
        host.tick();
    }
    (host.texts.first().map(|said| said.t_us / 1_000), host.ended_ms())
}

#[test]
fn an_engine_that_follows_waits_for_the_senders_gate_to_give_the_microphone_up() {
    for confirmed in [true, false] {
        for word_ms in [1_000, 1_050, 1_500, 1_980] {
            let (text, ended) = followed(confirmed, word_ms);
            let told = (word_ms + 5)..=(word_ms + 50);
            assert!(text.is_some_and(|ms| told.contains(&ms)), "told at {word_ms}: {text:?}, {ended:?}");
        }
        let (text, ended) = followed(confirmed, 9_000);
        let due = ended.is_some_and(|ms| (2_000..=2_020).contains(&ms));
        assert!(text.is_none() && due, "nothing was said: {text:?}, over at {ended:?}");
    }
}

#[test]
fn what_was_open_is_told_once_and_the_next_word_is_a_turn_of_its_own() {
    let mute = Mute { from_ms: 1_000, until_ms: 5_000, end_ms: 5_000 };
    let mut host = caller("voice_assistant", &[ENERGY]);
    host.tick_us = 10_000;
    let mut host = host.live_until(mute);
    for sent in 0..200 {
        let media_ms = if (20..100).contains(&sent) { SPOKEN_MS.start } else { 0 };
        let rate_hz = host.sessions[0].input().rate_hz;
        host.sessions[0].try_push(&sound(media_ms, rate_hz)).expect("there is room");
        host.tick();
        host.tick();
    }
    let opened = host.events(|event| match event {
        Event::SegmentConfirmed { from_us, .. } => Some(*from_us / 1_000),
        _ => None,
    });
    let opened: Vec<u64> = opened.into_iter().map(|(.., from_ms)| from_ms).collect();
    let [first, second] = opened[..] else { panic!("two segments: {opened:?}") };
    // A second of audio was heard before the mute, and 400 ms of near silence behind it: media time is what was heard.
    assert!(first < 400 && (1_200..1_400).contains(&second), "{opened:?}");
    let ends = host.count(|event| matches!(event, Event::SegmentEnded { .. }));
    assert_eq!(ends, 2, "{:?}", host.records);
}
