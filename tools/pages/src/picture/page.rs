//! The file of a simulation's page, and the witness that collects its content.

use std::path::Path;
use std::sync::Arc;

use mynah_engine::ScenePlan;

use crate::picture::report;
use crate::picture::witness::Witness;
use mynah_files::failure::Failure;
use mynah_files::outputs::Output;
use mynah_sim::report::Report;

/// A page that is not written yet.
pub struct Page {
    /// Watches the run.
    pub witness: Witness,
    file: Output,
}

impl Page {
    /// A page about a run of `duration_us`. Creates the file now, so that a path that cannot be
    /// written is known before the run.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path, plan: &Arc<ScenePlan>, duration_us: u64) -> Result<Self, Failure> {
        Ok(Self { witness: Witness::new(plan, duration_us), file: Output::create(path)? })
    }

    /// Writes the page about the run that its witness has watched.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(mut self, report: &Report) -> Result<(), Failure> {
        let text = report::page(report, &self.witness);
        self.file.put(text.as_bytes())?;
        self.file.finish()
    }
}
