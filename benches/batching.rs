//! Claim: batches in front of a speech model carry 30 % more texts a second where one by one is too slow, and the first
//! sound comes no later where it is not. `cargo bench --bench batching`.
//!
//! The baseline is the same scene with batches of one. `batched_tts` from end to end: callers speak and are answered in
//! five sentences; recognition, reply and the voice's timing are models in virtual time, the synthesis is real. So texts
//! and latency are those of the model, the same on every machine; only the processor time is this machine's.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use mynah::bench::callers::Work;
use mynah_sim::report::NodeFigures;

/// Name, override.
const WAYS: [(&str, &str); 2] = [("batches up to 5", ""), ("one by one", "tts.buffering.max_batch_size=1")];

fn main() {
    println!(
        "sessions  way              texts/s  offered/s  mean batch  first sound P50, P95 ms  dropped  CPU s"
    );
    for sessions in [20, 100] {
        for (way, set) in WAYS {
            let work = Work { scene: "batched_tts", set, sessions, seconds: 20 };
            let report = work.run().unwrap_or_else(|failure| panic!("{failure}"));
            let tts: &NodeFigures =
                report.nodes.iter().find(|node| node.id == "tts").expect("the scene has it");
            let batch = tts.batch.as_ref().expect("it stands behind the hub");
            let latency = tts.latency_ms.expect("texts were spoken");
            println!(
                "{sessions:>8}  {way:<16} {:>7.1} {:>10.1} {:>11.2} {:>14.0} {:>9.0} {:>8} {:>6.2}",
                batch.items_per_s,
                batch.offered_per_s,
                batch.size_mean,
                latency.p50,
                latency.p95,
                tts.queue.dropped,
                report.cost.cpu_s
            );
        }
    }
}
