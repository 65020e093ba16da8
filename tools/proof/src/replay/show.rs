//! Prints the outcome of a replay, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::divergence::Divergence;
use super::outcome::Outcome;
use mynah_sim::events::header::Inputs;

/// Longest line shown whole; the rest is in the log and with `--json`.
const COLUMNS_MAX: usize = 400;

#[derive(Serialize)]
struct Told<'a> {
    schema: u32,
    version: &'static str,
    log: String,
    command: &'static str,
    scene: &'a str,
    seed: u64,
    verdict: &'static str,
    agreeing_lines: u64,
    notices: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    divergence: Option<&'a Divergence>,
}

fn command(outcome: &Outcome) -> &'static str {
    match outcome.header.inputs {
        Inputs::Simulate(_) => "simulate",
        Inputs::Run(_) => "run",
    }
}

/// One JSON object.
pub fn json(log: &Path, outcome: &Outcome) -> String {
    let told = Told {
        schema: 1,
        version: env!("CARGO_PKG_VERSION"),
        log: log.display().to_string(),
        command: command(outcome),
        scene: &outcome.header.scene.name,
        seed: outcome.header.seed,
        verdict: if outcome.divergence.is_none() { "identical" } else { "diverged" },
        agreeing_lines: outcome.agreeing,
        notices: &outcome.notices,
        divergence: outcome.divergence.as_ref(),
    };
    serde_json::to_string(&told).expect("text and numbers are always JSON")
}

/// Lines for a terminal.
pub fn text(log: &Path, outcome: &Outcome) -> String {
    let mut text = String::new();
    let written = match &outcome.divergence {
        None => writeln!(
            text,
            "identical: {} lines of {} ({} {}, seed {})",
            outcome.agreeing,
            log.display(),
            command(outcome),
            outcome.header.scene.name,
            outcome.header.seed
        ),
        Some(divergence) => draw(&mut text, log, divergence),
    };
    written.expect("a string takes everything");
    text
}

fn draw(text: &mut String, log: &Path, d: &Divergence) -> std::fmt::Result {
    let whose = if d.session.is_empty() { String::new() } else { format!(", session {}", d.session) };
    writeln!(text, "divergence: {}:{}, {} at {} us{whose}", log.display(), d.line, d.event, d.t_us)?;
    writeln!(text, "  {}\n", d.reading)?;
    let width = (d.line + 1).to_string().len();
    for line in &d.before {
        writeln!(text, "  {:>width$}   {}", line.line, short(&line.text))?;
    }
    let ended = "(has ended)";
    writeln!(text, "  {:>width$} - {}", d.line, d.expected.as_deref().map_or(ended.into(), short))?;
    writeln!(text, "  {:>width$} + {}", "", d.got.as_deref().map_or(ended.into(), short))?;
    for (line, number) in d.log_goes_on.iter().take(2).zip(d.line + 1..) {
        writeln!(text, "  {number:>width$}   {}", short(line))?;
    }
    if !d.differences.is_empty() {
        let of = |value: &Option<Value>| value.as_ref().map_or("absent".to_string(), ToString::to_string);
        let field = d.differences.iter().map(|one| one.field.len()).max().unwrap_or(0).max("field".len());
        let log =
            d.differences.iter().map(|one| of(&one.expected).len()).max().unwrap_or(0).max("log (-)".len());
        writeln!(text, "\n  {:<field$}  {:<log$}  replay (+)", "field", "log (-)")?;
        for one in &d.differences {
            writeln!(text, "  {:<field$}  {:<log$}  {}", one.field, of(&one.expected), of(&one.got))?;
        }
    }
    Ok(())
}

fn short(line: &str) -> String {
    if line.len() <= COLUMNS_MAX {
        return line.to_owned();
    }
    format!("{} ...", &line[..line.floor_char_boundary(COLUMNS_MAX)])
}
