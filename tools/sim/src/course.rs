//! The loop of every run that paces its own ticks: when the next tick is, what goes in before it, what came out,
//! which observers are called, and when the run is over. The content of a run (simulated callers, recordings, a chaos
//! run) is a [`Course`]; an engine that follows the clock of its host has the engine's own driver instead.

use cpu_time::ThreadTime;
use mynah_engine::Engine;

use crate::observer::{Observer, TickView};
use crate::simulate::callers::Line;
use mynah_host::clock::Epoch;

/// What a tick took.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickCost {
    /// On the wall clock, nanoseconds.
    pub work_ns: u64,
    /// Allocations of the process meanwhile; 0 without the counting allocator.
    pub allocations: u64,
}

/// What runs: who puts what into an engine, and takes what comes out.
pub trait Course {
    /// Engine time of the next tick, microseconds; waits for it where that is the wall clock's.
    fn next_us(&mut self) -> u64;

    /// Puts in what is due by the tick at `now_us`.
    fn feed(&mut self, now_us: u64, observer: &mut dyn Observer);

    /// The tick is over: takes what it put out, and hands it and the records to `observer`.
    fn take(&mut self, engine: &Engine, cost: TickCost, observer: &mut dyn Observer);

    /// Engine time at which the input ends, microseconds. Up to it the run can be interrupted.
    fn end_us(&self) -> u64;

    /// The input ends at `now_us`, before its time.
    fn cut(&mut self, now_us: u64);

    /// Everybody knows of the tick. `beside_ns`: CPU time of this thread beside it, observers included, nanoseconds.
    fn told(&mut self, beside_ns: u64) {
        let _unused = beside_ns;
    }

    /// Whether no tick follows that at `now_us`.
    fn is_over(&mut self, engine: &Engine, now_us: u64) -> bool;

    /// The simulated callers, in session order.
    fn lines(&self) -> &[Line] {
        &[]
    }

    /// What [`Observer::progress`] calls it.
    fn name(&self) -> &'static str {
        "simulated"
    }
}

/// Runs until the course is over or an observer wants no more; returns the engine time of the last tick, microseconds.
pub fn run(engine: &mut Engine, epoch: Epoch, course: &mut dyn Course, observer: &mut dyn Observer) -> u64 {
    loop {
        let feeding = ThreadTime::now();
        let now_us = course.next_us();
        course.feed(now_us, observer);
        let fed_ns = feeding.elapsed().as_nanos() as u64;
        let (before, began_ns) = (mynah_alloc::allocations(), epoch.now_ns());
        tick(engine, now_us);
        let work_ns = epoch.now_ns() - began_ns;
        let cost = TickCost { work_ns, allocations: mynah_alloc::allocations() - before };
        let telling = ThreadTime::now();
        course.take(engine, cost, observer);
        observer.tick(TickView { engine, lines: course.lines(), work_ns, late_us: 0, started_us: 0 });
        let end_us = course.end_us();
        if now_us > 0 && now_us < end_us && observer.interrupts() {
            observer.interrupted(now_us);
            course.cut(now_us);
        }
        observer.progress(course.name(), now_us.min(end_us), end_us);
        course.told(fed_ns + telling.elapsed().as_nanos() as u64);
        if course.is_over(engine, now_us) || !observer.wants_more() {
            return now_us;
        }
    }
}

/// What the loop is about. Not inlined: an instruction counter is switched on and off by its name.
#[inline(never)]
fn tick(engine: &mut Engine, now_us: u64) {
    engine.tick(now_us);
}
