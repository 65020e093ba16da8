//! The report of a faulted run: one object for programs, and the same for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mynah_engine::scene::Rendering;
use serde::Serialize;

use super::plan::Drawn;
use super::run::{Outcome, Setting};
use super::spec::Shape;
use mynah_sim::report::Interruption;

/// One site as it was in this run.
#[derive(Clone, Debug, Serialize)]
pub struct SiteReport {
    /// Name of the site.
    pub site: &'static str,
    /// What it acts on.
    pub group: &'static str,
    /// Share or chance; absent where it acts on everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Amount; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// Unit of the amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// How delays were distributed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// How often it struck.
    pub struck: u64,
}

/// Frames of the first engine, and what became of the pushes.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the ordinary report")]
pub struct ChaosFrames {
    #[serde(rename = "in")]
    pub taken_in: u64,
    pub out: u64,
    pub refused_full: u64,
    pub refused_bad: u64,
    pub refused_late: u64,
    pub dropped: BTreeMap<&'static str, u64>,
}

/// Segments of the first engine.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the ordinary report")]
pub struct ChaosSegments {
    pub opened: u64,
    pub confirmed: u64,
    pub cancelled: BTreeMap<&'static str, u64>,
    pub ended: u64,
    pub open_at_end: u64,
    pub retracted: u64,
}

/// What a faulted run showed.
#[derive(Clone, Debug, Serialize)]
pub struct ChaosReport {
    /// 1.
    pub schema: u32,
    /// Version of mynah.
    pub version: &'static str,
    /// Name of the scene.
    pub scene: String,
    /// Of its text with overrides.
    pub scene_hash: String,
    /// Overrides, those of the faults last.
    pub set: Vec<String>,
    /// Preset or file of the faults.
    pub faults: String,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Callers at once.
    pub sessions: u32,
    /// Media time of the run, seconds.
    pub duration_s: f64,
    /// Absent: the run came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<Interruption>,
    /// When everything was well again.
    pub heal_s: f64,
    /// The sites that were on.
    pub sites: Vec<SiteReport>,
    /// Sessions opened.
    pub sessions_opened: u64,
    /// Sessions closed.
    pub sessions_closed: u64,
    /// Openings refused, as they had to be.
    pub openings_refused: u64,
    /// Frames.
    pub frames: ChaosFrames,
    /// Segments.
    pub segments: ChaosSegments,
    /// Calls that services failed.
    pub service_failures: u64,
    /// Control messages of hosts that the engine took.
    pub controls_taken: u64,
    /// Lines that hosts had said, and texts that they sent in the caller's name: opened, and dropped.
    pub lines_opened: u64,
    /// See `lines_opened`.
    pub lines_dropped: u64,
    /// Links to the scene behind that were given up: too many control messages at once were unacknowledged there.
    pub links_overflowed: u64,
    /// Ticks in all.
    pub ticks: u64,
    /// Ticks from the end of the input until nothing was left; `null`: something was.
    pub drained_after_ticks: Option<u64>,
    /// What that may be at most.
    pub drain_ticks_max: u64,
    /// CPU time of the process meanwhile, seconds.
    pub cpu_s: f64,
    /// Equal for equal runs, whatever the threads and shards.
    pub event_hash: String,
    /// What does not hold.
    pub violations: Vec<String>,
    /// `ok`, or `over` if something does not hold.
    pub verdict: &'static str,
    /// The line that runs it again.
    pub replay: String,
}

impl ChaosReport {
    /// What came of `setting`.
    pub(super) fn new(
        setting: &Setting,
        faults: &str,
        set: Vec<String>,
        replay: String,
        outcome: Outcome,
    ) -> Self {
        let Outcome { totals, seen, tally, .. } = outcome;
        let on = setting.faults.sites().iter().filter(|drawn| drawn.on);
        let mut report = Self {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            scene: setting.plan.scene.name.clone(),
            scene_hash: format!("{:016x}", setting.plan.hash),
            set,
            faults: faults.into(),
            seed: setting.faults.seed,
            sessions: setting.sessions,
            duration_s: setting.duration_us as f64 / 1e6,
            interrupted: outcome.cut_us.map(|cut_us| Interruption::of(cut_us, setting.duration_us)),
            heal_s: setting.faults.heal_us as f64 / 1e6,
            sites: on.map(|drawn| site(drawn, tally.of(drawn.site))).collect(),
            sessions_opened: totals.opened,
            sessions_closed: totals.closed,
            openings_refused: totals.refused,
            frames: ChaosFrames {
                taken_in: outcome.frames.0,
                out: outcome.frames.1,
                refused_full: totals.pushed.full,
                refused_bad: totals.pushed.bad,
                refused_late: totals.pushed.late,
                dropped: seen.dropped.clone(),
            },
            segments: ChaosSegments {
                opened: seen.opened,
                confirmed: seen.confirmed,
                cancelled: seen.cancelled.clone(),
                ended: seen.ended,
                open_at_end: seen.open(),
                retracted: seen.retracted,
            },
            service_failures: seen.failed,
            controls_taken: totals.controls.0,
            lines_opened: seen.lines.0,
            lines_dropped: seen.lines.1,
            links_overflowed: totals.links_overflowed,
            ticks: outcome.ticks,
            drained_after_ticks: outcome.drained_after_ticks,
            drain_ticks_max: setting.drain_ticks_max,
            cpu_s: outcome.cpu_s,
            event_hash: outcome.event_hash,
            violations: Vec::new(),
            verdict: "ok",
            replay,
        };
        report.blame(outcome.violations);
        report
    }

    /// Adds what somebody who watched has found.
    pub fn blame(&mut self, violations: impl IntoIterator<Item = String>) {
        self.violations.extend(violations);
        if !self.violations.is_empty() {
            self.verdict = "over";
        }
    }
}

fn site(drawn: &Drawn, struck: u64) -> SiteReport {
    let row = drawn.site.row();
    SiteReport {
        site: row.name,
        group: row.group.name(),
        ratio: row.ratio.map(|_| drawn.ratio),
        amount: row.amount.map(|_| drawn.amount),
        unit: row.amount.map(|amount| amount.unit.name()),
        shape: drawn.shape,
        struck,
    }
}

/// Most violations that are shown to people.
const SHOWN_MAX: usize = 20;

/// Draws the report as text of at most 100 columns.
pub fn draw(report: &ChaosReport, look: Rendering) -> String {
    let mut text = String::new();
    let drawn = [head, sites, figures].iter().try_for_each(|part| part(&mut text, report));
    let drawn = drawn.and_then(|()| verdict(&mut text, report, look));
    debug_assert!(drawn.is_ok(), "writing to a string does not fail");
    text
}

fn head(t: &mut String, r: &ChaosReport) -> std::fmt::Result {
    writeln!(
        t,
        "{}: {} sessions x {} s, virtual time, seed {}, faults {} until {:.1} s",
        r.scene, r.sessions, r.duration_s, r.seed, r.faults, r.heal_s
    )?;
    if !r.set.is_empty() {
        writeln!(t, "with {}", r.set.join(", "))?;
    }
    if let Some(interruption) = &r.interrupted {
        writeln!(t, "{interruption}")?;
    }
    writeln!(t)
}

fn sites(t: &mut String, r: &ChaosReport) -> std::fmt::Result {
    if r.sites.is_empty() {
        return writeln!(t, "  no faults\n");
    }
    writeln!(t, "  {:<18} {:<9} {:>8} {:>22} {:>8}", "fault", "of", "share", "amount", "struck")?;
    for site in &r.sites {
        let ratio = site.ratio.map_or(String::new(), |ratio| format!("{:.2} %", ratio * 100.0));
        let shape = site.shape.map_or(String::new(), |shape| format!(" {shape:?}").to_lowercase());
        let amount = match (site.amount, site.unit) {
            (Some(amount), Some(unit)) => format!("{amount:.0} {unit}{shape}"),
            _ => String::new(),
        };
        writeln!(t, "  {:<18} {:<9} {ratio:>8} {amount:>22} {:>8}", site.site, site.group, site.struck)?;
    }
    writeln!(t)
}

fn figures(t: &mut String, r: &ChaosReport) -> std::fmt::Result {
    let list = |counts: &BTreeMap<&str, u64>| {
        let parts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        if parts.is_empty() { "none".to_string() } else { parts.join(", ") }
    };
    let (f, s) = (&r.frames, &r.segments);
    writeln!(
        t,
        "  sessions: {} opened, {} closed, {} openings refused",
        r.sessions_opened, r.sessions_closed, r.openings_refused
    )?;
    writeln!(
        t,
        "  frames: {} in, {} out; pushes refused: {} full, {} bad, {} after the end; dropped: {}",
        f.taken_in,
        f.out,
        f.refused_full,
        f.refused_bad,
        f.refused_late,
        list(&f.dropped)
    )?;
    writeln!(
        t,
        "  segments: {} opened, {} confirmed, {} ended, {} retracted; cancelled: {}",
        s.opened,
        s.confirmed,
        s.ended,
        s.retracted,
        list(&s.cancelled)
    )?;
    let (failed, controls) = (r.service_failures, r.controls_taken);
    writeln!(t, "  services failed {failed} calls; hosts sent {controls} control messages")?;
    if r.lines_opened + r.lines_dropped > 0 {
        writeln!(t, "  lines: {} opened, {} dropped", r.lines_opened, r.lines_dropped)?;
    }
    if r.links_overflowed > 0 {
        writeln!(t, "  control_overflow: {} links given up, and their sessions closed", r.links_overflowed)?;
    }
    match r.drained_after_ticks {
        Some(ticks) => {
            writeln!(t, "  drained {ticks} ticks after the end of the input (at most {})", r.drain_ticks_max)?
        }
        None if r.interrupted.is_some() => writeln!(t, "  interrupted before it could drain")?,
        None => writeln!(t, "  NOT drained {} ticks after the end of the input", r.drain_ticks_max)?,
    }
    writeln!(t, "  {} ticks, {:.2} CPU s; event hash {}", r.ticks, r.cpu_s, r.event_hash)
}

fn verdict(t: &mut String, r: &ChaosReport, look: Rendering) -> std::fmt::Result {
    for wrong in r.violations.iter().take(SHOWN_MAX) {
        writeln!(t, "    {wrong}")?;
    }
    if r.violations.len() > SHOWN_MAX {
        writeln!(t, "    and {} more", r.violations.len() - SHOWN_MAX)?;
    }
    let ok = r.verdict == "ok";
    writeln!(t, "  verdict: {}", mynah_pages::table::paint(r.verdict, ok, look))?;
    if ok { Ok(()) } else { writeln!(t, "  again: {}", r.replay) }
}
