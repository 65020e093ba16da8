//! The one definition of all flags: parser, help and manual come from here.

mod bench;
mod proof;
mod run;
mod serve;
mod sets;
mod simulate;
mod talk;
mod values;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mynah_sim::scenes;

pub use bench::{Bench, BenchWhat, Capacity};
pub use proof::{Baseline, Compare, Completions, Doctor, Manual, Replay, ServedKind};
pub use run::Run;
pub use serve::Serve;
pub use sets::Sets;
pub use simulate::{Clock, SCENE_DEFAULT, Simulate};
pub use talk::Talk;
pub use values::{Duration, SeedRange};

/// Low-latency real-time voice: thousands of live audio sessions through one scene, tick by tick.
///
/// Without a command: `mynah simulate voice_assistant --sessions 100`, in virtual time.
#[derive(Clone, Debug, Parser)]
#[command(name = "mynah", version, after_help = after_help())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Option<Command>,
}

/// Exit codes, and every scene there is.
fn after_help() -> String {
    let mut text = String::from(
        "Exit codes: 0 done and ok, 1 invalid scene or missed limit, 2 bad flag, missing file, could not run, or
nothing to measure for a limit, 130 interrupted (Ctrl-C).
Scenes: a path of a file, or the name of one that comes with mynah:",
    );
    let line = |names: &[scenes::Shipped]| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("\n  {}", names.join(", "))
    };
    text.extend(scenes::SHIPPED.chunks(6).map(line));
    text += "\n  with services of other processes (docs/services.md):";
    text.extend(scenes::OUTSIDE.chunks(6).map(line));
    text
}

impl Cli {
    /// The command, or the one that none stands for.
    pub fn into_command(self) -> Command {
        match self.command {
            None => Command::Simulate(Box::default()),
            Some(Command::Run(run)) => Command::Run(run.sorted()),
            Some(command) => command,
        }
    }
}

impl Default for Simulate {
    /// As if no flag were given.
    fn default() -> Self {
        let cli = Cli::try_parse_from(["mynah", "simulate"]).expect("`mynah simulate` alone is complete");
        match cli.command {
            Some(Command::Simulate(simulate)) => *simulate,
            _ => unreachable!("`mynah simulate` is the command simulate"),
        }
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
    /// Talks with a scene through this machine's microphone and loudspeaker
    Talk(Talk),
    /// Serves scenes to clients over WebSocket and HTTP
    Serve(Serve),
    /// Load-tests a scene with simulated callers and prints the verdict
    Simulate(Box<Simulate>),
    /// Runs an event log again and names the first difference
    Replay(Replay),
    /// Puts two reports side by side: ratios, noise, regressions
    Compare(Compare),
    /// Measures what mynah costs here, or how many sessions hold
    Bench(Bench),
    /// Says what this machine is like for real-time voice, and what would help
    Doctor(Doctor),
    /// Prints the completions of a shell
    Completions(Completions),
    /// Prints the manual
    Man(Manual),
    /// Prints the version
    Version,
}

/// `check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah check scenes/*.ron
  mynah check voice_assistant --set gate.min_silence_ms=512 --deny-warnings")]
pub struct Check {
    /// Scene files, or names of scenes that come with mynah; - is standard input
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
  mynah graph scenes/my.ron --format dot | dot -Tsvg > my.svg
  mynah graph voice_assistant --systems")]
pub struct Graph {
    /// Scene file, or name of a scene that comes with mynah
    pub scene: String,
    /// How to draw
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub format: GraphFormat,
    /// Lists the systems of a tick instead, in order: stage, system, what it reads and what it writes
    #[arg(long, conflicts_with = "format")]
    pub systems: bool,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
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
    fn a_run_without_a_scene_is_a_conversation() {
        let run = |words: &str| match Cli::try_parse_from(words.split(' ')).map(Cli::into_command) {
            Ok(Command::Run(run)) => {
                (run.scene, run.input.iter().map(|path| path.display().to_string()).collect())
            }
            other => panic!("{words}: {other:?}"),
        };
        let files = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let assistant = String::from("assistant");
        assert_eq!(run("mynah run a.wav b.WAV"), (assistant.clone(), files(&["a.wav", "b.WAV"])));
        assert_eq!(run("mynah run --input -"), (assistant, files(&["-"])));
        assert_eq!(run("mynah run transcribe call.bin"), ("transcribe".into(), files(&["call.bin"])));
        assert_eq!(run("mynah run x.ron a.wav --input b.wav"), ("x.ron".into(), files(&["a.wav", "b.wav"])));
        assert!(Cli::try_parse_from(["mynah", "run"]).is_err());
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
        let cases: [(&[&str], &[&str]); 7] = [
            (&["simulate", "--sessions", "0"], &["'0'", "--sessions", "expected 1 to 20000"]),
            (&["simulate", "--sessions", "20001"], &["'20001'", "expected 1 to 20000"]),
            (&["simulate", "--duration", "60"], &["'60'", "the unit is missing"]),
            (&["simulate", "--duration", "1ms"], &["'1ms'", "expected 100ms to 24h"]),
            (&["simulate", "--set", "gate.threshold"], &["no `=`", "expected PATH=VALUE"]),
            (&["run", "x", "--input", "a.wav", "--chunk", "2s"], &["'2s'", "expected a time up to 1s"]),
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

    /// Nothing that was asked for is left out in silence: a run with faults is no report, and many seeds are many.
    #[test]
    fn what_faults_and_seeds_cannot_give_is_refused() {
        let flags = [
            "--html page.html",
            "--trace ticks.json",
            "--save-baseline main.json",
            "--baseline main.json",
            "--baseline main.json --fail-on-regression",
            "--metrics 127.0.0.1:0",
            "--metrics-hold 1s",
            "--warm-up 1s",
        ];
        for flag in flags {
            for many in ["--faults chaos", "--seeds 1..2", "--faults chaos --seeds 1..2"] {
                let line = format!("mynah simulate gate_only {flag} {many}");
                let error = Cli::try_parse_from(line.split(' ')).expect_err(&line);
                assert_eq!(error.exit_code(), 2, "{line}");
                let said = error.to_string();
                let named = [flag, many].map(|words| words.split(' ').find(|word| said.contains(word)));
                assert!(said.contains("cannot be used with") && !named.contains(&None), "{line}: {said}");
            }
            let line = format!("mynah simulate gate_only {flag}");
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }

    #[cfg(not(feature = "serve"))]
    #[test]
    fn what_is_not_built_is_refused_with_its_feature() {
        let cli = Cli::try_parse_from(["mynah", "serve", "assistant"]).expect("it is a command");
        let failure = crate::commands::run(&cli.into_command()).expect_err("it is not built");
        assert!(failure.message.contains("--features serve"), "{failure}");
    }
}
