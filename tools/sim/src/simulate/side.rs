//! One engine of a simulation, with its measurements.

use std::sync::Arc;

use mynah_engine::service::TimeMode;
use mynah_engine::workers::NoThreads;
use mynah_engine::{Engine, EngineConfig, NodeId, ScenePlan};

use super::breakdown::Ways;
use super::measure::Measurement;
use super::options::{Options, RunClock};
use mynah_host::clock::{Epoch, NodeStopwatch};

/// One engine of a simulation, with its measurement.
pub(super) struct Side {
    pub(super) engine: Engine,
    pub(super) run: Measurement,
    pub(super) options: Options,
    pub(super) plan: Arc<ScenePlan>,
    pub(super) epoch: Epoch,
}

impl Side {
    /// An engine with nobody in it.
    ///
    /// # Errors
    /// There are no threads to be had.
    pub(super) fn new(plan: Arc<ScenePlan>, options: Options) -> Result<Self, NoThreads> {
        let config = EngineConfig {
            threads: options.threads,
            shards: options.shards.or(plan.scene.tick.shards),
            sessions_max: options.sessions,
            seed: options.seed,
            time: match options.clock {
                RunClock::Virtual => TimeMode::Virtual,
                RunClock::Wall => TimeMode::Wall,
            },
        };
        let epoch = Epoch::start();
        let mut engine = Engine::try_new(Arc::clone(&plan), config)?;
        let nodes = plan.nodes.len();
        engine.lend_stopwatches(|| Box::new(NodeStopwatch::new(epoch, nodes)));
        let run = Measurement {
            first_service: plan.nodes.iter().position(|n| n.service.is_some()).map(|at| NodeId(at as u8)),
            output_rate_hz: plan.output.audio.map_or(0, |f| f.rate_hz),
            output_channels: plan.output.audio.map_or(1, |f| f.channels),
            chunk_us: u64::from(plan.scene.session.input.chunk_ms) * 1_000,
            until_us: options.duration_us,
            ways: Ways::of(&plan),
            ..Measurement::default()
        };
        Ok(Self { engine, run, options, plan, epoch })
    }
}
