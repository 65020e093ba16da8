//! The lines that README.md shows: a character that says the first word, in a game without a window.
//!
//! Run: `cargo run --release --example guard`
#![expect(clippy::print_stdout, reason = "an example prints what happens")]
#![allow(elided_lifetimes_in_paths, reason = "as games write their systems")]

use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Startup, TaskPoolPlugin};
use bevy_asset::{AssetPlugin, AssetServer};
use bevy_ecs::prelude::*;
use bevy_mynah::{AnswerEnded, Line, MynahPlugins, Say, Voice, VoiceCommands};
use bevy_time::TimePlugin;

/// A usual frame.
const FRAME: Duration = Duration::from_micros(16_667);

// README: begin
fn enter(files: Res<AssetServer>, mut commands: Commands) {
    let mut guard = commands.spawn(Voice::new(files.load("guard.voice.ron"))); // a scene, reloaded when it is saved
    guard.say("Halt! Who goes there?", Say::default()); // spoken as soon as the scene is loaded
    guard.observe(|line: On<Line>| {
        // Told again when its end is known; `Spoken` has the times of words and lips.
        if line.until_us.is_none() {
            println!("{}", line.text);
        }
    });
    guard.observe(|_: On<AnswerEnded>, mut exit: MessageWriter<AppExit>| {
        exit.write(AppExit::Success);
    });
}

fn main() -> AppExit {
    let bevy = (
        TaskPoolPlugin::default(),
        TimePlugin,
        ScheduleRunnerPlugin::run_loop(FRAME),
        AssetPlugin::default(),
    );
    App::new().add_plugins((bevy, MynahPlugins)).add_systems(Startup, enter).run()
}
// README: end
