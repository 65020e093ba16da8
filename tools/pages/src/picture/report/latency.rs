//! The section about latency: the distribution, its course over the run, and every latency that applies to the scene.

use hdrhistogram::Histogram;

use super::shown::{Shown, from_to, quantile_cells, section};
use crate::picture::figure::{Figure, Unit, short};
use crate::picture::plot::{Beside, Height, Plot, escaped, facts, figures, key, table};
use crate::picture::scale::Scale;
use crate::picture::witness::{Outcome, Subject};
use mynah_sim::report::{LatencyMs, Quantiles, TurnFigures};

/// Columns of the histogram.
const COLUMNS: usize = 48;
/// Points of the percentile curve.
const POINTS: u32 = 160;

const RESPONSE: &str = "From the true end of an utterance to the first sample of its answer, as the caller hears it. \
    What was answered while the caller still spoke is premature: it is counted beside the latency and not in it.";
const PASSAGE: &str =
    "From the moment a frame should have arrived (or the decision that let it through) to its release.";

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let Some(outcome) = &shown.witness.outcome else { return };
    let lead = match outcome.subject {
        Subject::Response => RESPONSE,
        Subject::Passage => PASSAGE,
    };
    section(text, "latency", "Latency", lead);
    if shown.report.latency_ms.speech_end_to_response.is_some() {
        text.push_str(&facts(utterances(&shown.report.turns)));
    }
    if outcome.latency.is_empty() {
        text.push_str("<p>Nothing came out, so there is nothing to measure.</p>\n");
    } else {
        let limit_ms = limit_ms(shown, outcome.subject);
        text.push_str("<div class=\"pair\">\n");
        text.push_str(&curve(&outcome.latency, limit_ms));
        text.push_str(&columns(&outcome.latency, limit_ms));
        text.push_str("</div>\n");
        text.push_str(&timeline(shown, outcome, limit_ms));
    }
    all(text, &shown.report.latency_ms);
    text.push_str("</section>\n");
}

/// The terminal's words for what became of the utterances: no utterance is in two of them.
fn utterances(turns: &TurnFigures) -> Vec<(&'static str, String, &'static str)> {
    let count = |place: &'static str, value: u64| Figure::count(place, value).to_string();
    let ratio = Figure { place: "turns.premature_ratio", value: turns.premature_ratio, unit: Unit::Ratio };
    let premature = format!("{} ({ratio})", count("turns.premature", turns.premature));
    let mut facts = vec![
        ("utterances", count("turns.utterances", turns.utterances), ""),
        ("answered", count("turns.answered", turns.answered), "after they had ended"),
        ("premature", premature, "answered while they still went on"),
        ("missed", count("turns.missed", turns.missed), "not found to be speech"),
    ];
    let rest = turns.utterances.saturating_sub(turns.answered + turns.premature + turns.missed);
    if rest > 0 {
        facts.push(("without an answer", rest.to_string(), "found to be speech"));
    }
    facts
}

/// The limit that the scene sets for its P99.
fn limit_ms(shown: Shown<'_>, subject: Subject) -> Option<f64> {
    let name = match subject {
        Subject::Response => "speech_end_to_response_p99_ms",
        Subject::Passage => "frame_in_to_out_p99_ms",
    };
    shown.report.limits.iter().find(|limit| limit.name == name).map(|limit| limit.limit)
}

fn at(latency: &Histogram<u32>, quantile: f64) -> f64 {
    latency.value_at_quantile(quantile) as f64 / 1e3
}

/// Quantile by quantile, each nine as wide as the one before.
fn curve(latency: &Histogram<u32>, limit_ms: Option<f64>) -> String {
    let most = latency.max() as f64 / 1e3;
    let (x, y) = (Scale::nines(latency.len()), Scale::up_to(most.max(limit_ms.unwrap_or(0.0)) * 1.08));
    let nines = |q: f64| (q, format!("{} %", trimmed(q * 100.0)));
    let mut plot = Plot::new(Height::Tall, x, y)
        .label_x(x.ticks(0.0).into_iter().filter(|q| *q != 0.75 && *q != 0.95).map(nines))
        .label_y(y.ticks(5.0).into_iter().map(|ms| (ms, format!("{} ms", short(ms)))));
    if let Some(limit) = limit_ms {
        plot.limit(limit);
        // Where the curve is not.
        let beside = if at(latency, 0.25) > limit * 0.9 { Beside::After } else { Beside::Right };
        plot.words(beside, (0.0, limit), &format!("limit for P99: {} ms", short(limit)));
    }
    let end = -(1.0 - x.to()).log10();
    let quantiles = (0..=POINTS).map(|n| 1.0 - 10f64.powf(-end * f64::from(n) / f64::from(POINTS)));
    plot.line("blue", quantiles.map(|q| Some((q, at(latency, q)))));
    for (name, q) in [("P50", 0.5), ("P95", 0.95), ("P99", 0.99)].into_iter().filter(|(_, q)| *q <= x.to()) {
        plot.dots("dot blue", [(q, at(latency, q))]);
        let beside = if q < 0.9 { Beside::After } else { Beside::Below };
        plot.words(beside, (q, at(latency, q)), &format!("{name} {} ms", short(at(latency, q))));
    }
    let told = format!(
        "P50 {} ms, P95 {} ms, P99 {} ms, greatest {} ms, of {} values",
        short(at(latency, 0.5)),
        short(at(latency, 0.95)),
        short(at(latency, 0.99)),
        short(most),
        latency.len()
    );
    let rows = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.999_9, 1.0];
    let rows =
        rows.map(|q| vec![format!("{} %", trimmed(q * 100.0)), format!("{} ms", short(at(latency, q)))]);
    format!(
        "<figure><figcaption>Percentiles <small>share of the values that are at most so long</small></figcaption>{}{}\
         </figure>\n",
        plot.draw("Latency by percentile", &told),
        figures(&["share", "at most"], rows)
    )
}

/// 99.9 without what a float adds to it.
fn trimmed(percent: f64) -> String {
    let text = format!("{percent:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// How many values there are of each length.
fn columns(latency: &Histogram<u32>, limit_ms: Option<f64>) -> String {
    let end = (at(latency, 0.99) * 1.2).max(limit_ms.unwrap_or(0.0) * 1.15);
    let x = Scale::up_to(end.min((latency.max() as f64 / 1e3).max(limit_ms.unwrap_or(0.0)) * 1.05));
    let width = x.to() / COLUMNS as f64;
    let mut counts = [0u64; COLUMNS];
    let mut beyond = 0;
    for value in latency.iter_recorded() {
        let column = (value.value_iterated_to() as f64 / 1e3 / width) as usize;
        match counts.get_mut(column) {
            Some(count) => *count += u64::from(value.count_at_value()),
            None => beyond += u64::from(value.count_at_value()),
        }
    }
    let y = Scale::up_to(counts.iter().copied().max().unwrap_or(0) as f64 * 1.15);
    let mut plot = Plot::new(Height::Tall, x, y)
        .label_x(x.ticks(5.0).into_iter().map(|ms| (ms, format!("{} ms", short(ms)))))
        .label_y(y.counts(4.0).map(|count| (count, short(count))));
    let stretch = |column: usize| (column as f64 * width, (column + 1) as f64 * width);
    for (column, count) in counts.iter().enumerate() {
        plot.column("fill-blue", stretch(column), (0.0, *count as f64));
    }
    for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (from, to) = stretch(column);
        plot.hot((from, to), &format!("{} to {} ms: {count}", short(from), short(to)));
    }
    for (place, (name, q)) in [(0.98, ("P50", 0.5)), (0.89, ("P95", 0.95)), (0.8, ("P99", 0.99))] {
        plot.mark("mark", at(latency, q));
        plot.words(Beside::Flag, (at(latency, q), y.to() * place), name);
    }
    if let Some(limit) = limit_ms {
        plot.mark("limit", limit);
        plot.words(Beside::Flag, (limit, y.to() * 0.68), "limit");
    }
    let beyond = if beyond > 0 { format!("; {beyond} are longer than shown") } else { String::new() };
    let rows = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(column, count)| {
        let (from, to) = stretch(column);
        vec![format!("{} to {} ms", short(from), short(to)), count.to_string()]
    });
    format!(
        "<figure><figcaption>Distribution <small>values of each length{beyond}</small></figcaption>{}{}</figure>\n",
        plot.draw("Latency distribution", &format!("{} values{beyond}", latency.len())),
        figures(&["latency", "values"], rows)
    )
}

fn timeline(shown: Shown<'_>, outcome: &Outcome, limit_ms: Option<f64>) -> String {
    let all: Vec<_> = outcome.spells.all().collect();
    let spells: Vec<_> = all.iter().filter(|(_, all)| !all.is_empty()).collect();
    let p99 = |all: &Histogram<u32>| at(all, 0.99);
    let replies = outcome.replies.iter().fold(0.0f64, |most, (_, ms)| most.max(*ms));
    let most = spells.iter().map(|(_, all)| p99(all)).fold(replies.max(limit_ms.unwrap_or(0.0)), f64::max);
    let y = Scale::up_to(most * 1.08);
    let mut plot = Plot::new(Height::Tall, shown.time(), y)
        .label_x(shown.moments())
        .label_y(y.ticks(5.0).into_iter().map(|ms| (ms, format!("{} ms", short(ms)))));
    plot.dots("dots quiet", outcome.replies.iter().copied());
    let middle = |(from, to): (f64, f64)| (from + to) / 2.0;
    for (class, q) in [("blue", 0.5), ("orange", 0.99)] {
        let values = || all.iter().map(|(span, all)| (!all.is_empty()).then(|| (middle(*span), at(all, q))));
        plot.line(class, values());
        plot.dots(&format!("point {class}"), values().flatten());
    }
    if let Some(limit) = limit_ms {
        plot.limit(limit);
    }
    for (stretch, all) in &spells {
        let text = format!(
            "{}: P50 {} ms, P99 {} ms of {}",
            from_to(*stretch),
            short(at(all, 0.5)),
            short(p99(all)),
            all.len()
        );
        plot.hot(*stretch, &text);
    }
    let rows = spells.iter().map(|(stretch, all)| {
        let ms = |q: f64| format!("{} ms", short(at(all, q)));
        vec![from_to(*stretch), all.len().to_string(), ms(0.5), ms(0.95), ms(0.99), ms(1.0)]
    });
    let mut entries = vec![
        (r#"<path class="line blue" d="M0 7H26"/>"#, "P50"),
        (r#"<path class="line orange" d="M0 7H26"/>"#, "P99"),
    ];
    if limit_ms.is_some() {
        entries.push((r#"<path class="limit" d="M0 7H26"/>"#, "limit for the P99 of the whole run"));
    }
    if !outcome.replies.is_empty() {
        entries.push((r#"<path class="dots quiet" d="M5 9h0M13 5h0M21 8h0"/>"#, "single answers"));
    }
    let width = spells.first().map_or(0.0, |((from, to), _)| to - from);
    format!(
        "<figure><figcaption>Over the run <small>in stretches of {}</small></figcaption>{}{}{}</figure>\n",
        crate::picture::figure::moment(width),
        plot.draw("Latency over the run", "P50 and P99 of each stretch; the table has the figures"),
        key(entries),
        figures(&["stretch", "values", "P50", "P95", "P99", "max"], rows)
    )
}

/// All latencies that apply, on one logarithmic axis.
fn all(text: &mut String, latency: &LatencyMs) {
    let rows: Vec<(&str, &str, Quantiles)> = [
        (
            "speech end to response",
            "speech_end_to_response",
            latency.speech_end_to_response.as_ref().map(|r| r.quantiles),
        ),
        ("speech start to forward", "speech_start_to_forward", latency.speech_start_to_forward),
        ("silence seen to processing", "silence_to_processing", latency.silence_to_processing),
        ("frame in to out", "frame_in_to_out", latency.frame_in_to_out),
        ("onset hold (pre-roll)", "onset_hold", latency.onset_hold),
        ("speech to silence (barge-in)", "speech_to_silence", latency.speech_to_silence),
        ("control to last consumer", "control_to_last_consumer", latency.control_to_last_consumer),
        ("cancel to quiet", "cancel_to_quiet", latency.cancel_to_quiet),
    ]
    .into_iter()
    .filter_map(|(name, place, q)| Some((name, place, q?)))
    .collect();
    if rows.is_empty() {
        return;
    }
    let most = rows.iter().fold(1.0f64, |most, (_, _, q)| most.max(q.max));
    let scale = Scale::up_to(most);
    let rows = rows.iter().map(|(name, place, q)| {
        let mut cells = vec![escaped(name), range(&scale, q.p50, q.p95, q.p99)];
        cells.extend(quantile_cells(&format!("latency_ms.{place}"), q));
        cells
    });
    text.push_str(
        "<figure><figcaption>All latencies <small>bar: up to P50, to P95, line at P99</small></figcaption>\n",
    );
    text.push_str(&table(&["", "", "count", "P50", "P95", "P99", "P99.9", "max"], 1, rows));
    text.push_str("</figure>\n");
}

/// A bar up to P50, a lighter one up to P95, a line at P99.
pub(super) fn range(scale: &Scale, p50: f64, p95: f64, p99: f64) -> String {
    let [p50, p95, p99] = [p50, p95, p99].map(|ms| scale.at(ms) * 100.0);
    format!(
        "<span class=\"bars\" aria-hidden=\"true\"><i class=\"full\" style=\"left:0;width:{p50:.1}%\"></i><i class=\"part\" \
         style=\"left:{p50:.1}%;width:{:.1}%\"></i><i class=\"end\" style=\"left:{p99:.1}%\"></i></span>",
        p95 - p50
    )
}
