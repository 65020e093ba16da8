//! The flags of commands that look at what other commands wrote.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{percent, shards, threads};

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

/// `compare`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah simulate voice_assistant --json > a.json
  mynah simulate voice_assistant --set gate.speculate=false --json > b.json
  mynah compare a.json b.json
  mynah compare a.json b.json --fail-on-regression 10   # exit code 1

A file may have several reports, one after the other, mostly of several seeds: the ratio is then the median's, and a
difference counts only if all reports show it. Modelled figures repeat exactly in virtual time; costs, and everything
on the wall clock, are the machine's: measured once, differences up to 25 % are taken for noise.
Exit codes: 0 compared, 1 a regression with --fail-on-regression, 2 no reports, or of another schema.")]
pub struct Compare {
    /// Reports as `simulate --json` writes them: the old side
    pub a: PathBuf,
    /// The new side
    pub b: PathBuf,
    /// Exit code 1 if a latency or cost is worse by more than the noise and PERCENT [default: 5]
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "5", value_parser = percent)]
    pub fail_on_regression: Option<f64>,
    /// Prints the comparison as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Keeping a run, and comparing with one that was kept.
#[derive(Clone, Debug, Default, Args)]
pub struct Baseline {
    /// Keeps the report for later runs to be compared with
    #[arg(long, value_name = "FILE", conflicts_with_all = ["faults", "seeds"])]
    pub save_baseline: Option<PathBuf>,
    /// Compares with what --save-baseline kept, as `compare` does
    #[arg(long, value_name = "FILE", conflicts_with_all = ["faults", "seeds"])]
    pub baseline: Option<PathBuf>,
    /// Exit code 1 if a latency or cost is worse than the baseline by more than the noise and PERCENT [default: 5]
    #[arg(
        long,
        value_name = "PERCENT",
        num_args = 0..=1,
        default_missing_value = "5",
        value_parser = percent,
        requires = "baseline",
        conflicts_with_all = ["faults", "seeds"]
    )]
    pub fail_on_regression: Option<f64>,
}

/// `doctor`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah doctor
  mynah doctor --json

Exit codes: 0 mynah runs here (perhaps with warnings), 2 it cannot.")]
pub struct Doctor {
    /// Prints the findings as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Examines a server of models in place of this machine, such as http://127.0.0.1:8080/v1: is it there, how fast is it,
    /// and does it stop when nobody wants the answer any more (a build with `http`)
    #[arg(long, value_name = "URL")]
    pub service: Option<String>,
    /// What the server is asked for
    #[arg(long, value_enum, default_value = "chat", requires = "service")]
    pub kind: ServedKind,
    /// The model it is asked for; the first that it lists unless given
    #[arg(long, requires = "service")]
    pub model: Option<String>,
    /// The voice it is asked for
    #[arg(long, requires = "service")]
    pub voice: Option<String>,
    /// The environment variable that has the server's key
    #[arg(long, value_name = "VARIABLE", requires = "service")]
    pub key_env: Option<String>,
}

/// What a server of models is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ServedKind {
    /// Replies
    #[default]
    Chat,
    /// A voice
    Speech,
    /// The words of a recording
    Transcription,
}

/// `completions`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah completions bash > mynah.bash
  mynah completions zsh > _mynah
  mynah completions fish > mynah.fish")]
pub struct Completions {
    /// Whose
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah man | man -l -
  mynah man simulate > mynah-simulate.1
  mynah man bench capacity > mynah-bench-capacity.1
  mynah man --output man1")]
pub struct Manual {
    /// The command whose page to print [default: the page of mynah itself]
    pub command: Vec<String>,
    /// Writes all pages to DIR/mynah.1, DIR/mynah-COMMAND.1
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub output: Option<PathBuf>,
}
