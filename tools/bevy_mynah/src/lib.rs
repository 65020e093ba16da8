//! Characters that listen and speak.

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
mod messages;
mod plugin;
mod reader;
mod routing;
mod run;
mod scene;
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
pub use crate::plugin::{MynahPlugins, VoicePlugin, VoiceSystems};
pub use crate::reader::VoiceReader;
pub use crate::routing::Listener;
pub use crate::run::VoiceEngines;
pub use crate::scene::{BadScene, VoiceKinds, VoiceScene};
pub use crate::settings::{Lead, Run, VoiceSettings};
pub use mynah_engine::scene::Format;
pub use mynah_engine::service::TimeMode;
pub use mynah_engine::speech::{GateMode, GateOverrides, History, InterruptMode, Interruption};
pub use mynah_engine::{Params, Say};
