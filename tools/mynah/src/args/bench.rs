//! The flags of `bench`.

use clap::{Args, Subcommand};

use super::sets::Sets;
use super::values::{core, milliseconds, seconds, sessions, threads};

/// `bench`.
#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  mynah bench
  mynah bench --json > claims.json
  mynah bench capacity gate_only --core 1

Without a command it takes about a minute on one thread. Processor time, medians of turns; nothing here is a limit.
What each figure means, and other programs beside it: docs/performance.md. Exit codes: 0 measured, 2 could not."
)]
pub struct Bench {
    /// What to find; none: the claims.
    #[command(subcommand)]
    pub what: Option<BenchWhat>,
    /// Tiny workloads: shows that everything can be measured, and no figure worth keeping
    #[arg(long)]
    pub quick: bool,
    /// Prints the figures as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `bench` finds beside the claims.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchWhat {
    /// Finds how many sessions a machine or a core carries in real time
    Capacity(Capacity),
}

/// `bench capacity`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah bench capacity gate_only --core 1
  mynah bench capacity gate_only --core 1 --set session.input.chunk_ms=10
  mynah bench capacity voice_assistant --json > capacity.json

Each point is `simulate SCENE --clock wall` in a process of its own. Frames come by schedule, late or not; latency counts
from when a frame should have come. A point holds if frame in to out is within the bound at P99, no frame was dropped or
refused, and the simulated callers were not late by half the bound themselves: they share the core. Where answers come
out, not the caller's own frames, the scene's limits decide. A point that fails is tried once more.
Exit codes: 0 found, 1 not even one session holds, 2 could not run, 130 interrupted (Ctrl-C): what it knows so far.")]
pub struct Capacity {
    /// Scene file, or name of a scene that comes with mynah
    pub scene: String,
    /// Frame in to out at P99 must be within this, 0.01 to 60000 ms
    #[arg(long, value_name = "MS", default_value_t = 50.0, value_parser = milliseconds)]
    pub p99_ms: f64,
    /// Everything runs on this core, callers included; needs the program taskset
    #[arg(long, value_name = "N", value_parser = core)]
    pub core: Option<u32>,
    /// Worker threads, 1 to 256 [default: one per core that may be used]
    #[arg(long, value_name = "T", value_parser = threads)]
    pub threads: Option<usize>,
    /// Most sessions to try, 1 to 20000
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = sessions)]
    pub max: u32,
    /// Seconds measured at each point, 1 to 3600, after a warm-up of a quarter as many; where a gate waits for speech, of
    /// 7 s, in which all callers begin to talk
    #[arg(long, value_name = "S", default_value_t = 8, value_parser = seconds)]
    pub seconds: u32,
    /// Prints the result as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
}
