//! The flags of commands that look at what other commands wrote.

use std::path::PathBuf;

use clap::Args;

use super::values::{shards, threads};

/// `replay`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah simulate barge_in --sessions 4 --duration 20s --events events.jsonl
  mynah replay events.jsonl
  mynah replay events.jsonl --threads 1 --shards 1

The log says all that the run is a function of; only recordings must still be there. Exit codes: 0 identical,
1 they differ, 2 this log cannot be replayed.")]
pub struct Replay {
    /// Event log, as --events of simulate and run writes it in virtual time
    #[arg(value_name = "FILE")]
    pub log: PathBuf,
    /// Worker threads, 1 to 256; they must change nothing [default: one per core, at most 2]
    #[arg(long, value_name = "T", value_parser = threads)]
    pub threads: Option<usize>,
    /// Worlds that share the sessions, 1 to 1024; they must change nothing [default: from the number of sessions]
    #[arg(long, value_name = "K", value_parser = shards)]
    pub shards: Option<u32>,
    /// Prints the result as one JSON object
    #[arg(long)]
    pub json: bool,
}
