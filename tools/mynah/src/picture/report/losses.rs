//! What was lost or withheld, where and why.

use mynah_engine::DropReason;

use super::{Shown, Strip, row, section};
use crate::picture::figure::{Figure, grouped};
use crate::picture::plot::{Height, escaped, table};

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let frames = &shown.report.frames;
    let lost = frames.dropped.values().sum::<u64>() + frames.refused;
    let lead = if lost == 0 {
        "Nothing was lost: no frame was dropped at a queue or refused at the edge."
    } else {
        "Frames that ended before their time, by reason and node."
    };
    section(text, "losses", "Losses", lead);
    strips(text, shown);
    let mut rows = Vec::new();
    if frames.refused > 0 {
        let count = Figure::count("frames.refused", frames.refused).to_string();
        rows.push(vec!["refused".into(), "edge".into(), count]);
    }
    for (reason, count) in &frames.dropped {
        let count = Figure::count(&format!("frames.dropped.{reason}"), *count).to_string();
        rows.push(vec![reason.replace('_', " "), "all nodes".into(), count]);
        for (at, node) in shown.report.nodes.iter().enumerate() {
            if let Some(count) = node.queue.dropped_by.get(reason) {
                let place = format!("nodes.{at}.queue.dropped_by.{reason}");
                rows.push(vec![String::new(), escaped(&node.id), Figure::count(&place, *count).to_string()]);
            }
        }
    }
    if !rows.is_empty() {
        text.push_str(&table(&["reason", "node", "frames lost"], 2, rows));
    }
    text.push_str("</section>\n");
}

/// Each reason that occurred, over the run.
fn strips(text: &mut String, shown: Shown<'_>) {
    text.push_str("<div class=\"strips\">\n");
    for (at, reason) in DropReason::ALL.into_iter().enumerate() {
        let windows = shown.witness.windows.seen();
        let values: Vec<_> = windows.map(|(span, window)| (span, window.dropped[at] as f64)).collect();
        let all: f64 = values.iter().map(|(_, count)| count).sum();
        if all == 0.0 {
            continue;
        }
        let (class, why) = match reason {
            DropReason::Overflow => ("fill-red", "a queue was full"),
            DropReason::Failed => ("fill-red", "a service failed"),
            DropReason::Closed => ("fill-red", "the session had ended"),
            DropReason::Cancelled => ("fill-quiet", "withheld: it was no speech"),
            DropReason::Retracted => ("fill-quiet", "withheld: the speaker went on"),
            DropReason::Interrupted => ("fill-quiet", "withheld: the user interrupted"),
        };
        let title = format!("{} over the run", reason.name());
        let style =
            Strip { title: &title, height: Height::Strip, class, unit: "frames or outputs", least: 4.0 };
        let name = format!("{}<small>{why}</small>", reason.name());
        row(text, &name, &shown.strip(&style, &values), &format!("{} <small>in all</small>", grouped(all)));
    }
    text.push_str("</div>\n");
}
