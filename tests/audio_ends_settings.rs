//! What a session asks for itself: its output's format, how far ahead answers leave, the device's latency, what was heard,
//! what interrupts. What cannot be is refused when it is opened.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/host.rs"]
mod host;
#[path = "support/spoken.rs"]
mod spoken;

use std::collections::BTreeMap;

use ends::Player;
use host::{Host, TICK_US, findings, plan};
use mynah_engine::base::frames_to_us;
use mynah_engine::edge::Params;
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateOverrides, InterruptMode, Interruption};
use mynah_engine::{Engine, EngineConfig, OpenError, Say, SessionEvent, SessionHandle, SessionSpec};
use mynah_systems::dsp::convert;
use spoken::speech;

const MONO_16K: Format = Format { rate_hz: 16_000, channels: 1 };
const STEREO_44K: Format = Format { rate_hz: 44_100, channels: 2 };
const LONG: &str =
    "This is a long story about a bird that listens and talks back, and it goes on and on, and on.";

/// Three sines, 2 s of them.
fn tone() -> Vec<f32> {
    let tone = |at: f32| (at * 0.05).sin() * 0.3 + (at * 0.71).sin() * 0.2 + (at * 0.013).cos() * 0.3;
    (0..32_000).map(|at| tone(at as f32)).collect()
}

/// A stream by itself, as it would be converted outside.
fn converted(samples: &[f32]) -> Vec<f32> {
    let (mut converter, mut out) = (convert::build(MONO_16K, STEREO_44K).expect("both exist"), Vec::new());
    converter.push(samples, &mut out);
    converter.flush(&mut out);
    out
}

fn assert_near(got: &[f32], wanted: &[f32], what: &str) {
    assert!(!wanted.is_empty() && got.len() == wanted.len(), "{what}: {} of {}", got.len(), wanted.len());
    let far = got.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far <= 1e-6, "{what}: they differ by {far}");
}

/// Sessions that differ in their output's format only.
fn specs() -> [SessionSpec; 2] {
    [None, Some(STEREO_44K)].map(|output| SessionSpec { output, ..SessionSpec::named("listener") })
}

/// What comes out of the ends of a player, without the silence between.
fn sound(player: &Player) -> Vec<f32> {
    let channels = usize::from(player.output.format().channels);
    let piece = player.heard.len() / player.said.len();
    let reads = player.heard.chunks(piece).zip(&player.said);
    reads.flat_map(|(heard, (_, read))| heard[..read.frames * channels].iter().copied()).collect()
}

#[test]
fn a_stream_in_a_format_of_its_own_is_what_resampling_outside_makes_of_it() {
    let wanted = converted(&tone());
    let through_handle = specs().map(|spec| {
        let mut host = Host::new("passthrough", &[]).with(spec);
        for piece in tone().chunks(80) {
            host.sessions[0].try_push(piece).expect("there is credit");
            host.tick();
        }
        host.finish();
        host.whole(0)
    });
    assert_eq!(through_handle[0], tone());
    assert_near(&through_handle[1], &wanted, "through the handle");
    let through_ends = specs().map(|spec| {
        let mut player = Player::new("passthrough", &[], spec);
        player.speak(&tone());
        player.until("all is pushed", Player::is_silent);
        player.control.finish();
        player.listens = false;
        player.ticks(60);
        assert!(player.control.is_closed());
        sound(&player)
    });
    assert_eq!(through_ends[0], tone());
    assert_near(&through_ends[1], &wanted, "through the ends");
}

/// The answers to something said, and to a line: the samples of each, by turn.
fn answers_by_handle(spec: SessionSpec) -> BTreeMap<u32, Vec<f32>> {
    let mut host = Host::new("barge_in", &[]).with(spec);
    let mut said = speech(16_000, "Could you open the door");
    said.resize(said.len() + 16_000 * 14, 0.0);
    for piece in said.chunks(80) {
        host.sessions[0].try_push(piece).expect("there is credit");
        host.tick();
    }
    host.finish();
    let mut answers = BTreeMap::<u32, Vec<f32>>::new();
    for sound in host.sounds.iter().filter(|sound| sound.revision > 0) {
        answers.entry(sound.turn).or_default().extend(&sound.samples);
    }
    answers
}

/// The same through the ends, with a line after the answer; all samples in a row, and how many answers they are.
fn answers_by_ends(spec: SessionSpec) -> (Vec<f32>, Vec<usize>) {
    let mut player = Player::new("barge_in", &[], spec);
    player.speak(&speech(16_000, "Could you open the door"));
    player.next("the answer ends", 0, ended);
    player.control.say("Do come in.", Say::default()).expect("there is room");
    let from = player.events.len();
    player.next("the line ends", from, ended);
    let channels = usize::from(player.output.format().channels);
    let (mut begins, mut at) = (Vec::new(), 0);
    for (_, read) in &player.said {
        if read.began {
            begins.push(at);
        }
        at += read.frames * channels;
    }
    (sound(&player), begins)
}

#[test]
fn an_answer_in_a_format_of_its_own_is_what_resampling_outside_makes_of_it() {
    let [plain, own] = specs().map(answers_by_handle);
    assert!(plain.len() == 1 && plain.values().all(|answer| answer.len() > 32_000), "a long answer");
    assert_eq!(own.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
    for (turn, answer) in &plain {
        assert_near(&own[turn], &converted(answer), &format!("the answer of turn {turn}"));
    }
    let [(plain, begins), (own, own_begins)] = specs().map(answers_by_ends);
    assert_eq!((begins.len(), own_begins.len()), (2, 2), "an answer and a line");
    // Between the two is silence, and so a read that has both is none: the beginnings are exact.
    let wanted = [converted(&plain[..begins[1]]), converted(&plain[begins[1]..])];
    assert_eq!(own_begins[1], wanted[0].len());
    assert_near(&own, &wanted.concat(), "both in a row");
}

fn ended(event: &SessionEvent) -> Option<(u32, u64)> {
    match event {
        SessionEvent::AnswerEnded { turn, heard_us } => Some((*turn, *heard_us)),
        _ => None,
    }
}

fn interrupted(event: &SessionEvent) -> Option<(u32, u64)> {
    match event {
        SessionEvent::AnswerInterrupted { turn, heard_us } => Some((*turn, *heard_us)),
        _ => None,
    }
}

fn started(event: &SessionEvent) -> Option<u32> {
    match event {
        SessionEvent::AnswerStarted { turn, .. } => Some(*turn),
        _ => None,
    }
}

fn listener(spec: SessionSpec) -> Player {
    let mut player = Player::new("barge_in", &[], spec);
    player.listens = false;
    player
}

/// A story that the host cuts after a second; `report` is asked what was heard in each tick. What the engine says was.
fn cut(spec: SessionSpec, mut report: impl FnMut(u64) -> Option<u64>) -> u64 {
    let mut player = listener(spec);
    player.control.say(LONG, Say::default()).expect("there is room");
    let turn = player.next("the story begins", 0, started);
    for at in 0..200 {
        if let Some(us) = report(at * TICK_US) {
            player.control.heard(turn, us).expect("there is room");
        }
        player.tick();
    }
    player.control.interrupt(InterruptMode::Now).expect("there is room");
    player.next("the story is cut", 0, interrupted).1
}

#[test]
fn what_the_host_reports_is_what_was_heard() {
    let by_itself_us = cut(SessionSpec::named("npc"), |_| None);
    assert!(by_itself_us.abs_diff(1_000_000) <= 2 * TICK_US, "{by_itself_us}: what was read");
    assert_eq!(cut(SessionSpec::named("npc"), |_| Some(400_000)), 400_000);
    // A loudspeaker that lags by 300 ms, and reports 50 ms late.
    let lags = |at_us: u64| at_us.is_multiple_of(50_000).then(|| at_us.saturating_sub(300_000));
    assert_eq!(cut(SessionSpec::named("npc"), lags), 650_000);
    // Positions that jump: the last word counts, whatever it says.
    assert_eq!(cut(SessionSpec::named("npc"), |at_us| Some(at_us % 70_000 * 9)), 995_000 % 70_000 * 9);
}

#[test]
fn an_answer_has_ended_when_the_host_says_that_all_was_heard() {
    let mut player = listener(SessionSpec::named("npc"));
    player.control.say("Halt! Who goes there?", Say::default()).expect("there is room");
    let turn = player.next("the line begins", 0, started);
    player.control.heard(turn, 0).expect("there is room");
    player.ticks(800);
    assert!(player.said.iter().any(|(_, read)| read.ended), "all of it was read");
    assert!(player.told(ended).is_empty(), "and nothing heard");
    player.control.heard(turn, 9_000_000).expect("there is room");
    let (_, heard_us) = player.next("the end", 0, ended);
    let frames: usize = player.said.iter().map(|(_, read)| read.frames).sum();
    assert!(heard_us.abs_diff(frames_to_us(frames as u64, 16_000)) < 2_000, "no more than there was");
}

#[test]
fn a_device_that_is_late_is_heard_late() {
    let end_us = |latency_ms| {
        let mut player = listener(SessionSpec { latency_ms, ..SessionSpec::named("npc") });
        player.control.say("Halt! Who goes there?", Say::default()).expect("there is room");
        let (_, heard_us) = player.next("the end", 0, ended);
        (player.now_us(), heard_us)
    };
    let ((now_us, heard_us), (late_us, also_us)) = (end_us(0), end_us(200));
    assert_eq!((late_us - now_us, heard_us), (200_000, also_us));
    let cut_us = |latency_ms| cut(SessionSpec { latency_ms, ..SessionSpec::named("npc") }, |_| None);
    assert_eq!(cut_us(0) - cut_us(200), 200_000);
}

#[test]
fn a_lead_of_its_own_says_how_far_ahead_audio_leaves() {
    for lead_ms in [None, Some(0), Some(100), Some(500), Some(800)] {
        let spec = || SessionSpec { lead_ms, ..SessionSpec::named("npc") };
        let lead_us = u64::from(lead_ms.unwrap_or(20)) * 1_000;
        let mut player = listener(spec());
        player.reads = false;
        player.control.say(LONG, Say::default()).expect("there is room");
        player.ticks(400);
        let ahead_us = frames_to_us(player.output.available() as u64, 16_000);
        // Up to a block of 20 ms more.
        let right = ahead_us > lead_us.max(1) - 1 && ahead_us <= lead_us + 40_000;
        assert!(right, "{lead_ms:?}: {ahead_us} us in the ring");
        let mut host = Host::new("barge_in", &[]).with(spec());
        host.sessions[0].control(say(LONG)).expect("there is room");
        host.until("it begins", |host| !host.sounds.is_empty());
        let began_us = host.now_us();
        host.ticks(60);
        let sent: usize = host.sounds.iter().map(|sound| sound.samples.len()).sum();
        let ahead_us = frames_to_us(sent as u64, 16_000).saturating_sub(host.now_us() - began_us);
        let right = ahead_us + 20_000 > lead_us && ahead_us <= lead_us + 40_000;
        assert!(right, "{lead_ms:?}: {ahead_us} us ahead through the handle");
    }
}

fn say(text: &str) -> mynah_engine::ControlIn {
    let line = mynah_engine::edge::Line { words: text.into(), say: Say::default() };
    mynah_engine::ControlIn { message_id: 1, control: mynah_engine::Control::Say(line.into()) }
}

/// Somebody says something for a second and a half while a story is told: how often it paused, and was cut.
fn spoken_over(interruption: Option<Interruption>) -> (usize, usize) {
    let mut player = Player::new("barge_in", &[], SessionSpec { interruption, ..SessionSpec::named("npc") });
    player.control.say(LONG, Say::default()).expect("there is room");
    player.next("the story begins", 0, started);
    player.speak(&speech(16_000, "Stop that now please and listen to me"));
    player.until("the player has spoken", Player::is_silent);
    player.ticks(200);
    let paused = player.told(|event| matches!(event, SessionEvent::AnswerPaused { .. }).then_some(()));
    (paused.len(), player.told(interrupted).len())
}

#[test]
fn a_session_says_for_itself_what_interrupts() {
    let (paused, cut) = spoken_over(None);
    assert!(paused > 0 && cut == 1, "the scene's own: {paused} {cut}");
    let (paused, cut) = spoken_over(Some(Interruption::AfterMs(5_000)));
    assert!(paused > 0 && cut == 0, "shorter speech only pauses: {paused} {cut}");
    assert_eq!(spoken_over(Some(Interruption::Never)), (0, 0));
    let (_, cut) = spoken_over(Some(Interruption::AfterMs(100)));
    assert_eq!(cut, 1);
}

fn refused(scene: &str, spec: SessionSpec) -> Result<SessionHandle, OpenError> {
    Engine::new(plan(scene, &[]), EngineConfig::simulated()).handle().open(spec)
}

#[test]
fn settings_that_cannot_be_are_refused_with_their_remedy() {
    let named = || SessionSpec::named("npc");
    let format = |rate_hz, channels| Some(Format { rate_hz, channels });
    let gate = |gate| SessionSpec { gate, ..named() };
    let long = Params::new().with("instructions", "x".repeat(100_000));
    let rows: Vec<(&str, SessionSpec, [&str; 2])> = vec![
        (
            "barge_in",
            SessionSpec { lead_ms: Some(10_001), ..named() },
            ["lead_ms: 10001 ms", "0 to 10000 ms"],
        ),
        (
            "barge_in",
            SessionSpec { latency_ms: 10_001, ..named() },
            ["latency_ms: 10001 ms", "0 to 10000 ms"],
        ),
        (
            "barge_in",
            SessionSpec { interruption: Some(Interruption::AfterMs(99)), ..named() },
            ["interruption: 99 ms", "100 to 5000 ms"],
        ),
        (
            "passthrough",
            SessionSpec { interruption: Some(Interruption::AfterMs(300)), ..named() },
            ["interruption", "`session.output.interrupt_min_ms`"],
        ),
        ("barge_in", SessionSpec { output: format(7_999, 1), ..named() }, ["7999", "8000"]),
        ("barge_in", SessionSpec { output: format(16_000, 9), ..named() }, ["9", "1 to 8"]),
        ("barge_in", SessionSpec { output: format(16_000, 0), ..named() }, ["0", "1 to 8"]),
        ("barge_in", SessionSpec { params: long, ..named() }, ["params", "at most"]),
        (
            "barge_in",
            gate(GateOverrides { threshold: Some(1.5), ..GateOverrides::default() }),
            ["node `gate`", "threshold"],
        ),
        (
            "barge_in",
            gate(GateOverrides { min_silence_ms: Some(-1.0), ..GateOverrides::default() }),
            ["node `gate`", "min_silence_ms"],
        ),
    ];
    let mut wrong = Vec::new();
    for (scene, spec, parts) in rows {
        match refused(scene, spec) {
            Err(OpenError::Setting { reason }) if parts.iter().all(|part| reason.contains(part)) => {}
            Err(error) => wrong.push(format!("{parts:?}: {error:?}")),
            Ok(_) => wrong.push(format!("{parts:?}: it was opened")),
        }
    }
    findings(&wrong);
}
