//! Prints the claims, for people and for programs.

use std::fmt::Write as _;

use super::claims::{Claim, Claims};

/// One JSON object.
pub fn json(claims: &Claims) -> String {
    serde_json::to_string(claims).expect("text and numbers are always JSON")
}

/// A table: two lines a claim, of at most 100 columns but for the commands.
pub fn text(claims: &Claims) -> String {
    let mut text = String::new();
    head(&mut text, claims)
        .and_then(|()| claims.claims.iter().try_for_each(|claim| row(&mut text, claim)))
        .and_then(|()| foot(&mut text))
        .expect("a string takes everything");
    text
}

fn head(t: &mut String, claims: &Claims) -> std::fmt::Result {
    writeln!(t, "{}\n", claims.machine.line())?;
    writeln!(t, "  {:<48} {:>10} {:>10} {:>7}", "", "ours", "baseline", "ratio")
}

fn row(t: &mut String, claim: &Claim) -> std::fmt::Result {
    let number = |value: Option<f64>| value.map_or("-".to_string(), short);
    let ratio = claim.ratio.map_or("-".to_string(), |ratio| format!("x {ratio:.2}"));
    let (ours, baseline) = (short(claim.ours), number(claim.baseline));
    writeln!(t, "  {:<48} {ours:>10} {baseline:>10} {ratio:>7}  {}", claim.claim, claim.unit)?;
    writeln!(t, "    against: {}", claim.against)?;
    writeln!(t, "    shown by: {}", claim.command)
}

fn foot(t: &mut String) -> std::fmt::Result {
    writeln!(t, "\n  ratio: how many times better ours is. Processor time: medians of turns on one thread.")?;
    writeln!(t, "  Other programs are not run from here: docs/performance.md has their commands.")
}

/// Three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
