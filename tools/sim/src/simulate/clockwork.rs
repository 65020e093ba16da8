//! The two ways to run a simulation: in virtual time, and on the wall clock with a generator thread of its own.

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
use super::meter::Meter;
use super::remote::Remote;
use super::side::Side;
use super::simulation::Simulation;
use super::steady::Steady;
use super::turns::Stretches;
use crate::course::{self, Course, TickCost};
use crate::observer::{Observer, TickView};
use mynah_host::clock::WallClock;

/// After the input has ended, answers have this long to finish.
pub(super) const DRAIN_US: u64 = 30_000_000;
/// A source that has to wait tries again after this long.
const WAIT_US: u64 = 5_000;
/// Allocations are counted after this share of the run; before it, pools and queues grow to their size.
const WARM_UP: f64 = 0.3;

/// The callers of a run in virtual time.
struct Callers<'a> {
    lines: &'a mut [Line],
    measured: &'a mut Measurement,
    cost: &'a mut Meter,
    remote: Option<&'a mut Remote>,
    steady: &'a mut Steady,
    stretches: Stretches,
    law: StreamLaw,
    period_us: u64,
    now_us: u64,
    end_us: u64,
    cut_us: Option<u64>,
    /// The callers have said all.
    finished: bool,
}

impl Course for Callers<'_> {
    fn next_us(&mut self) -> u64 {
        self.now_us += self.period_us;
        self.now_us
    }

    fn feed(&mut self, now_us: u64, observer: &mut dyn Observer) {
        if self.finished {
            return;
        }
        feed(self.lines, now_us, self.end_us);
        self.finished = now_us >= self.end_us + self.period_us * 8;
        if self.finished {
            finish(self.lines, observer);
        }
    }

    fn take(&mut self, engine: &Engine, cost: TickCost, observer: &mut dyn Observer) {
        let now_us = engine.now_us();
        if now_us as f64 >= WARM_UP * self.end_us as f64 && !self.finished {
            self.cost.warm_ticks += 1;
            self.cost.warm_allocations += cost.allocations;
            self.cost.weigh();
        }
        self.cost.took(cost.work_ns);
        if self.cost.warms_up_until(now_us) {
            self.measured.count_from(now_us);
        }
        let remote = &mut self.remote;
        let handles = self.lines.iter().map(|line| &line.handle);
        hear(engine, self.measured, handles, observer, |at, out| {
            if let Some(remote) = remote {
                remote.take(now_us, at, out);
            }
        });
        if let Some(remote) = &mut self.remote {
            remote.tick(now_us, engine.records(), self.measured, observer);
        }
        if let Some(before_us) = self.steady.due(now_us) {
            self.measured.settle(before_us, Some(&self.law), self.stretches);
            self.steady.look(engine);
        }
    }

    fn end_us(&self) -> u64 {
        self.end_us
    }

    fn cut(&mut self, now_us: u64) {
        (self.end_us, self.cut_us, self.measured.until_us) = (now_us, Some(now_us), now_us);
    }

    fn told(&mut self, beside_ns: u64) {
        self.cost.generator_ns += beside_ns;
    }

    fn is_over(&mut self, _: &Engine, now_us: u64) -> bool {
        let all_closed = self.finished
            && self.lines.iter().all(|line| line.handle.is_closed())
            && self.remote.as_ref().is_none_or(|remote| remote.is_closed());
        all_closed || now_us > self.end_us + DRAIN_US
    }

    fn lines(&self) -> &[Line] {
        self.lines
    }
}

impl Simulation {
    pub(super) fn run_virtual(&mut self, observer: &mut dyn Observer) {
        let Self { near: Side { engine, run, options, plan, epoch }, cost, .. } = self;
        let started_ns = epoch.now_ns();
        cost.process = ProcessTime::now();
        let mut callers = Callers {
            lines: &mut self.lines,
            measured: run,
            cost,
            remote: self.remote.as_deref_mut(),
            steady: &mut self.steady,
            stretches: self.stretches,
            law: StreamLaw::of(plan),
            period_us: u64::from(plan.scene.tick.period_ms) * 1_000,
            now_us: 0,
            end_us: options.duration_us,
            cut_us: None,
            finished: false,
        };
        engine.within(|engine| course::run(engine, *epoch, &mut callers, observer));
        let cut_us = callers.cut_us;
        cost.cpu_s = cost.process.elapsed().as_secs_f64() - cost.generator_ns as f64 / 1e9;
        cost.wall_s = (epoch.now_ns() - started_ns) as f64 / 1e9;
        cut_us.into_iter().for_each(|cut_us| self.cut(cut_us));
    }

    pub(super) fn run_wall(&mut self, observer: &mut dyn Observer) {
        let Self { near, lines, cost, steady, stretches, beside, .. } = self;
        let Side { engine, run: measured, options, plan, epoch } = near;
        let (mut end_us, mut cut_us) = (options.duration_us, None);
        let driver = Driver::of(&plan.scene.tick);
        let period_ns = u64::from(plan.scene.tick.period_ms) * 1_000_000;
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
                    hear(engine, measured, handles.iter(), observer, |_, _| {});
                    observer.tick(TickView { engine, lines: &[], work_ns, late_us, started_us });
                    if let Some(before_us) = steady.due(engine.now_us()) {
                        measured.settle(before_us, Some(&law), *stretches);
                        steady.look(engine);
                    }
                    let so_far = engine.now_us().saturating_sub(started_us);
                    if so_far < end_us && observer.interrupts() {
                        observer.interrupted(engine.now_us());
                        (end_us, cut_us) = (so_far, Some(so_far));
                        measured.until_us = engine.now_us();
                        until_us.store(measured.until_us, Ordering::Release);
                    }
                    observer.progress("in real time", so_far.min(end_us), end_us);
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
fn finish(lines: &[Line], observer: &mut dyn Observer) {
    for line in lines {
        line.handle.finish();
        observer.fed(line.handle.id(), line.handle.generation(), line.frames_pushed());
    }
}

/// Moves times that count from the run's start to the clock's.
fn begin(measured: &mut Measurement, lines: &mut [Line], started_us: u64) {
    measured.until_us += started_us;
    for (session, line) in measured.sessions.iter_mut().zip(lines) {
        line.offset_us += started_us;
        session.starts_at(line.offset_us);
    }
}

/// Takes what happened in a tick and what it put out; `pass` looks at each output first, with the number of its session.
fn hear<'a>(
    engine: &Engine,
    measured: &mut Measurement,
    handles: impl Iterator<Item = &'a SessionHandle>,
    observer: &mut dyn Observer,
    mut pass: impl FnMut(usize, &Out),
) {
    for record in engine.records() {
        measured.event(record);
    }
    observer.records(engine.records());
    for (at, handle) in handles.enumerate() {
        while let Some(out) = handle.poll() {
            pass(at, &out);
            match out {
                Out::Audio(audio) => {
                    measured.audio(at, &audio);
                    observer.audio(at, &audio);
                    handle.give_back(audio.block);
                }
                Out::Control(control) => observer.control(at, &control),
                Out::Text { .. } | Out::Event(_) => {}
            }
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
    epoch: mynah_host::clock::Epoch,
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
