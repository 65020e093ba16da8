//! Prints findings, for people and for programs.

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;
use serde::Serialize;

use super::finding::{Finding, Standing};

#[derive(Serialize)]
struct Told<'a> {
    schema: u32,
    version: &'static str,
    standing: Standing,
    checks: &'a [Finding],
}

fn worst(findings: &[Finding]) -> Standing {
    let has = |standing| findings.iter().any(|finding| finding.standing == standing);
    if has(Standing::Fail) {
        Standing::Fail
    } else if has(Standing::Warn) {
        Standing::Warn
    } else {
        Standing::Ok
    }
}

/// One JSON object.
pub fn json(findings: &[Finding]) -> String {
    let told =
        Told { schema: 1, version: env!("CARGO_PKG_VERSION"), standing: worst(findings), checks: findings };
    serde_json::to_string(&told).expect("text is always JSON")
}

/// What was examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Examined {
    /// This machine.
    Machine,
    /// A server of models.
    Server,
}

/// A table, and what it comes to.
pub fn text(findings: &[Finding], examined: Examined, look: Rendering) -> String {
    let mut text = String::new();
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let written = findings.iter().try_for_each(|Finding { name, value, standing, remedy }| {
        let word = match standing {
            Standing::Ok => paint("ok  ", 32, look),
            Standing::Warn => paint("warn", 33, look),
            Standing::Fail => paint("FAIL", 31, look),
        };
        writeln!(text, "  {word}  {name:<width$}  {value}")?;
        if remedy.is_empty() { Ok(()) } else { writeln!(text, "        {:width$}  {remedy}", "") }
    });
    let summary = match (worst(findings), examined) {
        (Standing::Ok, _) => "everything is as it should be",
        (Standing::Warn, Examined::Machine) => "mynah runs; see the warnings",
        (Standing::Fail, Examined::Machine) => "mynah cannot run here",
        (Standing::Warn, Examined::Server) => "the server answers; see the warnings",
        (Standing::Fail, Examined::Server) => "a scene could not use this server",
    };
    written.and_then(|()| writeln!(text, "\n  {summary}")).expect("a string takes everything");
    text
}

fn paint(word: &str, colour: u8, look: Rendering) -> String {
    match look {
        Rendering::Plain => word.into(),
        Rendering::Styled => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_remedies_stand_below() {
        let all = [
            Finding::ok("cores", "2"),
            Finding::warn("clock", "coarse", "look at it"),
            Finding::fail("engine", "broken", "build it"),
        ];
        let standings = [&all[..1], &all[..2], &all[..]].map(worst);
        assert_eq!(standings, [Standing::Ok, Standing::Warn, Standing::Fail]);
        let text = text(&all, Examined::Machine, Rendering::Plain);
        for part in ["ok    cores   2", "warn  clock   coarse\n                look at it", "cannot run here"]
        {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
