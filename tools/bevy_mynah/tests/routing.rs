//! One microphone, several characters: who is addressed hears.

mod support;

use bevy_ecs::prelude::*;
use bevy_mynah::mynah_engine::SessionEvent;
use bevy_mynah::{Addressed, Feed, FeedIn, Listener, Run, Voice, VoiceInput};
use bevy_transform::components::{GlobalTransform, Transform};
use support::{FRAME, GUARD, MONO, Told, add_scene, app, recording, settings};

fn at(x: f32) -> GlobalTransform {
    GlobalTransform::from(Transform::from_xyz(x, 0.0, 0.0))
}

struct Village {
    app: bevy_app::App,
    device: FeedIn,
    npcs: Vec<Entity>,
    player: Entity,
}

/// Characters at these places, and a player at 0 whose microphone they share.
fn village(run: Run, places: &[f32]) -> Village {
    let mut app = app(settings(run));
    let scene = add_scene(&mut app, GUARD);
    let (device, feed) = Feed::new(MONO);
    let mut one = |x: &f32| {
        let input = VoiceInput::when_addressed(feed.clone());
        app.world_mut().spawn((Voice::new(scene.clone()), input, at(*x))).id()
    };
    let npcs = places.iter().map(&mut one).collect();
    let player = app.world_mut().spawn((Listener { radius: 4.0, margin: 0.5 }, at(0.0))).id();
    app.update();
    app.update();
    Village { app, device, npcs, player }
}

impl Village {
    fn addressed(&self) -> Vec<usize> {
        let is = |npc: &Entity| self.app.world().get::<Addressed>(*npc).is_some();
        (0..self.npcs.len()).filter(|at| is(&self.npcs[*at])).collect()
    }

    fn walk(&mut self, x: f32) {
        *self.app.world_mut().get_mut::<GlobalTransform>(self.player).expect("it stands") = at(x);
        self.app.update();
    }

    fn speeches(&self) -> Vec<usize> {
        let told = self.app.world().resource::<Told>();
        let confirmed = |event: &SessionEvent| matches!(event, SessionEvent::SpeechConfirmed { .. });
        self.npcs.iter().map(|npc| told.of(*npc).iter().filter(|event| confirmed(event)).count()).collect()
    }
}

#[test]
fn the_nearest_within_the_radius_is_addressed_and_nobody_flutters() {
    let mut village = village(Run::InFrame, &[3.0, -2.0, 9.0]);
    assert_eq!(village.addressed(), [1]);
    // 2.4 from one, 2.6 from the other: no reason to change over.
    village.walk(0.6);
    assert_eq!(village.addressed(), [1]);
    village.walk(1.5);
    assert_eq!(village.addressed(), [0]);
    village.walk(100.0);
    assert_eq!(village.addressed(), [0; 0]);
    // What the game says itself stays.
    let far = village.npcs[2];
    village.app.world_mut().entity_mut(far).insert(Addressed);
    village.walk(0.0);
    assert_eq!(village.addressed(), [1, 2]);
}

#[test]
fn only_who_is_addressed_hears_and_what_was_begun_ends() {
    for run in [Run::InFrame, Run::Embedded] {
        let mut village = village(run, &[3.0, -2.0, 9.0]);
        for frame in recording("turns.wav", 0).iter().take(60) {
            let pushed = village.device.push(frame).expect("whole frames");
            assert_eq!((pushed.heard, pushed.refused), (1, 0));
            village.app.update();
        }
        assert_eq!(village.speeches(), [0, 1, 0], "{run:?}");
        // The player leaves in the middle of a word: for who was addressed it is silent now, and the end comes.
        village.walk(100.0);
        for frame in recording("turns.wav", 0).iter().skip(60).cycle().take(200) {
            village.device.push(frame).expect("whole frames");
            village.app.update();
        }
        assert_eq!(village.speeches(), [0, 1, 0], "{run:?}");
        let told = village.app.world().resource::<Told>().of(village.npcs[1]);
        let ended = |event: &SessionEvent| matches!(event, SessionEvent::EndOfSpeech { last: true, .. });
        assert!(told.iter().any(ended), "{told:#?}");
    }
}

#[test]
fn one_source_reaches_all_that_always_hear_it() {
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, GUARD);
    let (mut device, feed) = Feed::new(MONO);
    let npcs: Vec<Entity> = (0..5)
        .map(|_| app.world_mut().spawn((Voice::new(scene.clone()), VoiceInput::always(feed.clone()))).id())
        .collect();
    app.update();
    for frame in recording("cards.wav", 20) {
        assert_eq!(device.push(&frame).map(|pushed| pushed.heard), Ok(5));
        app.update();
    }
    assert!(device.push(&vec![0.0; FRAME * 100]).is_err(), "more than a second at once");
    let told = app.world().resource::<Told>();
    let first =
        told.of(npcs[0]).into_iter().filter(|event| matches!(event, SessionEvent::SpeechConfirmed { .. }));
    let first: Vec<_> = first.collect();
    assert!(!first.is_empty());
    for npc in &npcs[1..] {
        let heard: Vec<_> = told.of(*npc).into_iter().filter(|event| first.contains(event)).collect();
        assert_eq!(heard, first);
    }
}
