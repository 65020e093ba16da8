//! The section about the stages of a response, in milliseconds.

use super::latency::range;
use super::shown::{Shown, quantile_cells, section};
use crate::picture::figure::{Figure, Unit};
use crate::picture::plot::{escaped, table};
use crate::picture::scale::Scale;
use crate::picture::svg::push;
use mynah_sim::report::StageFigures;
use mynah_sim::report::{Quantiles, Report};

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
    let stage = |(at, node): (usize, &mynah_sim::report::NodeFigures)| {
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
    let breakdown = &shown.report.latency_ms.breakdown;
    if stages.is_empty() && breakdown.is_empty() {
        return;
    }
    section(text, "stages", "Where the time goes", "");
    if !breakdown.is_empty() {
        text.push_str(&response(breakdown));
    }
    if !stages.is_empty() {
        nodes(text, &stages);
    }
    text.push_str("</section>\n");
}

/// What the response is made of, in the order of the way.
fn response(breakdown: &[StageFigures]) -> String {
    let most = Scale::up_to(breakdown.iter().fold(0.01f64, |most, stage| most.max(stage.share)));
    let took = breakdown.iter().enumerate().filter(|(_, stage)| stage.share > 0.0);
    let rows = took.map(|(at, stage)| {
        let place = format!("latency_ms.breakdown.{at}");
        let ratio = |field: &str, value: f64| {
            Figure { place: &format!("{place}.{field}"), value, unit: Unit::Ratio }.to_string()
        };
        let share = most.at(stage.share) * 100.0;
        let mut cells = vec![
            format!("{}<small>{}</small>", escaped(&stage.stage), meaning(&stage.stage)),
            format!("<span class=\"bars\" aria-hidden=\"true\"><i class=\"full\" style=\"left:0;width:{share:.1}%\"></i></span>"),
            ratio("share", stage.share),
        ];
        let mut quantiles = quantile_cells(&place, &stage.quantiles);
        // How many answers had it, and the rarest of them, say little here.
        quantiles.remove(0);
        quantiles.remove(3);
        cells.extend(quantiles);
        cells.push(ratio("share_slow", stage.share_slow));
        cells
    });
    let headings = ["stage", "", "share", "P50", "P95", "P99", "max", "of the slowest 5 %"];
    format!(
        "<figure><figcaption>Of the response <small>from the true end of speech to the first sound of the answer, in the \
         order of the way; the shares add up to the whole</small></figcaption>{}</figure>\n",
        table(&headings, 1, rows)
    )
}

/// What a stage that is no node's own waits for.
fn meaning(stage: &str) -> &'static str {
    match stage {
        "output" => "until it sounds",
        "output.confirm" => "until the end of speech is certain",
        stage if stage.ends_with(".wait") => "until its service takes the call",
        _ => "",
    }
}

/// What each node adds to the frames that go through it.
fn nodes(text: &mut String, stages: &[Stage]) {
    let (timely, at_once): (Vec<&Stage>, Vec<&Stage>) = stages.iter().partition(|s| s.latency.max > 0.0);
    text.push_str(
        "<figure><figcaption>In each node <small>from entering its queue to leaving it, a service's time included; bar: up to \
         P50, to P95, line at P99</small></figcaption>\n",
    );
    let scale = Scale::up_to(timely.iter().fold(1e-3f64, |most, stage| most.max(stage.latency.p99)));
    let rows = timely.iter().map(|stage| {
        let latency = &stage.latency;
        let name =
            format!("{} <small class=\"measured\">{}</small>", escaped(&stage.name), escaped(&stage.what));
        let mut cells = vec![name, range(&scale, latency.p50, latency.p95, latency.p99)];
        cells.extend(quantile_cells(&stage.place, latency));
        cells
    });
    if !timely.is_empty() {
        text.push_str(&table(&["node", "", "frames", "P50", "P95", "P99", "P99.9", "max"], 1, rows));
    }
    if !at_once.is_empty() {
        let names: Vec<String> = at_once.iter().map(|stage| escaped(&stage.name)).collect();
        push(
            text,
            format_args!(
                "<p>Every frame left in the tick in which it came: {}. How long a gate waits to be sure that speech has ended \
                 is no time of a frame; the response has it.</p>\n",
                names.join(", ")
            ),
        );
    }
    text.push_str("</figure>\n");
}
