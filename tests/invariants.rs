//! What must hold after every tick holds: in every shipped scene, with callers who come and go, beside sick sessions,
//! and on any number of threads and shards.

#[path = "support/guarded/mod.rs"]
mod guarded;

use guarded::crowd::Crowd;
use guarded::{Case, Verdict, simulate};
use mynah_proof::invariants::determinism::determinism;
use mynah_proof::invariants::isolation::isolation;
use mynah_sim::scenes::SHIPPED;

/// `remote_answers` alone hears nothing; it is looked at as the far end of `remote_consumer`.
fn scenes() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name).filter(|name| *name != "remote_answers")
}

fn complaints(what: &str, verdict: &Verdict) -> Vec<String> {
    assert!(verdict.ticks > 200, "{what}: {} ticks", verdict.ticks);
    verdict.words.iter().map(|words| format!("{what}: {words}")).collect()
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_scene_keeps_every_invariant() {
    let cases = scenes().map(|scene| Case { seed: 7, ..Case::of(scene, &[], 5, 12) });
    none(cases.flat_map(|case| complaints(&case.command(), &simulate(&case))).collect());
}

/// Queues of one frame, every policy, answers that leave at once, no speculation.
#[test]
fn tight_and_hasty_scenes_keep_every_invariant() {
    let tight = [
        "resample_in.capabilities.queue_capacity=1",
        "gate.capabilities.queue_capacity=2",
        "tts.capabilities.queue_capacity=8",
        "resample_out.capabilities.queue_capacity=1",
    ];
    let waits = [
        "gate.capabilities.queue_capacity=1",
        "gate.capabilities.overflow_policy=Block",
        "asr.capabilities.queue_capacity=1",
        "asr.capabilities.overflow_policy=Block",
        "reply.capabilities.queue_capacity=1",
        "reply.capabilities.overflow_policy=Block",
        "tts.capabilities.queue_capacity=1",
        "tts.capabilities.overflow_policy=Block",
        "resample_out.capabilities.queue_capacity=1",
        "resample_out.capabilities.overflow_policy=Block",
    ];
    let hasty = ["session.output.release=Immediately", "session.output.pace=Burst"];
    let newest =
        ["slow_audio.capabilities.overflow_policy=DropNewest", "slow_audio.capabilities.queue_capacity=1"];
    let blocks = ["slow_audio.capabilities.overflow_policy=Block"];
    let merges = ["slow_audio.capabilities.overflow_policy=MergeOnOverflow"];
    let cases: [(&str, &[&str]); 9] = [
        ("voice_assistant", &tight),
        ("voice_assistant", &waits),
        ("voice_assistant", &hasty),
        ("voice_assistant", &["gate.speculate=false"]),
        ("barge_in", &["session.output.interrupt_min_ms=100", "gate.min_silence_ms=96"]),
        ("batched_tts", &["tts.buffering.max_buffer_size=2", "tts.capabilities.overflow_policy=Block"]),
        ("overflow", &newest),
        ("overflow", &blocks),
        ("overflow", &merges),
    ];
    let cases = cases.map(|(scene, sets)| Case { seed: 3, ..Case::of(scene, sets, 6, 12) });
    none(cases.iter().flat_map(|case| complaints(&case.command(), &simulate(case))).collect());
}

fn crowd(scene: &'static str, seed: u64) -> Crowd<'static> {
    Crowd {
        scene,
        sets: &[],
        seats: 6,
        seconds: 12,
        seed,
        churns: true,
        silent: false,
        sick: false,
        mutes: false,
        mutation: None,
    }
}

#[test]
fn callers_who_come_and_go_leave_nothing_behind() {
    let mut wrong = Vec::new();
    for (scene, seed) in scenes().filter(|scene| *scene != "remote_consumer").zip(11..) {
        for sick in [false, true] {
            let crowd = Crowd { sick, ..crowd(scene, seed) };
            let verdict = crowd.run();
            let openings = verdict.digests.len();
            assert!(openings > 15, "{crowd:?}: {openings} sessions came and went");
            wrong.extend(complaints(&format!("{crowd:?}"), &verdict));
        }
    }
    none(wrong);
}

#[test]
fn microphones_that_are_muted_keep_every_invariant() {
    let mut wrong = Vec::new();
    for (scene, sets) in [
        ("gate_only", &["gate.forward=Always"][..]),
        ("speculative_vad", &["gate.silence_timeout_ms=300"]),
        ("voice_assistant", &["gate.speculate=false"]),
        ("batched_tts", &[]),
        ("barge_in", &["gate.max_segment_ms=400"]),
    ] {
        let crowd = Crowd { mutes: true, sets, ..crowd(scene, 3) };
        wrong.extend(complaints(&format!("{crowd:?}"), &crowd.run()));
    }
    none(wrong);
}

#[test]
fn gates_that_do_not_hear_answers_keep_every_invariant() {
    let raised = ["gate.raise_threshold_while_speaking=0.97", "session.output.release=Immediately"];
    let held = ["gate.half_duplex=true", "gate.speculate=false", "gate.echo_tail_ms=1000"];
    let cases: [(&str, &[&str]); 5] = [
        ("barge_in", &["gate.half_duplex=true"]),
        ("barge_in", &raised),
        ("barge_in", &held),
        ("full", &["gate.half_duplex=true", "gate.echo_tail_ms=20"]),
        ("voice_assistant", &["gate.half_duplex=true", "gate.forward=Always"]),
    ];
    none(
        cases
            .iter()
            .map(|(scene, sets)| Case { seed: 5, ..Case::of(scene, sets, 6, 15) })
            .flat_map(|case| complaints(&case.command(), &simulate(&case)))
            .collect(),
    );
}

#[test]
fn a_sick_session_changes_no_other() {
    let mut wrong = Vec::new();
    for (scene, silent) in [
        ("gate_only", false),
        ("speculative_vad", false),
        ("passthrough", false),
        ("streaming_resample", false),
        // Here sessions share a service: the sick one asks for nothing.
        ("voice_assistant", true),
        ("batched_tts", true),
    ] {
        let well = Crowd { churns: false, silent, ..crowd(scene, 5) };
        let ill = Crowd { sick: true, ..well };
        let (clean, poisoned) = (well.run(), ill.run());
        assert_eq!((clean.digests.len(), poisoned.digests.len()), (6, 6), "{scene}");
        assert_ne!(
            clean.digests[&(0, 1)],
            poisoned.digests[&(0, 1)],
            "{scene}: the sick session is not sick"
        );
        wrong.extend(
            isolation(&clean.digests, &poisoned.digests, &[0]).iter().map(|v| format!("{scene}: {v}")),
        );
        wrong.extend(complaints(&format!("{ill:?}"), &poisoned));
    }
    none(wrong);
}

#[test]
fn threads_and_shards_change_no_session() {
    let mut wrong = Vec::new();
    for scene in ["gate_only", "voice_assistant", "barge_in"] {
        let case = Case::of(scene, &[], 18, 8);
        let one = simulate(&case).digests;
        let two = simulate(&Case { threads: 2, shards: Some(1), ..case }).digests;
        let eight = simulate(&Case { threads: 8, shards: Some(5), ..case }).digests;
        assert_eq!(one.len(), 18, "{scene}");
        let runs = [("1 thread", &one), ("2 threads, 1 shard", &two), ("8 threads, 5 shards", &eight)];
        wrong.extend(determinism(&runs).iter().map(|v| format!("{scene}: {v}")));
    }
    none(wrong);
}
