//! The loops of a simulation: virtual time, and the wall clock with a generator thread of its own.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cpu_time::{ProcessTime, ThreadTime};
use hdrhistogram::Histogram;
use mynah_engine::driver::run;
use mynah_engine::record::latency_histogram;
use mynah_engine::{Driver, Engine, Out, SessionHandle};

use super::balance::StreamLaw;
use super::callers::Line;
use super::measure::Measurement;
use super::remote::Remote;
use super::steady::Steady;
use super::{Simulation, TickView, Watcher};
use crate::clock::WallClock;

/// After the input has ended, answers have this long to finish.
pub(super) const DRAIN_US: u64 = 30_000_000;
/// A source that has to wait tries again after this long.
const WAIT_US: u64 = 5_000;
/// Allocations are counted after this share of the run; before it, pools and queues grow to their size.
const WARM_UP: f64 = 0.3;

/// What is measured around the ticks.
pub struct Meter {
    pub(crate) process: ProcessTime,
    pub(crate) generator_ns: u64,
    pub(crate) tick_work: Histogram<u32>,
    pub(crate) tick_late: Histogram<u32>,
    pub(crate) generator_late: Histogram<u32>,
    pub(crate) ticks: u64,
    pub(crate) warm_ticks: u64,
    pub(crate) warm_allocations: u64,
    pub(crate) live_bytes_before: i64,
    pub(crate) live_bytes_start: i64,
    pub(crate) live_bytes_end: i64,
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
    /// On the wall clock, ticks that took longer than the scene's tick.
    pub(crate) overruns: u64,
    /// How much of the beginning is not counted, microseconds, until it is over.
    pub(crate) warm_up_us: u64,
}

impl Meter {
    /// Begins before the engine exists.
    pub fn new() -> Self {
        Self {
            process: ProcessTime::now(),
            generator_ns: 0,
            tick_work: latency_histogram(),
            tick_late: latency_histogram(),
            generator_late: latency_histogram(),
            ticks: 0,
            warm_ticks: 0,
            warm_allocations: 0,
            live_bytes_before: mynah_alloc::live_bytes(),
            live_bytes_start: 0,
            live_bytes_end: 0,
            cpu_s: 0.0,
            wall_s: 0.0,
            overruns: 0,
            warm_up_us: 0,
        }
    }

    /// A tick took so long.
    fn took(&mut self, work_ns: u64) {
        self.tick_work.saturating_record(work_ns / 1_000);
        self.ticks += 1;
    }

    /// Notes how much memory lives; the first time it is the start's.
    fn weigh(&mut self) {
        self.live_bytes_end = mynah_alloc::live_bytes();
        if self.live_bytes_start == 0 {
            self.live_bytes_start = self.live_bytes_end;
        }
    }

    /// What the callers' thread measured of itself: how late it was, and what it cost.
    fn generated(&mut self, by: Option<(Histogram<u32>, u64)>) {
        if let Some((late, generator_ns)) = by {
            self.generator_late = late;
            self.generator_ns += generator_ns;
        }
    }

    /// Whether the warm-up ends with this tick, `so_far_us` after the start; whoever asks begins to count.
    fn warms_up_until(&mut self, so_far_us: u64) -> bool {
        let over = self.warm_up_us > 0 && so_far_us >= self.warm_up_us;
        if over {
            self.warm_up_us = 0;
            self.generator_ns = 0;
            self.overruns = 0;
            self.tick_work.reset();
            self.tick_late.reset();
            self.process = ProcessTime::now();
        }
        over
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Simulation {
    pub(super) fn run_virtual(&mut self, watcher: &mut dyn Watcher) {
        let period_us = u64::from(self.plan.scene.tick.period_ms) * 1_000;
        let (mut end_us, mut cut_us) = (self.options.duration_us, None);
        let started_ns = self.epoch.now_ns();
        let Self { engine, lines, run, cost, epoch, remote, steady, plan, stretches, .. } = self;
        let law = StreamLaw::of(plan);
        cost.process = ProcessTime::now();
        engine.within(|engine| {
            let mut now_us = 0;
            let mut finished = false;
            loop {
                now_us += period_us;
                let feeding = ThreadTime::now();
                if !finished {
                    feed(lines, now_us, end_us);
                    finished = now_us >= end_us + period_us * 8;
                    if finished {
                        finish(lines, watcher);
                    }
                }
                cost.generator_ns += feeding.elapsed().as_nanos() as u64;
                let warm = now_us as f64 >= WARM_UP * end_us as f64 && !finished;
                let allocations = mynah_alloc::allocations();
                let work_ns = epoch.now_ns();
                tick(engine, now_us);
                let work_ns = epoch.now_ns() - work_ns;
                if warm {
                    cost.warm_ticks += 1;
                    cost.warm_allocations += mynah_alloc::allocations() - allocations;
                    cost.weigh();
                }
                cost.took(work_ns);
                if cost.warms_up_until(now_us) {
                    run.count_from(now_us);
                }
                let observing = ThreadTime::now();
                observe(engine, run, lines, remote.as_deref_mut(), watcher);
                if let Some(remote) = remote {
                    remote.tick(now_us, engine.records(), run, watcher);
                }
                watcher.tick(TickView { engine, lines, work_ns, late_us: 0, started_us: 0 });
                if now_us < end_us && watcher.interrupts() {
                    watcher.interrupted(now_us);
                    (end_us, cut_us, run.until_us) = (now_us, Some(now_us), now_us);
                }
                if let Some(before_us) = steady.due(now_us) {
                    run.settle(before_us, Some(&law), *stretches);
                    steady.look(engine);
                }
                if cost.ticks.is_multiple_of(20) {
                    watcher.progress("simulated", now_us.min(end_us), end_us);
                }
                cost.generator_ns += observing.elapsed().as_nanos() as u64;
                let all_closed = finished
                    && lines.iter().all(|line| line.handle.is_closed())
                    && remote.as_ref().is_none_or(|remote| remote.is_closed());
                if all_closed || now_us > end_us + DRAIN_US || !watcher.wants_more() {
                    break;
                }
            }
        });
        cost.cpu_s = cost.process.elapsed().as_secs_f64() - cost.generator_ns as f64 / 1e9;
        cost.wall_s = (epoch.now_ns() - started_ns) as f64 / 1e9;
        cut_us.into_iter().for_each(|cut_us| self.cut(cut_us));
    }

    pub(super) fn run_wall(&mut self, watcher: &mut dyn Watcher) {
        if self.remote.is_some() {
            return self.run_linked(watcher);
        }
        let mut end_us = self.options.duration_us;
        let mut cut_us = None;
        let driver = wall_driver(&self.plan.scene.tick);
        let period_ns = u64::from(self.plan.scene.tick.period_ms) * 1_000_000;
        let Self {
            engine, lines, run: measured, cost, epoch, steady, plan, stretches, options, beside, ..
        } = self;
        let Some(beside) = beside else { return };
        let (epoch, law) = (*epoch, StreamLaw::of(plan));
        let handles: Vec<_> = lines.iter().map(|l| l.handle.clone()).collect();
        let started_us = epoch.now_us();
        *steady = Steady::new(options, started_us);
        *stretches = Steady::stretches(options, started_us);
        begin(measured, lines, started_us);
        let (done, until_us) = (AtomicBool::new(false), AtomicU64::new(started_us + end_us));
        let from_us = started_us + cost.warm_up_us;
        cost.process = ProcessTime::now();
        let mut fed = None;
        beside.in_place_scope(|scope| {
            scope.spawn(|_| fed = Some(generate(lines, (from_us, &until_us), epoch, &done)));
            let mut clock = WallClock::new(epoch, engine.handle().bell());
            engine.within(|engine| {
                let mut ticked_ns = epoch.now_ns();
                run(engine, driver, &mut clock, &mut |engine, late_us| {
                    cost.tick_late.saturating_record(late_us);
                    let work_ns = epoch.now_ns() - ticked_ns.max(engine.now_us() * 1_000);
                    cost.took(work_ns);
                    cost.overruns += u64::from(work_ns > period_ns);
                    if cost.warms_up_until(engine.now_us().saturating_sub(started_us)) {
                        measured.count_from(engine.now_us());
                    }
                    let observing = ThreadTime::now();
                    hear(engine, measured, &handles, watcher);
                    watcher.tick(TickView { engine, lines: &[], work_ns, late_us, started_us });
                    if let Some(before_us) = steady.due(engine.now_us()) {
                        measured.settle(before_us, Some(&law), *stretches);
                        steady.look(engine);
                    }
                    let so_far = engine.now_us().saturating_sub(started_us);
                    if so_far < end_us && watcher.interrupts() {
                        watcher.interrupted(engine.now_us());
                        (end_us, cut_us) = (so_far, Some(so_far));
                        measured.until_us = engine.now_us();
                        until_us.store(measured.until_us, Ordering::Release);
                    }
                    watcher.progress("in real time", so_far.min(end_us), end_us);
                    cost.generator_ns += observing.elapsed().as_nanos() as u64;
                    ticked_ns = epoch.now_ns();
                    let over = engine.now_us() > started_us + end_us + DRAIN_US;
                    let fed = done.load(Ordering::Acquire);
                    if !fed {
                        cost.weigh();
                    }
                    let closed = fed && handles.iter().all(|h| h.is_closed());
                    if closed || over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
            });
        });
        cost.generated(fed);
        cost.cpu_s = cost.process.elapsed().as_secs_f64() - cost.generator_ns as f64 / 1e9;
        cost.wall_s = (epoch.now_us() - started_us) as f64 / 1e6;
        cut_us.into_iter().for_each(|cut_us| self.cut(cut_us));
    }
}

/// Callers push what is due by now.
fn feed(lines: &mut [Line], now_us: u64, end_us: u64) {
    for line in lines {
        while line.next_arrival_us() <= now_us.min(end_us + line.offset_us) && line.push() {}
    }
}

/// Callers have said all.
fn finish(lines: &[Line], watcher: &mut dyn Watcher) {
    for line in lines {
        line.handle.finish();
        watcher.fed(&line.handle, line.frames_pushed());
    }
}

/// Moves times that count from the run's start to the clock's.
fn begin(measured: &mut Measurement, lines: &mut [Line], started_us: u64) {
    measured.until_us += started_us;
    for (observer, line) in measured.observers.iter_mut().zip(lines) {
        line.offset_us += started_us;
        observer.starts_at(line.offset_us);
    }
}

/// Takes what happened in a tick and what it put out.
fn hear(engine: &Engine, measured: &mut Measurement, handles: &[SessionHandle], watcher: &mut dyn Watcher) {
    for record in engine.records() {
        measured.event(record);
    }
    watcher.records(engine.records());
    for (at, handle) in handles.iter().enumerate() {
        poll(measured, at, handle, watcher, |_| {});
    }
}

/// What the simulation is about. Not inlined: an instruction counter is switched on and off by its name.
#[inline(never)]
fn tick(engine: &mut Engine, now_us: u64) {
    engine.tick(now_us);
}

pub(super) fn wall_driver(tick: &mynah_engine::scene::Tick) -> Driver {
    let period_us = u64::from(tick.period_ms) * 1_000;
    match tick.driver {
        mynah_engine::scene::TickDriver::Fixed => {
            Driver::Fixed { period_us, catch_up_max: tick.catch_up_max }
        }
        mynah_engine::scene::TickDriver::WakeOnIngress => {
            Driver::WakeOnIngress { heartbeat_us: period_us, min_gap_us: u64::from(tick.min_gap_us) }
        }
    }
}

/// From this many callers on their chunks come as many packets come from one network card: those of a millisecond
/// together, at its end. One sleep for each would take more time than the callers' work, and that is no engine's load.
const PACKED_MIN: usize = 200;
/// See [`PACKED_MIN`].
const PACKED_US: u64 = 1_000;

/// Pushes every chunk at its intended time until the stretch ends, whatever the engine does; returns its own lateness and
/// CPU time since the stretch began. That many callers' chunks come together counts as lateness. The end may be moved
/// forward meanwhile.
pub(super) fn generate(
    lines: &mut [Line],
    (from_us, until_us): (u64, &AtomicU64),
    epoch: crate::clock::Epoch,
    done: &AtomicBool,
) -> (Histogram<u32>, u64) {
    let (mut busy, mut counts) = (ThreadTime::now(), false);
    let mut late = latency_histogram();
    let packed = lines.len() >= PACKED_MIN;
    let mut order: std::collections::BTreeSet<(u64, usize)> =
        lines.iter().enumerate().map(|(at, line)| (line.next_arrival_us(), at)).collect();
    while let Some((due_us, at)) = order.pop_first() {
        if due_us > until_us.load(Ordering::Acquire) {
            break;
        }
        epoch.sleep_until(if packed { due_us.next_multiple_of(PACKED_US) } else { due_us });
        if !counts && due_us >= from_us {
            (busy, counts) = (ThreadTime::now(), true);
            late.reset();
        }
        late.saturating_record(epoch.now_us().saturating_sub(due_us));
        let pushed = lines[at].push();
        // What had to wait is tried again after the engine has had a tick.
        let next_us = if pushed { lines[at].next_arrival_us() } else { due_us + WAIT_US };
        order.insert((next_us, at));
    }
    epoch.sleep_until(until_us.load(Ordering::Acquire) + 50_000);
    lines.iter().for_each(|line| line.handle.finish());
    done.store(true, Ordering::Release);
    (late, busy.elapsed().as_nanos() as u64)
}

fn observe(
    engine: &Engine,
    run: &mut Measurement,
    lines: &[Line],
    mut remote: Option<&mut Remote>,
    watcher: &mut dyn Watcher,
) {
    let now_us = engine.now_us();
    for record in engine.records() {
        run.event(record);
    }
    watcher.records(engine.records());
    for (at, line) in lines.iter().enumerate() {
        poll(run, at, &line.handle, watcher, |out| {
            if let Some(remote) = &mut remote {
                remote.take(now_us, at, out);
            }
        });
    }
}

/// Takes what a session put out; `pass` looks at it first.
fn poll(
    run: &mut Measurement,
    at: usize,
    handle: &mynah_engine::SessionHandle,
    watcher: &mut dyn Watcher,
    mut pass: impl FnMut(&Out),
) {
    while let Some(out) = handle.poll() {
        pass(&out);
        if let Out::Audio(audio) = out {
            run.audio(at, &audio);
            watcher.audio(at, &audio);
            handle.give_back(audio.block);
        }
    }
}
