//! The part of the table about a long run: whether its end was as good as its beginning.

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;

use mynah_sim::report::Report;

pub(super) fn draw(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let Some(s) = &r.steadiness else { return Ok(()) };
    let mb = |bytes: i64| bytes as f64 / 1e6;
    writeln!(
        t,
        "  steady: live memory {:.2} MB, then {:.2} MB: {:+.0} bytes a minute (Theil-Sen over {} minutes)",
        mb(s.live_bytes_first),
        mb(s.live_bytes_last),
        s.live_bytes_per_min,
        s.looks
    )?;
    write!(
        t,
        "    entities {}, then {}; blocks {}, then {}",
        s.entities_first, s.entities_last, s.blocks_first, s.blocks_last
    )?;
    if let (Some(first), Some(last)) = (s.response_p99_first_ms, s.response_p99_last_ms) {
        let drift = s.response_p99_drift_ratio.unwrap_or(0.0) * 100.0;
        write!(t, "; response P99 {first:.0} ms, then {last:.0} ms ({drift:+.1} %)")?;
    }
    writeln!(t, "\n")
}
