//! Claim: from its text to a plan, with every check, a shipped scene takes less than a millisecond: less than a tick,
//! so that an editor may check at every key. `cargo bench --bench scene_compile`.
//!
//! The baseline is `ron` reading the same text into values, which knows nothing of scenes, formats and nodes.
//! The median line is processor time, criterion's is wall time.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use mynah::bench::median::cpu_ns;
use mynah_engine::scene::{Source, compile};
use mynah_sim::scenes::{SHIPPED, registry};

fn scene_compile(criterion: &mut Criterion) {
    let registry = registry(None);
    let mut group = criterion.benchmark_group("scene_compile");
    for (name, text) in SHIPPED {
        let mut whole = || {
            let source = Source::new(*name, black_box(*text));
            black_box(compile(&source, &[], None, &registry).unwrap_or_else(|found| panic!("{found}")));
        };
        let us = cpu_ns(31, 1_000, &mut whole) / 1e3;
        let values = || {
            black_box(ron::from_str::<ron::Value>(black_box(text)).expect("it is RON"));
        };
        let values_us = cpu_ns(31, 1_000, values) / 1e3;
        println!(
            "{name}: {us:.0} us for {} bytes; ron alone {values_us:.0} us, ratio {:.1}",
            text.len(),
            us / values_us
        );
        group.bench_function(*name, |bencher| bencher.iter(&mut whole));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500));
    targets = scene_compile
}
criterion_main!(benches);
