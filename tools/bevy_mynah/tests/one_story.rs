//! The same call through the plugin and through the engine: every event in the same frame, and the answer sample for sample.
//! What the engine tells of a call, programs in other languages tell, too (`cargo test -p libmynah`).

mod support;

use bevy_mynah::mynah_engine::speech::Interruption;
use bevy_mynah::mynah_engine::{Engine, EngineConfig, SessionEvent, SessionSpec};
use bevy_mynah::{Feed, Run, Voice, VoiceInput, VoiceOutput};
use support::{FRAME, FRAME_US, GUARD, MONO, Told, add_scene, app, recording, scene, settings};

const NAME: &str = "guard";
/// Silence behind the call: the answers are heard to their end.
const QUIET: usize = 300;

/// What is told, with the frame in which it is, and all that is heard.
#[derive(Debug, Default, PartialEq)]
struct Story {
    told: Vec<(usize, SessionEvent)>,
    heard: Vec<f32>,
}

fn by_the_engine(call: &[Vec<f32>]) -> Story {
    let config = EngineConfig { sessions_max: 64, ..EngineConfig::simulated() };
    let mut engine = Engine::new(scene(GUARD).plan().clone(), config);
    let spec = SessionSpec {
        lead_ms: Some(20),
        input: Some(MONO),
        interruption: Some(Interruption::Never),
        ..SessionSpec::named(NAME)
    };
    let session = engine.handle().open(spec).expect("there is room");
    let (mut microphone, mut loudspeaker, mut control) = session.split().expect("one handle");
    let (mut story, mut room) = (Story::default(), [0.0; FRAME]);
    engine.tick(0);
    for (frame, samples) in call.iter().enumerate() {
        microphone.push(samples).expect("there is room");
        engine.tick((frame as u64 + 1) * FRAME_US);
        story.told.extend(std::iter::from_fn(|| control.poll()).map(|event| (frame, event)));
        loudspeaker.read(&mut room);
        story.heard.extend_from_slice(&room);
    }
    story
}

fn by_the_plugin(run: Run, call: &[Vec<f32>]) -> Story {
    let mut app = app(settings(run));
    let scene = add_scene(&mut app, GUARD);
    let (mut microphone, feed) = Feed::new(MONO);
    let output = VoiceOutput::new(MONO);
    let mut loudspeaker = output.take_reader().expect("it was not taken");
    let voice =
        Voice { name: Some(NAME.into()), interruption: Some(Interruption::Never), ..Voice::new(scene) };
    let npc = app.world_mut().spawn((voice, VoiceInput::always(feed), output)).id();
    let (mut story, mut room) = (Story::default(), [0.0; FRAME]);
    app.update();
    for (frame, samples) in call.iter().enumerate() {
        microphone.push(samples).expect("whole frames");
        app.update();
        let told = app.world().resource::<Told>().of(npc);
        story.told.extend(told.into_iter().skip(story.told.len()).map(|event| (frame, event)));
        loudspeaker.read(&mut room);
        story.heard.extend_from_slice(&room);
    }
    story
}

#[test]
fn the_plugin_tells_and_sounds_as_the_engine_does() {
    let call = recording("cards.wav", QUIET);
    let wanted = by_the_engine(&call);
    let answers = wanted.told.iter().filter(|(_, event)| matches!(event, SessionEvent::AnswerEnded { .. }));
    assert!(
        answers.count() >= 2 && wanted.heard.iter().any(|sample| sample.abs() > 0.05),
        "{:?}",
        wanted.told
    );
    for run in [Run::InFrame, Run::Embedded] {
        let story = by_the_plugin(run, &call);
        let apart = story.told.iter().zip(&wanted.told).position(|(told, wanted)| told != wanted);
        let at = apart.unwrap_or(0);
        assert_eq!(story.told.len(), wanted.told.len(), "{run:?}: apart from event {apart:?} on");
        assert_eq!(story.told.get(at), wanted.told.get(at), "{run:?}: event {at}");
        let apart = story.heard.iter().zip(&wanted.heard).position(|(heard, wanted)| heard != wanted);
        assert_eq!((apart, story.heard.len()), (None, wanted.heard.len()), "{run:?}: the sound");
    }
}
