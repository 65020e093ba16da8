//! The section about speculation: work done on a belief, and how much of it was cancelled.

use super::shown::{Shown, Strip, row, section};
use crate::picture::figure::{Figure, Unit, moment, written};
use crate::picture::plot::{Height, facts};
use crate::picture::svg::push;
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
         certain. What turns out wrong is taken back: the segment is cancelled, the end of speech retracted.",
    );
    let cancelled: u64 = segments.cancelled.values().sum();
    let turns = &shown.report.turns;
    type Of = fn(&Window) -> u64;
    let rows: [(&'static str, &str, String, Of); 5] = [
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
    let mut strips = String::new();
    let mut never = Vec::new();
    for (name, class, total, of) in rows {
        let values: Vec<_> =
            shown.witness.windows.seen().map(|(span, window)| (span, of(window) as f64)).collect();
        if values.iter().all(|(_, value)| *value == 0.0) {
            never.push((name.to_string(), total, ""));
            continue;
        }
        let strip =
            shown.strip(&Strip { title: name, height: Height::Strip, class, unit: "", least: 4.0 }, &values);
        row(&mut strips, name, &strip, &format!("{total} <small>in all</small>"));
    }
    never.extend(made(shown));
    text.push_str(&facts(never));
    let width = moment(shown.witness.windows.width_s());
    push(
        text,
        format_args!(
            "<h3>Over the run <small>in stretches of {width}</small></h3>\n<div class=\"strips\">\n{strips}</div>\n\
             </section>\n"
        ),
    );
}

/// What came of it, in figures.
fn made(shown: Shown<'_>) -> Vec<(String, String, &'static str)> {
    let (segments, turns) = (&shown.report.segments, &shown.report.turns);
    let count = |place: &'static str, value: u64| Figure::count(place, value).to_string();
    let accepted =
        Figure { place: "segments.acceptance_ratio", value: segments.acceptance_ratio, unit: Unit::Ratio };
    let wasted = Figure::ms("segments.wasted_service_ms", segments.wasted_service_ms);
    let mut facts = vec![
        ("accepted".to_string(), accepted.to_string(), "segments that were speech"),
        ("service time wasted".into(), wasted.to_string(), ""),
        (
            "taken back after it had left".into(),
            count("segments.late_cancelled", segments.late_cancelled),
            "",
        ),
        ("answers paused".into(), count("turns.paused", turns.paused), "somebody spoke"),
        ("of them resumed".into(), count("turns.resumed", turns.resumed), "it was nothing"),
        ("interrupted by noise".into(), count("turns.interrupted_by_noise", turns.interrupted_by_noise), ""),
    ];
    for (reason, count) in &segments.cancelled {
        let place = format!("segments.cancelled.{reason}");
        let share = written(*count as f64 / segments.opened.max(1) as f64, Unit::Ratio);
        let figure = format!("{} ({share})", Figure::count(&place, *count));
        facts.push((format!("cancelled: {}", reason.replace('_', " ")), figure, ""));
    }
    facts
}
