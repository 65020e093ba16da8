//! The section about the verdict: every limit of the scene with the measured figure.

use super::shown::{Shown, section};
use crate::picture::figure::{Figure, Unit, spoken, written};
use crate::picture::plot::{escaped, table};
use crate::picture::svg::push;
use mynah_sim::report::LimitResult;

/// The limit stands at this share of the bar, so that what exceeds it can be seen.
const LIMIT_AT: f64 = 0.7;

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let report = shown.report;
    let lead = if report.limits.is_empty() {
        "The scene sets no limits; every frame must be accounted for all the same."
    } else {
        "The limits that the scene sets, each with what was measured; the line in a bar is the limit."
    };
    section(text, "verdict", "Verdict", lead);
    let mut rows: Vec<Vec<String>> =
        report.limits.iter().enumerate().map(|(at, limit)| row(at, limit)).collect();
    let balanced = report.frames.balanced;
    rows.push(vec![
        "every frame accounted for".into(),
        String::new(),
        if balanced { "yes".into() } else { "no".into() },
        String::new(),
        judged(balanced),
    ]);
    let open = report.segments.open_at_end;
    rows.push(vec![
        "segments left open".into(),
        String::new(),
        Figure::count("segments.open_at_end", open).to_string(),
        "0".into(),
        judged(open == 0),
    ]);
    if let Some(remote) = &report.remote {
        let broken = remote.broken.len();
        rows.push(vec![
            "promises broken at the far end".into(),
            String::new(),
            broken.to_string(),
            "0".into(),
            judged(broken == 0),
        ]);
    }
    text.push_str(&table(&["limit", "", "measured", "limit", ""], 2, rows));
    for wrong in report.frames.imbalances.iter().take(8) {
        push(text, format_args!("<p>{}</p>\n", escaped(wrong)));
    }
    text.push_str("</section>\n");
}

/// A limit's name and, where it does not explain itself, its meaning.
fn named(name: &str, meaning: &str) -> String {
    match meaning {
        "" => escaped(name),
        meaning => format!("{}<small>{}</small>", escaped(name), escaped(meaning)),
    }
}

fn meaning(limit: &str) -> &'static str {
    let all = [
        ("speech_end_to_response", "true end of speech to the first sound of the answer"),
        ("speech_start_to_forward", "true start of speech to its way past the gate"),
        ("silence_to_processing", "end of speech to the start of work on it"),
        ("frame_in_to_out", "input to output"),
        ("speech_to_silence", "true start of an interruption to the silence of the answer"),
        ("request", "a text to the first sound of its speech"),
        ("cancelled_ratio", "segments that were let through and were no speech"),
        ("premature_ratio", "utterances whose answer began while they still went on"),
        ("acceptance_ratio", "segments let through that were speech"),
        ("wasted_service_ratio", "service time spent on what was taken back"),
    ];
    all.into_iter().find(|(name, _)| limit.starts_with(name)).map_or("", |(_, meaning)| meaning)
}

fn judged(ok: bool) -> String {
    if ok { "<span class=\"ok\">✓ ok</span>".into() } else { "<span class=\"over\">✕ over</span>".into() }
}

fn unit(limit: &LimitResult) -> Unit {
    match limit.unit {
        "ms" => Unit::Ms,
        "ratio" => Unit::Ratio,
        _ => Unit::Plain,
    }
}

fn row(at: usize, limit: &LimitResult) -> Vec<String> {
    let least = limit.name.ends_with("_min");
    let unit = unit(limit);
    let figure =
        |field: &str, value: f64| Figure { place: &format!("limits.{at}.{field}"), value, unit }.to_string();
    let measured = limit.value.map_or("nothing to measure".to_string(), |value| figure("value", value));
    vec![
        named(&spoken(limit.name.trim_end_matches("_min")), meaning(limit.name)),
        bar(limit),
        measured,
        format!("{} {}", if least { "≥" } else { "≤" }, figure("limit", limit.limit)),
        if limit.value.is_some() { judged(limit.ok) } else { "<span>! run longer</span>".into() },
    ]
}

fn bar(limit: &LimitResult) -> String {
    let Some(value) = limit.value else { return String::new() };
    let share = match limit.limit {
        most if most > 0.0 => (value / most * LIMIT_AT).clamp(0.0, 1.0),
        _ => f64::from(u8::from(value > 0.0)),
    };
    let class = if limit.ok { "full" } else { "bad" };
    format!(
        "<span class=\"bars\" role=\"img\" aria-label=\"{} of {}\"><i class=\"{class}\" style=\"left:0;width:{:.1}%\"></i>\
         <i class=\"tick\" style=\"left:{:.1}%\"></i></span>",
        written(value, unit(limit)),
        written(limit.limit, unit(limit)),
        share * 100.0,
        if limit.limit > 0.0 { LIMIT_AT * 100.0 } else { 0.0 }
    )
}
