//! The claims: the figure measured here, its baseline, and the command that shows it alone.

use serde::Serialize;

use super::callers::{Work, metrics_on_against_off};
use super::kernels::{VadBatch, codec_ns, p95, resampler_ages_ms};
use super::machine::Machine;
use super::median::median;
use crate::progress::Progress;
use mynah_files::failure::Failure;
use mynah_sim::report::Report;
use mynah_systems::dsp::resampler::{Mode, Quality};
use mynah_systems::vad::VadKind;

/// Which way a figure is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Latency, cost.
    Lower,
    /// Higher is better: a throughput.
    Higher,
}

/// One claim with its figures.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// For programs; never changes its meaning.
    pub name: String,
    /// The claim in words.
    pub claim: String,
    /// Of both figures.
    pub unit: &'static str,
    /// Which way is good.
    pub better: Better,
    /// The figure measured here.
    pub ours: f64,
    /// What it is compared with; absent: that is another program, which is not run from here.
    pub baseline: Option<f64>,
    /// What that is.
    pub against: String,
    /// How many times better ours is than the baseline: above 1 is good.
    pub ratio: Option<f64>,
    /// Shows it alone.
    pub command: String,
}

impl Claim {
    fn new(name: impl Into<String>, claim: impl Into<String>, unit: &'static str, better: Better) -> Self {
        Self {
            name: name.into(),
            claim: claim.into(),
            unit,
            better,
            ours: 0.0,
            baseline: None,
            against: String::new(),
            ratio: None,
            command: String::new(),
        }
    }

    fn figures(mut self, ours: f64, baseline: Option<f64>, against: impl Into<String>) -> Self {
        (self.ours, self.baseline, self.against) = (ours, baseline, against.into());
        self.ratio =
            baseline.filter(|baseline| *baseline > 0.0 && ours > 0.0).map(|baseline| match self.better {
                Better::Lower => baseline / ours,
                Better::Higher => ours / baseline,
            });
        self
    }

    fn shown_by(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }
}

/// All claims, and what they were measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Claims {
    schema: u32,
    version: &'static str,
    /// Tiny workloads: no figure is worth keeping.
    quick: bool,
    /// Every figure of processor time is the median of so many turns.
    turns: usize,
    /// What they were measured on.
    pub machine: Machine,
    /// In the order of the table.
    pub claims: Vec<Claim>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Extent {
    quick: bool,
    turns: usize,
    round_us: u64,
    rounds: usize,
}

impl Extent {
    fn new(quick: bool) -> Self {
        if quick {
            Self { quick, turns: 1, round_us: 0, rounds: 1 }
        } else {
            Self { quick, turns: 3, round_us: 2_000, rounds: 15 }
        }
    }

    fn work(&self, scene: &'static str, sessions: u32, seconds: u32, set: &'static str) -> Work {
        let (sessions, seconds) =
            if self.quick { (sessions.min(8), seconds.min(12)) } else { (sessions, seconds) };
        Work { scene, set, sessions, seconds }
    }
}

const BATCHES: [usize; 5] = [1, 8, 16, 32, 128];
const FLAT_OUT: usize = 7;

/// What is measured in turns.
#[derive(Default)]
struct Turn {
    vad_us: [f64; BATCHES.len()],
    flat_out: [f64; FLAT_OUT],
    codec_ns: [f64; 2],
}

/// Measures all of them: about a minute, `quick`: some seconds.
///
/// # Errors
/// A scene that cannot be run.
pub fn measure(quick: bool) -> Result<Claims, Failure> {
    let (extent, machine) = (Extent::new(quick), Machine::look());
    let works = flat_out(&extent);
    let mut progress = Progress::new();
    let mut turns = Vec::new();
    let mut batches = BATCHES.map(|lanes| VadBatch::new(VadKind::Silero, lanes));
    let steps = (works.len() + 1) * extent.turns + 3;
    let mut step = 0;
    let mut next = || {
        progress.at("measuring", step, steps as u64);
        step += 1;
    };
    for _ in 0..extent.turns {
        next();
        let mut turn = Turn::default();
        for (us, batch) in turn.vad_us.iter_mut().zip(&mut batches) {
            *us = batch.us_per_lane(extent.rounds, extent.round_us);
        }
        turn.codec_ns = codec_ns(extent.rounds, extent.round_us);
        for (session_s, work) in turn.flat_out.iter_mut().zip(&works) {
            next();
            *session_s = work.run()?.cost.session_s_per_cpu_s;
        }
        turns.push(turn);
    }
    let mut claims = vad_claims(&turns);
    claims.extend(flat_out_claims(&works, &turns));
    next();
    claims.extend(speculation(&extent)?);
    next();
    claims.extend(batching(&extent)?);
    next();
    claims.push(metrics(&extent)?);
    claims.push(resampling(&extent));
    claims.extend(codec_claims(&turns));
    progress.clear();
    Ok(Claims { schema: 1, version: env!("CARGO_PKG_VERSION"), quick, turns: extent.turns, machine, claims })
}

fn over(turns: &[Turn], of: impl Fn(&Turn) -> f64) -> f64 {
    median(turns.iter().map(of).collect())
}

fn vad_claims(turns: &[Turn]) -> Vec<Claim> {
    let us: Vec<f64> = (0..BATCHES.len()).map(|at| over(turns, |turn| turn.vad_us[at])).collect();
    let claim = |(at, lanes): (usize, &usize)| {
        let claim = format!("Silero VAD, a session's 32 ms, {lanes} at once");
        let claim = Claim::new(format!("vad_batch_{lanes}"), claim, "us", Better::Lower);
        let claim = claim.shown_by("cargo bench --bench vad_batch");
        match at {
            0 => claim.figures(us[at], None, "LiveKit Agents 1.8.9, native kernel: baseline not installed"),
            _ => claim.figures(us[at], Some(us[0]), "one session alone"),
        }
    };
    BATCHES.iter().enumerate().map(claim).collect()
}

/// Names and works of the rows in session-seconds per CPU-second.
fn flat_out(extent: &Extent) -> [Work; FLAT_OUT] {
    [
        extent.work("passthrough", 8, 120, ""),
        extent.work("passthrough", 500, 8, ""),
        extent.work("streaming_resample", 100, 8, ""),
        extent.work("gate_only", 100, 10, ""),
        extent.work("gate_only", 100, 10, "session.input.chunk_ms=10"),
        extent.work("gate_only", 1_000, 2, ""),
        extent.work("speculative_vad", 100, 8, "session.input.rate_hz=48000"),
    ]
}

fn flat_out_claims(works: &[Work; FLAT_OUT], turns: &[Turn]) -> Vec<Claim> {
    let of = |at: usize| over(turns, |turn| turn.flat_out[at]);
    let peer = |name: &str| format!("{name}: baseline not installed");
    let rows: [(&str, &str, Option<f64>, String); FLAT_OUT] = [
        ("passthrough_8", "three nodes, no VAD, 8 sessions", None, peer("GStreamer 1.22, no VAD")),
        ("passthrough_500", "three nodes, no VAD, 500 sessions", Some(of(0)), "8 sessions".into()),
        ("resample_100", "48 to 16 kHz, no VAD, 100 sessions", None, peer("GStreamer 1.22, audioresample")),
        ("gate_100", "Silero gate, 20 ms frames, 100 sessions", None, peer("Pipecat 1.14 with Silero")),
        ("gate_10_ms", "Silero gate, 10 ms frames, 100 sessions", Some(of(3)), "20 ms frames".into()),
        ("gate_1000", "Silero gate, 1000 sessions", Some(of(3)), "100 sessions".into()),
        ("gate_48_khz", "48 to 16 kHz, Silero gate, 100 sessions", Some(of(3)), "no resampling".into()),
    ];
    let claim = |(at, (name, claim, baseline, against)): (usize, (&str, &str, Option<f64>, String))| {
        let claim = Claim::new(name, format!("flat out: {claim}"), "session-s/CPU-s", Better::Higher);
        claim.figures(of(at), baseline, against).shown_by(works[at].command())
    };
    rows.into_iter().enumerate().map(claim).collect()
}

/// The same callers, with what is claimed and without it.
fn with_and_without(on: Work, off: Work) -> Result<[Report; 2], Failure> {
    Ok([on.run()?, off.run()?])
}

fn speculation(extent: &Extent) -> Result<Option<Claim>, Failure> {
    let work = |set| extent.work("voice_assistant", 100, 20, set);
    let off = work("gate.speculate=false");
    let [on, without] = with_and_without(work(""), off)?;
    let p99 = |report: &Report| Some(report.latency_ms.speech_end_to_response.as_ref()?.quantiles.p99);
    let claim = "speech end to response P99, services modelled";
    let claim = Claim::new("speculation", claim, "ms", Better::Lower);
    Ok(p99(&on).map(|ms| claim.figures(ms, p99(&without), "without speculation").shown_by(off.command())))
}

fn batching(extent: &Extent) -> Result<Option<Claim>, Failure> {
    let work = |set| extent.work("batched_tts", 100, 20, set);
    let off = work("tts.buffering.max_batch_size=1");
    let [on, without] = with_and_without(work(""), off)?;
    let items = |report: &Report| {
        let tts = report.nodes.iter().find(|node| node.id == "tts")?;
        Some(tts.batch.as_ref()?.items_per_s)
    };
    let claim = Claim::new("batching", "texts synthesized, service modelled", "texts/s", Better::Higher);
    Ok(items(&on).map(|rate| claim.figures(rate, items(&without), "one by one").shown_by(off.command())))
}

fn metrics(extent: &Extent) -> Result<Claim, Failure> {
    let (sessions, seconds) = if extent.quick { (2, 4) } else { (20, 30) };
    let ([off_ns, _], ratios) = metrics_on_against_off("gate_only", sessions, seconds)?;
    let ms = off_ns / 1e6;
    let claim = Claim::new("metrics", "engine with metrics kept, a second", "ms", Better::Lower);
    let against = "without metrics; median of the seconds' ratios";
    Ok(claim.figures(ms * median(ratios), Some(ms), against).shown_by("cargo bench --bench metrics"))
}

fn resampling(extent: &Extent) -> Claim {
    let pushes = if extent.quick { 100 } else { 2_000 };
    let age = |mode| p95(&resampler_ages_ms(mode, Quality::Standard, pushes));
    let (ours, chunks) = (age(Mode::Streaming), age(Mode::FixedChunk { frames: 1024 }));
    let claim = Claim::new("resampling_delay", "48 to 16 kHz: newest output's age, P95", "ms", Better::Lower);
    claim.figures(ours, Some(chunks), "chunks of 1024").shown_by("cargo bench --bench resampler_latency")
}

fn codec_claims(turns: &[Turn]) -> [Claim; 2] {
    [("control_encode", "write"), ("control_decode", "read")].map(|(name, verb)| {
        let at = usize::from(verb == "read");
        let claim = Claim::new(name, format!("{verb} a control message, JSON"), "ns", Better::Lower);
        let ns = over(turns, |turn| turn.codec_ns[at]);
        claim.figures(ns, Some(2_000.0), "the limit of 2 us").shown_by("cargo bench --bench control_codec")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_one_is_good_whichever_way_the_figure_goes() {
        let cases = [(Better::Lower, 2.0, 4.0, 2.0), (Better::Higher, 2.0, 4.0, 0.5)];
        for (better, ours, baseline, ratio) in cases {
            let claim = Claim::new("x", "x", "ms", better).figures(ours, Some(baseline), "y");
            assert_eq!(claim.ratio, Some(ratio), "{better:?}");
        }
        for (ours, baseline) in [(1.0, None), (0.0, Some(1.0)), (1.0, Some(0.0))] {
            assert_eq!(Claim::new("x", "x", "ms", Better::Lower).figures(ours, baseline, "y").ratio, None);
        }
    }
}
