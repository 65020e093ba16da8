//! The gate against labelled speech: what it accepts, when, and what it takes back.
//!
//! The same questions are asked of the recordings of the checkout, of those that `MYNAH_RECORDINGS` names, and of
//! synthesized callers.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::ops::Range;

use support::callers::Callers;
use support::conditions::{PAD_MS, SCENE, all_conditions, heard, judged};
use support::judge::{Figures, HEAD, Targets, sounding_after_cancel};
use support::labels::{Labelled, sets};
use support::noise::with_scraps;
use support::stage::Outcome;

#[test]
fn recordings_meet_the_targets_clean_and_in_noise_at_10_db() {
    let mut failed = Vec::new();
    for (index, set) in sets().into_iter().enumerate() {
        // The first is the checkout's: of its sounds, a breath is speech to the detector.
        let (each, together) = if index == 0 { (1, 5) } else { (4, 4) };
        let (sizes, files) = all_conditions(&set);
        let outcomes = heard(&files, &[]);
        let mut judge = |name: &str, range: Range<usize>, false_accepts: u32| {
            let targets = Targets { p50_ms: 85.0, p95_ms: 300.0, from_the_start: 0.95, false_accepts };
            let figures = Figures::of(&files[range.clone()], &outcomes[range], PAD_MS);
            println!("{}", figures.row(name));
            println!(
                "  speech touched by a cancel {}, open already {}",
                figures.speech_cancelled, figures.open_already
            );
            failed.extend(targets.missed(&figures).into_iter().map(|m| format!("{} {name}: {m}", set.name)));
        };
        println!("{}\n{HEAD}", set.name);
        let mut from = 0;
        for (name, size) in sizes {
            judge(name, from..from + size, each);
            from += size;
        }
        judge("together", 0..from, together);
    }
    assert!(failed.is_empty(), "mynah run scenes/{SCENE}.ron:\n{}", failed.join("\n"));
}

/// Noise is in these already, some of it people talking: no count of false accepts is asked of babble.
#[test]
fn recordings_that_came_noisy_lose_no_utterance() {
    let mut failed = Vec::new();
    let noisy: Vec<Labelled> = sets().iter().flat_map(|set| set.noisy(true)).collect();
    println!("{HEAD}");
    for (file, outcome) in noisy.iter().zip(heard(&noisy, &[])) {
        let figures = Figures::of(std::slice::from_ref(file), std::slice::from_ref(&outcome), PAD_MS);
        println!("{}", figures.row(&file.file));
        assert!(figures.utterances > 0, "{}: nothing is asked of it", file.file);
        let lost = figures.missed.iter().chain(&figures.speech_lost).chain(&figures.unsettled);
        failed.extend(lost.map(|what| format!("{}: {what}", file.file)));
    }
    assert!(!noisy.is_empty() && failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn synthesized_callers_meet_the_targets() {
    let callers = Callers::new(3, 24, 16_000, 60);
    let files: Vec<Labelled> = (0..6).map(|session| callers.labelled(session, 60)).collect();
    let (figures, _) = judged(&files, &[]);
    println!("{HEAD}\n{}", figures.row("synthesized callers"));
    // Their truth begins at -40 dB of the peak: up to 300 ms before anything that a detector hears, and the pre-roll
    // is 200 ms at most.
    let failed =
        Targets { p50_ms: 120.0, p95_ms: 320.0, from_the_start: 0.85, false_accepts: 4 }.missed(&figures);
    assert!(figures.utterances >= 30, "{}", figures.utterances);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Everything that must hold however loosely the gate speculates.
fn clean_cancels(name: &str, files: &[Labelled], outcomes: &[Outcome], figures: &Figures) -> Vec<String> {
    let mut failed: Vec<String> =
        figures.unsettled.iter().map(|s| format!("{name}: {s}: not one verdict")).collect();
    if figures.cancelled == 0 {
        failed.push(format!("{name}: nothing was cancelled"));
    }
    for (file, outcome) in files.iter().zip(outcomes) {
        let late = sounding_after_cancel(outcome);
        failed.extend(late.into_iter().map(|what| format!("{name}: {}: {what}", file.file)));
    }
    failed
}

#[test]
fn a_loose_gate_cancels_each_segment_once_and_nothing_of_it_leaves_afterwards() {
    let callers = Callers::amid_noises(3, 24, 16_000, 40);
    let callers = (0..6).map(|session| callers.labelled(session, 40)).collect::<Vec<_>>();
    let recordings = sets().into_iter().map(|set| (set.files, set.name));
    let callers = (with_scraps(&callers), "loud and odd callers".to_owned());
    let all: Vec<(Vec<Labelled>, String)> = recordings.chain([callers]).collect();
    let mut failed = Vec::new();
    for sets in [
        &["gate.threshold=0.3", "gate.release_threshold=0.3"][..],
        &["gate.threshold=0.5", "gate.release_threshold=0.5", "gate.min_speech_ms=200"],
        &["gate.forward=Always"],
        &["gate.forward=Always", "gate.threshold=0.3", "gate.release_threshold=0.3"],
    ] {
        for (files, name) in &all {
            let (figures, outcomes) = judged(files, sets);
            println!("{}", figures.row(&format!("{name} {}", sets.join(" "))));
            failed.extend(clean_cancels(&format!("{name} {}", sets.join(" ")), files, &outcomes, &figures));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
