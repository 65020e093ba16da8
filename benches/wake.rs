//! Claim: at low load latency is microseconds, not a tick: a frame that arrives while nothing else happens wakes the
//! engine and is out again in less than 100 us at the median. `cargo bench --bench wake`.
//!
//! The baseline is the length of a tick: the same engine with a fixed period of 5 ms. One session of `passthrough`,
//! whose host sits in a thread of its own and pushes 20 ms at 500 random moments, 3 to 17 ms after the last answer;
//! wall clock. With the gap of the scene (1 ms) a frame that comes right behind a heartbeat waits for its end; without
//! a gap none does. Two latencies: from the push to the session's waker, which the tick calls, and to the host that it
//! wakes, with the block in hand.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::sync::Parker;
use mynah_engine::base::rng::Rng;
use mynah_engine::driver::run;
use mynah_engine::{Driver, Engine, EngineConfig, Out, SessionHandle, SessionSpec};
use mynah_host::clock::{Epoch, WallClock};
use mynah_sim::scenes;

const PUSHES: usize = 500;
const BETWEEN_US: std::ops::Range<u64> = 3_000..17_000;

/// The host's thread.
struct Host {
    session: SessionHandle,
    epoch: Epoch,
    parker: Parker,
    /// When the waker was called.
    woken_ns: Arc<AtomicU64>,
}

impl Host {
    /// Pushes a frame and waits for it: nanoseconds to the waker and to the block.
    fn ask(&self) -> [u64; 2] {
        let pushed_ns = self.epoch.now_ns();
        self.session.try_push(&[0.1; 320]).expect("there is credit");
        loop {
            if let Some(Out::Audio(audio)) = self.session.poll() {
                let polled_ns = self.epoch.now_ns();
                // The waker follows the output: a host that is faster than both waits for it here.
                while self.woken_ns.load(Ordering::Acquire) < pushed_ns {
                    self.parker.park();
                }
                self.session.give_back(audio.block);
                return [self.woken_ns.load(Ordering::Acquire) - pushed_ns, polled_ns - pushed_ns];
            }
            self.parker.park();
        }
    }

    fn talk(self) -> Vec<[u64; 2]> {
        let mut rng = Rng::new(1, 0, 0);
        let ask = |_| {
            self.epoch.sleep_until(self.epoch.now_us() + rng.range_u64(BETWEEN_US));
            self.ask()
        };
        let latencies_ns = (0..PUSHES).map(ask).collect();
        self.session.close();
        latencies_ns
    }
}

/// The latencies of all pushes.
fn measured(driver: Driver) -> Vec<[u64; 2]> {
    let (plan, _) = scenes::compile("passthrough", &[], None, None).expect("it is shipped");
    let mut engine = Engine::new(plan, EngineConfig { threads: 1, ..EngineConfig::real_time() });
    let door = engine.handle();
    let (epoch, parker, woken_ns) = (Epoch::start(), Parker::new(), Arc::<AtomicU64>::default());
    let (told, unparker) = (woken_ns.clone(), parker.unparker().clone());
    let waker = move || {
        told.store(epoch.now_ns(), Ordering::Release);
        unparker.unpark();
    };
    let spec = SessionSpec { waker: Some(Arc::new(waker)), ..SessionSpec::named("caller") };
    let session = door.open(spec).expect("there is room");
    let host = Host { session, epoch, parker, woken_ns };
    let host = std::thread::spawn(|| host.talk());
    let mut clock = WallClock::new(epoch, door.bell());
    run(&mut engine, driver, &mut clock, &mut |_, _| {
        if host.is_finished() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    host.join().expect("the host does not panic")
}

/// Microseconds at 50, 99 and 100 %.
fn quantiles(latencies_ns: impl Iterator<Item = u64>) -> [f64; 3] {
    let mut ns: Vec<u64> = latencies_ns.collect();
    ns.sort_unstable();
    [ns.len() / 2, ns.len() * 99 / 100, ns.len() - 1].map(|at| ns[at] as f64 / 1e3)
}

fn main() {
    let period_us = 5_000;
    let wakes = |min_gap_us| Driver::WakeOnIngress { heartbeat_us: period_us, min_gap_us };
    let drivers = [
        ("fixed, 5 ms", Driver::Fixed { period_us, catch_up_max: 4 }),
        ("wakes, gap 1 ms", wakes(1_000)),
        ("wakes, no gap", wakes(0)),
    ];
    println!(
        "push to ..., us   waker: P50      P99      max   host: P50      P99      max   (a tick: {period_us})"
    );
    for (name, driver) in drivers {
        let latencies_ns = measured(driver);
        let [waker, host] = [0, 1].map(|at| quantiles(latencies_ns.iter().map(|ns| ns[at])));
        println!(
            "{name:<17} {:>10.0} {:>8.0} {:>8.0} {:>11.0} {:>8.0} {:>8.0}   P50 is 1/{:.0} of a tick",
            waker[0],
            waker[1],
            waker[2],
            host[0],
            host[1],
            host[2],
            period_us as f64 / host[0]
        );
    }
}
