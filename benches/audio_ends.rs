//! Claim: an audio callback's push and read together cost less than those of a whole handle: 128, 480 and 1,024
//! sample frames of 48 kHz mono. `cargo bench --bench audio_ends`.
//!
//! The baseline is what a callback without ends calls: `SessionHandle::try_push`, and `poll` until nothing is left, each
//! block copied into the device's buffer and given back. One hundred sessions of `passthrough` in one thread, 15 calls
//! a tick. Criterion's element is a call. A line per length has the medians, and what the ends cost in exchange: one copy
//! more, from the ring into a block, which is part of the tick.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use mynah::bench::median::median;
use mynah_engine::edge::{AudioIn, AudioOut, SessionControl};
use mynah_engine::scene::Format;
use mynah_engine::{Engine, EngineConfig, Out, ScenePlan, SessionHandle, SessionSpec};
use mynah_host::clock::Epoch;
use mynah_sim::scenes;

const SESSIONS: usize = 100;
/// Calls of each session a tick; of none of these lengths less than 2.5 ms is left, which would wait for more.
const CALLS: usize = 15;
const FORMAT: Format = Format { rate_hz: 48_000, channels: 1 };
const STEPS: [&str; 3] = ["push", "tick", "read"];

/// The same session from outside, whole or split.
trait Voice {
    const NAME: &'static str;
    fn of(session: SessionHandle) -> Self;
    fn push(&mut self, samples: &[f32]);
    /// Reads `calls` buffers; how many samples of them were sound.
    fn read(&mut self, out: &mut [f32], calls: usize) -> usize;
}

struct Whole {
    session: SessionHandle,
}

impl Voice for Whole {
    const NAME: &'static str = "handle";
    fn of(session: SessionHandle) -> Self {
        Self { session }
    }
    fn push(&mut self, samples: &[f32]) {
        self.session.try_push(black_box(samples)).expect("there is credit");
    }
    fn read(&mut self, out: &mut [f32], _calls: usize) -> usize {
        // Blocks come as long as they are: into the device's buffers they go with a rest each.
        let (mut filled, mut sounded) = (0, 0);
        while let Some(Out::Audio(audio)) = self.session.poll() {
            let mut samples = audio.block.samples();
            sounded += samples.len();
            while !samples.is_empty() {
                let most = samples.len().min(out.len() - filled);
                out[filled..filled + most].copy_from_slice(&samples[..most]);
                filled = (filled + most) % out.len();
                samples = &samples[most..];
            }
            black_box(&*out);
            self.session.give_back(audio.block);
        }
        sounded
    }
}

struct Split {
    input: AudioIn,
    output: AudioOut,
    _control: SessionControl,
}

impl Voice for Split {
    const NAME: &'static str = "ends";
    fn of(session: SessionHandle) -> Self {
        let (input, output, control) = session.split().expect("nobody else has it");
        Self { input, output, _control: control }
    }
    fn push(&mut self, samples: &[f32]) {
        self.input.push(black_box(samples)).expect("there is room");
    }
    fn read(&mut self, out: &mut [f32], calls: usize) -> usize {
        (0..calls).map(|_| black_box(self.output.read(black_box(out))).frames).sum()
    }
}

struct Bench<V> {
    engine: Engine,
    voices: Vec<V>,
    epoch: Epoch,
    samples: Vec<f32>,
    out: Vec<f32>,
}

impl<V: Voice> Bench<V> {
    fn new(plan: &Arc<ScenePlan>, length: usize) -> Self {
        let config = EngineConfig { sessions_max: SESSIONS as u32, ..EngineConfig::simulated() };
        let engine = Engine::new(Arc::clone(plan), config);
        let open = |at: usize| {
            let spec = SessionSpec { input: Some(FORMAT), ..SessionSpec::named(format!("s{at}")) };
            V::of(engine.handle().open(spec).expect("there is room"))
        };
        let voices = (0..SESSIONS).map(open).collect();
        let (samples, out) = (vec![0.1; length], vec![0.0; length]);
        Self { engine, voices, epoch: Epoch::start(), samples, out }
    }

    /// Pushes, a tick, reads: nanoseconds of each for all sessions.
    fn round(&mut self) -> [u64; STEPS.len()] {
        let mut at_ns = [self.epoch.now_ns(); 4];
        for voice in &mut self.voices {
            (0..CALLS).for_each(|_| voice.push(&self.samples));
        }
        at_ns[1] = self.epoch.now_ns();
        self.engine.tick(self.engine.now_us() + 60_000);
        at_ns[2] = self.epoch.now_ns();
        let mut sounded = 0;
        for voice in &mut self.voices {
            sounded += voice.read(&mut self.out, CALLS);
        }
        at_ns[3] = self.epoch.now_ns();
        assert_eq!(sounded, SESSIONS * CALLS * self.samples.len(), "all of it comes out");
        [at_ns[1] - at_ns[0], at_ns[2] - at_ns[1], at_ns[3] - at_ns[2]]
    }

    /// Medians of a call, nanoseconds.
    fn measure(mut self, criterion: &mut Criterion) -> [f64; STEPS.len()] {
        (0..20).for_each(|_| assert!(self.round()[1] > 0));
        let mut group = criterion.benchmark_group("audio_ends");
        let calls = SESSIONS * CALLS;
        group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(calls as u64));
        let mut steps = STEPS.map(|_| Vec::new());
        for (at, step) in STEPS.iter().enumerate() {
            let id = BenchmarkId::new(format!("{}/{step}", V::NAME), self.samples.len());
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| {
                    let rounds: Vec<_> = (0..count).map(|_| self.round()).collect();
                    for ns in &rounds {
                        steps.iter_mut().zip(ns).for_each(|(all, ns)| all.push(*ns as f64 / calls as f64));
                    }
                    Duration::from_nanos(rounds.iter().map(|ns| ns[at]).sum())
                });
            });
        }
        group.finish();
        steps.map(median)
    }
}

/// What a copy of `length` samples takes, nanoseconds.
fn copy_ns(length: usize) -> f64 {
    let (from, mut to, epoch) = (vec![0.1_f32; length], vec![0.0_f32; length], Epoch::start());
    let took = |to: &mut [f32]| {
        let began_ns = epoch.now_ns();
        for _ in 0..1_000 {
            to.copy_from_slice(black_box(&from));
            black_box(&*to);
        }
        (epoch.now_ns() - began_ns) as f64 / 1_000.0
    };
    median((0..101).map(|_| took(&mut to)).collect())
}

fn audio_ends(criterion: &mut Criterion) {
    let (plan, _) = scenes::compile("passthrough", &[], None, None).expect("it is shipped");
    for length in [128, 480, 1_024] {
        let handle = Bench::<Whole>::new(&plan, length).measure(criterion);
        let ends = Bench::<Split>::new(&plan, length).measure(criterion);
        let told = STEPS.iter().zip(ends.iter().zip(&handle)).map(|(step, (ends, handle))| {
            format!("{step} {ends:.0} ns, with a handle {handle:.0} ns (x{:.2})", handle / ends)
        });
        let all = |steps: &[f64]| steps.iter().sum::<f64>();
        println!(
            "{length} frames: {}; in all {:.0} and {:.0} ns; a copy of them {:.0} ns",
            told.collect::<Vec<_>>().join("; "),
            all(&ends),
            all(&handle),
            copy_ns(length)
        );
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = audio_ends
}
criterion_main!(benches);
