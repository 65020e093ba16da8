//! The report for people: the verdict first, then what it rests on.

mod across;
pub mod afar;
mod far_end;
mod stages;
mod steady;
mod words;

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;

use mynah_sim::report::{LatencyMs, LimitResult, Quantiles, Report, TurnFigures};

pub use words::paint;
use words::short;

/// Draws the report as text of at most 100 columns.
pub fn draw(report: &Report, look: Rendering) -> String {
    let parts: [fn(&mut String, &Report, Rendering) -> std::fmt::Result; 12] = [
        head,
        verdict,
        latencies,
        speech,
        services,
        nodes,
        batches,
        deadlines,
        far_end::draw,
        across::draw,
        steady::draw,
        cost,
    ];
    let mut text = String::new();
    let drawn = parts.iter().try_for_each(|part| part(&mut text, report, look));
    debug_assert!(drawn.is_ok(), "writing to a string does not fail");
    text
}

fn head(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    writeln!(
        t,
        "{}: {} sessions x {} s, {} time, tick {}, {} shards, {} thread{}, seed {}",
        r.scene,
        r.sessions,
        r.duration_s,
        r.clock,
        r.tick,
        r.shards,
        r.threads,
        if r.threads == 1 { "" } else { "s" },
        r.seed
    )?;
    if !r.set.is_empty() {
        writeln!(t, "with {}", r.set.join(", "))?;
    }
    writeln!(t, "load: {}", r.load)?;
    if let Some(interruption) = &r.interrupted {
        writeln!(t, "{interruption}")?;
    }
    writeln!(t)
}

fn verdict(t: &mut String, r: &Report, look: Rendering) -> std::fmt::Result {
    limits(t, &r.limits, look)?;
    let balanced = r.frames.balanced;
    let word = paint(if balanced { "ok" } else { "NO" }, balanced, look);
    writeln!(t, "  {:<40} {:>12} {:>12}  {word}", "every frame accounted for", "", "")?;
    for wrong in r.frames.imbalances.iter().take(8) {
        writeln!(t, "    {wrong}")?;
    }
    let closed = r.segments.open_at_end == 0;
    let word = paint(if closed { "ok" } else { "NO" }, closed, look);
    writeln!(t, "  {:<40} {:>12} {:>12}  {word}", "segments left open", 0, r.segments.open_at_end)?;
    far_end::verdict(t, r, look)?;
    across::verdict(t, r, look)?;
    let good = r.verdict == "ok";
    let why = match r.why_invalid() {
        Some(why) => format!(" ({why})"),
        None if r.noisy => " (noisy: the load generator was late itself)".into(),
        None => String::new(),
    };
    writeln!(t, "  verdict: {}{why}\n", paint(r.verdict, good, look))
}

/// Each limit against what was measured.
fn limits(t: &mut String, limits: &[LimitResult], look: Rendering) -> std::fmt::Result {
    writeln!(t, "  {:<40} {:>12} {:>12}", "limit", "at most", "measured")?;
    for limit in limits {
        let word = match limit.value {
            Some(_) if limit.ok => "ok",
            Some(_) => "OVER",
            None => "to measure",
        };
        writeln!(t, "  {}  {}", row(limit), paint(word, limit.ok, look))?;
    }
    Ok(())
}

fn row(limit: &LimitResult) -> String {
    let name = limit.name.trim_end_matches("_ms").trim_end_matches("_min").replace('_', " ");
    let least = if limit.name.ends_with("_min") { ">= " } else { "" };
    let unit = if limit.unit == "ms" { " ms" } else { "" };
    let measured = limit.value.map_or("nothing".to_string(), |v| format!("{}{unit}", short(v)));
    format!("{name:<40} {:>12} {measured:>12}", format!("{least}{}{unit}", short(limit.limit)))
}

fn latencies(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    latency_rows(t, &r.latency_ms, &r.turns)
}

fn latency_rows(t: &mut String, l: &LatencyMs, turns: &TurnFigures) -> std::fmt::Result {
    let rows: [(&str, Option<Quantiles>); 8] = [
        ("speech end to response", l.speech_end_to_response.as_ref().map(|r| r.quantiles)),
        ("speech start to forward", l.speech_start_to_forward),
        ("silence seen to processing", l.silence_to_processing),
        ("frame in to out", l.frame_in_to_out),
        ("onset hold (pre-roll)", l.onset_hold),
        ("speech to silence (barge-in)", l.speech_to_silence),
        ("control to last consumer", l.control_to_last_consumer),
        ("cancel to quiet", l.cancel_to_quiet),
    ];
    if rows.iter().all(|(_, q)| q.is_none()) {
        return Ok(());
    }
    writeln!(
        t,
        "  {:<28} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "latency, ms", "count", "P50", "P95", "P99", "max"
    )?;
    for (name, q) in rows {
        if let Some(q) = q {
            let [p50, p95, p99, max] = [q.p50, q.p95, q.p99, q.max].map(short);
            writeln!(t, "  {name:<28} {:>8} {p50:>8} {p95:>8} {p99:>8} {max:>8}", q.count)?;
        }
    }
    stages::draw(t, &l.breakdown)?;
    if let Some(response) = &l.speech_end_to_response {
        let utterances = turns.utterances;
        writeln!(
            t,
            "  the response counts from the true end of speech; {} of {utterances} utterances got an answer while \
             they went on (premature, {:.0} %): it is not in it",
            response.excluded,
            turns.premature_ratio * 100.0
        )?;
    }
    writeln!(t)
}

fn speech(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let s = &r.segments;
    if s.opened == 0 {
        return Ok(());
    }
    let cancelled: u64 = s.cancelled.values().sum();
    writeln!(
        t,
        "  segments: {} opened, {} confirmed, {cancelled} cancelled; {} endpoints retracted, {} late cancels, \
         {:.1} s of service time wasted",
        s.opened,
        s.confirmed,
        s.retracted,
        s.late_cancelled,
        s.wasted_service_ms / 1_000.0
    )?;
    utterances(t, &r.turns, &r.latency_ms)?;
    for line in r.recognition.iter().flat_map(mynah_sim::recognition::lines) {
        writeln!(t, "  {line}")?;
    }
    interruptions(t, &r.turns)?;
    writeln!(t)
}

fn interruptions(t: &mut String, turns: &TurnFigures) -> std::fmt::Result {
    let TurnFigures { paused, resumed, interrupted, interrupted_by_noise, .. } = turns;
    if paused + interrupted == 0 {
        return Ok(());
    }
    writeln!(
        t,
        "  answers: {paused} paused because somebody spoke, {resumed} went on, {interrupted} interrupted \
         ({interrupted_by_noise} by what was no utterance)"
    )
}

/// Answered, premature and the rest are apart, here as in the JSON object.
fn utterances(t: &mut String, u: &TurnFigures, l: &LatencyMs) -> std::fmt::Result {
    let (utterances, missed) = (u.utterances, u.missed);
    let sounded = u.answered + u.premature;
    if sounded == 0 && l.speech_end_to_response.is_none() {
        return writeln!(t, "  utterances: {utterances}, missed {missed}");
    }
    let unanswered = utterances.saturating_sub(sounded);
    writeln!(
        t,
        "  utterances: {utterances}: {} answered, {} too early (premature), {unanswered} not at all ({missed} missed by the gate)",
        u.answered, u.premature
    )
}

fn services(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    if r.services.is_empty() {
        return Ok(());
    }
    let headings = ("service", "output", "first answer after", "calls", "stopped");
    writeln!(
        t,
        "  {:<10} {:<24} {:<28} {:>8} {:>8}",
        headings.0, headings.1, headings.2, headings.3, headings.4
    )?;
    for s in &r.services {
        let timing = if s.modelled { format!("{} (modelled)", s.timing) } else { "as it takes".to_string() };
        let kind = s.really_makes.map_or(s.kind.clone(), |what| format!("{} (real {what})", s.kind));
        writeln!(t, "  {:<10} {kind:<24} {timing:<28} {:>8} {:>8}", s.id, s.calls, s.cancelled)?;
    }
    writeln!(t)
}

fn nodes(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let h = ["node", "kind", "frames in", "out", "work, ms", "queue max", "dropped"];
    writeln!(
        t,
        "  {:<14} {:<12} {:>10} {:>10} {:>10} {:>12} {:>8}",
        h[0], h[1], h[2], h[3], h[4], h[5], h[6]
    )?;
    for n in &r.nodes {
        let depth = format!("{} of {}", n.queue.depth_max, n.queue.bound);
        let (id, kind, work) = (&n.id, n.kind, n.work_us / 1_000);
        writeln!(
            t,
            "  {id:<14} {kind:<12} {:>10} {:>10} {work:>10} {depth:>12} {:>8}",
            n.taken_in, n.out, n.queue.dropped
        )?;
    }
    writeln!(t)
}

fn batches(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let batched: Vec<_> = r.nodes.iter().filter_map(|n| Some((n, n.batch.as_ref()?))).collect();
    for (n, b) in &batched {
        let reasons: Vec<String> =
            b.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        writeln!(
            t,
            "  {}: {} batches of {:.1} (at most {}; {}), {} merged; {:.1} items/s in, {:.1}/s done",
            n.id,
            b.count,
            b.size_mean,
            b.size_max,
            reasons.join(", "),
            b.merged,
            b.offered_per_s,
            b.items_per_s
        )?;
        if let Some(c) = b.capacity_per_s {
            writeln!(
                t,
                "    capacity {:.1}/s one by one, {:.1}/s in batches of {:.1}: x{:.2} ({})",
                c.one_by_one, c.batched, b.size_mean, c.gain, c.curve
            )?;
        }
        if let (Some(first), Some(wait)) = (n.latency_ms, b.wait_ms) {
            writeln!(
                t,
                "    first sound after {} ms P50, {} P95, {} P99; {} of it waiting for the service (P95); queue P99 {}",
                short(first.p50),
                short(first.p95),
                short(first.p99),
                short(wait.p95),
                n.queue.depth_p99
            )?;
        }
    }
    if batched.is_empty() { Ok(()) } else { writeln!(t) }
}

fn deadlines(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let timed = r.nodes.iter().filter(|n| n.deadlines_near + n.deadlines_missed > 0);
    let mut any = false;
    for n in timed {
        any = true;
        writeln!(
            t,
            "  deadlines at {}: {} came near, {} missed",
            n.id, n.deadlines_near, n.deadlines_missed
        )?;
    }
    if any { writeln!(t) } else { Ok(()) }
}

fn cost(t: &mut String, r: &Report, _: Rendering) -> std::fmt::Result {
    let c = &r.cost;
    let allocations =
        c.allocations_per_tick.map_or(String::new(), |n| format!(", {} allocations per tick", short(n)));
    writeln!(
        t,
        "  cost: {:.2} CPU s (callers apart: {:.2}), {:.0} session-seconds per CPU-second{allocations}",
        c.cpu_s, r.generator.cpu_s, c.session_s_per_cpu_s
    )?;
    writeln!(t, "  event hash {} ({})", r.event_hash, r.cpu_features.join(", "))
}
