//! The part of the table about the engine behind a link.

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;

use super::words::{paint, short};
use mynah_sim::report::Report;

/// Broken promises shown one by one.
const SHOWN_MAX: usize = 8;

/// Whether everything held at the far end.
pub(super) fn verdict(t: &mut String, r: &Report, look: Rendering) -> std::fmt::Result {
    let Some(remote) = &r.remote else { return Ok(()) };
    let good = remote.broken.is_empty();
    let word = paint(if good { "ok" } else { "NO" }, good, look);
    writeln!(t, "  {:<40} {:>12} {:>12}  {word}", "corrections hold at the far end", 0, remote.broken.len())?;
    for wrong in remote.broken.iter().take(SHOWN_MAX) {
        writeln!(t, "    {wrong}")?;
    }
    Ok(())
}

/// What went over the link and what came of it.
pub(super) fn draw(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let Some(remote) = &r.remote else { return Ok(()) };
    let (m, c, l) = (&remote.messages, &remote.cancels, &remote.link);
    writeln!(
        t,
        "  far end: {} behind a simulated link ({} ms + up to {} ms; {:.0} % lost, {:.0} % twice, {:.0} % held back)",
        remote.scene,
        l.delay_ms,
        l.jitter_ms,
        l.loss * 100.0,
        l.duplicate * 100.0,
        l.reorder * 100.0
    )?;
    writeln!(
        t,
        "  messages: {} sent, {} delivered, {} applied, {} not known to have arrived; {} resent, {} repeats ignored",
        m.sent, m.delivered, m.applied, m.failed, m.retried, m.repeated
    )?;
    writeln!(
        t,
        "  cancels: {} sent, {} delivered, {} unknown, at most {} effect each; {} cancelled and {} void released",
        c.sent, c.delivered, c.failed, c.effects_max, remote.cancelled_released, remote.void_released
    )?;
    let s = &remote.segments;
    let cancelled: u64 = s.cancelled.values().sum();
    writeln!(
        t,
        "  segments there: {} opened, {} confirmed, {cancelled} cancelled ({} without a verdict in time), {} retracted",
        s.opened, s.confirmed, remote.no_verdict, s.retracted
    )?;
    if let Some(q) = remote.control_in_process_ms {
        writeln!(
            t,
            "  control within the first engine's tick: {} ms P50, {} P95, {} P99 of {}",
            short(q.p50),
            short(q.p95),
            short(q.p99),
            q.count
        )?;
    }
    if let Some(response) = &remote.latency_ms.speech_end_to_response {
        let q = response.quantiles;
        writeln!(
            t,
            "  speech end to response there: {} ms P50, {} P95, {} P99 of {}; {} answered, {} premature",
            short(q.p50),
            short(q.p95),
            short(q.p99),
            q.count,
            remote.turns.answered,
            remote.turns.premature
        )?;
    }
    writeln!(t)
}
