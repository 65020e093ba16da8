//! Compares the files that `run` and `simulate` read and write, before any of them is opened for writing.

use std::path::{Path, PathBuf};

use mynah_engine::ScenePlan;

use crate::args::{Clock, Run, Simulate};
use mynah_files::failure::Failure;
use mynah_files::outputs::{Claims, is_dash};
use mynah_files::terminal::TableTo;
use mynah_load::load::recordings;
use mynah_sim::flight;
use mynah_sim::transport::LinkedScene;

/// Nothing that `run` writes is something that it reads, or writes besides. `labels`: what tells the words;
/// `outputs`: what `--output` makes.
///
/// # Errors
/// Something is: exit code 2.
pub fn of_run(args: &Run, plan: &ScenePlan, labels: &[PathBuf], outputs: &[PathBuf]) -> Result<(), Failure> {
    let mut claims = begin(args.json, &args.scene, plan);
    args.input.iter().for_each(|path| claims.reads("--input", path));
    labels.iter().for_each(|path| claims.reads("the labels", path));
    outputs.iter().try_for_each(|path| claims.writes("--output", path))?;
    claims.may_write("--events", args.events.as_ref())?;
    claims.may_write("--vad-trace", args.vad_trace.as_ref())?;
    claims.may_write("--html", args.html.as_ref())
}

/// The same for `simulate`.
///
/// # Errors
/// See [`of_run`].
pub fn of_simulate(args: &Simulate, plan: &ScenePlan) -> Result<(), Failure> {
    let mut claims = begin(args.json, &args.scene, plan);
    if let Some(labels) = &args.load {
        claims.reads("--load", labels);
        recordings::files(labels).iter().for_each(|path| claims.reads("--load, its recording", path));
    }
    if let Some(faults) = &args.faults {
        claims.reads("--faults", Path::new(faults));
    }
    if let Some(baseline) = &args.baseline.baseline {
        claims.reads("--baseline", baseline);
    }
    claims.may_write("--events", args.events.as_ref())?;
    claims.may_write("--vad-trace", args.vad_trace.as_ref())?;
    claims.may_write("--trace", args.trace.as_ref())?;
    let on_overrun = args.trace.as_deref().filter(|path| args.clock == Clock::Wall && !is_dash(path));
    claims.may_write("--trace, its overrun", on_overrun.map(flight::beside))?;
    claims.may_write("--html", args.html.as_ref())?;
    claims.may_write("--save-baseline", args.baseline.save_baseline.as_ref())
}

fn begin(json: bool, scene: &str, plan: &ScenePlan) -> Claims {
    let mut claims = Claims::default();
    if json {
        claims.prints("standard output, where --json prints");
    }
    claims.reads("the scene", Path::new(scene));
    if let Some(link) = LinkedScene::of(plan) {
        claims.reads("the scene behind its link,", Path::new(&link.scene));
    }
    claims
}

impl Run {
    /// Where the table goes.
    pub fn table_to(&self) -> TableTo {
        beside([&self.events, &self.vad_trace, &self.html])
    }
}

impl Simulate {
    /// Where the table goes.
    pub fn table_to(&self) -> TableTo {
        let files = [&self.events, &self.vad_trace, &self.trace, &self.html];
        beside(files.into_iter().chain([&self.baseline.save_baseline]))
    }
}

fn beside<'a>(files: impl IntoIterator<Item = &'a Option<PathBuf>>) -> TableTo {
    let taken = files.into_iter().flatten().any(|path| is_dash(path));
    if taken { TableTo::Stderr } else { TableTo::Stdout }
}
