//! Which shard a session lives in, and where in it.

use crate::base::ids::SessionId;

/// Block-cyclic assignment of sessions to shards: the first `run` go to the first shard, the next `run` to the second, and
/// so on around. Few sessions share one shard, whose tick costs the same for one session as for a run of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    shards: u32,
    run: u32,
}

impl Placement {
    /// As many as one tile of the detector takes: a shard's hops go through it at once.
    pub(crate) const RUN: u32 = 32;

    /// Assigns sessions to `shards` shards in runs of `run`; 0 counts as 1 for both.
    pub(crate) fn new(shards: u32, run: u32) -> Self {
        Self { shards: shards.max(1), run: run.max(1) }
    }

    /// True if sessions go to the shards one by one: the host set the number of shards, so the work is worth sharing.
    pub(crate) fn in_turn(self) -> bool {
        self.run == 1
    }

    /// How many shards there are.
    pub(crate) fn shards(self) -> usize {
        self.shards as usize
    }

    /// The shard of a session.
    pub(crate) fn shard(self, id: SessionId) -> usize {
        (id.0 / self.run % self.shards) as usize
    }

    /// Index of a session in the per-session tables of its shard, which have no gaps.
    pub(crate) fn slot(self, id: SessionId) -> usize {
        (id.0 / self.run / self.shards * self.run + id.0 % self.run) as usize
    }

    /// Most sessions that one shard gets of `sessions` in all.
    pub(crate) fn per_shard(self, sessions: u32) -> usize {
        (sessions.div_ceil(self.run).div_ceil(self.shards) * self.run).min(sessions) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_has_a_place_of_its_own_and_tables_have_no_gaps() {
        for (shards, run) in [(1, 32), (3, 1), (8, 32), (5, 7), (0, 0)] {
            let placement = Placement::new(shards, run);
            let mut slots = vec![Vec::new(); placement.shards()];
            for id in 0..1_000 {
                slots[placement.shard(SessionId(id))].push(placement.slot(SessionId(id)));
            }
            for taken in slots {
                assert!(taken.len() <= placement.per_shard(1_000), "{shards} shards, {run} together");
                assert_eq!(taken, (0..taken.len()).collect::<Vec<_>>(), "{shards} shards, {run} together");
            }
        }
    }

    #[test]
    fn few_sessions_share_a_shard() {
        let placement = Placement::new(8, 32);
        assert!((0..32).all(|id| placement.shard(SessionId(id)) == 0));
        assert_eq!([32, 64, 255, 256].map(|id| placement.shard(SessionId(id))), [1, 2, 7, 0]);
        assert_eq!(
            (placement.per_shard(8), placement.per_shard(100), placement.per_shard(1_000)),
            (8, 32, 128)
        );
    }
}
