//! The flight recorder: the work of the last ticks, always on. Recording costs a tick sums over shards and nodes, no
//! clock and no memory. `--trace` writes the recording at the end, and once before that when a tick takes longer than
//! its period on the wall clock.

pub mod chrome;
pub mod ring;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use mynah_engine::ScenePlan;
use mynah_engine::observe::Census;
use mynah_engine::record::ENGINE_STAGES;

use crate::events::node_names;
use crate::observer::{Observer, TickView};
use chrome::Names;
use mynah_files::failure::Failure;
use mynah_files::outputs::{Output, is_dash};
use mynah_files::terminal;
use ring::{Ring, TICKS, Tick};

/// Sessions open and pools grow at the start of a run: ticks that take too long within this time say nothing about it.
const START_US: u64 = 1_000_000;

/// Keeps the last [`TICKS`] ticks.
#[derive(Debug)]
pub struct Recorder {
    ring: Ring,
    census: Census,
    before_ns: Vec<u64>,
    shards_before_ns: Vec<u64>,
    ticks: u64,
}

impl Recorder {
    /// For a scene of `nodes` nodes.
    pub fn new(nodes: usize) -> Self {
        let stages = nodes + ENGINE_STAGES.len();
        Self {
            ring: Ring::new(stages, nodes + 1),
            census: Census::default(),
            before_ns: vec![0; stages],
            shards_before_ns: Vec::new(),
            ticks: 0,
        }
    }

    /// Takes a tick that is over.
    pub fn tick(&mut self, view: &TickView<'_>) {
        let Self { ring, census, before_ns, shards_before_ns, ticks } = self;
        view.engine.census(census);
        shards_before_ns.resize(census.shards_ns.len(), 0);
        let spent = census.shards_ns.iter().zip(shards_before_ns.iter()).map(|(ns, before)| ns - before);
        // Of several with the same work the first, so that an idle engine does not jump about.
        let slowest = spent.enumerate().min_by_key(|(_, ns)| u64::MAX - ns).unwrap_or_default();
        *ticks += 1;
        let tick = Tick {
            serial: *ticks,
            at_us: view.engine.now_us(),
            took_ns: view.work_ns,
            late_us: view.late_us,
            sessions: census.sessions_open,
            slowest: (slowest.0 as u32, slowest.1),
        };
        let work_ns = census.work_ns.iter().zip(before_ns.iter()).map(|(ns, before)| ns - before);
        ring.push(tick, work_ns, census.waiting.iter().copied());
        before_ns.copy_from_slice(&census.work_ns);
        shards_before_ns.copy_from_slice(&census.shards_ns);
    }

    /// What it has.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

/// Names of the stages and queues of a scene.
pub fn names(plan: &ScenePlan) -> Names {
    let queues = node_names(plan);
    let nodes = queues.len() - 1;
    let [output, edge, account, hub] = [nodes, nodes + 1, nodes + 2, nodes + 3];
    let stages = queues[..nodes].iter().map(String::as_str).chain(ENGINE_STAGES);
    Names {
        scene: plan.scene.name.clone(),
        stages: stages.map(ToString::to_string).collect(),
        order: [edge].into_iter().chain(0..nodes).chain([hub, output, account]).collect(),
        queues,
    }
}

/// A tick that took longer than it may.
#[derive(Clone, Copy, Debug)]
struct Overrun {
    at_us: u64,
    took_ns: u64,
}

/// The recorder of a simulation, and where it is written to.
#[derive(Debug)]
pub struct Flight {
    recorder: Recorder,
    names: Names,
    /// Where `--trace` says, opened before anything runs.
    file: Option<(PathBuf, Output)>,
    /// What a tick may take; `None`: in virtual time no tick is too long.
    budget_us: Option<u64>,
    first: Option<Overrun>,
    overruns: u64,
    /// The ring as the first overrun found it, on its way to its file.
    snapshot: Option<Ring>,
    writing: Option<JoinHandle<Result<PathBuf, Failure>>>,
}

impl Flight {
    /// For a scene; `trace` is the file to write at the end, `budget_us` what a tick may take on the wall clock.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn new(plan: &ScenePlan, trace: Option<&Path>, budget_us: Option<u64>) -> Result<Self, Failure> {
        let create = |path: &Path| Ok::<_, Failure>((path.to_path_buf(), Output::create(path)?));
        let file = trace.map(create).transpose()?;
        let recorder = Recorder::new(plan.nodes.len());
        let is_file = trace.is_some_and(|path| !is_dash(path));
        let snapshot = (is_file && budget_us.is_some()).then(|| recorder.ring().clone());
        let names = names(plan);
        Ok(Self { recorder, names, file, budget_us, first: None, overruns: 0, snapshot, writing: None })
    }

    /// Writes the file that was asked for, and says what was too slow.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self) -> Result<(), Failure> {
        let at_overrun = self.writing.take().map(|writing| writing.join());
        if let Some((path, file)) = self.file.take() {
            save(self.recorder.ring(), &self.names, &path, file)?;
        }
        let written = match at_overrun {
            Some(Ok(result)) => Some(result?),
            Some(Err(_)) | None => None,
        };
        if let (Some(first), Some(budget_us)) = (self.first, self.budget_us) {
            terminal::notice(&told(first, self.overruns, budget_us, written.as_deref()));
        }
        Ok(())
    }

    fn overran(&mut self, view: &TickView<'_>) {
        let at_us = view.engine.now_us().saturating_sub(view.started_us);
        if at_us < START_US {
            return;
        }
        self.overruns += 1;
        if self.first.is_some() {
            return;
        }
        self.first = Some(Overrun { at_us, took_ns: view.work_ns });
        if let (Some(mut ring), Some((path, _))) = (self.snapshot.take(), &self.file) {
            ring.copy_from(self.recorder.ring());
            let (names, path) = (self.names.clone(), beside(path));
            // Not here: to write it would be the next overrun.
            let write = move || {
                save(&ring, &names, &path, Output::create(&path)?)?;
                Ok(path)
            };
            // Without a thread the overrun is told all the same, and the file at the end has the ticks before that.
            self.writing = std::thread::Builder::new().name("overrun".into()).spawn(write).ok();
        }
    }
}

impl Observer for Flight {
    fn tick(&mut self, view: TickView<'_>) {
        self.recorder.tick(&view);
        if self.budget_us.is_some_and(|budget_us| view.work_ns > budget_us * 1_000) {
            self.overran(&view);
        }
    }
}

fn save(ring: &Ring, names: &Names, path: &Path, mut file: Output) -> Result<(), Failure> {
    chrome::write(ring, names, &mut file).map_err(|error| Failure::write(path.display(), &error))?;
    file.finish()
}

/// `trace.json` becomes `trace.overrun.json`.
pub fn beside(path: &Path) -> PathBuf {
    path.with_extension(match path.extension() {
        Some(extension) => format!("overrun.{}", extension.display()),
        None => "overrun".into(),
    })
}

fn told(first: Overrun, overruns: u64, budget_us: u64, written: Option<&Path>) -> String {
    let ticks = if overruns == 1 { "1 tick".to_string() } else { format!("{overruns} ticks") };
    let (at_s, took_ms) = (first.at_us as f64 / 1e6, first.took_ns as f64 / 1e6);
    let budget_ms = budget_us as f64 / 1e3;
    let what = match written {
        Some(path) => format!("the {TICKS} ticks up to that one are in {}", path.display()),
        None => format!("--trace FILE keeps the {TICKS} ticks up to that one"),
    };
    format!("notice: {ticks} took longer than {budget_ms} ms, first at {at_s:.3} s ({took_ms:.1} ms); {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_overrun_stands_beside_the_other() {
        for (path, want) in [
            ("out/trace.json", "out/trace.overrun.json"),
            ("trace", "trace.overrun"),
            ("a.b/c.d.json", "a.b/c.d.overrun.json"),
        ] {
            assert_eq!(beside(Path::new(path)), Path::new(want));
        }
    }

    #[test]
    fn an_overrun_says_where_it_is_or_how_to_get_it() {
        let first = Overrun { at_us: 1_500_000, took_ns: 7_340_000 };
        let without = told(first, 1, 5_000, None);
        assert_eq!(
            without,
            "notice: 1 tick took longer than 5 ms, first at 1.500 s (7.3 ms); --trace FILE keeps the 1024 ticks up \
             to that one"
        );
        let with = told(first, 3, 5_000, Some(Path::new("t.overrun.json")));
        assert!(with.contains("3 ticks") && with.ends_with("are in t.overrun.json"), "{with}");
    }
}
