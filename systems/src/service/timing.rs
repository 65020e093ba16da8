//! Draws the latencies of a modelled service from the scene's distribution.

use mynah_engine::base::rng::Rng;
use mynah_engine::scene::{LATENCY_MS, Latency, Timing};
use mynah_engine::service::CallKey;

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874;

/// Draws the latency of one attempt at a call in microseconds: the same for the same seed, service and call, in whatever order
/// calls are made.
pub(super) fn draw_us(timing: &Timing, seed: u64, service: u64, key: &CallKey, attempt: u8) -> u64 {
    let ms = match timing.latency {
        Latency::Fixed { ms } => ms,
        Latency::LogNormal { p50_ms, p99_ms } => {
            let stream = u64::from(key.session.0) << 32 | u64::from(key.segment.serial);
            let mut rng = Rng::new(
                seed,
                stream,
                service
                    ^ (u64::from(key.revision) << 48)
                    ^ (u64::from(key.generation) << 32)
                    ^ (u64::from(key.part) << 16)
                    ^ (u64::from(attempt) << 8),
            );
            rng.log_normal(p50_ms, (p99_ms / p50_ms).ln() / Z99)
        }
    };
    // The tail of a wide distribution has no end of its own.
    (ms.min(*LATENCY_MS.end()) * timing.scale * 1_000.0).max(0.0) as u64
}

/// FNV-1a of a name, to give each service a stream of its own.
pub(super) fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_engine::base::SegmentKey;
    use mynah_engine::{NodeId, SessionId};

    #[test]
    fn drawn_latencies_have_the_percentiles_of_the_scene() {
        let timing = Timing {
            latency: Latency::LogNormal { p50_ms: 20.0, p99_ms: 40.0 },
            parallelism: Some(1),
            batch_item_cost: 0.25,
            reduced_cost: 0.6,
            words_per_s: 0.0,
            speed: 20.0,
            scale: 1.0,
        };
        let mut drawn: Vec<u64> = (0..20_000)
            .map(|i| {
                let key = CallKey {
                    session: SessionId(i),
                    generation: 1,
                    node: NodeId(0),
                    segment: SegmentKey { slot: 0, serial: 1 },
                    revision: 1,
                    turn: 1,
                    part: 0,
                };
                draw_us(&timing, 7, name_hash("asr"), &key, 0)
            })
            .collect();
        drawn.sort_unstable();
        assert!((19_500..20_500).contains(&drawn[10_000]), "p50 {}", drawn[10_000]);
        assert!((38_500..41_500).contains(&drawn[19_800]), "p99 {}", drawn[19_800]);
    }
}
