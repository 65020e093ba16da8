//! Prints a comparison, for people and for programs.

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;
use serde::Serialize;
use serde_json::Value;

use super::judge::{Change, Comparison, MEASURED_ONCE_PERCENT, Row};
use super::reports::{Side, sides_differ};

/// What whoever reads the table has to know about it.
pub(super) fn warnings(a: &Side, b: &Side) -> Vec<String> {
    let mut warnings: Vec<String> = sides_differ(a, b)
        .into_iter()
        .map(|(name, one, other)| format!("{name} differs: {one} (A), {other} (B)"))
        .collect();
    for (letter, side) in [("A", a), ("B", b)] {
        if side.is_noisy() {
            warnings.push(format!("{letter} is noisy: its load generator was late itself"));
        }
    }
    if a.is_wall() || b.is_wall() {
        warnings.push("measured on the wall clock: latencies are the machine's, too".into());
    }
    warnings
}

#[derive(Serialize)]
struct Told<'a> {
    schema: u32,
    version: &'static str,
    a: ToldSide<'a>,
    b: ToldSide<'a>,
    warnings: Vec<String>,
    paired: bool,
    percent: f64,
    regressions: Vec<&'a str>,
    figures: &'a [Row],
}

#[derive(Serialize)]
struct ToldSide<'a> {
    name: &'a str,
    reports: usize,
    seeds: Vec<u64>,
    scene: &'a Value,
    set: &'a Value,
    verdict: &'a Value,
}

fn told(side: &Side) -> ToldSide<'_> {
    let first = side.first();
    ToldSide {
        name: &side.name,
        reports: side.reports.len(),
        seeds: side.seeds(),
        scene: &first["scene"],
        set: &first["set"],
        verdict: &first["verdict"],
    }
}

/// One JSON object.
pub fn json(a: &Side, b: &Side, comparison: &Comparison) -> String {
    let told = Told {
        schema: 1,
        version: env!("CARGO_PKG_VERSION"),
        a: told(a),
        b: told(b),
        warnings: warnings(a, b),
        paired: comparison.paired,
        percent: comparison.percent,
        regressions: comparison.regressions().map(|row| row.name.as_str()).collect(),
        figures: &comparison.rows,
    };
    serde_json::to_string(&told).expect("text and numbers are always JSON")
}

/// A table.
pub fn text(a: &Side, b: &Side, comparison: &Comparison, look: Rendering) -> String {
    let mut text = String::new();
    let drawn = head(&mut text, a, b, comparison)
        .and_then(|()| table(&mut text, comparison, look))
        .and_then(|()| foot(&mut text, comparison, look));
    drawn.expect("a string takes everything");
    text
}

fn head(t: &mut String, a: &Side, b: &Side, comparison: &Comparison) -> std::fmt::Result {
    for (letter, side) in [("A", a), ("B", b)] {
        let first = side.first();
        let (scene, verdict) = (&first["scene"], &first["verdict"]);
        let count = side.reports.len();
        let reports = if count == 1 { "1 report".to_string() } else { format!("{count} reports") };
        let (scene, verdict) = (scene.as_str().unwrap_or("?"), verdict.as_str().unwrap_or("?"));
        writeln!(
            t,
            "{letter}: {} ({reports}, scene {scene}, {} sessions x {} s, {} time, verdict {verdict})",
            side.name,
            first["sessions"],
            first["duration_s"],
            first["clock"].as_str().unwrap_or("?")
        )?;
    }
    for warning in warnings(a, b) {
        writeln!(t, "warning: {warning}")?;
    }
    let several = a.reports.len() + b.reports.len() > 2;
    let how = match (several, comparison.paired) {
        (true, true) => "ratios are medians over seeds, pair by pair; in brackets least and greatest",
        (true, false) => "ratios are those of the medians; in brackets least and greatest of all pairs",
        (false, _) => {
            "one report a side: what is modelled differs for a reason, but perhaps for this seed only"
        }
    };
    writeln!(t, "{how}")?;
    if !several {
        writeln!(
            t,
            "costs were measured once: differences up to {MEASURED_ONCE_PERCENT} % are taken for noise"
        )?;
    }
    writeln!(t)
}

fn table(t: &mut String, comparison: &Comparison, look: Rendering) -> std::fmt::Result {
    let label =
        |row: &Row| if row.unit.is_empty() { row.name.clone() } else { format!("{} {}", row.name, row.unit) };
    let name = comparison.rows.iter().map(|row| label(row).len()).max().unwrap_or(0);
    let mut groups: Vec<&str> = Vec::new();
    for row in &comparison.rows {
        if !groups.contains(&row.group) {
            groups.push(row.group);
        }
    }
    for group in groups {
        writeln!(t, "  {group:<name$} {:>11} {:>11} {:>8}", "A", "B", "B/A")?;
        for row in comparison.rows.iter().filter(|row| row.group == group) {
            let value = |value: Option<f64>| value.map_or("-".to_string(), short);
            let range = match (row.ratio_min, row.ratio_max) {
                (Some(least), Some(most)) if least != most => format!(" [{least:.3} {most:.3}]"),
                _ => String::new(),
            };
            let ratio = row.ratio.map_or("-".to_string(), |ratio| format!("{ratio:.3}"));
            let line = format!(
                "  {:<name$} {:>11} {:>11} {ratio:>8}{range}  {}",
                label(row),
                value(row.a),
                value(row.b),
                word(row, look)
            );
            writeln!(t, "{}", line.trim_end())?;
        }
        writeln!(t)?;
    }
    Ok(())
}

fn foot(t: &mut String, comparison: &Comparison, look: Rendering) -> std::fmt::Result {
    let count = |change| comparison.rows.iter().filter(|row| row.change == change).count();
    let (worse, better) = (count(Change::Worse), count(Change::Better));
    writeln!(t, "  {worse} worse, {better} better, {} within the noise", count(Change::Noise))?;
    let regressions: Vec<&Row> = comparison.regressions().collect();
    for row in regressions {
        let ratio = row.ratio.map_or("from nothing".to_string(), |ratio| format!("x {ratio:.3}"));
        writeln!(
            t,
            "  {}: {} {ratio}, more than {} % and the noise",
            paint("regression", 31, look),
            row.name,
            comparison.percent
        )?;
    }
    Ok(())
}

fn word(row: &Row, look: Rendering) -> String {
    match row.change {
        Change::Same => String::new(),
        Change::Noise => "noise".into(),
        Change::Better => paint("better", 32, look),
        Change::Worse => paint("WORSE", 31, look),
        Change::Other => "other".into(),
        Change::OneSided => "only on one side".into(),
    }
}

fn paint(word: &str, colour: u8, look: Rendering) -> String {
    match look {
        Rendering::Plain => word.into(),
        Rendering::Styled => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
    }
}

/// Four significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1_000.0 || v.fract() == 0.0 => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
