//! Voice inside a world that somebody else owns: a small game with its own entities, resources and schedule, into
//! which a scene is embedded. The engine's tick is one system among the game's.
//!
//! Run: `cargo run --release --example foreign_world`
#![expect(clippy::print_stdout, reason = "an example prints what happened")]

use std::ops::ControlFlow;
use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{Schedule, SingleThreadedExecutor};
use mynah_engine::scene::{Source, compile};
use mynah_engine::{EngineConfig, Event, Out, SessionHandle, SessionSpec, embed};
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

/// A frame of the game; it lives in virtual time.
const FRAME_US: u64 = 20_000;

/// The game's own time.
#[derive(Resource, Default)]
struct Time {
    now_us: u64,
}

/// What happened, for the player's eyes.
#[derive(Resource, Default)]
pub(crate) struct Story {
    /// One line per event.
    pub(crate) lines: Vec<String>,
}

/// A character of the game.
#[derive(Component)]
struct Character {
    name: &'static str,
    /// Steps walked: characters stand still while they talk.
    steps: u32,
    talking: bool,
}

/// What a character's player says into the microphone, and the session that carries it.
#[derive(Component)]
struct Voice {
    session: SessionHandle,
    sound: Vec<f32>,
    at: usize,
    /// Samples of speech that came through.
    heard: usize,
}

/// Something of the game that has nothing to do with voice.
#[derive(Component)]
struct Tree;

/// Plays the game for `frames` frames of 20 ms and returns its world.
pub(crate) fn play(frames: usize) -> World {
    let mut world = World::new();
    world.init_resource::<Time>();
    world.init_resource::<Story>();
    world.spawn_batch((0..100).map(|_| Tree));
    let scene = Source::new("gate_only.ron", include_str!("../../../scenes/gate_only.ron"));
    let compiled = compile(&scene, &[], None, &mynah_systems::registry(None));
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("the scene of the game is broken: {found:?}"));
    let voices = embed::embed(&mut world, &Arc::new(plan), EngineConfig::simulated());
    for (name, line, begins_ms) in
        [("Ada", "there is a dragon behind the gate", 300), ("Bo", "then we should take the bridge", 2_600)]
    {
        let session = voices.open(SessionSpec::named(name)).expect("two sessions fit");
        let voice = Voice { session, sound: spoken(line, begins_ms), at: 0, heard: 0 };
        world.spawn((Character { name, steps: 0, talking: false }, voice));
    }
    let mut frame = Schedule::default();
    frame.set_executor(SingleThreadedExecutor::new());
    frame.add_systems((advance, speak, voice_tick, notice, listen, walk).chain());
    for _ in 0..frames {
        frame.run(&mut world);
        world.clear_trackers();
    }
    tell_steps(&mut world);
    world
}

fn advance(mut time: ResMut<'_, Time>) {
    time.now_us += FRAME_US;
}

/// Microphones: 20 ms a frame.
fn speak(mut voices: Query<'_, '_, &mut Voice>) {
    let piece = (u64::from(RATE_HZ) * FRAME_US / 1_000_000) as usize;
    for mut voice in &mut voices {
        let to = (voice.at + piece).min(voice.sound.len());
        voice.session.try_push(&voice.sound[voice.at..to]).expect("20 ms a frame are no flood");
        voice.at = to;
    }
}

/// The whole engine as one exclusive system.
fn voice_tick(world: &mut World) {
    let now_us = world.resource::<Time>().now_us;
    embed::tick(world, now_us);
}

/// The game reads the engine's events like any other resource.
fn notice(
    engine: Res<'_, embed::Embedded>,
    mut story: ResMut<'_, Story>,
    mut characters: Query<'_, '_, (&mut Character, &Voice)>,
) {
    for record in engine.records() {
        let (talking, what) = match record.event {
            Event::SegmentConfirmed { .. } => (true, "stops and talks"),
            Event::SegmentEnded { .. } => (false, "has finished and walks on"),
            _ => continue,
        };
        for (mut character, voice) in &mut characters {
            if voice.session.id() == record.session {
                character.talking = talking;
                let seconds = record.t_us as f64 / 1e6;
                story.lines.push(format!("{seconds:5.2} s  {} {what}", character.name));
            }
        }
    }
}

fn listen(mut voices: Query<'_, '_, &mut Voice>) {
    for mut voice in &mut voices {
        while let Some(out) = voice.session.poll() {
            if let Out::Audio(audio) = out {
                voice.heard += audio.block.len();
                voice.session.give_back(audio.block);
            }
        }
    }
}

fn walk(mut characters: Query<'_, '_, &mut Character>) {
    for mut character in characters.iter_mut().filter(|c| !c.talking) {
        character.steps += 1;
    }
}

fn tell_steps(world: &mut World) {
    let trees = world.query::<&Tree>().iter(world).count();
    let mut lines: Vec<String> = world
        .query::<(&Character, &Voice)>()
        .iter(world)
        .map(|(character, voice)| {
            let seconds = voice.heard as f64 / f64::from(RATE_HZ);
            format!("{}: {seconds:.2} s of speech, {} steps", character.name, character.steps)
        })
        .collect();
    lines.push(format!("{trees} trees listened"));
    world.resource_mut::<Story>().lines.append(&mut lines);
}

/// Silence, the line, silence: five seconds.
fn spoken(line: &str, begins_ms: usize) -> Vec<f32> {
    let mut sound = vec![0.0; RATE_HZ as usize / 1_000 * begins_ms];
    let flite = Flite::new().expect("the voice is part of the program");
    let mut take = |piece: &[f32]| {
        sound.extend_from_slice(piece);
        ControlFlow::Continue(())
    };
    let said = flite.synthesize(line, VoiceStyle::default(), &mut take);
    assert!(said.is_ok(), "the natural style is in range");
    sound.resize(RATE_HZ as usize * 5, 0.0);
    sound
}

fn main() {
    let world = play(250);
    for line in &world.resource::<Story>().lines {
        println!("{line}");
    }
}
