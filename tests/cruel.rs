//! Scenes that are legal and that nobody should write: queues of one frame, branches that meet and meet again, floods of
//! text, numbers at the ends of their ranges. They hold as any other scene does, with and without faults.
//!
//! More by hand: `mynah simulate tests/cruel/SCENE.ron --faults chaos --seeds A..B` (docs/faults.md).

#[path = "support/guarded/mod.rs"]
mod guarded;

use std::path::{Path, PathBuf};

use guarded::{Case, simulate};
use mynah_engine::scene::Override;
use mynah_proof::faults::site::Site;
use mynah_proof::faults::spec::{FaultSpec, SiteSpec};
use mynah_proof::faults::{Chaos, ChaosOptions};
use mynah_sim::scenes;
use mynah_sim::simulate::Observer;

const SESSIONS: u32 = 4;
const SECONDS: u64 = 8;
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

/// Seeds that once did not hold, with more callers and for longer: small stamped blocks refused by what is slow, and voices
/// that cut into each other's answers.
const FOUND: [(&str, &[u64]); 3] = [
    ("both_ends_of_throttle.ron", &[2, 14, 18]),
    ("four_ways_twice.ron", &[8, 14]),
    ("four_voices.ron", &[4, 14]),
];

struct Nobody;

impl Observer for Nobody {}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cruel")
}

fn path(name: &str) -> String {
    folder().join(name).to_string_lossy().into_owned()
}

/// All of them.
fn cruel() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("they are beside this file");
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.ok()?.path().to_string_lossy().into_owned())).collect();
    names.sort();
    assert!(names.len() >= 10, "{names:?}");
    names
}

/// What does not hold in faulted runs of these scenes.
fn faulted(names: &[String], spec: &FaultSpec, seeds: std::ops::RangeInclusive<u64>) -> Vec<String> {
    let of_one = |name: &String| faulted_for(name, spec, (SESSIONS, SECONDS), seeds.clone());
    names.iter().flat_map(of_one).collect()
}

fn faulted_for(
    name: &str,
    spec: &FaultSpec,
    (sessions, seconds): (u32, u64),
    seeds: impl IntoIterator<Item = u64>,
) -> Vec<String> {
    let mut chaos = Chaos::new(ChaosOptions {
        texts: None,
        scene: name.to_owned(),
        sets: Vec::new(),
        sessions,
        duration_us: seconds * 1_000_000,
        threads: 1,
        shards: None,
        spec: spec.clone(),
    });
    let mut wrong = Vec::new();
    for seed in seeds {
        let run = chaos.prepare(seed).unwrap_or_else(|failure| panic!("{failure}"));
        let report = run.run(&mut Nobody);
        if report.verdict != "ok" {
            wrong.push(format!("{}\n    {}", report.replay, report.violations.join("\n    ")));
        }
    }
    wrong
}

#[test]
fn cruel_scenes_hold() {
    let mut wrong = Vec::new();
    for name in cruel() {
        let case = Case::of(&name, &[], SESSIONS, SECONDS);
        wrong.extend(simulate(&case).words.iter().map(|words| format!("{}: {words}", case.command())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cruel_scenes_hold_under_chaos() {
    let spec = FaultSpec::preset("chaos").expect("it is a preset");
    let wrong = faulted(&cruel(), &spec, SEEDS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn seeds_that_once_did_not_hold_hold() {
    let spec = FaultSpec::preset("chaos").expect("it is a preset");
    let of_one =
        |(name, seeds): &(&str, &[u64])| faulted_for(&path(name), &spec, (8, 20), seeds.iter().copied());
    let wrong: Vec<String> = FOUND.iter().flat_map(of_one).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cruel_scenes_hold_whose_services_always_fail_and_say_what_nobody_would() {
    let always = |site| (site, SiteSpec { on: Some(1.0), ratio: Some((1.0, 1.0)), ..SiteSpec::default() });
    for sites in [[always(Site::ServiceFails)], [always(Site::HostileText)]] {
        let spec = FaultSpec { sites: sites.into(), ..FaultSpec::none() };
        let wrong = faulted(&cruel(), &spec, 1..=1);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// What goes beyond that is refused, with what would do: scene, override, words of the refusal.
const BEYOND: [(&str, &str, &str); 6] = [
    ("long_memory.ron", "gate.lookback_ms=60000", "2000"),
    ("long_memory.ron", "session.input.chunk_ms=0", "1000"),
    ("dear_batches.ron", "asr.buffering.max_batch_size=0", "1000"),
    ("forty_in_a_row.ron", "n00.capabilities.queue_capacity=0", "1000"),
    ("text_flood.ron", "captions.per_s=0.05", "0.1"),
    ("one_by_one.ron", "session.output.pace.lead_ms=10001", "10000"),
];

#[test]
fn what_is_crueller_is_refused_with_reason_and_remedy() {
    for (name, set, words) in BEYOND {
        let sets = [Override::parse(set).expect("a setting")];
        let refused = scenes::compile(&path(name), &sets, None, None).map(|_| ()).expect_err(set).to_string();
        assert!(refused.contains("expected") && refused.contains(words), "{set}: {refused}");
    }
}
