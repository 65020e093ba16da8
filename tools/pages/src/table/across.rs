//! The part of the table about a server elsewhere that the scene's output goes to.

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;

use super::words::{paint, short};
use mynah_sim::report::Report;

/// Broken promises shown one by one.
const SHOWN_MAX: usize = 8;

/// Whether everything that was said arrived.
pub(super) fn verdict(t: &mut String, r: &Report, look: Rendering) -> std::fmt::Result {
    let Some(across) = &r.across else { return Ok(()) };
    let good = across.broken.is_empty();
    let word = paint(if good { "ok" } else { "NO" }, good, look);
    writeln!(t, "  {:<40} {:>12} {:>12}  {word}", "corrections hold at the server", 0, across.broken.len())?;
    for wrong in across.broken.iter().take(SHOWN_MAX) {
        writeln!(t, "    {wrong}")?;
    }
    Ok(())
}

/// What went to the server, and what came back.
pub(super) fn draw(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let Some(a) = &r.across else { return Ok(()) };
    writeln!(
        t,
        "  server: {} at {} over gRPC, {} sessions, {} of them lost",
        a.scene, a.address, a.sessions, a.lost
    )?;
    writeln!(
        t,
        "  messages: {} sent ({} take something back), {} delivered, {} applied, {} not known to have arrived; {} resent",
        a.sent, a.takes_back, a.delivered, a.applied, a.failed, a.retried
    )?;
    for (what, quantiles) in [("delivered", a.to_delivered_ms), ("applied", a.to_applied_ms)] {
        if let Some(q) = quantiles {
            writeln!(
                t,
                "  from the tick to {what} and back: {} ms P50, {} P95, {} P99 of {}",
                short(q.p50),
                short(q.p95),
                short(q.p99),
                q.count
            )?;
        }
    }
    writeln!(
        t,
        "  sound: {} s sent, {} s not taken, {} s of answers heard; {} events told\n",
        short(a.sound_sent_s),
        short(a.sound_unsent_s),
        short(a.sound_heard_s),
        a.events
    )
}
