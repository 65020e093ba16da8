//! The head of the page: the verdict in one word, and everything that the run depends on.

use super::shown::Shown;
use crate::picture::figure::grouped;
use crate::picture::plot::{escaped, facts};
use crate::picture::svg::{Escaped, push};
use mynah_sim::report::{Report, ServiceFiguresReport};

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let (report, scene) = (shown.report, &shown.witness.plan.scene);
    push(
        text,
        format_args!(
            "<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
            Escaped(&report.scene),
            Escaped(&scene.description)
        ),
    );
    let missed = report.limits.iter().filter(|limit| !limit.ok).count();
    let (sign, why) = match report.verdict {
        "ok" => ("✓", "all limits hold and every frame is accounted for".to_string()),
        "over" => ("✕", missed_text(report, missed)),
        _ => ("!", report.why_invalid().unwrap_or_default()),
    };
    let noisy = if report.noisy && report.verdict != "invalid" {
        "; noisy: the load generator was late itself"
    } else {
        ""
    };
    push(
        text,
        format_args!(
            "<div class=\"verdict\"><b class=\"{0}\">{sign} {0}</b><span>{why}{noisy}</span></div>\n",
            Escaped(report.verdict)
        ),
    );
    text.push_str(&facts(run_facts(report)));
    text.push_str("<dl class=\"facts\">\n");
    for (name, markup) in wide(report) {
        push(text, format_args!("<div class=\"wide\"><dt>{name}</dt><dd>{markup}</dd></div>\n"));
    }
    if let Some(interruption) = &report.interrupted {
        push(text, format_args!("<div class=\"wide\"><dt>{interruption}</dt><dd></dd></div>\n"));
    }
    text.push_str("</dl>\n</header>\n<main>\n");
}

fn missed_text(report: &Report, missed: usize) -> String {
    let mut parts = Vec::new();
    if missed > 0 {
        parts.push(format!("{missed} of {} limits missed", report.limits.len()));
    }
    if !report.frames.balanced {
        parts.push("frames are not accounted for".into());
    }
    if report.segments.open_at_end > 0 {
        parts.push("segments were left open".into());
    }
    if report.remote.as_ref().is_some_and(|remote| !remote.broken.is_empty()) {
        parts.push("the far end broke its promises".into());
    }
    parts.join("; ")
}

/// What the run depends on, with the meaning of what only this program calls so.
fn run_facts(report: &Report) -> Vec<(&'static str, String, &'static str)> {
    let clock = match report.clock {
        "virtual" => "as fast as it can be computed",
        _ => "as fast as people speak",
    };
    vec![
        ("callers", grouped(f64::from(report.sessions)), ""),
        ("each sends", format!("{} s", report.duration_s), ""),
        ("clock", escaped(format_args!("{} time", report.clock)), clock),
        ("tick", escaped(&report.tick), "the step in which everything is computed"),
        ("seed", report.seed.to_string(), "of everything that is random"),
        ("shards", report.shards.to_string(), "groups of callers, computed side by side"),
        ("mynah", escaped(report.version), ""),
        ("processor features", escaped(report.cpu_features.join(", ")), "that the kernels use"),
        ("scene hash", escaped(&report.scene_hash), "equal: the same scene and --set"),
        ("event hash", escaped(&report.event_hash), "equal: the same happened, sample by sample"),
    ]
}

/// Facts that need a line of their own.
fn wide(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = vec![("callers' audio, simulated", escaped(&report.load))];
    if !report.set.is_empty() {
        facts.push(("changed by --set", escaped(report.set.join(", "))));
    }
    let services = |real: bool| {
        let far = report.remote.iter().flat_map(|remote| &remote.services);
        let all = report.services.iter().chain(far);
        let of = all.filter(|s| s.really_makes.is_some() == real).map(service);
        of.collect::<Vec<_>>().join("; ")
    };
    for (name, list) in [("services, simulated", services(false)), ("services, real", services(true))] {
        if !list.is_empty() {
            facts.push((name, list));
        }
    }
    if let Some(remote) = &report.remote {
        let link = &remote.link;
        facts.push((
            "link, simulated",
            format!(
                "to scene {}: {} ms and up to {} ms more; {} % lost, {} % twice, {} % held back",
                Escaped(&remote.scene),
                link.delay_ms,
                link.jitter_ms,
                link.loss * 100.0,
                link.duplicate * 100.0,
                link.reorder * 100.0
            ),
        ));
    }
    facts
}

fn service(service: &ServiceFiguresReport) -> String {
    let timing = if service.modelled {
        format!("timing modelled: {}", service.timing)
    } else {
        "takes the time it takes".to_string()
    };
    escaped(format_args!("{} ({}; {timing})", service.id, service.kind))
}
