//! How much waited where, over the run.

use super::{Shown, Strip, row, section};
use crate::picture::figure::{Figure, short};
use crate::picture::plot::{Height, escaped};

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    section(
        text,
        "queues",
        "Queues",
        "How deep the deepest queue of one caller was at each node, over the run: what the frames that entered it found, \
         themselves included. Of nodes that call a service together also how many calls waited for it, of all callers.",
    );
    text.push_str("<div class=\"strips\">\n");
    for (at, node) in shown.report.nodes.iter().enumerate() {
        let depth = |depths: &[u64]| depths.get(at).copied().unwrap_or(0) as f64;
        let windows = || shown.witness.windows.seen();
        let depths: Vec<_> = windows().map(|(span, window)| (span, depth(&window.deepest))).collect();
        let title = format!("deepest queue at {}", node.id);
        let style =
            Strip { title: &title, height: Height::Strip, class: "fill-blue", unit: "frames", least: 4.0 };
        let queue = &node.queue;
        let place = |field: &str| format!("nodes.{at}.queue.{field}");
        let wait = queue.wait_ms.map_or(String::new(), |wait| {
            let p99 = Figure::ms(&place("wait_ms.p99"), wait.p99).to_string();
            format!("<small>waited P99 {p99}</small>")
        });
        let figure = format!(
            "<small>deepest {} of {}, P99 {}</small>{wait}",
            Figure::count(&place("depth_max"), u64::from(queue.depth_max)),
            Figure::count(&place("bound"), u64::from(queue.bound)),
            Figure::count(&place("depth_p99"), u64::from(queue.depth_p99)),
        );
        let name = format!("{}<small>{}</small>", escaped(&node.id), escaped(node.kind));
        row(text, &name, &shown.strip(&style, &depths), &figure);
        if node.batch.is_some() {
            let waiting: Vec<_> = windows().map(|(span, window)| (span, depth(&window.waiting))).collect();
            let most = waiting.iter().fold(0.0f64, |most, (_, value)| most.max(*value));
            let title = format!("calls of {} waiting for its service", node.id);
            let style = Strip {
                title: &title,
                height: Height::Strip,
                class: "fill-orange",
                unit: "calls",
                least: 4.0,
            };
            let name = format!("{}<small>calls waiting for the service</small>", escaped(&node.id));
            let figure = format!("<small>most seen {}</small>", short(most));
            row(text, &name, &shown.strip(&style, &waiting), &figure);
        }
    }
    text.push_str("</div>\n</section>\n");
}
