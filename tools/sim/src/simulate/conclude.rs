//! Makes the report and its verdict from the measurements.

use mynah_engine::observe::Census;
use mynah_engine::scene::Release;

use super::balance::{HostSide, imbalances};
use super::callers::Line;
use super::figures::{ratio, segments, turn_figures};
use super::options::RunClock;
use super::simulation::Simulation;
use crate::recognition::{Recognition, WordCount};
use crate::report::quantiles::{Quantiles, QuantilesUs};
use crate::report::{
    Cost, Frames, GeneratorFigures, Interruption, LatencyMs, LimitResult, NodeFigures, Report, Segments,
    TickStats, TurnFigures, cpu_features,
};

/// A generator later than this makes a wall-clock run noisy.
pub(super) const NOISY_LATE_MS: f64 = 1.0;

impl Simulation {
    pub(super) fn conclude(&mut self) -> Report {
        let answers = self.near.plan.nodes.iter().any(|n| n.service.is_some());
        let turns = self.near.run.over(self.lines.iter().map(|line| &line.stream), self.stretches);
        let mut census = Census::default();
        let census = self.near.engine.census(&mut census);
        let host: Vec<HostSide> =
            self.lines.iter().map(|l| HostSide { frames_pushed: l.frames_pushed() }).collect();
        let wrong = imbalances(&self.near.engine, &self.near.run, &host);
        let segments = segments(&self.near.run.counts);
        let has_gate = self.near.plan.nodes.iter().any(|node| node.spec.decides_speech());
        let mut latency_ms = self.near.latencies(&turns, answers, has_gate);
        let remote = self.remote.as_deref_mut().map(|remote| {
            [latency_ms.control_to_last_consumer, latency_ms.cancel_to_quiet] = remote.latencies();
            remote.conclude(&self.lines)
        });
        let turn_figures = turn_figures(&turns, &self.near.run.counts, answers);
        let frames = self.near.frames(census, self.turned_away(), wrong);
        let nodes = self.near.nodes(census);
        let limits = self.limits(&latency_ms, &segments, &turn_figures, &frames, &nodes);
        let generator = GeneratorFigures {
            cpu_s: self.cost.generator_ns as f64 / 1e9,
            late_ms: Quantiles::of(&self.cost.generator_late),
        };
        let late_ms = generator.late_ms.map_or(0.0, |q| q.p99);
        let sound = frames.balanced
            && segments.open_at_end == 0
            && remote.as_ref().is_none_or(|remote| remote.broken.is_empty());
        let verdict = verdict(&limits, sound, late_ms);
        let recognition = self.words();
        let duration_s = self.near.options.duration_us as f64 / 1e6;
        let warm_up_s = (self.warm_up_us as f64 / 1e6).min(duration_s);
        Report {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            scene: self.near.plan.scene.name.clone(),
            scene_hash: format!("{:016x}", self.near.plan.hash),
            set: self.near.options.set.clone(),
            load: self.load_name.clone(),
            seed: self.near.options.seed,
            clock: if self.near.options.clock == RunClock::Virtual { "virtual" } else { "wall" },
            tick: self.tick_name(),
            sessions: self.near.options.sessions,
            threads: self.near.options.threads,
            shards: self.shard_count(),
            cpu_features: cpu_features(),
            duration_s,
            warm_up_s,
            wall_s: self.cost.wall_s,
            interrupted: self.asked_us.map(|us| Interruption::of(self.near.options.duration_us, us)),
            verdict,
            noisy: late_ms > NOISY_LATE_MS,
            limits,
            latency_ms,
            segments,
            turns: turn_figures,
            recognition,
            frames,
            nodes,
            services: self.near.services(),
            tick_stats: self.ticks(),
            cost: self.costs((duration_s - warm_up_s) * f64::from(self.near.options.sessions)),
            steadiness: self.steady.conclude(&self.near.run.latencies.early_late),
            generator,
            event_hash: self.event_hash(),
            answered: std::mem::take(&mut self.near.run.answered).into_turns(),
            remote,
            across: None,
        }
    }

    /// What was heard against what was said, of utterances that the callers came to the end of.
    fn words(&mut self) -> Option<Recognition> {
        let mut count = WordCount::default();
        let until_us = self.near.options.duration_us;
        for words in self.near.run.sessions.iter_mut().filter_map(|session| session.words.as_mut()) {
            words.finish(until_us);
            count.join(&words.counted);
        }
        count.figures()
    }

    /// Chunks that the engine's edge refused for good, and for a while.
    fn turned_away(&self) -> (u64, u64) {
        let sum = |of: fn(&Line) -> u64| self.lines.iter().map(of).sum::<u64>();
        (sum(|line| line.refused), sum(|line| line.waited))
    }

    fn ticks(&self) -> TickStats {
        TickStats {
            count: self.cost.ticks,
            work_us: QuantilesUs::of(&self.cost.tick_work),
            late_us: QuantilesUs::of(&self.cost.tick_late),
            overruns: self.cost.overruns,
        }
    }

    fn tick_name(&self) -> String {
        match self.near.options.clock {
            RunClock::Virtual => format!("{} ms", self.near.plan.scene.tick.period_ms),
            RunClock::Wall => {
                format!("{:?}, {} ms", self.near.plan.scene.tick.driver, self.near.plan.scene.tick.period_ms)
            }
        }
    }

    fn shard_count(&self) -> u32 {
        mynah_engine::EngineConfig {
            shards: self.near.options.shards.or(self.near.plan.scene.tick.shards),
            sessions_max: self.near.options.sessions,
            threads: self.near.options.threads,
            ..mynah_engine::EngineConfig::simulated()
        }
        .shard_count()
    }

    fn limits(
        &self,
        l: &LatencyMs,
        s: &Segments,
        t: &TurnFigures,
        f: &Frames,
        nodes: &[NodeFigures],
    ) -> Vec<LimitResult> {
        let batched = || nodes.iter().filter(|node| node.batch.is_some());
        let request_ms = batched().filter_map(|node| node.latency_ms).map(|q| q.p95).reduce(f64::max);
        let depth = batched().map(|node| f64::from(node.queue.depth_p99)).reduce(f64::max);
        let cancelled: u64 = s.cancelled.values().sum();
        let lost = f.dropped.values().sum::<u64>() + f.refused;
        let response = l.speech_end_to_response.as_ref().map(|response| response.quantiles);
        let result = |(name, limit): (&'static str, f64)| {
            let (value, unit, least) = match name {
                "speech_end_to_response_p95_ms" => (response.map(|q| q.p95), "ms", false),
                "speech_end_to_response_p99_ms" => (response.map(|q| q.p99), "ms", false),
                "speech_start_to_forward_p95_ms" => (l.speech_start_to_forward.map(|q| q.p95), "ms", false),
                "silence_to_processing_p95_ms" => (l.silence_to_processing.map(|q| q.p95), "ms", false),
                "frame_in_to_out_p99_ms" => (l.frame_in_to_out.map(|q| q.p99), "ms", false),
                "speech_to_silence_p95_ms" => (l.speech_to_silence.map(|q| q.p95), "ms", false),
                "request_p95_ms" => (request_ms, "ms", false),
                "queue_depth_p99" => (depth, "frames", false),
                "cancelled_ratio" => (ratio(cancelled, s.opened), "ratio", false),
                "premature_ratio" => (Some(t.premature_ratio), "ratio", false),
                "acceptance_ratio_min" => (Some(s.acceptance_ratio), "ratio", true),
                "wasted_service_ratio" => (self.wasted_ratio(), "ratio", false),
                "dropped_frames" => (Some(lost as f64), "frames", false),
                _ => (None, "", false),
            };
            let ok = value.is_some_and(|v| if least { v >= limit } else { v <= limit });
            LimitResult { name, limit, value, unit, ok }
        };
        self.near.plan.scene.limits.iter().map(result).collect()
    }

    fn wasted_ratio(&self) -> Option<f64> {
        let (busy, wasted) =
            self.near.engine.hub().figures().fold((0, 0), |(b, w), (_, f)| (b + f.busy_us, w + f.wasted_us));
        ratio(wasted, busy + wasted)
    }

    fn costs(&self, session_s: f64) -> Cost {
        let c = &self.cost;
        Cost {
            cpu_s: c.cpu_s,
            session_s_per_cpu_s: session_s / c.cpu_s.max(1e-9),
            // Not counted on the wall clock or beside a second engine: other threads allocate meanwhile.
            allocations_per_tick: (c.warm_ticks > 0 && self.remote.is_none())
                .then(|| c.warm_allocations as f64 / c.warm_ticks as f64),
            live_bytes_start: c.live_bytes_start,
            live_bytes_end: c.live_bytes_end,
            bytes_per_session: (c.live_bytes_end - c.live_bytes_before) as f64
                / f64::from(self.near.options.sessions),
        }
    }

    fn event_hash(&self) -> String {
        let mut all = xxhash_rust::xxh3::Xxh3::new();
        let far = self.remote.iter().flat_map(|remote| &remote.far.run.sessions);
        for session in self.near.run.sessions.iter().chain(far) {
            all.update(&session.digest().to_le_bytes());
        }
        format!("{:016x}", all.digest())
    }

    /// The release policy, for the table.
    pub fn release(&self) -> Release {
        self.near.plan.scene.session.output.release
    }
}

/// `sound`: the counts balance and nothing is left open. A generator that was late by half of a tested limit shows
/// nothing about it, and neither does a run in which what is limited never happened.
pub(super) fn verdict(limits: &[LimitResult], sound: bool, late_ms: f64) -> &'static str {
    let tightest = limits.iter().filter(|l| l.unit == "ms").map(|l| l.limit).fold(f64::INFINITY, f64::min);
    let missed = limits.iter().any(|limit| !limit.ok && limit.value.is_some());
    if late_ms > tightest / 2.0 {
        "invalid"
    } else if !sound || missed {
        "over"
    } else if limits.iter().any(|limit| limit.value.is_none()) {
        "invalid"
    } else {
        "ok"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_without_a_measurement_neither_holds_nor_is_missed() {
        let limit = |value: Option<f64>| {
            let ok = value.is_some_and(|value| value <= 20.0);
            LimitResult { name: "frame_in_to_out_p99_ms", limit: 20.0, value, unit: "ms", ok }
        };
        let (holds, missed, nothing) = (limit(Some(19.0)), limit(Some(21.0)), limit(None));
        let cases = [
            (vec![], true, 0.0, "ok"),
            (vec![&holds], true, 0.0, "ok"),
            (vec![&holds], false, 0.0, "over"),
            (vec![&holds], true, 10.1, "invalid"),
            (vec![&holds, &missed], true, 0.0, "over"),
            (vec![&holds, &nothing], true, 0.0, "invalid"),
            (vec![&missed, &nothing], true, 0.0, "over"),
            (vec![&nothing], false, 0.0, "over"),
        ];
        for (limits, sound, late_ms, want) in cases {
            let limits: Vec<LimitResult> = limits.into_iter().cloned().collect();
            assert_eq!(verdict(&limits, sound, late_ms), want, "{limits:?} {sound} {late_ms}");
        }
    }
}
