//! A warm tick allocates nothing: counted by the program inside its ticks, on one thread.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use support::program::{number, replay, simulate};

#[test]
fn no_tick_allocates_after_warm_up() {
    let mut failed = Vec::new();
    for (scene, sessions, duration) in [
        ("passthrough", "200", "20s"),
        ("gate_only", "100", "20s"),
        ("gate_only", "24", "60s"),
        ("streaming_resample", "200", "8s"),
    ] {
        for seed in ["1", "2"] {
            let flags =
                [scene, "--sessions", sessions, "--duration", duration, "--threads", "1", "--seed", seed];
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
