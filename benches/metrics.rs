//! Claim: metrics cost less than 1 % of a busy engine, and a page of 50 nodes is written in less than 5 ms (aim: 1 ms).
//! `cargo bench --bench metrics`. Exact, by instructions: for both `on` and `off`
//! `valgrind --tool=callgrind --toggle-collect='*tick_and_publish*' BENCH on voice_assistant`.
//!
//! Processor time of one thread that ticks one engine with metrics kept and published once a second of engine time, and
//! one without; the two take turns second by second, so that other load on the machine meets both.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it measures, it prints, nobody calls it"
)]

use std::sync::Arc;
use std::time::Instant;

use mynah::bench::callers::{Stand, metrics_on_against_off};
use mynah::bench::median::median;
use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, ScenePlan};
use mynah_host::metrics::{Board, Facts, Form, Publisher};
use mynah_sim::scenes;

/// Callers, and seconds they speak.
const SESSIONS: u32 = 20;
const SECONDS: u64 = 60;

fn stand(scene: &str, keeps: bool) -> Stand {
    Stand::new(scene, SESSIONS, SECONDS, keeps).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Median of the ratios of neighbouring seconds, and of both stands' sums.
fn on_against_off(scene: &str) {
    let measured = metrics_on_against_off(scene, SESSIONS, SECONDS);
    let ([off_ns, on_ns], ratios) = measured.unwrap_or_else(|failure| panic!("{failure}"));
    println!(
        "{scene:18} {SESSIONS} sessions: {:8.3} ms a second without metrics, {:8.3} with; ratio {:.4}, median of the seconds {:.4}",
        off_ns / 1e6,
        on_ns / 1e6,
        on_ns / off_ns,
        median(ratios),
    );
}

/// A scene of `count` nodes in a row.
fn row(count: usize) -> Arc<ScenePlan> {
    let nodes: String = (0..count).map(|at| format!("(id: \"n{at}\", kind: Pass()),")).collect();
    let between: String = (1..count).map(|at| format!("(\"n{}\", \"n{at}\"),", at - 1)).collect();
    let text = format!(
        "(name: \"row\", session: (input: (rate_hz: 16000)), nodes: [{nodes}], edges: [(\"input\", \"n0\"), {between} (\"n{}\", \"output\")])",
        count - 1
    );
    let (plan, _) = compile(&Source::new("row.ron", text.as_str()), &[], None, &scenes::registry(None))
        .unwrap_or_else(|found| panic!("{found}"));
    Arc::new(plan)
}

/// Writing the page of 50 nodes, and publishing its picture.
fn scrape() {
    let plan = row(50);
    let mut engine = Engine::new(Arc::clone(&plan), EngineConfig::simulated());
    engine.keep_metrics();
    let board = Arc::new(Board::new(Facts::of(&plan)));
    let mut publisher = Publisher::new(Arc::clone(&board));
    engine.tick(1_000);
    let time = |mut work: Box<dyn FnMut() -> usize + '_>| {
        let mut took: Vec<f64> = (0..200)
            .map(|_| {
                let began = Instant::now();
                assert!(work() > 0);
                began.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        took.sort_by(f64::total_cmp);
        (took[100], took[190])
    };
    let publish = time(Box::new(|| {
        publisher.publish(&engine);
        1
    }));
    println!("50 nodes, 8 shards: a picture is made in {:.3} ms (P95 {:.3})", publish.0, publish.1);
    for form in [Form::Text, Form::OpenMetrics] {
        let bytes = board.page(form).len();
        let write = time(Box::new(|| board.page(form).len()));
        println!("50 nodes: {form:?} of {bytes} bytes is written in {:.3} ms (P95 {:.3})", write.0, write.1);
    }
    let mut now_us = 1_000;
    let mut rotations: Vec<f64> = (0..60)
        .map(|_| {
            now_us = (now_us / 5_000_000 + 1) * 5_000_000;
            let began = Instant::now();
            engine.tick(now_us);
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    rotations.sort_by(f64::total_cmp);
    println!("50 nodes, 8 shards, idle: a tick that rotates takes {:.3} ms at the median", rotations[30]);
}

/// `on SCENE` or `off SCENE`: that alone, 20 seconds of it, to be counted from outside.
fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "on" || word == "off") {
        let mut stand = stand(words.get(at + 1).expect("a scene behind it"), words[at] == "on");
        let busy_ns: u64 = (0..20).map(|_| stand.second()).sum();
        println!("{:.1} ms", busy_ns as f64 / 1e6);
        return;
    }
    scrape();
    for scene in ["voice_assistant", "gate_only", "passthrough"] {
        on_against_off(scene);
    }
}
