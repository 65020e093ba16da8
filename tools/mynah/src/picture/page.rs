//! The file that the page of a simulation goes into, and who watches for it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mynah_engine::ScenePlan;

use crate::failure::Failure;
use crate::picture::report;
use crate::picture::witness::Witness;
use crate::report::Report;

/// A page that is not written yet.
pub struct Page {
    /// Watches the run.
    pub witness: Witness,
    file: File,
    path: PathBuf,
}

impl Page {
    /// A page about a run of `duration_us`. Creates the file now, so that a path that cannot be
    /// written is known before the run.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path, plan: &Arc<ScenePlan>, duration_us: u64) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| Failure::write(path.display(), &error))?;
        Ok(Self { witness: Witness::new(plan, duration_us), file, path: path.to_path_buf() })
    }

    /// Writes the page about the run that its witness has watched.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(mut self, report: &Report) -> Result<(), Failure> {
        let text = report::page(report, &self.witness);
        self.file.write_all(text.as_bytes()).map_err(|error| Failure::write(self.path.display(), &error))
    }
}
