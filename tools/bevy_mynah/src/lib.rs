//! Characters that listen and speak, in Bevy: a voice is a component, what is said are messages, and the engine that hears,
//! thinks and speaks runs beside the game.
//!
//! ```no_run
//! use bevy_app::{App, Startup, TaskPoolPlugin, Update};
//! use bevy_asset::{AssetPlugin, AssetServer};
//! use bevy_ecs::prelude::*;
//! use bevy_mynah::{Line, MynahPlugins, Say, Voice, VoiceCommands};
//!
//! fn enter(files: Res<AssetServer>, mut commands: Commands) {
//!     commands.spawn(Voice::new(files.load("guard.voice.ron"))).say("Halt! Who goes there?", Say::default());
//! }
//! fn subtitles(mut lines: MessageReader<Line>) {
//!     lines.read().for_each(|line| println!("{}: {}", line.npc, line.text));
//! }
//! App::new()
//!     .add_plugins((TaskPoolPlugin::default(), bevy_time::TimePlugin, AssetPlugin::default(), MynahPlugins))
//!     .add_systems(Startup, enter)
//!     .add_systems(Update, subtitles)
//!     .run();
//! ```
//!
//! # Components
//!
//! | on the game's entities | |
//! | --- | --- |
//! | [`Voice`] | its scene, and what is different for this character; a session is open so long as it is there |
//! | [`VoiceInput`] | whom it hears: a [`Feed`], into which a microphone's thread pushes ([`FeedIn`]); many may share one |
//! | [`VoiceOutput`] | where it sounds: a [`VoiceReader`] for the thread of any mixer, taken once |
//! | [`Addressed`] | a shared microphone goes to this character; a [`Listener`] gives it to the nearest |
//! | [`VoiceState`] | hears, speaks, how loud, the shape of the mouth, how far other sounds should make way |
//! | [`VoiceSession`] | the open session: its history, its number, any message; remove it to take over a changed scene |
//!
//! A device's thread never waits for the game: [`FeedIn::push`] and [`VoiceReader::read`] neither lock nor allocate, and on
//! an own thread what they carry does not wait for a frame.
//!
//! # Messages
//!
//! Each is written as a message, and triggered as an event of the character for observers, in
//! [`VoiceSystems::Tell`], so that it can be read in `Update` of the same frame. Times are media time of the session in
//! microseconds unless a field says otherwise.
//!
//! | | |
//! | --- | --- |
//! | [`SpeechStarted`], [`SpeechConfirmed`], [`SpeechCancelled`] | somebody seems to speak; it is speech; it was none |
//! | [`SpeechEnded`], [`SpeechEndRetracted`] | the player has finished, or seems to; he went on |
//! | [`PartialTranscript`], [`Transcript`] | what was recognised |
//! | [`AnswerStarted`], [`Line`], [`Spoken`] | an answer sounds, its subtitles, and words and phones with their times |
//! | [`AnswerPaused`], [`AnswerResumed`], [`AnswerInterrupted`], [`AnswerEnded`] | what becomes of it |
//! | [`ReplyRequested`], [`ReplyCancelled`], [`ToolCalled`] | the game is asked |
//! | [`LineAccepted`], [`LineDropped`], [`CommandApplied`] | what becomes of the game's own lines and commands |
//! | [`VoiceOpened`], [`VoiceClosed`], [`VoiceFailed`], [`ServiceFailed`], [`SceneFailed`] | sessions, and what fails |
//! | [`VoiceEvent`] | everything of a session in one stream, in order, also what has no message of its own |
//!
//! # Commands and conditions
//!
//! `commands.entity(npc)` has [`say`](VoiceCommands::say), [`interrupt`](VoiceCommands::interrupt),
//! [`reply_to`](VoiceCommands::reply_to), [`gate`](VoiceCommands::gate) for push to talk, and more; before the session is
//! open they wait. What cannot be done comes back as [`VoiceFailed`]. Systems run
//! `.run_if(in_speech(npc))` or `.run_if(any_speaks)`.
//!
//! # Where it runs
//!
//! [`VoiceSettings`] is read when the app starts:
//!
//! | [`Run`] | for | a frame that hangs |
//! | --- | --- | --- |
//! | `OwnThread` (default) | games | is not heard |
//! | `InFrame` | servers, tests in virtual time | is a hole when it is longer than the lead |
//! | `Embedded` | games that query sessions, segments and queues as entities of their own; one scene a world | likewise |
//!
//! In the frame the time is `Time<Real>`. It is the wall clock, and in tests what `TimeUpdateStrategy::ManualDuration` makes
//! of it; with [`TimeMode::Virtual`] the same frames then give the same messages. An engine is built when the first voice of
//! its scene opens: spawn one behind the loading screen.
//!
//! # Scenes
//!
//! A [`VoiceScene`] is a file `*.voice.ron`, or comes from memory by [`VoiceScene::parse`]. Files are read again when they
//! change, if `AssetPlugin` watches them: new sessions take the new scene, running ones keep theirs, and a broken file
//! changes nothing ([`SceneFailed`] shows what is wrong with it). Kinds of the game's own: [`VoiceKinds`].
//!
//! # Features
//!
//! - `asset` (default): scenes as files that are watched.
//! - `diagnostics` (default): ticks, holes and refused audio as `DiagnosticPath`s of `VoiceDiagnosticsPlugin`.
//! - `flite`, `silero` (default): the voice and the neural detector that scenes may name.
//! - `bevy_audio`: `VoiceOutput`s sound through Bevy's own audio, also from where the character stands. On Linux it needs
//!   `libasound2-dev`.
//!
//! | Bevy | bevy_mynah |
//! | --- | --- |
//! | 0.20 | 0.1 |

#[cfg(feature = "asset")]
mod asset;
#[cfg(feature = "bevy_audio")]
mod bevy_audio;
mod commands;
mod components;
mod conditions;
mod cost;
#[cfg(feature = "diagnostics")]
mod diagnostics;
mod feed;
mod lips;
mod messages;
mod plugin;
mod reader;
mod routing;
mod run;
mod scene;
mod schedule;
mod settings;
mod tell;

// The crates whose types stand in signatures here.
pub use {mynah_engine, mynah_host, mynah_systems};

#[cfg(feature = "asset")]
pub use crate::asset::{VoiceAssetPlugin, VoiceSceneLoader};
#[cfg(feature = "bevy_audio")]
pub use crate::bevy_audio::{VoiceAudioPlugin, VoiceDecoder, VoiceSound};
pub use crate::commands::VoiceCommands;
pub use crate::components::{Addressed, Voice, VoiceInput, VoiceOutput, VoiceSession, VoiceState};
pub use crate::conditions::{any_speaks, in_speech};
pub use crate::cost::VoiceCost;
#[cfg(feature = "diagnostics")]
pub use crate::diagnostics::VoiceDiagnosticsPlugin;
pub use crate::feed::{Feed, FeedIn, HEARERS_MAX, Pushed};
pub use crate::messages::{
    AnswerEnded, AnswerInterrupted, AnswerPaused, AnswerResumed, AnswerStarted, CommandApplied, Line,
    LineAccepted, LineDropped, PartialTranscript, ReplyCancelled, ReplyRequested, SceneFailed, ServiceFailed,
    SpeechCancelled, SpeechConfirmed, SpeechEndRetracted, SpeechEnded, SpeechStarted, Spoken, ToolCalled,
    Transcript, VoiceClosed, VoiceEvent, VoiceFailed, VoiceOpened,
};
pub use crate::plugin::{MynahPlugins, VoicePlugin};
pub use crate::reader::VoiceReader;
pub use crate::routing::Listener;
pub use crate::run::VoiceEngines;
pub use crate::scene::{BadScene, VoiceKinds, VoiceScene};
pub use crate::schedule::VoiceSystems;
pub use crate::settings::{Lead, Run, VoiceSettings};
pub use mynah_engine::media::Viseme;
pub use mynah_engine::scene::Format;
pub use mynah_engine::service::TimeMode;
pub use mynah_engine::speech::{GateMode, GateOverrides, History, InterruptMode, Interruption};
pub use mynah_engine::{Params, Say};
