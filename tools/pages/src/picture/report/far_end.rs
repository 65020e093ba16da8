//! The section about the engine behind a simulated link: messages sent, and their effect.

use super::shown::{Shown, quantile_cells, section};
use crate::picture::figure::Figure;
use crate::picture::plot::{escaped, facts, table};
use crate::picture::svg::{Escaped, push};

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let Some(remote) = &shown.report.remote else { return };
    section(
        text,
        "far-end",
        "Far end",
        &format!(
            "Scene {} behind the simulated link follows what the gate decides here.",
            escaped(&remote.scene)
        ),
    );
    let count = |place: &str, value: u64| Figure::count(&format!("remote.{place}"), value).to_string();
    let (messages, segments) = (&remote.messages, &remote.segments);
    let all = [
        ("messages sent", count("messages.sent", messages.sent), ""),
        ("delivered", count("messages.delivered", messages.delivered), ""),
        ("applied", count("messages.applied", messages.applied), ""),
        ("not known to have arrived", count("messages.failed", messages.failed), ""),
        ("resent", count("messages.retried", messages.retried), ""),
        ("repeats ignored", count("messages.repeated", messages.repeated), ""),
        ("segments opened", count("segments.opened", segments.opened), ""),
        ("confirmed", count("segments.confirmed", segments.confirmed), ""),
        ("no verdict in time", count("no_verdict", remote.no_verdict), ""),
        ("cancelled, yet released", count("cancelled_released", remote.cancelled_released), ""),
        ("void, yet released", count("void_released", remote.void_released), ""),
        ("answered", count("turns.answered", remote.turns.answered), "utterances, after they had ended"),
        (
            "premature",
            count("turns.premature", remote.turns.premature),
            "utterances, while they still went on",
        ),
    ];
    text.push_str(&facts(all));
    for wrong in remote.broken.iter().take(8) {
        push(text, format_args!("<p class=\"over\">{}</p>\n", Escaped(wrong)));
    }
    let latency = &remote.latency_ms;
    let rows = [
        (
            "speech end to response",
            "speech_end_to_response",
            latency.speech_end_to_response.as_ref().map(|r| r.quantiles),
        ),
        ("silence told to processing", "silence_to_processing", latency.silence_to_processing),
        ("frame in to out", "frame_in_to_out", latency.frame_in_to_out),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter_map(|(name, place, q)| {
            let mut cells = vec![name.to_string()];
            cells.extend(quantile_cells(&format!("remote.latency_ms.{place}"), &q?));
            Some(cells)
        })
        .collect();
    if !rows.is_empty() {
        text.push_str("<figure>\n");
        text.push_str(&table(&["there", "count", "P50", "P95", "P99", "P99.9", "max"], 1, rows));
        text.push_str("</figure>\n");
    }
    text.push_str("</section>\n");
}
