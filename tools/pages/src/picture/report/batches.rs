//! The section about batches.

use std::collections::BTreeMap;

use super::shown::{Shown, Strip, section};
use crate::picture::figure::{Figure, Unit, short};
use crate::picture::plot::{Height, Plot, escaped, facts, figures, key};
use crate::picture::scale::Scale;
use crate::picture::svg::push;
use crate::picture::witness::Batches;
use mynah_sim::report::{BatchReport, NodeFigures};

/// Why a batch goes, as the report calls it, and its colour.
const REASONS: [(&str, &str); 4] =
    [("count", "fill-blue"), ("timer", "fill-orange"), ("full", "fill-red"), ("deadline", "fill-violet")];
/// Sizes shown one by one; of larger batches several share a column.
const COLUMNS: u32 = 40;

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let batched: Vec<_> = shown
        .report
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(at, node)| Some((at, node, node.batch.as_ref()?)))
        .collect();
    if batched.is_empty() {
        return;
    }
    section(
        text,
        "batches",
        "Batches",
        "Calls of all callers go to a service together: when enough wait, when one has waited long enough (timer), when \
         the queue is full, or when a deadline comes near.",
    );
    for (at, node, batch) in batched {
        push(text, format_args!("<h3>{}</h3>\n", escaped(&node.id)));
        text.push_str(&facts(of_batch(at, batch)));
        // Of calls that all went one by one there is nothing to draw.
        let Some(sizes) = shown.witness.batches.get(&(at as u8)).filter(|_| batch.size_max > 1) else {
            continue;
        };
        text.push_str("<div class=\"pair\">\n");
        text.push_str(&by_size(node, sizes));
        let mean = |(batches, items): (u64, u64)| items as f64 / batches.max(1) as f64;
        let windows = shown.witness.windows.seen();
        let values: Vec<_> = windows.map(|(span, window)| (span, mean(window.batches[at]))).collect();
        let title = format!("mean batch size of {} over the run", node.id);
        let style = Strip {
            title: &title,
            height: Height::Tall,
            class: "fill-blue",
            unit: "calls in a batch",
            least: 2.0,
        };
        push(
            text,
            format_args!(
                "<figure><figcaption>Size over the run <small>mean of each stretch</small></figcaption>{}</figure>\n</div>\n",
                shown.strip(&style, &values)
            ),
        );
    }
    text.push_str("</section>\n");
}

fn of_batch(at: usize, batch: &BatchReport) -> Vec<(&'static str, String, &'static str)> {
    let place = |field: &str| format!("nodes.{at}.batch.{field}");
    let plain =
        |field: &str, value: f64| Figure { place: &place(field), value, unit: Unit::Plain }.to_string();
    let mut facts = vec![
        ("batches", Figure::count(&place("count"), batch.count).to_string()),
        ("mean size", plain("size_mean", batch.size_mean)),
        ("greatest", Figure::count(&place("size_max"), u64::from(batch.size_max)).to_string()),
        ("calls merged", Figure::count(&place("merged"), batch.merged).to_string()),
        ("calls in", format!("{} / s", plain("offered_per_s", batch.offered_per_s))),
        ("calls done", format!("{} / s", plain("items_per_s", batch.items_per_s))),
    ];
    if let Some(wait) = batch.wait_ms {
        facts.push(("waited, P95", Figure::ms(&place("wait_ms.p95"), wait.p95).to_string()));
    }
    if let Some(capacity) = batch.capacity_per_s {
        let batched = plain("capacity_per_s.batched", capacity.batched);
        facts.push((
            "capacity, modelled",
            format!("{batched} / s (× {} of one by one)", short(capacity.gain)),
        ));
    }
    facts.into_iter().map(|(name, figure)| (name, figure, "")).collect()
}

/// How many batches of each size there were, and why they went.
fn by_size(node: &NodeFigures, sizes: &Batches) -> String {
    let largest = sizes.keys().map(|(size, _)| *size).max().unwrap_or(1).max(1);
    let share = largest.div_ceil(COLUMNS);
    let mut columns: BTreeMap<u32, BTreeMap<&str, u64>> = BTreeMap::new();
    for ((size, reason), count) in sizes {
        *columns.entry((size - 1) / share).or_default().entry(reason).or_default() += count;
    }
    let most = columns.values().map(|of| of.values().sum::<u64>()).max().unwrap_or(0);
    let (x, y) =
        (Scale::linear(0.0, f64::from((largest / share).max(3) + 1)), Scale::up_to(most as f64 * 1.1));
    let name = |column: u32| match share {
        1 => (column + 1).to_string(),
        _ => format!("{}-{}", column * share + 1, (column + 1) * share),
    };
    let every = (columns.keys().max().unwrap_or(&0) / 8 + 1) as usize;
    let labels = (0..=x.to() as u32 - 1).step_by(every).map(|c| (f64::from(c) + 0.5, name(c)));
    let mut plot = Plot::new(Height::Tall, x, y)
        .label_x(labels)
        .label_y(y.counts(4.0).map(|count| (count, short(count))));
    for (column, of) in &columns {
        let mut low = 0.0;
        let stretch = (f64::from(*column) + 0.1, f64::from(*column) + 0.95);
        for (reason, class) in REASONS {
            let count = of.get(reason).copied().unwrap_or(0) as f64;
            plot.column(class, stretch, (low, low + count));
            low += count;
        }
        let why: Vec<_> = of.iter().map(|(reason, count)| format!("{count} by {reason}")).collect();
        plot.hot(stretch, &format!("batches of {}: {}", name(*column), why.join(", ")));
    }
    let used = |reason: &str| sizes.keys().any(|(_, of)| *of == reason);
    let samples: Vec<(String, &str)> = REASONS
        .into_iter()
        .filter(|(reason, _)| used(reason))
        .map(|(reason, class)| {
            (format!("<rect class=\"{class}\" y=\"2\" width=\"26\" height=\"10\"/>"), reason)
        })
        .collect();
    let rows = columns.iter().map(|(column, of)| {
        let mut cells = vec![format!("<span class=\"in-block\">batches of </span>{}", name(*column))];
        cells.extend(REASONS.map(|(reason, _)| of.get(reason).copied().unwrap_or(0).to_string()));
        cells
    });
    format!(
        "<figure><figcaption>Batches of each size <small>and why they went</small></figcaption>{}{}{}</figure>\n",
        plot.draw(&format!("batches of {} by size", node.id), &format!("the greatest had {largest} calls")),
        key(samples.iter().map(|(sample, reason)| (sample.as_str(), *reason))),
        figures(&["calls", "count", "timer", "full", "deadline"], rows)
    )
}
