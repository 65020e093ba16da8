//! Time to encode and decode one control message, as JSON and in the binary form, against its limit of 2 us.
//!
//! A line per row gives nanoseconds as the median of the same loop that criterion runs, and the allocations of one
//! call. Encoders write into a buffer that is used again; a decoded message owns its session id, and its metadata if
//! there is any.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use mynah::bench::kernels::typical_message;
use mynah_engine::Say;
use mynah_engine::edge::{Line, Words};
use mynah_engine::wire::message::{Arrival, ControlMessage, MessageError, MessageType, binary, json};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

/// What a typical message may take, nanoseconds (contracts: serialisation below 2 us).
const LIMIT_NS: f64 = 2_000.0;

/// A cancel as it goes out for every rejected segment, the same with metadata, and what else is frequent: what is being
/// spoken, and a line of the host's.
fn messages() -> [(&'static str, ControlMessage); 4] {
    let typical = typical_message();
    let like = |message_type| ControlMessage { message_type, ..typical.clone() };
    let text: Arc<str> = "Two coffees are on their way, and the cake comes with the next round.".into();
    let line = MessageType::Line { text: text.clone(), from_us: 250_000, until_us: Some(4_100_000) };
    let say = MessageType::Say(Arc::new(Line { words: Words::Text(text), say: Say::default() }));
    let (line, say) = (like(line), like(say));
    let mut annotated = typical.clone();
    annotated.metadata.insert("origin", "vad");
    annotated.metadata.insert("probability", 0.31);
    [("cancel", typical), ("cancel with metadata", annotated), ("line", line), ("say", say)]
}

/// Median nanoseconds of a call over 51 rounds of at least 1 ms, and the allocations of one.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn measured(mut call: impl FnMut()) -> (f64, u64) {
    let mut rounds: Vec<f64> = (0..51)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0_u32);
            while start.elapsed() < Duration::from_millis(1) {
                (0..64).for_each(|_| call());
                calls += 64;
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let before = mynah_alloc::allocations();
    call();
    (rounds[rounds.len() / 2], mynah_alloc::allocations() - before)
}

#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn row(criterion: &mut Criterion, codec: &str, name: &str, mut call: impl FnMut()) {
    let (ns, allocations) = measured(&mut call);
    let verdict = if ns < LIMIT_NS { "ok" } else { "OVER" };
    println!(
        "{codec:<15} {name:<21} {ns:>6.0} ns  limit {LIMIT_NS:.0} ns  {verdict:<4}  {allocations} allocations"
    );
    criterion.bench_function(&format!("{codec}, {name}"), |bencher| bencher.iter(&mut call));
}

fn control_codec(criterion: &mut Criterion) {
    type Encode = fn(&ControlMessage, &mut Vec<u8>) -> Result<(), MessageError>;
    type Decode = fn(&[u8]) -> Result<Arrival, MessageError>;
    let forms: [(&str, Encode, Decode); 2] = [
        ("json", json::encode_into, json::decode),
        ("binary", binary::encode_into, |bytes| binary::decode(bytes).map(|(arrival, _)| arrival)),
    ];
    for (name, message) in messages() {
        for (form, encode, decode) in forms {
            let (mut out, mut bytes) = (Vec::new(), Vec::new());
            encode(&message, &mut bytes).expect("the message is valid");
            row(criterion, &format!("{form} encode"), name, || {
                out.clear();
                encode(black_box(&message), &mut out).expect("the message is valid");
                black_box(&out);
            });
            row(criterion, &format!("{form} decode"), name, || {
                drop(black_box(decode(black_box(&bytes)).expect("the message is valid")));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = control_codec
}
criterion_main!(benches);
