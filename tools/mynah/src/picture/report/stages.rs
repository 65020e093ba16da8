//! Where the milliseconds go, stage by stage.

use super::latency::range;
use super::{Shown, quantile_cells, section};
use crate::picture::plot::{escaped, table};
use crate::picture::scale::Scale;
use crate::report::{Quantiles, Report};

/// One stage: what it is called, where the report has it, how long it takes.
struct Stage {
    name: String,
    what: String,
    place: String,
    latency: Quantiles,
}

/// The stages in the order of the scene: what each node adds.
fn stages(report: &Report) -> Vec<Stage> {
    let nodes = report.nodes.iter().enumerate();
    let stage = |(at, node): (usize, &crate::report::NodeFigures)| {
        let name = node.id.clone();
        Some(Stage {
            name,
            what: node.kind.to_string(),
            place: format!("nodes.{at}.latency_ms"),
            latency: node.latency_ms?,
        })
    };
    nodes.filter_map(stage).collect()
}

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let stages = stages(shown.report);
    if stages.is_empty() {
        return;
    }
    section(
        text,
        "stages",
        "Where the time goes",
        "From entering a node's queue to leaving the node: what waits for a service includes the service's time. \
         Bar: up to P50, to P95, line at P99. Nodes that pass on in the tick in which they take show as nothing.",
    );
    let scale = Scale::up_to(stages.iter().fold(1e-3f64, |most, stage| most.max(stage.latency.p99)));
    let rows = stages.iter().map(|stage| {
        let latency = &stage.latency;
        let name =
            format!("{} <small class=\"measured\">{}</small>", escaped(&stage.name), escaped(&stage.what));
        let mut cells = vec![name, range(&scale, latency.p50, latency.p95, latency.p99)];
        cells.extend(quantile_cells(&stage.place, latency));
        cells
    });
    text.push_str(&table(&["node", "", "frames", "P50", "P95", "P99", "P99.9", "max"], 1, rows));
    text.push_str("</section>\n");
}
