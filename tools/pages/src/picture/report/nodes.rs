//! The section about nodes and services, in figures.

use super::shown::{Shown, section};
use crate::picture::figure::{Figure, Unit};
use crate::picture::plot::{escaped, table};
use mynah_sim::report::Report;

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    section(text, "nodes", "Nodes and services", "");
    let report = shown.report;
    let rows = report.nodes.iter().enumerate().map(|(at, node)| {
        let count =
            |field: &str, value: u64| Figure::count(&format!("nodes.{at}.{field}"), value).to_string();
        let call = node.avg_processing_us.map_or_else(String::new, |us| {
            let place = &format!("nodes.{at}.avg_processing_us");
            Figure { place, value: us as f64, unit: Unit::Us }.to_string()
        });
        vec![
            escaped(&node.id),
            escaped(node.kind),
            escaped(&node.queue.overflow),
            count("in", node.taken_in),
            count("out", node.out),
            count("queue.depth_max", u64::from(node.queue.depth_max)),
            count("queue.bound", u64::from(node.queue.bound)),
            count("queue.dropped", node.queue.dropped),
            count("queue.merged", node.queue.merged),
            count("deadlines_near", node.deadlines_near),
            count("deadlines_missed", node.deadlines_missed),
            call,
        ]
    });
    text.push_str(&table(
        &[
            "node",
            "kind",
            "when full",
            "frames in",
            "out",
            "deepest queue",
            "bound",
            "dropped",
            "merged",
            "deadlines near",
            "missed",
            "a call takes",
        ],
        3,
        rows,
    ));
    if !report.services.is_empty() {
        services(text, report);
    }
    text.push_str("</section>\n");
}

fn services(text: &mut String, report: &Report) {
    let rows = report.services.iter().enumerate().map(|(at, service)| {
        let count =
            |field: &str, value: u64| Figure::count(&format!("services.{at}.{field}"), value).to_string();
        let timing = if service.modelled {
            format!("{} (modelled)", service.timing)
        } else {
            "as it takes".to_string()
        };
        let busy = Figure {
            place: &format!("services.{at}.busy_ratio"),
            value: service.busy_ratio,
            unit: Unit::Ratio,
        };
        vec![
            escaped(&service.id),
            escaped(&service.kind),
            escaped(timing),
            count("calls", service.calls),
            count("items", service.items),
            count("failed", service.failed),
            count("cancelled", service.cancelled),
            busy.to_string(),
        ]
    });
    text.push_str("<figure>\n");
    text.push_str(&table(
        &["service", "output", "first answer after", "calls", "items", "failed", "stopped", "busy"],
        3,
        rows,
    ));
    text.push_str("</figure>\n");
}
