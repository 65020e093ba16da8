//! The section about the cost on this machine. Only these figures differ when a run in virtual time is repeated.

use super::shown::{Shown, from_to, section};
use crate::picture::figure::{Figure, Unit, short};
use crate::picture::plot::{Beside, Height, Plot, escaped, facts, figures, key, table};
use crate::picture::scale::Scale;
use crate::picture::svg::push;

/// Columns of the distribution for each power of ten.
const COLUMNS: f64 = 8.0;

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let lead = if shown.report.clock == "virtual" {
        "Measured on the wall clock: these figures, and only these, differ from run to run."
    } else {
        "Measured on the wall clock, like everything else in this run."
    };
    section(text, "machine", "On this machine", lead);
    cost(text, shown);
    steadiness(text, shown);
    if !shown.witness.tick_work.is_empty() {
        text.push_str("<div class=\"pair\">\n");
        text.push_str(&distribution(shown));
        text.push_str(&timeline(shown));
        text.push_str("</div>\n");
    }
    let most = shown.report.nodes.iter().map(|node| node.work_us).max().unwrap_or(0);
    let scale = Scale::up_to(most as f64);
    let rows = shown.report.nodes.iter().enumerate().map(|(at, node)| {
        let share = scale.at(node.work_us as f64) * 100.0;
        let place = format!("nodes.{at}.work_us");
        let work = Figure { place: &place, value: node.work_us as f64, unit: Unit::Us }.to_string();
        vec![
            escaped(&node.id),
            format!("<span class=\"bars\" aria-hidden=\"true\"><i class=\"full\" style=\"left:0;width:{share:.1}%\"></i></span>"),
            work,
        ]
    });
    text.push_str("<figure><figcaption>Work of each node</figcaption>\n");
    text.push_str(&table(&["node", "", "work in all"], 1, rows));
    text.push_str("</figure>\n</section>\n</main>\n");
}

fn cost(text: &mut String, shown: Shown<'_>) {
    let report = shown.report;
    let plain = |place: &'static str, value: f64| Figure { place, value, unit: Unit::Plain }.to_string();
    let bytes = |place: &'static str, value: f64| Figure { place, value, unit: Unit::Bytes }.to_string();
    let mut rows = vec![
        ("threads", report.threads.to_string()),
        ("took", format!("{} s", plain("wall_s", report.wall_s))),
        ("processor time", format!("{} s", plain("cost.cpu_s", report.cost.cpu_s))),
        ("of the callers", format!("{} s", plain("generator.cpu_s", report.generator.cpu_s))),
        (
            "session-seconds per CPU-second",
            plain("cost.session_s_per_cpu_s", report.cost.session_s_per_cpu_s),
        ),
        ("memory per session", bytes("cost.bytes_per_session", report.cost.bytes_per_session)),
    ];
    if let Some(allocations) = report.cost.allocations_per_tick {
        rows.push(("allocations per tick", plain("cost.allocations_per_tick", allocations)));
    }
    if let Some(late) = report.generator.late_ms {
        rows.push(("callers late, P99", Figure::ms("generator.late_ms.p99", late.p99).to_string()));
    }
    if let Some(late) = report.tick_stats.late_us {
        let p99 = Figure { place: "tick_stats.late_us.p99", value: late.p99 as f64, unit: Unit::Us };
        rows.push(("ticks late, P99", p99.to_string()));
    }
    text.push_str(&facts(rows.into_iter().map(|(name, figure)| (name, figure, ""))));
}

/// Whether a long run was as good at its end as at its beginning.
fn steadiness(text: &mut String, shown: Shown<'_>) {
    let Some(steady) = &shown.report.steadiness else { return };
    let figure = |field: &str, value: f64, unit: Unit| {
        Figure { place: &format!("steadiness.{field}"), value, unit }.to_string()
    };
    let count = |field: &str, value: u64| figure(field, value as f64, Unit::Count);
    let mut rows = vec![
        ("memory grows a minute", figure("live_bytes_per_min", steady.live_bytes_per_min, Unit::Bytes)),
        ("entities, first", count("entities_first", steady.entities_first)),
        ("entities, last", count("entities_last", steady.entities_last)),
        ("blocks, first", count("blocks_first", steady.blocks_first)),
        ("blocks, last", count("blocks_last", steady.blocks_last)),
    ];
    if let (Some(first), Some(last)) = (steady.response_p99_first_ms, steady.response_p99_last_ms) {
        rows.push(("response P99, first", figure("response_p99_first_ms", first, Unit::Ms)));
        rows.push(("response P99, last", figure("response_p99_last_ms", last, Unit::Ms)));
    }
    let looks = Figure::count("steadiness.looks", steady.looks);
    push(
        text,
        format_args!("<h3>Steadiness <small>over {looks} minutes, the first ones left out</small></h3>\n"),
    );
    text.push_str(&facts(rows.into_iter().map(|(name, figure)| (name, figure, ""))));
}

/// How many ticks took how long, on a logarithmic axis with the period as the budget.
fn distribution(shown: Shown<'_>) -> String {
    let work = &shown.witness.tick_work;
    let period_us = f64::from(shown.witness.plan.scene.tick.period_ms) * 1e3;
    let x = Scale::decades(work.min().max(1) as f64, (work.max() as f64).max(period_us));
    let column = |us: f64| (us.max(1.0).log10() * COLUMNS).floor() as i32;
    let mut counts = std::collections::BTreeMap::<i32, u64>::new();
    for value in work.iter_recorded() {
        *counts.entry(column(value.value_iterated_to() as f64)).or_default() +=
            u64::from(value.count_at_value());
    }
    let y = Scale::up_to(counts.values().copied().max().unwrap_or(0) as f64 * 1.15);
    let mut plot = Plot::new(Height::Tall, x, y)
        .label_x(x.ticks(0.0).into_iter().map(|us| (us, time(us))))
        .label_y(y.counts(4.0).map(|count| (count, short(count))));
    let stretch =
        |column: i32| (10f64.powf(f64::from(column) / COLUMNS), 10f64.powf(f64::from(column + 1) / COLUMNS));
    for (column, count) in &counts {
        plot.column("fill-quiet", stretch(*column), (0.0, *count as f64));
    }
    for (column, count) in &counts {
        let (from, to) = stretch(*column);
        plot.hot((from, to), &format!("{} to {}: {count} ticks", time(from), time(to)));
    }
    let at = |q: f64| work.value_at_quantile(q) as f64;
    for (place, (name, q)) in [(0.98, ("P50", 0.5)), (0.89, ("P95", 0.95)), (0.8, ("P99", 0.99))] {
        plot.mark("mark", at(q));
        plot.words(Beside::Flag, (at(q), y.to() * place), name);
    }
    plot.mark("limit", period_us);
    plot.words(Beside::Flag, (period_us, y.to() * 0.7), "period");
    let figure =
        |place: &'static str, us: u64| Figure { place, value: us as f64, unit: Unit::Us }.to_string();
    let quantiles = shown.report.tick_stats.work_us.map(|q| {
        vec![
            Figure::count("tick_stats.count", shown.report.tick_stats.count).to_string(),
            figure("tick_stats.work_us.p50", q.p50),
            figure("tick_stats.work_us.p95", q.p95),
            figure("tick_stats.work_us.p99", q.p99),
            figure("tick_stats.work_us.p999", q.p999),
            figure("tick_stats.work_us.max", q.max),
        ]
    });
    let told = format!("P50 {}, P99 {}, greatest {}", time(at(0.5)), time(at(0.99)), time(work.max() as f64));
    format!(
        "<figure><figcaption>Work of a tick <small>ticks that took so long</small></figcaption>{}{}</figure>\n",
        plot.draw("Work of a tick", &told),
        figures(&["ticks", "P50", "P95", "P99", "P99.9", "max"], quantiles)
    )
}

fn timeline(shown: Shown<'_>) -> String {
    let windows: Vec<_> = shown.witness.windows.seen().filter(|(_, window)| window.ticks > 0).collect();
    let mean = |window: &crate::picture::windows::Window| window.work_ns as f64 / window.ticks as f64 / 1e3;
    let longest = |window: &crate::picture::windows::Window| window.work_ns_max as f64 / 1e3;
    let y = Scale::up_to(windows.iter().fold(1.0f64, |most, (_, window)| most.max(longest(window))) * 1.08);
    let mut plot = Plot::new(Height::Tall, shown.time(), y)
        .label_x(shown.moments())
        .label_y(y.ticks(5.0).into_iter().map(|us| (us, time(us))));
    let middle = |(from, to): (f64, f64)| (from + to) / 2.0;
    plot.line("blue", windows.iter().map(|(span, window)| Some((middle(*span), mean(window)))));
    plot.line("orange", windows.iter().map(|(span, window)| Some((middle(*span), longest(window)))));
    for (span, window) in &windows {
        let text =
            format!("{}: mean {}, longest {}", from_to(*span), time(mean(window)), time(longest(window)));
        plot.hot(*span, &text);
    }
    format!(
        "<figure><figcaption>Work of a tick over the run</figcaption>{}{}</figure>\n",
        plot.draw("Work of a tick over the run", "mean and longest of each stretch"),
        key([
            (r#"<path class="line blue" d="M0 7H26"/>"#, "mean"),
            (r#"<path class="line orange" d="M0 7H26"/>"#, "longest")
        ])
    )
}

fn time(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{} s", short(us / 1e6)),
        us if us >= 1e3 => format!("{} ms", short(us / 1e3)),
        us => format!("{} µs", short(us)),
    }
}
