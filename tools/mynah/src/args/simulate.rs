//! The flags of `simulate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::proof::Baseline;
use super::sets::Sets;
use super::values::{Duration, SeedRange, duration, seed, seeds, sessions, shards, threads};

/// The scene of `mynah` without a command.
pub const SCENE_DEFAULT: &str = "voice_assistant";

/// Whose clock a simulation runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// As fast as it goes; services take their modelled time
    Virtual,
    /// In real time
    Wall,
}

/// `simulate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah simulate
  mynah simulate gate_only --sessions 500 --duration 30s --clock wall
  mynah simulate --html report.html
  mynah simulate voice_assistant --set gate.speculate=false --json > baseline.json
  mynah simulate gate_only --save-baseline main.json
  mynah simulate gate_only --baseline main.json --fail-on-regression 20
  mynah simulate voice_assistant --faults chaos --seeds 1..4 --sessions 8 --duration 20s
  mynah simulate voice_assistant --to ws://127.0.0.1:8080 --sessions 20

Outputs are never what is read, and appear when they are complete. Ctrl-C ends the run with its verdict so far, exit code
130; once more leaves at once, and all files are as they were.")]
pub struct Simulate {
    /// Scene file, or name of a scene that comes with mynah
    #[arg(default_value = SCENE_DEFAULT)]
    pub scene: String,
    /// Callers at once, 1 to 20000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = sessions)]
    pub sessions: u32,
    /// What each of them sends, from 100ms to 24h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub duration: Duration,
    /// Leaves this much of the beginning out of latencies, lateness and CPU time, from 100ms [default: nothing]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["faults", "seeds"])]
    pub warm_up: Option<Duration>,
    /// Seed of callers and modelled service times
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub seed: u64,
    /// Whose clock
    #[arg(long, value_enum, default_value_t = Clock::Virtual)]
    pub clock: Clock,
    /// Callers of a server elsewhere (`mynah serve`), each over a WebSocket of its own, in real time; SCENE is what it runs,
    /// for limits and formats. What only the server knows is not in the report (docs/reports.md)
    #[arg(long, value_name = "URL", conflicts_with_all = [
        "clock", "threads", "shards", "faults", "seeds", "check", "events", "vad_trace", "save_baseline", "baseline",
        "fail_on_regression", "trace", "html", "metrics", "metrics_hold",
    ])]
    pub to: Option<String>,
    /// Which of the server's scenes, by model name [default: its first]
    #[arg(long, value_name = "NAME", requires = "to")]
    pub model: Option<String>,
    /// Environment variable with the key that the server asks for
    #[arg(long, value_name = "NAME", requires = "to")]
    pub key_env: Option<String>,
    /// Worker threads, 1 to 256 [default: one per core; in virtual time at most 2]
    #[arg(long, value_name = "T", value_parser = threads)]
    pub threads: Option<usize>,
    /// Worlds that share the sessions, 1 to 1024 [default: from the number of sessions]
    #[arg(long, value_name = "K", value_parser = shards)]
    pub shards: Option<u32>,
    /// Labelled recordings instead of synthesized callers: labels.jsonl beside its WAV files
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,
    /// All callers' audio arrives, and their first words begin, at the same moments: the worst case
    #[arg(long)]
    pub aligned: bool,
    /// Everything goes wrong, as drawn from the seed: chaos, network, services, churn, or a file of faults; in virtual
    /// time. Limits do not count, only what must always hold
    #[arg(long, value_name = "FILE|PRESET", conflicts_with_all = ["load", "aligned", "clock"])]
    pub faults: Option<String>,
    /// Runs each seed from A to B, both included, and names those that failed
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with_all = ["seed", "events", "vad_trace"])]
    pub seeds: Option<SeedRange>,
    /// Prints the report as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Looks after every tick whether all invariants hold (docs/invariants.md); one that does not is a missed limit
    #[arg(long)]
    pub check: bool,
    /// Writes what happened as JSON Lines; to - for standard output, and the table to standard error
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Writes the gate's probabilities as JSON Lines {session, t_us, p}
    #[arg(long, value_name = "FILE")]
    pub vad_trace: Option<PathBuf>,
    /// Keeping a run, and comparing with one that was kept.
    #[command(flatten)]
    pub baseline: Baseline,
    /// Writes the last 1024 ticks, system by system, for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["faults", "seeds"])]
    pub trace: Option<PathBuf>,
    /// Writes the report with its charts as one self-contained page
    #[arg(long, value_name = "FILE", conflicts_with_all = ["faults", "seeds"])]
    pub html: Option<PathBuf>,
    /// Serves metrics on this machine while it runs: HOST:PORT, port 0 for any that is free [default: as the scene says]
    #[arg(long, value_name = "ADDR", value_parser = mynah_host::metrics::address, conflicts_with_all = ["faults", "seeds"])]
    pub metrics: Option<std::net::SocketAddr>,
    /// Goes on serving them for this long when the run is over, 100ms to 24h
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["faults", "seeds"])]
    pub metrics_hold: Option<Duration>,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
}
