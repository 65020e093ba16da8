//! Every flag once: parser, help and manual come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mynah_engine::scene::Override;

use crate::chunk::{ChunkSpec, duration_us};

/// The scene of `mynah` without a command.
pub const SCENE_DEFAULT: &str = "voice_assistant";

/// Low-latency real-time voice: thousands of live audio sessions through one scene, tick by tick.
///
/// Without a command: `mynah simulate voice_assistant --sessions 100`, in virtual time.
#[derive(Clone, Debug, Parser)]
#[command(name = "mynah", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done and ok, 1 invalid scene or missed limit, 2 bad flag, missing file, could not run.
Scenes: a file, or one that comes with mynah: passthrough, gate_only, streaming_resample, speculative_vad,
voice_assistant, voice_assistant_cloud.";

impl Cli {
    /// The command, or the one that none stands for.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or_else(|| Command::Simulate(Simulate::default()))
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Says everything that is wrong with scenes, each with its place and a suggestion
    Check(Check),
    /// Draws the compiled graph of a scene with ranks, rates and queue bounds
    Graph(Graph),
    /// Feeds real recordings through a scene, one session a file
    Run(Run),
    /// Load-tests a scene with simulated callers and prints the verdict
    Simulate(Simulate),
}

/// Changes of the scene from outside.
#[derive(Clone, Debug, Default, Args)]
pub struct Sets {
    /// Changes one setting of the scene, checked like the file itself; may be given several times
    #[arg(long = "set", value_name = "NODE.FIELD=VALUE", value_parser = Override::parse)]
    pub sets: Vec<Override>,
}

/// `check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah check scenes/*.ron
  mynah check voice_assistant --set gate.min_silence_ms=512 --deny-warnings")]
pub struct Check {
    /// Scene files, or names of scenes that come with mynah
    #[arg(required = true, value_name = "SCENE")]
    pub scenes: Vec<String>,
    /// Warnings fail, too
    #[arg(long)]
    pub deny_warnings: bool,
    /// Changes of the scenes.
    #[command(flatten)]
    pub sets: Sets,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Lines for a terminal
    Text,
    /// Graphviz
    Dot,
    /// Mermaid, for Markdown pages
    Mermaid,
}

/// `graph`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah graph voice_assistant
  mynah graph scenes/my.ron --format dot | dot -Tsvg > my.svg")]
pub struct Graph {
    /// Scene file, or name of a scene that comes with mynah
    pub scene: String,
    /// How to draw
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub format: GraphFormat,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
}

/// `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah run speculative_vad --input call.wav --html call.html
  mynah run streaming_resample --input *.wav --output out --chunk random:64-2048
  mynah run voice_assistant --input question.wav --output out --events events.jsonl --wall")]
pub struct Run {
    /// Scene file, or name of a scene that comes with mynah
    pub scene: String,
    /// Recordings, one session each: WAV, 8000 to 192000 Hz, mono or stereo
    #[arg(long, required = true, num_args = 1.., value_name = "WAV")]
    pub input: Vec<PathBuf>,
    /// Writes what each session put out to DIR/NAME.out.wav, 16 bit, placed at its time with gaps silent
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// With --output: one after the other, without the gaps
    #[arg(long, requires = "output")]
    pub output_packed: bool,
    /// Writes what happened as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Writes the gate's probabilities as JSON Lines {session, t_us, p}; t_us is the media time of each hop's end
    #[arg(long, value_name = "FILE")]
    pub vad_trace: Option<PathBuf>,
    /// Draws waveform, probability and segments into one self-contained page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How the recordings arrive, up to one second at once: a time (20ms), sample frames (320), or random:64-2048
    #[arg(long, value_name = "SPEC", default_value = "20ms")]
    pub chunk: ChunkSpec,
    /// Seed of everything drawn: random chunks, modelled service times
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub seed: u64,
    /// In real time, not as fast as it goes
    #[arg(long)]
    pub wall: bool,
    /// Prints the table as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
}

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
  mynah simulate voice_assistant --set gate.speculate=false --json > baseline.json")]
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
    /// Seed of callers and modelled service times
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub seed: u64,
    /// Whose clock
    #[arg(long, value_enum, default_value_t = Clock::Virtual)]
    pub clock: Clock,
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
    /// Prints the report as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Writes what happened as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Writes the gate's probabilities as JSON Lines {session, t_us, p}
    #[arg(long, value_name = "FILE")]
    pub vad_trace: Option<PathBuf>,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
}

impl Default for Simulate {
    /// As if no flag were given.
    fn default() -> Self {
        let cli = Cli::try_parse_from(["mynah", "simulate"]).expect("`mynah simulate` alone is complete");
        match cli.command {
            Some(Command::Simulate(simulate)) => simulate,
            _ => unreachable!("`mynah simulate` is the command simulate"),
        }
    }
}

/// A stretch of time on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    /// Microseconds.
    pub us: u64,
}

/// Shortest and longest simulation.
const DURATION_US: std::ops::RangeInclusive<u64> = 100_000..=24 * 3_600_000_000;

fn duration(text: &str) -> Result<Duration, String> {
    let us = duration_us(text)?;
    if DURATION_US.contains(&us) {
        return Ok(Duration { us });
    }
    Err("out of range: expected 100ms to 24h".into())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("no seed: expected a whole number from 0 to {}", u64::MAX))
}

fn sessions(text: &str) -> Result<u32, String> {
    within(text, 1, 20_000, "sessions")
}

fn shards(text: &str) -> Result<u32, String> {
    within(text, 1, 1_024, "shards")
}

fn threads(text: &str) -> Result<usize, String> {
    within(text, 1, 256, "threads").map(|threads| threads as usize)
}

fn within(text: &str, least: u32, most: u32, what: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(count) if (least..=most).contains(&count) => Ok(count),
        Ok(_) => Err(format!("out of range: expected {least} to {most} {what}")),
        Err(_) => Err(format!("no whole number: expected {least} to {most} {what}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_simulates_the_default_scene() {
        let Command::Simulate(simulate) = Cli::try_parse_from(["mynah"]).unwrap().into_command() else {
            panic!("another command")
        };
        assert_eq!((simulate.scene.as_str(), simulate.sessions), (SCENE_DEFAULT, 100));
        assert_eq!(simulate.duration, Duration { us: 60_000_000 });
    }

    #[test]
    fn bad_values_are_named_with_their_range() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&["simulate", "--sessions", "0"], &["'0'", "--sessions", "expected 1 to 20000"]),
            (&["simulate", "--sessions", "20001"], &["'20001'", "expected 1 to 20000"]),
            (&["simulate", "--duration", "60"], &["'60'", "the unit is missing"]),
            (&["simulate", "--duration", "1ms"], &["'1ms'", "expected 100ms to 24h"]),
            (&["simulate", "--set", "gate.threshold"], &["no `=`", "expected PATH=VALUE"]),
            (&["run", "x", "--input", "a.wav", "--chunk", "2s"], &["'2s'", "expected a time up to 1s"]),
            (&["run", "x"], &["--input"]),
            (&["run", "x", "--input", "a.wav", "--output-packed"], &["--output"]),
        ];
        for (line, wanted) in cases {
            let error = Cli::try_parse_from(std::iter::once(&"mynah").chain(line)).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line:?}");
            for part in wanted {
                assert!(error.to_string().contains(part), "{line:?} lacks {part}: {error}");
            }
        }
    }

    #[test]
    fn what_is_not_built_is_not_offered() {
        for command in ["serve", "replay", "compare", "bench", "doctor"] {
            assert!(Cli::try_parse_from(["mynah", command]).is_err(), "{command}");
        }
    }
}
