//! What was done on a belief, and what of it had to be taken back.

use super::{Shown, Strip, row, section};
use crate::picture::figure::{Figure, Unit, written};
use crate::picture::plot::Height;
use crate::picture::svg::{Escaped, push};
use crate::picture::windows::Window;

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let segments = &shown.report.segments;
    if segments.opened == 0 {
        return;
    }
    section(
        text,
        "speculation",
        "Speculation",
        "A segment is forwarded before it is known to be speech, and work on an answer starts before the end of speech is \
         certain. What turns out wrong is taken back.",
    );
    facts(text, shown);
    let width = super::moment(shown.witness.windows.width_s());
    push(
        text,
        format_args!(
            "<h3>Over the run <small>in stretches of {width}</small></h3>\n<div class=\"strips\">\n"
        ),
    );
    let cancelled: u64 = segments.cancelled.values().sum();
    let turns = &shown.report.turns;
    type Of = fn(&Window) -> u64;
    let rows: [(&str, &str, String, Of); 5] = [
        (
            "segments opened",
            "fill-quiet",
            Figure::count("segments.opened", segments.opened).to_string(),
            |w| w.opened,
        ),
        (
            "confirmed",
            "fill-green",
            Figure::count("segments.confirmed", segments.confirmed).to_string(),
            |w| w.confirmed,
        ),
        ("cancelled", "fill-red", cancelled.to_string(), |w| w.cancelled),
        (
            "ends of speech retracted",
            "fill-orange",
            Figure::count("segments.retracted", segments.retracted).to_string(),
            |w| w.retracted,
        ),
        (
            "answers interrupted",
            "fill-violet",
            Figure::count("turns.interrupted", turns.interrupted).to_string(),
            |w| w.interrupted,
        ),
    ];
    for (name, class, total, of) in rows {
        let values: Vec<_> =
            shown.witness.windows.seen().map(|(span, window)| (span, of(window) as f64)).collect();
        let strip =
            shown.strip(&Strip { title: name, height: Height::Strip, class, unit: "", least: 4.0 }, &values);
        row(text, name, &strip, &format!("{total} <small>in all</small>"));
    }
    text.push_str("</div>\n</section>\n");
}

fn facts(text: &mut String, shown: Shown<'_>) {
    let (segments, turns) = (&shown.report.segments, &shown.report.turns);
    let ratio = |place: &'static str, value: f64| Figure { place, value, unit: Unit::Ratio }.to_string();
    let mut facts = vec![
        ("accepted".to_string(), ratio("segments.acceptance_ratio", segments.acceptance_ratio)),
        (
            "service time wasted".into(),
            Figure::ms("segments.wasted_service_ms", segments.wasted_service_ms).to_string(),
        ),
        (
            "taken back after it had left".into(),
            Figure::count("segments.late_cancelled", segments.late_cancelled).to_string(),
        ),
        ("answers paused".into(), Figure::count("turns.paused", turns.paused).to_string()),
        ("of them resumed".into(), Figure::count("turns.resumed", turns.resumed).to_string()),
        (
            "interrupted by noise".into(),
            Figure::count("turns.interrupted_by_noise", turns.interrupted_by_noise).to_string(),
        ),
    ];
    for (reason, count) in &segments.cancelled {
        let place = format!("segments.cancelled.{reason}");
        let share = written(*count as f64 / segments.opened.max(1) as f64, Unit::Ratio);
        let figure = format!("{} ({share})", Figure::count(&place, *count));
        facts.push((format!("cancelled: {}", reason.replace('_', " ")), figure));
    }
    text.push_str("<dl class=\"facts\">\n");
    for (name, markup) in facts {
        push(text, format_args!("<div><dt>{}</dt><dd>{markup}</dd></div>\n", Escaped(&name)));
    }
    text.push_str("</dl>\n");
}
