//! The flight recorder is always on, so it costs a tick next to nothing: no memory, and a few sums.
//! Alone in its program, so that nobody else's allocations are counted.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

use std::sync::Arc;

use mynah_host::clock::Epoch;
use mynah_sim::flight::Recorder;
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Observer, Options, Simulation, TickView};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

/// Ticks after which the recorder has all its storage.
const WARM_TICKS: u64 = 2;

struct Scale {
    recorder: Recorder,
    epoch: Epoch,
    ticks: u64,
    cold: u64,
    warm: u64,
    took_ns: u64,
    engine_ns: u64,
}

impl Observer for Scale {
    fn tick(&mut self, view: TickView<'_>) {
        let (allocations, ns) = (mynah_alloc::allocations(), self.epoch.now_ns());
        self.recorder.tick(&view);
        let (allocations, ns) = (mynah_alloc::allocations() - allocations, self.epoch.now_ns() - ns);
        self.ticks += 1;
        self.took_ns += ns;
        self.engine_ns += view.work_ns;
        *(if self.ticks <= WARM_TICKS { &mut self.cold } else { &mut self.warm }) += allocations;
    }
}

#[test]
fn a_recorded_tick_allocates_nothing() {
    let script = Arc::new(CallerScript::default());
    let (plan, _) = scenes::compile("gate_only", &[], None, Some(script.clone()))
        .unwrap_or_else(|failure| panic!("gate_only: {failure}"));
    let options = Options::in_virtual_time(100, 8_000_000, 1);
    let recorder = Recorder::new(plan.nodes.len());
    let epoch = Epoch::start();
    let mut scale = Scale { recorder, epoch, ticks: 0, cold: 0, warm: 0, took_ns: 0, engine_ns: 0 };
    let simulation = Simulation::new(plan, &script, options, &mut scale).expect("the load is built in");
    simulation.run(&mut scale);
    let share = scale.took_ns as f64 * 100.0 / scale.engine_ns as f64;
    println!(
        "{} ticks: {} ns a tick, {share:.2} % of the engine's",
        scale.ticks,
        scale.took_ns / scale.ticks
    );
    assert!(scale.ticks > 1_500, "{} ticks", scale.ticks);
    assert!(scale.cold > 0, "the allocator counts");
    assert_eq!(scale.warm, 0, "allocations in {} ticks", scale.ticks);
}
