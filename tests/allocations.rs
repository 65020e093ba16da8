//! A warm tick allocates nothing: counted by the program inside its ticks, on one thread.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use support::program::{number, replay, simulate};

#[test]
fn no_tick_allocates_after_warm_up() {
    let mut failed = Vec::new();
    let eight = "session.input.channels=8";
    for (scene, sessions, duration, set) in [
        ("passthrough", "200", "20s", "tick.period_ms=5"),
        ("gate_only", "100", "20s", "tick.period_ms=5"),
        ("gate_only", "24", "60s", "tick.period_ms=5"),
        ("streaming_resample", "200", "8s", "tick.period_ms=5"),
        ("passthrough", "40", "8s", eight),
        ("gate_only", "24", "20s", eight),
        ("streaming_resample", "24", "8s", eight),
    ] {
        for seed in ["1", "2"] {
            let run =
                [scene, "--sessions", sessions, "--duration", duration, "--threads", "1", "--seed", seed];
            let flags = [&run[..], &["--set", set]].concat();
            let report = simulate(&flags);
            let per_tick = number(&report, "cost.allocations_per_tick");
            println!("{}: {per_tick}", flags.join(" "));
            if per_tick != 0.0 {
                failed.push(format!("{per_tick} allocations a tick: {}", replay(&flags)));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
