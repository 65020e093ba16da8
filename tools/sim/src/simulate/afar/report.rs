//! The report of callers at the other end of sockets.

use mynah_load::load::Stream;

use super::{Afar, Toll};
use crate::recognition::{Recognition, WordCount};
use crate::report::afar::{AfarReport, Drift, SeenSegments};
use crate::report::quantiles::Quantiles;
use crate::report::{GeneratorFigures, Interruption, LatencyMs, LimitResult, Response, TurnFigures};
use crate::simulate::conclude::{NOISY_LATE_MS, verdict};
use crate::simulate::figures::{ratio, segments, turn_figures};

impl Afar {
    /// Makes the report and its verdict. `streams`: those of all callers, in order, as far as they were said.
    #[must_use]
    pub fn conclude(mut self, streams: &[Stream], toll: &Toll) -> AfarReport {
        let answers = self.plan.nodes.iter().any(|node| node.service.is_some());
        let turns = self.measured.over(streams.iter(), self.stretches);
        let segments = SeenSegments::from(segments(&self.measured.counts));
        let latency_ms = self.latencies(turns.premature, answers);
        let turn_figures = turn_figures(&turns, &self.measured.counts, answers);
        let (limits, not_judged) = self.limits(&latency_ms, &segments, &turn_figures);
        let generator = GeneratorFigures { cpu_s: toll.cpu_s, late_ms: Quantiles::of(&toll.late) };
        let late_ms = generator.late_ms.map_or(0.0, |late| late.p99);
        let sound =
            self.counts.refused.is_empty() && self.counts.lost.is_empty() && segments.open_at_end == 0;
        let duration_s = self.options.duration_us as f64 / 1e6;
        AfarReport {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            scene: self.plan.scene.name.clone(),
            scene_hash: format!("{:016x}", self.plan.hash),
            set: self.options.set.clone(),
            load: self.load_name.clone(),
            seed: self.options.seed,
            clock: "wall",
            to: self.to.clone(),
            transport: "websocket",
            sessions: self.options.sessions,
            duration_s,
            warm_up_s: (self.warm_up_us as f64 / 1e6).min(duration_s),
            wall_s: toll.wall_s,
            interrupted: self.asked_us.map(|asked_us| Interruption::of(self.options.duration_us, asked_us)),
            verdict: verdict(&limits, sound, late_ms),
            noisy: late_ms > NOISY_LATE_MS,
            limits,
            not_judged,
            latency_ms,
            segments,
            turns: turn_figures,
            recognition: self.words(),
            frames: self.frames,
            messages: self.exchanged,
            steadiness: self.drift(),
            callers: self.counts,
            generator,
        }
    }

    fn latencies(&self, premature: u64, answers: bool) -> LatencyMs {
        let found = &self.measured.latencies;
        let gated = self.plan.nodes.iter().any(|node| node.spec.decides_speech());
        let response = Quantiles::of(&found.end_to_response).filter(|_| answers);
        LatencyMs {
            speech_end_to_response: response.map(|quantiles| Response {
                quantiles,
                reference: "truth",
                excluded: premature,
            }),
            breakdown: Vec::new(),
            speech_start_to_forward: Quantiles::of(&found.start_to_forward).filter(|_| gated),
            silence_to_processing: None,
            frame_in_to_out: Quantiles::of(&found.frame_in_to_out),
            onset_hold: None,
            speech_to_silence: Quantiles::of(&found.speech_to_silence),
            control_to_last_consumer: None,
            cancel_to_quiet: None,
        }
    }

    /// The limits that a client can judge, and those that it cannot.
    fn limits(
        &self,
        l: &LatencyMs,
        s: &SeenSegments,
        t: &TurnFigures,
    ) -> (Vec<LimitResult>, Vec<&'static str>) {
        let cancelled: u64 = s.cancelled.values().sum();
        let response = l.speech_end_to_response.as_ref().map(|response| response.quantiles);
        let gated = self.plan.nodes.iter().any(|node| node.spec.decides_speech());
        let (mut judged, mut others) = (Vec::new(), Vec::new());
        for (name, limit) in self.plan.scene.limits.iter() {
            let (value, unit, least) = match name {
                "speech_end_to_response_p95_ms" => (response.map(|q| q.p95), "ms", false),
                "speech_end_to_response_p99_ms" => (response.map(|q| q.p99), "ms", false),
                "speech_start_to_forward_p95_ms" => (l.speech_start_to_forward.map(|q| q.p95), "ms", false),
                // A gate decides when audio may leave, and that moment is not told.
                "frame_in_to_out_p99_ms" if !gated => (l.frame_in_to_out.map(|q| q.p99), "ms", false),
                "speech_to_silence_p95_ms" => (l.speech_to_silence.map(|q| q.p95), "ms", false),
                "cancelled_ratio" => (ratio(cancelled, s.opened), "ratio", false),
                "premature_ratio" => (Some(t.premature_ratio), "ratio", false),
                "acceptance_ratio_min" => (Some(s.acceptance_ratio), "ratio", true),
                _ => {
                    others.push(name);
                    continue;
                }
            };
            let ok = value.is_some_and(|value| if least { value >= limit } else { value <= limit });
            judged.push(LimitResult { name, limit, value, unit, ok });
        }
        (judged, others)
    }

    fn words(&mut self) -> Option<Recognition> {
        let mut count = WordCount::default();
        let until_us = self.options.duration_us;
        for session in &mut self.measured.sessions {
            // Of one that has hung up nobody knows which words it heard last.
            if let Some(words) = session.words.as_mut().filter(|_| !session.hung_up) {
                words.finish(until_us);
                count.join(&words.counted);
            }
        }
        count.figures()
    }

    fn drift(&self) -> Option<Drift> {
        let [first, last] = self.measured.latencies.early_late.each_ref().map(Quantiles::of);
        let (first, last) = (first?.p99, last?.p99);
        Some(Drift {
            response_p99_first_ms: first,
            response_p99_last_ms: last,
            response_p99_drift_ratio: last / first - 1.0,
        })
    }
}
