//! The engine and the sessions of a run: one session a recording, opened in their order.

use std::path::PathBuf;

use mynah_engine::scene::Format;
use mynah_engine::service::TimeMode;
use mynah_engine::{Engine, EngineConfig, SessionSpec};

use crate::run::feed::Feed;
use mynah_files::failure::Failure;
use mynah_load::chunk::{ChunkSpec, Chunks};
use mynah_load::wav::Recording;

/// The format in which a recording arrives.
pub fn format_of(recording: &Recording) -> Format {
    // Recordings have at most eight channels.
    Format { rate_hz: recording.rate, channels: recording.channels as u8 }
}

/// An engine for this many sessions.
pub fn config(sessions: usize, seed: u64, time: TimeMode) -> EngineConfig {
    let count = sessions as u32;
    EngineConfig {
        shards: Some(count.clamp(1, 8)),
        sessions_max: count,
        seed,
        time,
        ..EngineConfig::simulated()
    }
}

/// Opens a session a recording. `names` and `paths` are those of the recordings; the seed draws random chunks.
///
/// # Errors
/// A recording that cannot arrive in such chunks, or that the engine refuses.
pub fn open(
    engine: &Engine,
    (names, paths): (&[String], &[PathBuf]),
    recordings: Vec<Recording>,
    (chunk, seed): (ChunkSpec, u64),
) -> Result<Vec<Feed>, Failure> {
    let door = engine.handle();
    let feeds = recordings.into_iter().zip(names).enumerate().map(|(index, (recording, name))| {
        let refused =
            |why: &dyn std::fmt::Display| Failure::unable(format_args!("{}: {why}", paths[index].display()));
        let chunks = Chunks::new(chunk, recording.rate, seed, index as u64).map_err(|e| refused(&e))?;
        let spec = SessionSpec { input: Some(format_of(&recording)), ..SessionSpec::named(name) };
        let handle = door.open(spec).map_err(|e| refused(&e))?;
        Ok(Feed::new(handle, recording, chunks))
    });
    feeds.collect()
}
