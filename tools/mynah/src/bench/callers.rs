//! Whole scenes with simulated callers: flat out, in virtual time, on one thread of this process.

use std::sync::Arc;

use cpu_time::ThreadTime;
use mynah_engine::scene::Override;
use mynah_engine::{Engine, EngineConfig, Out, ScenePlan};

use mynah_files::failure::Failure;
use mynah_host::metrics::{Board, Facts, Publisher};
use mynah_load::load::schedule::Phase;
use mynah_sim::report::Report;
use mynah_sim::scenes;
use mynah_sim::simulate::callers::{CallerScript, Line, LineStyle, Load, open_lines};
use mynah_sim::simulate::{Observer, Options, Simulation};

/// A load on a scene.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// A shipped scene.
    pub scene: &'static str,
    /// An override of it; empty: none.
    pub set: &'static str,
    /// Callers at once.
    pub sessions: u32,
    /// Seconds each of them sends.
    pub seconds: u32,
}

impl Work {
    /// The command line that does the same.
    pub fn command(&self) -> String {
        let set = if self.set.is_empty() { String::new() } else { format!(" --set {}", self.set) };
        let Self { scene, sessions, seconds, .. } = self;
        format!("mynah simulate {scene} --sessions {sessions} --duration {seconds}s --threads 1{set}")
    }

    /// Runs the scene with its callers.
    ///
    /// # Errors
    /// The scene has no such setting, or callers cannot be made.
    pub fn run(&self) -> Result<Report, Failure> {
        let sets = [self.set].into_iter().filter(|set| !set.is_empty());
        let sets: Vec<Override> =
            sets.map(Override::parse).collect::<Result<_, _>>().map_err(Failure::unable)?;
        let script = Arc::new(CallerScript::default());
        let (plan, _) = scenes::compile(self.scene, &sets, None, Some(script.clone()))?;
        let options = Options::in_virtual_time(self.sessions, u64::from(self.seconds) * 1_000_000, 1);
        let simulation = Simulation::new(plan, &script, options, &mut Nobody).map_err(Failure::unable)?;
        Ok(simulation.run(&mut Nobody))
    }
}

/// Observes nothing.
struct Nobody;

impl Observer for Nobody {}

/// One engine with its callers, with metrics kept and published once a second of engine time, or without.
pub struct Stand {
    engine: Engine,
    lines: Vec<Line>,
    publisher: Option<Publisher>,
    now_us: u64,
    period_us: u64,
}

impl Stand {
    /// `sessions` callers at a shipped scene, who speak for `seconds`.
    ///
    /// # Errors
    /// There is no such scene, or callers cannot be made.
    pub fn new(scene: &str, sessions: u32, seconds: u64, keeps_metrics: bool) -> Result<Self, Failure> {
        let script = Arc::new(CallerScript::default());
        let (plan, _) = scenes::compile(scene, &[], None, Some(script.clone()))?;
        let load = Load::prepare(None, 1, plan.input.rate_hz, &|_, _| {}).map_err(Failure::unable)?;
        Self::with(&plan, &script, &load, (sessions, seconds), keeps_metrics)
    }

    fn with(
        plan: &Arc<ScenePlan>,
        script: &Arc<CallerScript>,
        load: &Load,
        (sessions, seconds): (u32, u64),
        keeps_metrics: bool,
    ) -> Result<Self, Failure> {
        let config = EngineConfig { sessions_max: sessions, ..EngineConfig::simulated() };
        let mut engine = Engine::try_new(Arc::clone(plan), config).map_err(Failure::unable)?;
        let publisher = keeps_metrics.then(|| {
            engine.keep_metrics();
            Publisher::new(Arc::new(Board::new(Facts::of(plan))))
        });
        let streams = load.streams(sessions, 1, seconds * 1_000_000, Phase::Staggered);
        script.fill(streams.clone());
        let chunk_us = u64::from(plan.scene.session.input.chunk_ms) * 1_000;
        let style =
            LineStyle { format: plan.input, chunk_us, phase: Phase::Staggered, waits: false, told: false };
        let lines = open_lines(&engine.handle(), streams, style, &|_| false).map_err(Failure::unable)?;
        let period_us = u64::from(plan.scene.tick.period_ms) * 1_000;
        Ok(Self { engine, lines, publisher, now_us: 0, period_us })
    }

    /// What is compared. Not inlined: an instruction counter is switched on and off by its name.
    #[inline(never)]
    fn tick_and_publish(&mut self) {
        self.engine.tick(self.now_us);
        if let Some(publisher) = &mut self.publisher {
            publisher.tick(&self.engine, 1_000, 0);
        }
    }

    /// One second of engine time; processor time of its ticks and of what watches them, nanoseconds.
    pub fn second(&mut self) -> u64 {
        let (until_us, mut busy_ns) = (self.now_us + 1_000_000, 0);
        while self.now_us < until_us {
            self.now_us += self.period_us;
            for line in &mut self.lines {
                while line.next_arrival_us() <= self.now_us && line.push() {}
            }
            let began = ThreadTime::now();
            self.tick_and_publish();
            busy_ns += began.elapsed().as_nanos() as u64;
            for line in &self.lines {
                while let Some(out) = line.handle.poll() {
                    if let Out::Audio(audio) = out {
                        line.handle.give_back(audio.block);
                    }
                }
            }
        }
        busy_ns
    }
}

/// Metrics against none over `seconds` of a scene, second by second in turns: nanoseconds a second without and with them,
/// over the seconds that count, and each second's ratio. The first sixth does not count.
///
/// # Errors
/// There is no such scene, or callers cannot be made.
pub fn metrics_on_against_off(
    scene: &str,
    sessions: u32,
    seconds: u64,
) -> Result<([f64; 2], Vec<f64>), Failure> {
    let stand = |keeps| Stand::new(scene, sessions, seconds, keeps);
    let (mut off, mut on) = (stand(false)?, stand(true)?);
    let (mut ratios, mut sums) = (Vec::new(), [0.0; 2]);
    for second in 0..seconds.saturating_sub(1) {
        let pair = if second % 2 == 0 {
            let off_ns = off.second();
            [off_ns, on.second()]
        } else {
            let on_ns = on.second();
            [off.second(), on_ns]
        };
        if second >= seconds / 6 {
            let [off_ns, on_ns] = pair.map(|ns| ns as f64);
            ratios.push(on_ns / off_ns);
            sums = [sums[0] + off_ns, sums[1] + on_ns];
        }
    }
    let count = ratios.len().max(1) as f64;
    Ok((sums.map(|sum| sum / count), ratios))
}
