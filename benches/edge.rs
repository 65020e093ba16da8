//! Claim: the way in and out costs a block less than half a microsecond in all, whatever its length: push, taking it in
//! the tick, release, poll. `cargo bench --bench edge`.
//!
//! The baseline of each half is a `std::sync::mpsc` channel that carries a new vector per block: send for push and
//! release, receive for take and poll; it knows no sessions, credits or counts. One hundred sessions, four pushes each
//! of 20, 10 or 2.5 ms a tick through `passthrough`, one thread. Take is all that comes before the first node, and
//! release all of the output's system, with what these do once a tick. Criterion's element is a block; a line per size
//! has the medians over the ticks.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

mod crowd;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use crowd::Crowd;
use mynah::bench::median::median;
use mynah_engine::record::Stopwatch;
use mynah_host::clock::{Epoch, NodeStopwatch};
use mynah_sim::scenes;

const SESSIONS: u32 = 100;
const PUSHES: usize = 4;
const BLOCKS: u64 = SESSIONS as u64 * PUSHES as u64;
const STEPS: [&str; 4] = ["push", "take", "release", "poll"];

/// Nanoseconds of all shards at the output and at the edge, which follows it in the stopwatch.
type Beside = Arc<[AtomicU64; 2]>;

/// A shard's stopwatch that shows what it has for these two.
struct Shown {
    watch: NodeStopwatch,
    output: usize,
    beside: Beside,
}

impl Stopwatch for Shown {
    fn start(&mut self) {
        self.watch.start();
    }
    fn lap(&mut self, stage: usize) {
        let before_ns = self.watch.totals_ns()[stage];
        self.watch.lap(stage);
        if let Some(beside) = stage.checked_sub(self.output).and_then(|at| self.beside.get(at)) {
            beside.fetch_add(self.watch.totals_ns()[stage] - before_ns, Ordering::Relaxed);
        }
    }
    fn totals_ns(&self) -> &[u64] {
        self.watch.totals_ns()
    }
}

/// A tick with its four steps, nanoseconds for all blocks.
fn round(crowd: &mut Crowd, beside: &Beside, samples: &[f32]) -> [u64; STEPS.len()] {
    let began_ns = crowd.epoch.now_ns();
    for session in &crowd.sessions {
        (0..PUSHES).for_each(|_| session.try_push(black_box(samples)).expect("there is credit"));
    }
    let push_ns = crowd.epoch.now_ns() - began_ns;
    crowd.tick();
    let began_ns = crowd.epoch.now_ns();
    let heard = crowd.hear() as u64;
    let poll_ns = crowd.epoch.now_ns() - began_ns;
    assert_eq!(heard, BLOCKS, "every block comes out in the tick that takes it");
    let [release_ns, take_ns] = [0, 1].map(|at| beside[at].swap(0, Ordering::Relaxed));
    [push_ns, take_ns, release_ns, poll_ns]
}

/// As many blocks into a channel, and out of it again: nanoseconds.
fn channel_round(samples: &[f32]) -> [u64; 2] {
    let (epoch, (sender, receiver)) = (Epoch::start(), channel());
    for _ in 0..BLOCKS {
        sender.send(black_box(samples).to_vec()).expect("the receiver is there");
    }
    let sent_ns = epoch.now_ns();
    for _ in 0..BLOCKS {
        drop(black_box(receiver.recv().expect("it was sent")));
    }
    [sent_ns, epoch.now_ns() - sent_ns]
}

fn edge(criterion: &mut Criterion) {
    let (plan, _) = scenes::compile("passthrough", &[], None, None).expect("it is shipped");
    let mut group = criterion.benchmark_group("edge");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(BLOCKS));
    for (length, len) in [("20 ms", 320), ("10 ms", 160), ("2.5 ms", 40)] {
        let samples = vec![0.1f32; len];
        let mut crowd = Crowd::new(plan.clone(), SESSIONS);
        let (epoch, output, beside) = (crowd.epoch, plan.nodes.len(), Beside::default());
        crowd.engine.lend_stopwatches(|| {
            let watch = NodeStopwatch::new(epoch, output);
            Box::new(Shown { watch, output, beside: beside.clone() })
        });
        let mut steps = STEPS.map(|_| Vec::new());
        for (at, step) in STEPS.iter().enumerate() {
            group.bench_function(BenchmarkId::new(*step, length), |bencher| {
                bencher.iter_custom(|count| {
                    let rounds: Vec<_> = (0..count).map(|_| round(&mut crowd, &beside, &samples)).collect();
                    for ns in &rounds {
                        steps.iter_mut().zip(ns).for_each(|(all, ns)| all.push(*ns as f64 / BLOCKS as f64));
                    }
                    Duration::from_nanos(rounds.iter().map(|ns| ns[at]).sum())
                });
            });
        }
        let steps_ns = steps.map(median);
        let rounds: Vec<_> = (0..501).map(|_| channel_round(&samples)).collect();
        let half = |at: usize| median(rounds.iter().map(|ns| ns[at] as f64 / BLOCKS as f64).collect());
        let (send_ns, receive_ns) = (half(0), half(1));
        let told = STEPS.iter().zip(steps_ns).map(|(step, ns)| format!("{step} {ns:.0} ns"));
        println!(
            "{length}: {}, in all {:.0} ns a block; a channel: send {send_ns:.0} ns, receive {receive_ns:.0} ns",
            told.collect::<Vec<_>>().join(", "),
            steps_ns.iter().sum::<f64>()
        );
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = edge
}
criterion_main!(benches);
