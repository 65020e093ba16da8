//! The section about queues: how much waited where, over the run.

use super::shown::{Seen, Shown, Strip, row, section};
use crate::picture::figure::{Figure, short};
use crate::picture::plot::{Height, escaped, table};
use mynah_sim::report::NodeFigures;

/// Drawn from this on: 1 is the frame that enters, found by itself.
const DRAWN_FROM: f64 = 2.0;

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    section(
        text,
        "queues",
        "Queues",
        "How deep the deepest queue of one caller was at each node, over the run: what the frames that entered it found, \
         themselves included. Of nodes that call a service together also how many calls waited for it, of all callers.",
    );
    let mut quiet = Vec::new();
    let mut strips = String::new();
    for (at, node) in shown.report.nodes.iter().enumerate() {
        let (depths, waiting) = (depths(shown, at), waiting(shown, at));
        if most(&depths) >= DRAWN_FROM {
            depth_row(&mut strips, shown, (at, node), &depths);
        } else {
            quiet.push(quiet_row(at, node));
        }
        if node.batch.is_some() && most(&waiting) >= DRAWN_FROM {
            waiting_row(&mut strips, shown, node, &waiting);
        }
    }
    if !strips.is_empty() {
        text.push_str("<div class=\"strips\">\n");
        text.push_str(&strips);
        text.push_str("</div>\n");
    }
    if !quiet.is_empty() {
        text.push_str("<figure><figcaption>Where no frame found another <small>nothing waited here</small></figcaption>\n");
        text.push_str(&table(&["node", "deepest", "bound", "waited, P99"], 1, quiet));
        text.push_str("</figure>\n");
    }
    text.push_str("</section>\n");
}

fn depths(shown: Shown<'_>, at: usize) -> Seen {
    let windows = shown.witness.windows.seen();
    windows.map(|(span, window)| (span, window.deepest.get(at).copied().unwrap_or(0) as f64)).collect()
}

fn waiting(shown: Shown<'_>, at: usize) -> Seen {
    let windows = shown.witness.windows.seen();
    windows.map(|(span, window)| (span, window.waiting.get(at).copied().unwrap_or(0) as f64)).collect()
}

fn most(seen: &Seen) -> f64 {
    seen.iter().fold(0.0f64, |most, (_, value)| most.max(*value))
}

/// A figure of the queue of node `at`.
fn count(at: usize, field: &str, value: u32) -> String {
    Figure::count(&format!("nodes.{at}.queue.{field}"), u64::from(value)).to_string()
}

fn wait_p99(at: usize, node: &NodeFigures) -> Option<String> {
    let place = format!("nodes.{at}.queue.wait_ms.p99");
    node.queue.wait_ms.map(|wait| Figure::ms(&place, wait.p99).to_string())
}

fn quiet_row(at: usize, node: &NodeFigures) -> Vec<String> {
    let queue = &node.queue;
    vec![
        format!("{} <small class=\"measured\">{}</small>", escaped(&node.id), escaped(node.kind)),
        count(at, "depth_max", queue.depth_max),
        count(at, "bound", queue.bound),
        wait_p99(at, node).unwrap_or_default(),
    ]
}

fn depth_row(text: &mut String, shown: Shown<'_>, (at, node): (usize, &NodeFigures), depths: &Seen) {
    let title = format!("deepest queue at {}", node.id);
    let style =
        Strip { title: &title, height: Height::Strip, class: "fill-blue", unit: "frames", least: 4.0 };
    let queue = &node.queue;
    let wait = wait_p99(at, node).map_or(String::new(), |p99| format!("<small>waited P99 {p99}</small>"));
    let figure = format!(
        "<small>deepest {} of {}, P99 {}</small>{wait}",
        count(at, "depth_max", queue.depth_max),
        count(at, "bound", queue.bound),
        count(at, "depth_p99", queue.depth_p99),
    );
    let name = format!("{}<small>{}</small>", escaped(&node.id), escaped(node.kind));
    row(text, &name, &shown.strip(&style, depths), &figure);
}

fn waiting_row(text: &mut String, shown: Shown<'_>, node: &NodeFigures, waiting: &Seen) {
    let title = format!("calls of {} waiting for its service", node.id);
    let style =
        Strip { title: &title, height: Height::Strip, class: "fill-orange", unit: "calls", least: 4.0 };
    let name = format!("{}<small>calls waiting for the service</small>", escaped(&node.id));
    let figure = format!("<small>most seen {}</small>", short(most(waiting)));
    row(text, &name, &shown.strip(&style, waiting), &figure);
}
