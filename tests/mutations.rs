//! Every invariant checker notices the engine that is broken in its way, and none complains about the one that is not.
//! Needs the feature `mutations`.

#[path = "support/guarded/mod.rs"]
mod guarded;

use std::collections::BTreeMap;

use guarded::crowd::Crowd;
use guarded::{Case, Verdict, simulate};
use mynah_engine::base::Mutation;
use mynah_engine::scene::Override;
use mynah_proof::faults::site::Site;
use mynah_proof::faults::spec::{FaultSpec, SiteSpec};
use mynah_proof::faults::{Chaos, ChaosOptions};
use mynah_proof::invariants::NAMES;
use mynah_proof::invariants::determinism::determinism;
use mynah_proof::invariants::isolation::isolation;
use mynah_sim::simulate::Observer;

struct Nobody;

impl Observer for Nobody {}

/// A break, who must notice it, and where it shows: scene, settings, sessions, seconds.
type Row = (Mutation, &'static str, &'static str, &'static [&'static str], u32, u64);

const ROWS: [Row; 35] = [
    (Mutation::LoseFrame, "conservation", "passthrough", &[], 3, 3),
    (Mutation::LoseOnEdge, "conservation", "passthrough", &[], 3, 3),
    (Mutation::CutBlock, "streams", "voice_assistant", &[], 4, 12),
    (Mutation::CutBlock, "streams", "gate_only", &[], 4, 16),
    (Mutation::ConfirmTwice, "segments", "gate_only", &[], 4, 16),
    (Mutation::ForgetCancel, "segments", "remote_consumer", &[], 3, 8),
    (Mutation::ReleaseVoid, "taken_back", "barge_in", &[], 6, 20),
    (Mutation::WidenQueue, "bounds", "overflow", &[], 3, 8),
    (Mutation::DropOther, "overflow", "overflow", &[], 3, 8),
    (
        Mutation::DropOther,
        "overflow",
        "overflow",
        &["slow_audio.capabilities.overflow_policy=DropNewest"],
        3,
        8,
    ),
    (Mutation::DropOther, "overflow", "overflow", &["slow_audio.capabilities.overflow_policy=Block"], 3, 8),
    (Mutation::Overtake, "order", "voice_assistant", &[], 4, 12),
    (Mutation::ForgetMessage, "messages", "remote_consumer", &[], 3, 8),
    (Mutation::RepeatEffect, "messages", "remote_consumer", &[], 3, 8),
    (Mutation::Backdate, "latency", "voice_assistant", &[], 4, 12),
    (Mutation::Dawdle, "latency", "voice_assistant", &[], 4, 12),
    (Mutation::OverfillBatch, "batches", "batched_tts", &["tts.buffering.max_batch_size=1"], 6, 12),
    (Mutation::OversleepBatch, "batches", "batched_tts", &[], 6, 12),
    (Mutation::DropTail, "resampler", "streaming_resample", &[], 3, 3),
    (Mutation::LeakBlock, "baseline", "voice_assistant", &[], 4, 12),
    (Mutation::SkipRecord, "metrics", "passthrough", &[], 3, 3),
    (Mutation::LoseAtEdge, "conservation", "gate_only", &[], 3, 6),
    (Mutation::LoseAtEdge, "conservation", "passthrough", &[], 3, 3),
    (Mutation::CreditTwice, "bounds", "passthrough", &[], 3, 3),
    (Mutation::CreditTwice, "bounds", "overflow", &[], 3, 8),
    (Mutation::HideDrop, "conservation", "overflow", &[], 3, 8),
    (
        Mutation::HideDrop,
        "conservation",
        "overflow",
        &["slow_audio.capabilities.overflow_policy=DropNewest"],
        3,
        8,
    ),
    (Mutation::SwallowFrame, "conservation", "overflow", &[], 3, 8),
    (Mutation::SwallowFrame, "conservation", "passthrough", &[], 3, 3),
    (Mutation::SwallowFrame, "conservation", "voice_assistant", &[], 4, 12),
    (Mutation::HalveWait, "metrics", "batched_tts", &["tts.buffering.min_batch_size=5"], 6, 12),
    (Mutation::HalveLatency, "metrics", "voice_assistant", &[], 4, 12),
    (Mutation::HalveDelay, "metrics", "overflow", &[], 3, 8),
    (Mutation::RememberRetracted, "conversation", "barge_in", &[], 6, 20),
    (Mutation::RememberUnheard, "conversation", "barge_in", &[], 6, 20),
];

/// A reply that comes faster than it is spoken, but not at once, and that nothing interrupts.
const SLOW_REPLY: [&str; 3] =
    ["tts.runway_ms=900", "services.reply.timing.words_per_s=7", "session.output.interrupt_min_ms=None"];

/// When something happens: a block leaves, speech ends an answer.
const TIMES: [Row; 4] = [
    (Mutation::StretchLead, "bounds", "barge_in", &[], 6, 20),
    (Mutation::InterruptLate, "taken_back", "barge_in", &[], 6, 20),
    (Mutation::ForgetPlayed, "latency", "barge_in", &SLOW_REPLY, 6, 20),
    (Mutation::HurryBatch, "batches", "batched_tts", &["tts.buffering.min_batch_size=5"], 6, 12),
];

/// Broken only where sessions come and go, microphones are muted or hosts have something said, or only when two runs are
/// compared.
const ELSEWHERE: [(Mutation, &str); 9] = [
    (Mutation::AwaitService, "waits"),
    (Mutation::LeakEntity, "baseline"),
    (Mutation::SpreadPoison, "isolation"),
    (Mutation::CountShard, "determinism"),
    (Mutation::AwaitMicrophone, "silence"),
    (Mutation::SayTwice, "lines"),
    (Mutation::CutDeaf, "lines"),
    (Mutation::HushLine, "lines"),
    (Mutation::TearNeighbour, "failures"),
];

/// What goes wrong: checkers that complain without a break, and breaks that theirs do not see.
fn unnoticed(rows: &[Row]) -> Vec<String> {
    let mut unbroken: BTreeMap<String, Verdict> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (mutation, invariant, scene, sets, sessions, seconds) in rows.iter().copied() {
        let case = Case::of(scene, sets, sessions, seconds);
        let sound = unbroken.entry(case.command()).or_insert_with(|| simulate(&case));
        wrong.extend(sound.words.iter().map(|words| format!("unbroken {}: {words}", case.command())));
        let verdict = simulate(&Case { mutation: Some(mutation), ..case });
        if !verdict.counts.contains_key(invariant) {
            let counts = &verdict.counts;
            wrong.push(format!("{mutation:?} in {}: {invariant} sees nothing, {counts:?}", case.command()));
        }
    }
    wrong
}

#[test]
fn every_checker_notices_its_broken_engine() {
    let wrong = unnoticed(&ROWS);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_happens_too_early_or_too_late_is_noticed() {
    let wrong = unnoticed(&TIMES);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_sessions_leave_behind_is_noticed() {
    let crowd = Crowd {
        scene: "gate_only",
        sets: &[],
        seats: 4,
        seconds: 8,
        seed: 1,
        churns: true,
        silent: false,
        sick: false,
        mutes: false,
        mutation: None,
    };
    let sound = crowd.run();
    assert!(sound.holds(), "{:?}", sound.words);
    for mutation in [Mutation::LeakEntity, Mutation::LeakBlock] {
        let verdict = Crowd { mutation: Some(mutation), ..crowd }.run();
        assert!(verdict.counts.contains_key("baseline"), "{mutation:?}: {:?}", verdict.counts);
    }
}

#[test]
fn a_gate_that_waits_for_a_muted_microphone_is_noticed() {
    let mut wrong = Vec::new();
    for scene in ["gate_only", "voice_assistant"] {
        let crowd = Crowd {
            scene,
            sets: &[],
            seats: 6,
            seconds: 12,
            seed: 1,
            churns: false,
            silent: false,
            sick: false,
            mutes: true,
            mutation: None,
        };
        wrong.extend(crowd.run().words.into_iter().map(|words| format!("unbroken {scene}: {words}")));
        let verdict = Crowd { mutation: Some(Mutation::AwaitMicrophone), ..crowd }.run();
        if verdict.counts.keys().ne([&"silence"]) {
            wrong.push(format!("{scene}: {:?}", verdict.counts));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn poison_that_spreads_is_noticed() {
    let crowd = Crowd {
        scene: "passthrough",
        sets: &[],
        seats: 6,
        seconds: 3,
        seed: 1,
        churns: false,
        silent: false,
        sick: false,
        mutes: false,
        mutation: None,
    };
    let found = |mutation| {
        let (clean, ill) = (Crowd { mutation, ..crowd }.run(), Crowd { sick: true, mutation, ..crowd }.run());
        isolation(&clean.digests, &ill.digests, &[0])
    };
    assert_eq!(found(None), []);
    assert_ne!(found(Some(Mutation::SpreadPoison)), []);
}

#[test]
fn a_detector_that_looks_around_in_its_shard_is_noticed() {
    let case = Case::of("gate_only", &["gate.vad_gather_ms=40"], 18, 8);
    let found = |mutation| {
        let case = Case { mutation, ..case };
        let one = simulate(&Case { shards: Some(1), ..case }).digests;
        let many = simulate(&Case { shards: Some(8), threads: 2, ..case }).digests;
        determinism(&[("1 shard", &one), ("8 shards", &many)])
    };
    assert_eq!(found(None), []);
    assert_ne!(found(Some(Mutation::CountShard)), []);
}

/// What is wrong in a run of a seed.
fn found(chaos: &mut Chaos, mutation: Option<Mutation>) -> Vec<String> {
    let mut run = chaos.prepare(3).expect("the scene is right");
    if let Some(mutation) = mutation {
        run.mutate(mutation);
    }
    run.run(&mut Nobody).violations
}

#[test]
fn lines_that_are_said_twice_cut_or_left_without_an_end_are_noticed() {
    let mut spec = FaultSpec::only(Site::Say);
    spec.sites
        .insert(Site::Say, SiteSpec { on: Some(1.0), ratio: Some((0.01, 0.01)), ..SiteSpec::default() });
    let mut chaos = Chaos::new(ChaosOptions {
        texts: None,
        scene: "barge_in".into(),
        sets: Vec::new(),
        sessions: 6,
        duration_us: 20_000_000,
        threads: 1,
        shards: None,
        spec,
    });
    assert_eq!(found(&mut chaos, None), [""; 0]);
    for mutation in [Mutation::SayTwice, Mutation::CutDeaf, Mutation::HushLine] {
        let wrong = found(&mut chaos, Some(mutation));
        let noticed = wrong.iter().any(|words| words.starts_with("lines "));
        assert!(noticed, "{mutation:?}: {wrong:?}");
    }
}

#[test]
fn a_panic_that_takes_a_neighbour_along_is_noticed() {
    let mut spec = FaultSpec::only(Site::NodePanics);
    let often = SiteSpec { on: Some(1.0), ratio: Some((0.1, 0.1)), ..SiteSpec::default() };
    spec.sites.insert(Site::NodePanics, often);
    let mut chaos = Chaos::new(ChaosOptions {
        texts: None,
        scene: "voice_assistant".into(),
        sets: Vec::new(),
        sessions: 6,
        duration_us: 12_000_000,
        threads: 1,
        shards: Some(1),
        spec,
    });
    assert_eq!(found(&mut chaos, None), [""; 0]);
    let wrong = found(&mut chaos, Some(Mutation::TearNeighbour));
    assert!(wrong.iter().any(|words| words.starts_with("failures ")), "{wrong:?}");
}

#[test]
fn calls_that_wait_for_ever_and_segments_without_an_end_are_noticed() {
    let mut hangs = FaultSpec::only(Site::ServiceHangs);
    let often =
        SiteSpec { on: Some(1.0), ratio: Some((0.5, 0.5)), ms: Some((500.0, 500.0)), ..SiteSpec::default() };
    hangs.sites.insert(Site::ServiceHangs, often);
    // With an odd seed recognisers hear audio as it comes; a loose gate opens for what is no speech.
    let loose = ["gate.threshold=0.4", "gate.release_threshold=0.4"];
    let cases = [
        (Mutation::AwaitService, hangs, &[][..], "waits "),
        (Mutation::ForgetHeard, FaultSpec::none(), &loose[..], "endings: "),
    ];
    for (mutation, spec, sets, words) in cases {
        let mut chaos = Chaos::new(ChaosOptions {
            texts: None,
            scene: "voice_assistant".into(),
            sets: sets.iter().map(|set| Override::parse(set).expect("a setting")).collect(),
            sessions: 6,
            duration_us: 20_000_000,
            threads: 1,
            shards: None,
            spec,
        });
        assert_eq!(found(&mut chaos, None), [""; 0], "{mutation:?}");
        let broken = found(&mut chaos, Some(mutation));
        let noticed = broken.iter().any(|broken| broken.starts_with(words));
        assert!(noticed, "{mutation:?}: {broken:?}");
    }
}

#[test]
fn a_standstill_is_noticed_however_long_a_scene_may_drain() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cruel");
    // Gates whose pre-roll is more than the queue behind holds.
    for scene in ["unequal_branches", "one_by_one"] {
        let mut chaos = Chaos::new(ChaosOptions {
            texts: None,
            scene: format!("{folder}/{scene}.ron"),
            sets: Vec::new(),
            sessions: 2,
            duration_us: 6_000_000,
            threads: 1,
            shards: None,
            spec: FaultSpec::none(),
        });
        let mut run = |mutation: Option<Mutation>| {
            let mut run = chaos.prepare(1).expect("the scene is right");
            if let Some(mutation) = mutation {
                run.mutate(mutation);
            }
            run.run(&mut Nobody)
        };
        let sound = run(None);
        assert!(sound.verdict == "ok", "{scene}: {:?}", sound.violations);
        let found = run(Some(Mutation::StandOutside));
        let noticed = found.violations.iter().any(|words| words.contains("is not drained"));
        assert!(noticed && found.drained_after_ticks.is_none(), "{scene}: {:?}", found.violations);
    }
}

#[test]
fn every_invariant_has_its_break() {
    let shown = ROWS.iter().chain(&TIMES).map(|row| (row.0, row.1)).chain(ELSEWHERE);
    let shown: Vec<&str> = shown.map(|(_, invariant)| invariant).collect();
    let missing: Vec<_> = NAMES.iter().filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "no break for {missing:?}");
}
