//! What the game is told is what the engine tells: wherever the engine ticks.

mod support;

use std::time::Duration;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_mynah::mynah_engine::{Engine, EngineConfig, SessionEvent, SessionSpec};
use bevy_mynah::{
    AnswerEnded, AnswerStarted, Feed, FeedIn, Line, Run, SpeechConfirmed, SpeechEnded, SpeechStarted,
    TimeMode, Transcript, Voice, VoiceInput, VoiceSettings, VoiceState,
};
use support::{FRAME, FRAME_US, GUARD, MONO, RATE_HZ, Told, add_scene, app, recording, scene, settings};

/// Characters, by what is said to them.
const RECORDINGS: [&str; 3] = ["turns.wav", "cards.wav", "noisy_pink_0db.wav"];
/// Silence behind each: the answers are heard to their end.
const QUIET: usize = 300;

fn recordings() -> Vec<Vec<Vec<f32>>> {
    let mut all: Vec<_> = RECORDINGS.iter().map(|name| recording(name, QUIET)).collect();
    let longest = all.iter().map(Vec::len).max().unwrap_or(0);
    all.iter_mut().for_each(|frames| frames.resize(longest, vec![0.0; FRAME]));
    all
}

/// The same with an engine alone.
fn by_the_engine() -> Vec<Vec<SessionEvent>> {
    let plan = scene(GUARD).plan().clone();
    let config = EngineConfig { sessions_max: 64, ..EngineConfig::simulated() };
    let mut engine = Engine::new(plan, config);
    let recordings = recordings();
    let open = |at: usize| {
        let spec =
            SessionSpec { lead_ms: Some(20), input: Some(MONO), ..SessionSpec::named(format!("npc {at}")) };
        engine.handle().open(spec).expect("there is room").split().expect("one handle")
    };
    let mut ends: Vec<_> = (0..recordings.len()).map(open).collect();
    let mut events = vec![Vec::new(); ends.len()];
    let mut heard = Vec::new();
    for frame in 0..=recordings[0].len() {
        engine.tick(frame as u64 * FRAME_US);
        for (at, (microphone, loudspeaker, control)) in ends.iter_mut().enumerate() {
            let position =
                |frame: usize| frame as u64 * FRAME_US * u64::from(loudspeaker.format().rate_hz) / 1_000_000;
            if frame > 0 {
                heard.resize((position(frame) - position(frame - 1)) as usize, 0.0);
                loudspeaker.read(&mut heard);
            }
            events[at].extend(std::iter::from_fn(|| control.poll()));
            if let Some(samples) = recordings[at].get(frame) {
                microphone.push(samples).expect("there is room");
            }
        }
    }
    events
}

/// Characters by name, each with a source of its own.
fn spawn(app: &mut App) -> Vec<(Entity, FeedIn)> {
    let scene = add_scene(app, GUARD);
    let one = |at: usize| {
        let (device, feed) = Feed::new(MONO);
        let voice = Voice { name: Some(format!("npc {at}")), ..Voice::new(scene.clone()) };
        (app.world_mut().spawn((voice, VoiceInput::always(feed))).id(), device)
    };
    (0..RECORDINGS.len()).map(one).collect()
}

fn by_the_plugin(run: Run) -> (App, Vec<Entity>) {
    let mut app = app(settings(run));
    let recordings = recordings();
    let mut voices = spawn(&mut app);
    app.update();
    for frame in 0..recordings[0].len() {
        for ((_, device), samples) in voices.iter_mut().zip(&recordings) {
            let pushed = device.push(&samples[frame]).expect("whole frames");
            assert_eq!((pushed.heard, pushed.refused), (1, 0), "frame {frame}");
        }
        app.update();
    }
    (app, voices.into_iter().map(|(npc, _)| npc).collect())
}

fn messages_are_the_engines_events(run: Run) {
    let wanted = by_the_engine();
    let (app, npcs) = by_the_plugin(run);
    let told = app.world().resource::<Told>();
    assert!(told.failed.is_empty(), "{:?}", told.failed);
    for (npc, wanted) in npcs.iter().zip(&wanted) {
        let answers = wanted.iter().filter(|event| matches!(event, SessionEvent::AnswerEnded { .. })).count();
        assert!(answers > 0, "nothing was answered: {wanted:#?}");
        pretty(&told.of(*npc), wanted);
    }
}

fn pretty(told: &[SessionEvent], wanted: &[SessionEvent]) {
    let at = told.iter().zip(wanted).position(|(a, b)| a != b);
    let (told_at, wanted_at) = at.map_or((None, None), |at| (told.get(at), wanted.get(at)));
    assert_eq!(told.len(), wanted.len(), "first difference at {at:?}: {told_at:?} {wanted_at:?}");
    assert_eq!(told_at, wanted_at, "at {at:?}");
}

#[test]
fn in_the_frame_messages_are_the_engines_events() {
    messages_are_the_engines_events(Run::InFrame);
}

#[test]
fn embedded_messages_are_the_engines_events() {
    messages_are_the_engines_events(Run::Embedded);
}

/// Each kind's own message says what the stream of all says.
#[derive(Resource, Default)]
struct ByKind(Vec<(Entity, SessionEvent)>, usize);

type Kinds<'a, 'w, 's> = (
    MessageReader<'w, 's, SpeechStarted>,
    MessageReader<'w, 's, SpeechConfirmed>,
    MessageReader<'w, 's, SpeechEnded>,
    MessageReader<'w, 's, Transcript>,
    MessageReader<'w, 's, Line>,
    MessageReader<'w, 's, AnswerStarted>,
    MessageReader<'w, 's, AnswerEnded>,
);

fn by_kind(
    (mut a, mut b, mut c, mut d, mut e, mut f, mut g): Kinds<'_, '_, '_>,
    mut all: ResMut<'_, ByKind>,
) {
    let started = |m: &SpeechStarted| SessionEvent::SpeechStarted { segment: m.segment, from_us: m.from_us };
    all.0.extend(a.read().map(|m| (m.npc, started(m))));
    all.0.extend(b.read().map(|m| {
        let SpeechConfirmed { npc, segment, turn, from_us, to_us } = m.clone();
        (npc, SessionEvent::SpeechConfirmed { segment, turn, from_us, to_us })
    }));
    all.0.extend(c.read().map(|m| {
        let SpeechEnded { npc, segment, revision, at_us, last } = m.clone();
        (npc, SessionEvent::EndOfSpeech { segment, revision, at_us, last })
    }));
    all.0.extend(d.read().map(|m| {
        let Transcript { npc, segment, revision, turn, text, last } = m.clone();
        (npc, SessionEvent::Transcript { segment, revision, turn, text, last })
    }));
    all.0.extend(e.read().map(|m| {
        let Line { npc, turn, text, from_us, until_us } = m.clone();
        (npc, SessionEvent::Line { turn, text, from_us, until_us })
    }));
    all.0.extend(f.read().map(|m| (m.npc, SessionEvent::AnswerStarted { turn: m.turn, line: m.line })));
    all.0.extend(g.read().map(|m| (m.npc, SessionEvent::AnswerEnded { turn: m.turn, heard_us: m.heard_us })));
}

#[test]
fn every_kind_has_its_message_and_observers_hear_the_same() {
    let mut app = app(settings(Run::InFrame));
    app.init_resource::<ByKind>().add_systems(bevy_app::Update, by_kind);
    let (frames, mut voices) = (recording("turns.wav", QUIET), spawn(&mut app));
    let npc = voices[0].0;
    let count = |_: On<'_, '_, AnswerStarted>, mut all: ResMut<'_, ByKind>| all.1 += 1;
    app.world_mut().entity_mut(npc).observe(count);
    app.update();
    let (mut heard, mut spoke) = (false, false);
    for frame in &frames {
        for (_, device) in &mut voices {
            device.push(frame).expect("whole frames");
        }
        app.update();
        let state = app.world().get::<VoiceState>(npc).expect("required");
        (heard, spoke) = (heard || state.hears, spoke || state.speaks);
    }
    assert!(heard && spoke);
    let has_own = |event: &SessionEvent| {
        use SessionEvent as E;
        matches!(
            event,
            E::SpeechStarted { .. }
                | E::SpeechConfirmed { .. }
                | E::EndOfSpeech { .. }
                | E::Transcript { .. }
                | E::Line { .. }
                | E::AnswerStarted { .. }
                | E::AnswerEnded { .. }
        )
    };
    let told = app.world().resource::<Told>();
    let of_kinds = &app.world().resource::<ByKind>();
    let mut all: Vec<String> =
        told.events.iter().filter(|(_, event)| has_own(event)).map(|told| format!("{told:?}")).collect();
    let mut own: Vec<String> = of_kinds.0.iter().map(|told| format!("{told:?}")).collect();
    all.sort();
    own.sort();
    assert_eq!(all, own);
    let answers =
        told.of(npc).iter().filter(|event| matches!(event, SessionEvent::AnswerStarted { .. })).count();
    assert_eq!((of_kinds.1, answers > 0), (answers, true));
}

/// What is heard, and what is answered, each in its own order: how the two lie in time is the machine's.
fn kinds(events: &[SessionEvent]) -> (Vec<String>, Vec<String>) {
    let mut speech = Vec::new();
    let mut answers = Vec::new();
    for event in events {
        use SessionEvent as E;
        match event {
            E::SpeechStarted { .. }
            | E::SpeechConfirmed { .. }
            | E::SpeechCancelled { .. }
            | E::EndOfSpeech { .. } => {
                speech.push(format!("{event:?}"));
            }
            E::Transcript { text, .. } => answers.push(format!("heard {text}")),
            E::AnswerStarted { turn, .. } => answers.push(format!("answer {turn}")),
            E::Line { text, .. } => answers.push(text.to_string()),
            E::AnswerEnded { turn, .. } => answers.push(format!("end {turn}")),
            _ => {}
        }
    }
    (speech, answers)
}

/// One utterance, so that nothing depends on who is first.
fn one_utterance() -> Vec<Vec<f32>> {
    let mut frames = recording("turns.wav", 0);
    frames.truncate(3 * RATE_HZ as usize / FRAME);
    frames
}

/// One character hears one utterance; until it has answered, or half a minute is over.
#[expect(clippy::disallowed_methods, reason = "an own thread has the wall clock")]
fn one_answer(run: Run) -> Vec<SessionEvent> {
    let own_thread = run == Run::OwnThread;
    let time = if own_thread { TimeMode::Wall } else { TimeMode::Virtual };
    let mut app = app(VoiceSettings { time, ..settings(run) });
    let (npc, mut device) = spawn(&mut app).swap_remove(0);
    let mut frames = one_utterance().into_iter();
    for _ in 0..30_000_000 / FRAME_US {
        app.update();
        device.push(&frames.next().unwrap_or_else(|| vec![0.0; FRAME])).expect("whole frames");
        let told = app.world().resource::<Told>().of(npc);
        if told.iter().any(|event| matches!(event, SessionEvent::AnswerEnded { .. })) {
            return told;
        }
        if own_thread {
            std::thread::sleep(Duration::from_micros(FRAME_US));
        }
    }
    panic!("no answer came: {:#?}", app.world().resource::<Told>().of(npc));
}

#[test]
fn on_an_own_thread_the_same_is_told_in_the_same_order() {
    let wanted = kinds(&one_answer(Run::InFrame));
    assert!(wanted.0.len() >= 3 && wanted.1.len() >= 3, "{wanted:?}");
    assert_eq!(kinds(&one_answer(Run::OwnThread)), wanted);
}
