//! Recordings of calls: a stereo WAV file, the caller left and the scene right, and beside it what was said and where the
//! time of each turn went. Written by a thread of its own; a file has its name when the call is over.

mod story;
mod track;
mod writer;

use std::path::{Path, PathBuf};

use mynah_dialects::Tap;
use mynah_engine::SessionHandle;

use crate::log::{Log, unix_us};
use crate::told::Witness;
use writer::Recorder;

/// The folder that calls are recorded in.
#[derive(Debug)]
pub(crate) struct Recordings {
    folder: PathBuf,
    log: Log,
}

impl Recordings {
    /// In this folder, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or written to.
    pub(crate) fn in_folder(folder: &Path, log: Log) -> Result<Self, String> {
        let refused = |error: std::io::Error| {
            format!("record: {}: {error}; name a folder that this program may write to", folder.display())
        };
        std::fs::create_dir_all(folder).map_err(refused)?;
        Ok(Self { folder: folder.to_path_buf(), log })
    }

    /// Begins the recording of a session.
    pub(crate) fn begin(&self, scene: &str, session: &SessionHandle, turns: Witness) -> Option<Box<dyn Tap>> {
        // Sorted by time; a name of the session may be anything.
        let name: String = session
            .name()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .take(64)
            .collect();
        let path = self.folder.join(format!("{}-{name}-{}", unix_us() / 1_000, session.generation()));
        match Recorder::begin(&path, scene, session, turns, self.log.clone()) {
            Ok(recorder) => Some(Box::new(recorder)),
            Err(error) => {
                self.log.line("recording_failed", &[("session", &session.name()), ("error", &error)]);
                None
            }
        }
    }
}
