//! Claim: from a host's push to its poll a sentence costs at most 1.5 times its detector where 16 sessions share it, and
//! speculation brings the answer at least 50 ms earlier. `cargo bench --bench end_to_end`.
//!
//! A synthesized sentence of some two seconds and a second of silence, pushed in blocks of 20 ms, ticked every 5 ms of
//! virtual time and polled after each tick, over the public API alone, one thread. `forward`: gate, output. `answer`:
//! gate, recogniser, reply, output as text; both services are simulated and their times modelled. Criterion's element is
//! a sentence: processor time of all its pushes, ticks and polls. Baselines: the detector alone (Silero) for what it costs, and
//! `speculate: false` for when the answer comes. Costs are this machine's; latencies are engine time, the same everywhere.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

mod crowd;

use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use crowd::Crowd;
use mynah::bench::kernels::VadBatch;
use mynah::bench::median::median;
use mynah_engine::scene::{Override, Source, compile};
use mynah_engine::{Out, ScenePlan};
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};
use mynah_systems::vad::VadKind;

const FORWARD: &str = r#"(
    name: "forward",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate())],
    edges: [("input", "gate"), ("gate", "output")],
)"#;
const ANSWER: &str = r#"(
    name: "answer",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate()),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: LogNormal(p50_ms: 60, p99_ms: 120))),
        "reply": (output: ScriptedReply, timing: (latency: LogNormal(p50_ms: 60, p99_ms: 120))),
    },
)"#;
/// Name, scene, override.
const WAYS: [(&str, &str, Option<&str>); 3] = [
    ("forward", FORWARD, None),
    ("answer", ANSWER, None),
    ("answer, speculate off", ANSWER, Some("gate.speculate=false")),
];
/// 20 ms.
const BLOCK: usize = RATE_HZ as usize / 50;
const TICKS_A_BLOCK: usize = 4;
/// Samples of a hop of the detector.
const HOP: f64 = 512.0;
const AUDIBLE: f32 = 0.005;

/// What every session says.
struct Sentence {
    samples: Vec<f32>,
    /// Media time from its beginning to the end of the speech.
    end_us: u64,
}

impl Sentence {
    fn new() -> Self {
        let voice = Flite::new().expect("the voice is part of the program");
        let mut samples = voice
            .speak("Please open the door of the garden and let the dog out.", VoiceStyle::default())
            .expect("these are words");
        let spoken = samples.iter().rposition(|sample| sample.abs() > AUDIBLE).map_or(0, |last| last + 1);
        samples.resize((spoken + RATE_HZ as usize).next_multiple_of(BLOCK), 0.0);
        Self { samples, end_us: spoken as u64 * 1_000_000 / u64::from(RATE_HZ) }
    }
}

/// What came of sentences: nanoseconds of each, and microseconds of engine time from push to poll of each block, and from
/// the end of speech to the first of each answer.
#[derive(Default)]
struct Told {
    sentences_ns: Vec<f64>,
    blocks_us: Vec<f64>,
    answers_us: Vec<f64>,
}

/// All sessions say the sentence; what that cost.
fn say(crowd: &mut Crowd, sentence: &Sentence, told: &mut Told) -> u64 {
    let begins_us = crowd.engine.now_us();
    let before = told.answers_us.len();
    let mut answered = vec![false; crowd.sessions.len()];
    let mut spent_ns = 0;
    for block in sentence.samples.chunks(BLOCK) {
        let began = ThreadTime::now();
        for session in &crowd.sessions {
            session.try_push(block).expect("there is credit");
        }
        for _ in 0..TICKS_A_BLOCK {
            crowd.tick();
            let now_us = crowd.engine.now_us();
            for (session, answered) in crowd.sessions.iter().zip(&mut answered) {
                while let Some(out) = session.poll() {
                    match out {
                        Out::Audio(audio) => {
                            // Blocks begin at whole 20 ms of media time, which began with the engine's first tick.
                            let pushed_us = (audio.pts_us - audio.pts_us % 20_000) + FIRST_TICK_US;
                            told.blocks_us.push((now_us - pushed_us) as f64);
                            session.give_back(audio.block);
                        }
                        Out::Text { .. } if !std::mem::replace(answered, true) => {
                            told.answers_us.push((now_us - begins_us - sentence.end_us) as f64);
                        }
                        Out::Text { .. } | Out::Control(_) | Out::Event(_) => {}
                    }
                }
            }
        }
        spent_ns += began.elapsed().as_nanos() as u64;
    }
    told.sentences_ns.push(spent_ns as f64 / crowd.sessions.len() as f64);
    assert!(!told.blocks_us.is_empty() || told.answers_us.len() > before, "the sentence was heard");
    spent_ns
}

/// A new [`Crowd`] has ticked once.
const FIRST_TICK_US: u64 = 5_000;

fn plan(scene: &str, set: Option<&str>) -> Arc<ScenePlan> {
    let sets: Vec<Override> = set.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let source = Source::new("end_to_end.ron", scene);
    let compiled = compile(&source, &sets, None, &mynah_systems::registry(None));
    Arc::new(compiled.unwrap_or_else(|found| panic!("{found}")).0)
}

/// In milliseconds: P50, P95, P99.
fn quantiles(mut us: Vec<f64>) -> [f64; 3] {
    us.sort_by(f64::total_cmp);
    [0.5, 0.95, 0.99].map(|q| us[((us.len() as f64 * q) as usize).min(us.len() - 1)] / 1e3)
}

fn end_to_end(criterion: &mut Criterion) {
    let sentence = Sentence::new();
    let seconds = sentence.samples.len() as f64 / f64::from(RATE_HZ);
    let hops = sentence.samples.len() as f64 / HOP;
    let mut group = criterion.benchmark_group("end_to_end");
    group.sampling_mode(SamplingMode::Flat);
    for sessions in [1, 16] {
        let detector_us = hops * VadBatch::new(VadKind::Silero, sessions as usize).us_per_lane(15, 2_000);
        let mut answers_ms = Vec::new();
        for (way, scene, set) in WAYS {
            let (mut crowd, mut told) = (Crowd::new(plan(scene, set), sessions), Told::default());
            group.throughput(Throughput::Elements(u64::from(sessions)));
            group.bench_function(BenchmarkId::new(way, sessions), |bencher| {
                bencher.iter_custom(|count| {
                    Duration::from_nanos((0..count).map(|_| say(&mut crowd, &sentence, &mut told)).sum())
                });
            });
            let us = median(told.sentences_ns) / 1e3;
            let cost =
                format!("{us:.0} us a sentence of {seconds:.1} s, {:.2} of its detector", us / detector_us);
            let what =
                if told.answers_us.is_empty() { "block, push to poll" } else { "end of speech to answer" };
            let all = if told.answers_us.is_empty() { told.blocks_us } else { told.answers_us };
            let [p50, p95, p99] = quantiles(all);
            println!(
                "{sessions} sessions, {way}: {cost}; {what}: P50 {p50:.0}, P95 {p95:.0}, P99 {p99:.0} ms"
            );
            answers_ms.push((p50, p95));
        }
        let (on, off) = (answers_ms[1], answers_ms[2]);
        println!(
            "{sessions} sessions: speculation takes {:.0} ms (P50) and {:.0} ms (P95) off, {:.2} of what it takes without",
            off.0 - on.0,
            off.1 - on.1,
            on.0 / off.0
        );
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(500));
    targets = end_to_end
}
criterion_main!(benches);
