//! Queues from the least to the greatest that `check` accepts, at chunks from the least to the greatest: whatever was
//! pushed is accounted for, and where senders wait nothing is lost.

mod support;

use std::process::Command;
use std::sync::Arc;

use mynah_engine::scene::Format;
use mynah_engine::{DropReason, ScenePlan};
use mynah_load::chunk::ChunkSpec;
use mynah_sim::scenes::SHIPPED;
use support::callers::Callers;
use support::stage::{Part, Run, compile, run};

const SECONDS: u64 = 8;
const CALLERS: u64 = 2;
/// Bounds of a queue whose senders wait: the least and the greatest that are accepted.
const CAPACITIES: [u32; 2] = [1, 1_000];
/// Milliseconds of a chunk: the least, the customary ones, the greatest.
const CHUNKS_MS: [u64; 4] = [1, 10, 20, 1_000];

/// What is slow on purpose in a scene, made quick: these runs ask what is lost, not how long it takes.
fn quick(scene: &str) -> &'static [&'static str] {
    if scene == "overflow" { &["slow_audio.per_s=10000", "slow_text.per_s=10000"] } else { &[] }
}

/// What the counts of a run say that is over.
fn faults(plan: &ScenePlan, pushed: u64, run: &Run) -> Vec<String> {
    let mut wrong = Vec::new();
    let names = plan.nodes.iter().map(|node| node.id.as_str()).chain(["output"]);
    let balances = run.census.balances(&run.queued);
    for (name, (node, balance)) in names.zip(run.census.nodes.iter().zip(balances)) {
        if !balance.holds() || balance.queued > 0 {
            wrong.push(format!("`{name}`: {balance}"));
        }
        for reason in [DropReason::Overflow, DropReason::Failed] {
            let at = DropReason::ALL.iter().position(|one| *one == reason).expect("it is one of all");
            if node.dropped[at] > 0 {
                wrong.push(format!("`{name}`: {} dropped, {reason:?}", node.dropped[at]));
            }
        }
    }
    let first = plan.input_targets.first().expect("something hears the input");
    let arrived = run.census.nodes[plan.position(first.node).index()].samples_in;
    if arrived != pushed {
        wrong.push(format!("{pushed} samples pushed, {arrived} arrived"));
    }
    wrong
}

/// Callers of a scene with these settings, in chunks of so many milliseconds; what is lost.
fn lost(scene: &str, sets: &[String], chunk_ms: u64, callers: &Callers) -> Vec<String> {
    let chunk = format!("session.input.chunk_ms={chunk_ms}");
    let sets: Vec<&str> = sets.iter().map(String::as_str).chain([chunk.as_str()]).collect();
    let parts: Vec<Part> = callers
        .parts(CALLERS, SECONDS)
        .into_iter()
        .map(|part| part.in_chunks(ChunkSpec::Time(chunk_ms * 1_000)))
        .collect();
    let plan = compile(scene, &sets, parts[0].format(), None);
    let run = run(scene, &sets, &parts, Some(callers.script(CALLERS)));
    let whole: u64 = parts.iter().map(|part| part.audio.samples.len() as u64).sum();
    let pushed = run.outcomes.iter().map(|outcome| outcome.samples_pushed).sum();
    let mut wrong = faults(&plan, pushed, &run);
    if pushed != whole {
        wrong.push(format!("{pushed} of {whole} samples could be pushed"));
    }
    if plan.output.audio.is_some() && run.outcomes.iter().all(|outcome| outcome.audio.is_empty()) {
        wrong.push("nothing is heard".into());
    }
    wrong.into_iter().map(|what| format!("{scene} {}: {what}", sets.join(" "))).collect()
}

fn callers(scene: &str) -> Callers {
    let at_input = Format { rate_hz: 48_000, channels: 1 };
    let plan: Arc<ScenePlan> = compile(scene, &[], at_input, None);
    Callers::new(4, 12, plan.scene.session.input.rate_hz, SECONDS)
}

#[test]
fn whatever_is_accepted_loses_nothing_where_senders_wait() {
    let mut wrong = Vec::new();
    // The far end of another engine hears nothing by itself; branches of `full` that all block may wait for each other
    // (docs/queues.md).
    for (scene, _) in SHIPPED.iter().filter(|(scene, _)| !["remote_answers", "full"].contains(scene)) {
        let callers = callers(scene);
        let plan = compile(scene, &[], Format { rate_hz: 48_000, channels: 1 }, None);
        for capacity in CAPACITIES {
            let mut sets: Vec<String> = quick(scene).iter().map(|set| (*set).to_owned()).collect();
            for node in &plan.nodes {
                sets.push(format!("{}.capabilities.queue_capacity={capacity}", node.id));
                sets.push(format!("{}.capabilities.overflow_policy=Block", node.id));
            }
            for chunk_ms in CHUNKS_MS {
                wrong.extend(lost(scene, &sets, chunk_ms, &callers));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_assistant_as_shipped_loses_nothing_at_any_chunk() {
    let callers = callers("voice_assistant");
    let wrong: Vec<String> =
        CHUNKS_MS.iter().flat_map(|chunk_ms| lost("voice_assistant", &[], *chunk_ms, &callers)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As many shards as a scene may have, and two callers: the empty ones are not made.
#[test]
fn the_greatest_number_of_shards_costs_no_more_than_its_sessions() {
    let hash = |shards: u32| {
        let line = format!("simulate gate_only --sessions 2 --duration 4s --json --set tick.shards={shards}");
        let out = Command::new(env!("CARGO_BIN_EXE_mynah")).args(line.split(' ')).output();
        let out = out.expect("the program was built");
        let report: serde_json::Value =
            serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{line}: {error}"));
        (report["event_hash"].clone(), report["shards"].clone())
    };
    let (one, many) = (hash(1), hash(4_096));
    assert_eq!(one.0, many.0, "the number of shards changes nothing");
    assert_eq!((one.1, many.1), (1.into(), 2.into()), "one shard a session is the most there can be");
}
