//! Sessions come and go with the entities, and what cannot be done is told.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use bevy_app::App;
use bevy_asset::{AssetEvent, Assets, Handle};
use bevy_ecs::prelude::*;
use bevy_mynah::mynah_engine::SessionEvent;
use bevy_mynah::{
    Feed, Format, Run, Say, SceneFailed, Voice, VoiceCommands, VoiceEngines, VoiceInput, VoiceOutput,
    VoiceScene, VoiceSession, VoiceState, any_speaks, in_speech,
};
use support::{FRAME, GUARD, MONO, ORACLE, Told, add_scene, app, recording, settings};

fn failures(app: &App) -> Vec<String> {
    app.world().resource::<Told>().failed.iter().map(|(_, reason)| reason.clone()).collect()
}

fn named(scene: &Handle<VoiceScene>, name: &str) -> Voice {
    Voice { name: Some(name.into()), ..Voice::new(scene.clone()) }
}

fn is_open(app: &App, npc: Entity) -> bool {
    app.world().get::<VoiceSession>(npc).is_some()
}

/// Frames until `over` holds; on an own thread with real time between them.
fn until(app: &mut App, run: Run, mut over: impl FnMut(&mut App) -> bool) {
    for _ in 0..2_000 {
        app.update();
        if over(app) {
            return;
        }
        if run == Run::OwnThread {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    panic!("it did not come so far: {:#?}", failures(app));
}

#[test]
fn despawn_hangs_up_and_frees_the_name() {
    for run in [Run::InFrame, Run::Embedded, Run::OwnThread] {
        let mut app = app(settings(run));
        let scene = add_scene(&mut app, GUARD);
        let (mut device, feed) = Feed::new(MONO);
        let input = VoiceInput::always(feed);
        let first = app.world_mut().spawn((named(&scene, "guard"), input.clone())).id();
        until(&mut app, run, |app| is_open(app, first));
        assert_eq!(device.push(&[0.0; FRAME]).map(|pushed| pushed.heard), Ok(1), "{run:?}");
        // The same name in the same frame: it waits until the other session is over.
        app.world_mut().despawn(first);
        let second = app.world_mut().spawn((named(&scene, "guard"), input)).id();
        until(&mut app, run, |app| is_open(app, second));
        assert_eq!(
            device.push(&[0.0; FRAME]).map(|pushed| pushed.heard),
            Ok(1),
            "{run:?}: only one is there"
        );
        assert_eq!(failures(&app), [""; 0], "{run:?}");
        // Without its voice an entity stays, and hears nothing.
        app.world_mut().entity_mut(second).remove::<Voice>();
        until(&mut app, run, |app| !is_open(app, second));
        assert_eq!(device.push(&[0.0; FRAME]).map(|pushed| pushed.heard), Ok(0), "{run:?}");
        assert_eq!(app.world().get::<VoiceState>(second), Some(&VoiceState::default()), "{run:?}");
    }
}

#[test]
fn a_name_that_stays_in_use_is_told() {
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, GUARD);
    let twins = [0, 1].map(|_| app.world_mut().spawn(named(&scene, "twin")).id());
    until(&mut app, Run::InFrame, |app| !failures(app).is_empty());
    assert_eq!(failures(&app), ["session `twin` is open already: close it first or pick another name"]);
    assert_eq!(twins.map(|npc| is_open(&app, npc)), [true, false]);
    // Whoever changes the voice has it tried again.
    app.world_mut().get_mut::<Voice>(twins[1]).expect("it is there").name = Some("brother".into());
    until(&mut app, Run::InFrame, |app| is_open(app, twins[1]));
}

#[test]
fn a_second_scene_in_one_world_fails_clearly_and_elsewhere_it_does_not() {
    for run in [Run::Embedded, Run::InFrame, Run::OwnThread] {
        let mut app = app(settings(run));
        let (guard, oracle) = (add_scene(&mut app, GUARD), add_scene(&mut app, ORACLE));
        app.world_mut().spawn(named(&guard, "guard"));
        let oracle = app.world_mut().spawn(named(&oracle, "oracle")).id();
        until(&mut app, run, |app| is_open(app, oracle) || !failures(app).is_empty());
        app.update();
        if run == Run::Embedded {
            let want = "scene `oracle`: the world holds `guard` already, and an embedded engine is one scene; use \
                        `Run::OwnThread` or `Run::InFrame` for several";
            assert_eq!(failures(&app), [want]);
        } else {
            assert_eq!(
                (failures(&app), app.world().resource::<VoiceEngines>().len()),
                (vec![], 2),
                "{run:?}"
            );
        }
    }
}

#[test]
fn an_engine_ends_with_its_scene() {
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, GUARD);
    let old = app.world_mut().spawn(named(&scene, "old")).id();
    until(&mut app, Run::InFrame, |app| is_open(app, old));
    let patient = support::scene(include_str!("assets/patient.voice.ron"));
    app.world_mut()
        .resource_mut::<Assets<VoiceScene>>()
        .insert(&scene, patient)
        .expect("the handle is alive");
    let new = app.world_mut().spawn(named(&scene, "new")).id();
    until(&mut app, Run::InFrame, |app| is_open(app, new));
    assert_eq!(app.world().resource::<VoiceEngines>().len(), 2, "the old session keeps its scene");
    // It takes over the new scene when it is opened anew.
    app.world_mut().entity_mut(old).remove::<VoiceSession>();
    until(&mut app, Run::InFrame, |app| is_open(app, old));
    app.update();
    let engines = app.world().resource::<VoiceEngines>();
    let name = engines.engine(scene.id()).map(|engine| engine.plan().scene.name.clone());
    assert_eq!((engines.len(), name.as_deref()), (1, Some("patient")));
}

#[test]
fn an_embedded_scene_that_changes_is_told_and_stays() {
    let mut app = app(settings(Run::Embedded));
    let scene = add_scene(&mut app, GUARD);
    let old = app.world_mut().spawn(named(&scene, "old")).id();
    until(&mut app, Run::Embedded, |app| is_open(app, old));
    let patient = support::scene(include_str!("assets/patient.voice.ron"));
    app.world_mut()
        .resource_mut::<Assets<VoiceScene>>()
        .insert(&scene, patient)
        .expect("the handle is alive");
    app.world_mut().write_message(AssetEvent::Modified { id: scene.id() });
    let new = app.world_mut().spawn(named(&scene, "new")).id();
    until(&mut app, Run::Embedded, |app| is_open(app, new));
    let told: Vec<_> = app.world_mut().resource_mut::<Messages<SceneFailed>>().drain().collect();
    assert!(told.len() == 1 && told[0].reason.contains("keeps `guard` as it was"), "{told:?}");
}

#[test]
fn settings_out_of_range_are_told_with_their_remedy() {
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, GUARD);
    let impossible = VoiceOutput::new(Format { rate_hz: 1_000, channels: 1 });
    app.world_mut().spawn((named(&scene, "slow"), impossible));
    let mut loud = named(&scene, "loud");
    loud.gate.threshold = Some(1.5);
    app.world_mut().spawn(loud);
    app.update();
    let mut failures = failures(&app);
    failures.sort();
    assert!(failures[0].contains("VoiceOutput") && failures[0].contains("1000"), "{failures:#?}");
    assert!(failures[1].contains("threshold: 1.5 is no probability"), "{failures:#?}");
}

#[test]
fn lines_are_spoken_and_withdrawn() {
    for run in [Run::InFrame, Run::Embedded] {
        let mut app = app(settings(run));
        let scene = add_scene(&mut app, GUARD);
        let npc = app.world_mut().spawn(named(&scene, "guard")).id();
        // Before the session is open: it waits.
        app.world_mut().commands().entity(npc).say("Halt! Who goes there?", Say::default());
        until(&mut app, run, |app| app.world().get::<VoiceState>(npc).is_some_and(|state| state.speaks));
        let mut shapes = BTreeSet::new();
        until(&mut app, run, |app| {
            let state = app.world().get::<VoiceState>(npc).expect("a voice has one");
            shapes.insert(state.viseme as u8);
            state.duck == 1.0 && shapes.len() > 6
        });
        app.world_mut().commands().entity(npc).interrupt(bevy_mynah::InterruptMode::Now);
        until(&mut app, run, |app| {
            let told = app.world().resource::<Told>().of(npc);
            told.iter().any(|event| matches!(event, SessionEvent::AnswerInterrupted { heard_us: 1.., .. }))
        });
        let told = app.world().resource::<Told>().of(npc);
        let line =
            |event: &SessionEvent| matches!(event, SessionEvent::Line { text, .. } if text.contains("Halt"));
        assert!(told.iter().any(line), "{run:?}: {told:#?}");
        assert_eq!(failures(&app), [""; 0], "{run:?}");
    }
}

#[test]
fn the_game_answers_what_it_is_asked() {
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, ORACLE);
    let (mut device, feed) = Feed::new(MONO);
    let npc = app.world_mut().spawn((named(&scene, "oracle"), VoiceInput::always(feed))).id();
    let answer = |asked: On<'_, '_, bevy_mynah::ReplyRequested>, mut commands: Commands<'_, '_>| {
        assert_eq!(&*asked.text, "open the gate");
        commands.entity(asked.npc).reply_to(asked.request, "Ask again later.", true);
    };
    app.world_mut().entity_mut(npc).observe(answer);
    app.update();
    let mut frames = recording("turns.wav", 0).into_iter().take(180);
    until(&mut app, Run::InFrame, |app| {
        device.push(&frames.next().unwrap_or_else(|| vec![0.0; FRAME])).expect("whole frames");
        let told = app.world().resource::<Told>().of(npc);
        told.iter().any(|event| matches!(event, SessionEvent::AnswerEnded { .. }))
    });
    let told = app.world().resource::<Told>().of(npc);
    assert!(
        told.iter()
            .any(|event| matches!(event, SessionEvent::Line { text, .. } if &**text == "Ask again later.")),
        "{told:#?}"
    );
    let history = app.world().get::<VoiceSession>(npc).expect("it is open").history();
    assert_eq!(history.entries().len(), 2, "{history:?}");
}

#[test]
fn commands_that_reach_nobody_are_told() {
    let mut app = app(settings(Run::InFrame));
    let gone = app.world_mut().spawn_empty().id();
    let mute = app.world_mut().spawn_empty().id();
    let silent = GUARD.replace("(\"said\", \"tts\"),", "");
    let scene = add_scene(&mut app, &silent);
    let silent = app.world_mut().spawn(named(&scene, "silent")).id();
    app.update();
    for npc in [gone, mute, silent] {
        app.world_mut().commands().entity(npc).say("Halt!", Say::default());
    }
    app.world_mut().despawn(gone);
    app.update();
    app.update();
    let failures = failures(&app);
    assert_eq!(failures.len(), 3, "{failures:#?}");
    for (failure, part) in failures.iter().zip(["is gone", "no `Voice`", "add an edge from `said`"]) {
        assert!(failure.contains(part), "{failure}");
    }
}

#[derive(Resource, Default)]
struct Ran {
    in_speech: usize,
    any: usize,
}

#[test]
fn systems_run_while_somebody_speaks() {
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, GUARD);
    let [speaker, other] = ["speaker", "other"].map(|name| app.world_mut().spawn(named(&scene, name)).id());
    let count = |mut ran: ResMut<'_, Ran>| ran.any += 1;
    let by_speaker = |mut ran: ResMut<'_, Ran>| ran.in_speech += 1;
    let by_other = |_: ResMut<'_, Ran>| panic!("it is silent");
    app.init_resource::<Ran>().add_systems(
        bevy_app::Update,
        (count.run_if(any_speaks), by_speaker.run_if(in_speech(speaker)), by_other.run_if(in_speech(other))),
    );
    app.world_mut().commands().entity(speaker).say("Halt!", Say::default());
    until(&mut app, Run::InFrame, |app| {
        app.world().get::<VoiceState>(speaker).is_some_and(|state| state.speaks)
    });
    until(&mut app, Run::InFrame, |app| {
        app.world().get::<VoiceState>(speaker).is_some_and(|state| !state.speaks)
    });
    let ran = app.world().resource::<Ran>();
    assert!(ran.any > 10 && ran.any == ran.in_speech, "{} {}", ran.any, ran.in_speech);
}

#[cfg(feature = "diagnostics")]
#[test]
fn diagnostics_count_sessions_and_refused_pushes_also_of_those_that_are_gone() {
    use bevy_diagnostic::DiagnosticsStore;
    use bevy_mynah::VoiceDiagnosticsPlugin as Paths;
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, GUARD);
    let (mut device, feed) = Feed::new(MONO);
    let npc = app.world_mut().spawn((named(&scene, "guard"), VoiceInput::always(feed.clone()))).id();
    app.update();
    // Nobody ticks for 2 s of sound: 1.1 s fit in.
    for _ in 0..20 {
        device.push(&[0.0; 1_600]).expect("whole frames");
    }
    let refused = feed.refused();
    assert!((8..=10).contains(&refused), "{refused}");
    let value = |app: &App, path: bevy_diagnostic::DiagnosticPath| {
        app.world().resource::<DiagnosticsStore>().get(&path).and_then(|one| one.value())
    };
    app.update();
    assert_eq!(value(&app, Paths::SESSIONS), Some(1.0));
    assert_eq!(value(&app, Paths::REFUSED), Some(refused as f64));
    app.world_mut().despawn(npc);
    app.update();
    assert_eq!(
        (value(&app, Paths::SESSIONS), value(&app, Paths::REFUSED)),
        (Some(0.0), Some(refused as f64))
    );
    assert!(value(&app, Paths::TICK_US) > Some(0.0) && value(&app, Paths::HOLES) == Some(0.0));
}
