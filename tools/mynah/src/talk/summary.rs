//! The figures of a conversation.

use mynah_cpal::Counters;
use serde::Serialize;

use super::story::Story;
use super::told::ms;

/// All of them; JSON's last line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    event: &'static str,
    scene: String,
    seconds: f64,
    /// Turns in which somebody spoke.
    turns: u64,
    answered: u64,
    interrupted: u64,
    /// From the end of speech to the first sample of the answer; `None`: nothing was answered.
    latency_p50_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    microphone: Device,
    loudspeaker: Option<Device>,
    ticks: u64,
    /// Periods that the clock went through without a tick.
    periods_skipped: u64,
}

/// What a device did.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Device {
    callbacks: u64,
    frames: u64,
    /// Sample frames for which the session had no room.
    refused: u64,
    holes: u64,
    hole_ms: f64,
    allocations: u64,
    xruns: u64,
    losses: u64,
}

impl Device {
    fn new(counters: Counters, rate_hz: u32) -> Self {
        let Counters { callbacks, frames, refused, holes, allocations, xruns, losses } = counters;
        let hole_ms = ms(holes.frames * 1_000_000 / u64::from(rate_hz.max(1)));
        Self { callbacks, frames, refused, holes: holes.count, hole_ms, allocations, xruns, losses }
    }
}

impl Summary {
    /// Of a conversation of `elapsed_us`; devices with their rates.
    pub(super) fn new(
        scene: &str,
        elapsed_us: u64,
        story: &Story,
        (microphone, microphone_hz): (Counters, u32),
        loudspeaker: Option<(Counters, u32)>,
        pacing: mynah_engine::Pacing,
    ) -> Self {
        let heard = !story.latencies.is_empty();
        let latency = |quantile| heard.then(|| ms(story.latencies.value_at_quantile(quantile)));
        Self {
            event: "summary",
            scene: scene.into(),
            seconds: (elapsed_us as f64 / 1e3).round() / 1e3,
            turns: story.turns,
            answered: story.answered,
            interrupted: story.interrupted,
            latency_p50_ms: latency(0.5),
            latency_p95_ms: latency(0.95),
            microphone: Device::new(microphone, microphone_hz),
            loudspeaker: loudspeaker.map(|(counters, rate_hz)| Device::new(counters, rate_hz)),
            ticks: pacing.ticks,
            periods_skipped: pacing.skipped,
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let or_none = |ms: Option<f64>| ms.map_or("-".into(), |ms| format!("{ms:.0}"));
        let mut text = format!("\n{}: {:.1} s\n", self.scene, self.seconds);
        text += &format!(
            "  {:>6} {:>9} {:>12} {:>15} {:>15}\n  {:>6} {:>9} {:>12} {:>15} {:>15}\n",
            "turns",
            "answered",
            "interrupted",
            "latency P50 ms",
            "latency P95 ms",
            self.turns,
            self.answered,
            self.interrupted,
            or_none(self.latency_p50_ms),
            or_none(self.latency_p95_ms),
        );
        text += &format!(
            "  {:<12} {:>9} {:>8} {:>6} {:>8} {:>12} {:>6} {:>5}\n",
            "device", "callbacks", "refused", "holes", "hole ms", "allocations", "xruns", "lost"
        );
        let row = |name: &str, device: &Device| {
            let Device { callbacks, refused, holes, hole_ms, allocations, xruns, losses, .. } = device;
            format!(
                "  {name:<12} {callbacks:>9} {refused:>8} {holes:>6} {hole_ms:>8.0} {allocations:>12} {xruns:>6} \
                 {losses:>5}\n"
            )
        };
        text += &row("microphone", &self.microphone);
        text += &self.loudspeaker.as_ref().map_or(String::new(), |device| row("loudspeaker", device));
        text += &format!("  {} ticks, {} periods without one\n", self.ticks, self.periods_skipped);
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("text and numbers are always JSON")
    }
}
