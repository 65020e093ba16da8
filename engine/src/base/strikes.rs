//! Panics that `simulate --faults` puts into nodes.

use crate::base::ids::{NodeId, SessionId};
use crate::base::rng::Rng;

/// Frames of a stream among which the one is drawn at which a node panics.
const FRAMES: u64 = 400;

/// Which nodes panic, for which sessions and at which frame: a function of seed, session and node.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeStrikes {
    /// Seed of the run.
    pub seed: u64,
    /// Share of sessions, for each node.
    pub ratio: f64,
    /// Engine time from which no node panics, microseconds.
    pub until_us: u64,
}

impl NodeStrikes {
    /// The sequence number of the frame from which on `node` panics for this opening of the session's id, if it does.
    pub fn at(&self, session: SessionId, generation: u32, node: NodeId) -> Option<u32> {
        let opening = u64::from(session.0) << 32 | u64::from(generation);
        let mut rng = Rng::new(self.seed, opening, u64::from(node.0));
        rng.chance(self.ratio).then(|| rng.below(FRAMES) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_openings_is_struck_at_each_node_and_always_the_same() {
        let strikes = NodeStrikes { seed: 7, ratio: 0.1, until_us: 1 };
        let struck = |node| {
            (0..4_000).filter(move |at| strikes.at(SessionId(at % 64), at / 64, NodeId(node)).is_some())
        };
        for node in 0..4 {
            let count = struck(node).count();
            assert!((300..500).contains(&count), "{count} of 4000 at node {node}");
            assert!(struck(node).eq(struck(node)));
        }
        assert!(!struck(0).eq(struck(1)), "nodes are struck apart from each other");
    }
}
