//! Engine time, and media time computed from counts of samples.

use bevy_ecs::prelude::*;

use crate::base::mutation::Mutation;
use crate::base::strikes::NodeStrikes;

/// The time of this tick, and what holds in the whole engine while it lasts.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct Now {
    /// Number of the tick, from 1.
    pub tick: u64,
    /// Engine time in microseconds.
    pub us: u64,
    /// Engine time of the previous tick.
    pub last_us: u64,
    /// Sessions open in the whole engine when the tick began; the same in every shard.
    pub sessions_open: u32,
    /// Nodes that panic on purpose; one value for all ticks of an engine.
    #[doc(hidden)]
    pub strikes: Option<&'static NodeStrikes>,
    /// The deliberate break of this engine, for tests of the checkers.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

impl Now {
    /// The `Now` of the next tick, at `now_us`; a time before this tick's counts as this tick's.
    pub(crate) fn next(mut self, now_us: u64, sessions_open: u32) -> Self {
        (self.tick, self.last_us) = (self.tick + 1, self.us);
        (self.us, self.sessions_open) = (now_us.max(self.us), sessions_open);
        self
    }

    /// True if the engine is broken by `mutation`.
    #[doc(hidden)]
    #[inline]
    pub fn is_broken(&self, mutation: Mutation) -> bool {
        #[cfg(feature = "mutations")]
        return self.mutation == Some(mutation);
        #[cfg(not(feature = "mutations"))]
        {
            let _unused = mutation;
            false
        }
    }
}

/// Duration of `frames` sample frames at `rate_hz`, in microseconds, rounded down.
pub fn frames_to_us(frames: u64, rate_hz: u32) -> u64 {
    frames * 1_000_000 / u64::from(rate_hz)
}

/// Sample frames in `us` microseconds at `rate_hz`, rounded down.
pub fn us_to_frames(us: u64, rate_hz: u32) -> u64 {
    us * u64::from(rate_hz) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_samples_has_exact_times() {
        let hour = 3_600 * 44_100;
        assert_eq!(frames_to_us(hour, 44_100), 3_600_000_000);
        assert_eq!(us_to_frames(3_600_000_000, 44_100), hour);
    }
}
