//! Acceptance, onset delay, false accepts and waste of the gate over its threshold and forwarding, on the labelled
//! recordings clean and in noise: the table of docs/latency.md.

#![allow(clippy::print_stdout, reason = "the table is the result")]

#[path = "../tests/support/mod.rs"]
mod support;

use support::conditions::{all_conditions, judged};
use support::judge::{HEAD, sounding_after_cancel};

fn main() {
    let Some((_, files)) = all_conditions() else { return };
    println!("{HEAD}");
    for forward in ["OnOnset", "Always"] {
        for threshold in ["0.3", "0.5", "0.7", "0.9"] {
            let release = if threshold == "0.3" { "0.3" } else { "0.5" };
            let sets = [
                format!("gate.forward={forward}"),
                format!("gate.threshold={threshold}"),
                format!("gate.release_threshold={release}"),
            ];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            let (figures, outcomes) = judged(&files, &sets);
            println!("{}", figures.row(&format!("{threshold} / {release}, {forward}")));
            for outcome in &outcomes {
                assert!(
                    sounding_after_cancel(outcome).is_empty(),
                    "nothing of a cancelled segment leaves after it"
                );
            }
        }
    }
}
