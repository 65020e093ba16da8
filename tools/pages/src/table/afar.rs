//! The report of callers at the other end of sockets, for people.

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;

use super::words::{paint, short};
use super::{interruptions, latency_rows, limits, utterances};
use mynah_sim::report::afar::AfarReport;

/// Draws the report as text of at most 100 columns.
#[must_use]
pub fn draw(report: &AfarReport, look: Rendering) -> String {
    let mut text = String::new();
    let drawn = [head, verdict, speech, traffic].iter().try_for_each(|part| part(&mut text, report, look));
    debug_assert!(drawn.is_ok(), "writing to a string does not fail");
    text
}

fn head(t: &mut String, r: &AfarReport, _: Rendering) -> std::fmt::Result {
    let AfarReport { scene, sessions, duration_s, to, seed, .. } = r;
    writeln!(t, "{scene}: {sessions} callers x {duration_s} s to {to}, wall time, seed {seed}")?;
    if !r.set.is_empty() {
        writeln!(t, "with {}", r.set.join(", "))?;
    }
    writeln!(t, "load: {}", r.load)?;
    if let Some(interruption) = &r.interrupted {
        writeln!(t, "{interruption}")?;
    }
    writeln!(t)
}

fn verdict(t: &mut String, r: &AfarReport, look: Rendering) -> std::fmt::Result {
    limits(t, &r.limits, look)?;
    for name in &r.not_judged {
        let name = name.trim_end_matches("_ms").replace('_', " ");
        writeln!(t, "  {name:<40} {:>12} {:>12}  the server knows", "", "")?;
    }
    let faults = r.faults();
    let word = paint(if faults.is_empty() { "ok" } else { "NO" }, faults.is_empty(), look);
    let callers = format!("{} of {}", r.callers.ended, r.sessions);
    writeln!(t, "  {:<40} {:>12} {callers:>12}  {word}", "callers served to their end", "")?;
    for fault in &faults {
        writeln!(t, "    {fault}")?;
    }
    let open = r.segments.open_at_end;
    let word = paint(if open == 0 { "ok" } else { "NO" }, open == 0, look);
    writeln!(t, "  {:<40} {:>12} {open:>12}  {word}", "segments left open", 0)?;
    let why = match r.why_invalid() {
        Some(why) => format!(" ({why})"),
        None if r.noisy => " (noisy: the load generator was late itself)".into(),
        None => String::new(),
    };
    writeln!(t, "  verdict: {}{why}\n", paint(r.verdict, r.verdict == "ok", look))
}

fn speech(t: &mut String, r: &AfarReport, _: Rendering) -> std::fmt::Result {
    latency_rows(t, &r.latency_ms, &r.turns)?;
    let s = &r.segments;
    if s.opened == 0 {
        return Ok(());
    }
    let cancelled: u64 = s.cancelled.values().sum();
    writeln!(
        t,
        "  segments: {} opened, {} confirmed, {cancelled} cancelled; {} endpoints retracted, {} late cancels",
        s.opened, s.confirmed, s.retracted, s.late_cancelled
    )?;
    utterances(t, &r.turns, &r.latency_ms)?;
    for line in r.recognition.iter().flat_map(mynah_sim::recognition::lines) {
        writeln!(t, "  {line}")?;
    }
    interruptions(t, &r.turns)?;
    writeln!(t)
}

fn traffic(t: &mut String, r: &AfarReport, _: Rendering) -> std::fmt::Result {
    let (m, f) = (&r.messages, &r.frames);
    writeln!(
        t,
        "  audio: {} chunks sent, {} pieces received; messages: {} received, {} sent, {} acknowledged, {} failed",
        f.taken_in, f.out, m.received, m.sent, m.acked, m.failed
    )?;
    let failures: Vec<String> =
        r.callers.failures.iter().map(|(service, count)| format!("{count} of {service}")).collect();
    if !failures.is_empty() {
        writeln!(t, "  failed calls of services: {}", failures.join(", "))?;
    }
    if let Some(drift) = &r.steadiness {
        writeln!(
            t,
            "  response P99: {} ms at the beginning, {} ms at the end",
            short(drift.response_p99_first_ms),
            short(drift.response_p99_last_ms)
        )?;
    }
    let late = r.generator.late_ms.map_or(0.0, |late| late.p99);
    writeln!(t, "  callers: {:.2} CPU s, {} ms late (P99)", r.generator.cpu_s, short(late))
}
