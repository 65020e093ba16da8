//! Acceptance, onset delay, false accepts and waste of the gate over its threshold and forwarding, on labelled recordings
//! clean and in noise, a table for each folder of them: the one of docs/latency.md is of a folder in `MYNAH_RECORDINGS`.

#![allow(clippy::print_stdout, reason = "the table is the result")]

#[path = "../tests/support/mod.rs"]
mod support;

use support::conditions::{all_conditions, judged};
use support::judge::{HEAD, sounding_after_cancel};
use support::labels::{Labelled, sets};

fn main() {
    for set in sets() {
        println!("{}\n{HEAD}", set.name);
        curve(&all_conditions(&set).1);
    }
}

fn curve(files: &[Labelled]) {
    for forward in ["OnOnset", "Always"] {
        for threshold in ["0.3", "0.5", "0.7", "0.9"] {
            let release = if threshold == "0.3" { "0.3" } else { "0.5" };
            let sets = [
                format!("gate.forward={forward}"),
                format!("gate.threshold={threshold}"),
                format!("gate.release_threshold={release}"),
            ];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            let (figures, outcomes) = judged(files, &sets);
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
