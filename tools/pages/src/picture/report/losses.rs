//! The section about frames that were lost or withheld on purpose: where and why.

use mynah_engine::DropReason;

use super::shown::{Seen, Shown, Strip, row, section};
use crate::picture::figure::{Figure, grouped};
use crate::picture::plot::{Height, escaped, table};

const LOST: [(DropReason, &str); 4] = [
    (DropReason::Overflow, "a queue was full"),
    (DropReason::Failed, "a service failed"),
    (DropReason::Closed, "the session had ended"),
    (DropReason::TooLong, "a text was too long"),
];
const WITHHELD: [(DropReason, &str); 3] = [
    (DropReason::Cancelled, "it was no speech"),
    (DropReason::Retracted, "the speaker went on"),
    (DropReason::Interrupted, "the user interrupted"),
];

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let frames = &shown.report.frames;
    let lost = frames.dropped.values().sum::<u64>() + frames.refused;
    let withheld: u64 = WITHHELD.iter().map(|(reason, _)| over_the_run(shown, *reason).1).sum();
    section(text, "losses", "Lost and withheld", "");
    let lead = match lost {
        0 => "No frame was dropped at a queue or refused at the edge.",
        _ => "Frames that ended before their time, by reason and node.",
    };
    text.push_str(&format!("<h3>Lost: {}</h3>\n<p>{lead}</p>\n", counted(lost, "frame")));
    strips(text, shown, "fill-red", LOST);
    nodes(text, shown);
    let lead = match withheld {
        0 => "Nothing had to be kept back.",
        _ => {
            "Kept back on purpose: it was made for what then turned out otherwise, and nobody should hear it."
        }
    };
    text.push_str(&format!("<h3>Withheld: {}</h3>\n<p>{lead}</p>\n", counted(withheld, "output")));
    strips(text, shown, "fill-quiet", WITHHELD);
    text.push_str("</section>\n");
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count as f64), if count == 1 { "" } else { "s" })
}

/// What was lost at which node.
fn nodes(text: &mut String, shown: Shown<'_>) {
    let frames = &shown.report.frames;
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
}

/// How often a reason occurred in each stretch of the run, and in all.
fn over_the_run(shown: Shown<'_>, reason: DropReason) -> (Seen, u64) {
    let at = DropReason::ALL.iter().position(|one| *one == reason).expect("ALL has every reason");
    let counts: Vec<_> =
        shown.witness.windows.seen().map(|(span, window)| (span, window.dropped[at])).collect();
    let all = counts.iter().map(|(_, count)| count).sum();
    (counts.into_iter().map(|(span, count)| (span, count as f64)).collect(), all)
}

/// Each of the reasons that occurred, over the run.
fn strips<const N: usize>(
    text: &mut String,
    shown: Shown<'_>,
    class: &str,
    reasons: [(DropReason, &str); N],
) {
    let occurred = reasons.map(|(reason, why)| (reason, why, over_the_run(shown, reason)));
    let occurred: Vec<_> = occurred.iter().filter(|(_, _, (_, all))| *all > 0).collect();
    if occurred.is_empty() {
        return;
    }
    text.push_str("<div class=\"strips\">\n");
    for (reason, why, (values, all)) in occurred {
        let title = format!("{} over the run", reason.name());
        let style =
            Strip { title: &title, height: Height::Strip, class, unit: "frames or outputs", least: 4.0 };
        let name = format!("{}<small>{why}</small>", reason.name());
        let in_all = format!("{} <small>in all</small>", grouped(*all as f64));
        row(text, &name, &shown.strip(&style, values), &in_all);
    }
    text.push_str("</div>\n");
}
