//! What was lost, where and why.

use super::{Shown, Strip, row, section};
use crate::picture::figure::Figure;
use crate::picture::plot::{escaped, table};

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let frames = &shown.report.frames;
    let lost: u64 = frames.dropped.values().sum::<u64>() + frames.refused;
    let windows = || shown.witness.windows.seen();
    let withheld: u64 = windows().map(|(_, window)| window.dropped).sum();
    if lost + withheld == 0 {
        section(
            text,
            "losses",
            "Losses",
            "Nothing was lost: no frame was dropped at a queue, refused at the edge or withheld at the output.",
        );
        text.push_str("</section>\n");
        return;
    }
    section(
        text,
        "losses",
        "Losses",
        "Frames that ended before their time, by reason and node. What is withheld because it was taken back is part of \
         speculation; overflow is load that did not fit.",
    );
    let values: Vec<_> = windows().map(|(span, window)| (span, window.dropped as f64)).collect();
    let style =
        Strip { title: "losses over the run", class: "fill-red", unit: "frames or outputs", least: 4.0 };
    text.push_str("<div class=\"strips\">\n");
    row(text, "over the run", &shown.strip(&style, &values), "");
    text.push_str("</div>\n");
    let mut rows = Vec::new();
    if frames.refused > 0 {
        let count = Figure::count("frames.refused", frames.refused).to_string();
        rows.push(vec!["refused at the edge".into(), String::new(), count]);
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
        text.push_str(&table(&["reason", "node", "frames"], rows));
    }
    text.push_str("</section>\n");
}
