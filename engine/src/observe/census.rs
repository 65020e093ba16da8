//! Sums over all shards with their histograms, for reports.

use bevy_ecs::prelude::*;

use crate::media::block::BlockPool;
use crate::media::queue::{Lane, Queue};
use crate::record::counts::{Counts, NodeCounts};
use crate::record::edge_figures::{ControlFigures, EdgeFigures};
use crate::session::components::Wiring;
use crate::session::index::SessionIndex;
use crate::speech::segment::SegmentPool;

/// What an engine looks like from outside at one moment.
#[derive(Clone, Debug)]
pub struct Census {
    /// Counts of every node; the last one is the output.
    pub nodes: Vec<NodeCounts>,
    /// Frames waiting in the queues of each node.
    pub queued: Vec<u64>,
    /// Segments that exist.
    pub segments_active: usize,
    /// Sessions open.
    pub sessions_open: u32,
    /// Entities of all worlds: flat once warm, whoever comes and goes.
    pub entities: u64,
    /// Blocks ever made by the pools: flat once warm.
    pub blocks_created: u64,
    /// What happened at the edge.
    pub edge: EdgeFigures,
    /// What hosts said.
    pub controls: ControlFigures,
}

impl Census {
    /// The sums over the worlds of all shards, for a scene of `nodes` nodes.
    pub(crate) fn of<'a>(nodes: usize, worlds: impl Iterator<Item = &'a World>) -> Self {
        let nodes = nodes + 1;
        let mut census = Self {
            nodes: vec![NodeCounts::default(); nodes],
            queued: vec![0; nodes],
            segments_active: 0,
            sessions_open: 0,
            entities: 0,
            blocks_created: 0,
            edge: EdgeFigures::default(),
            controls: ControlFigures::default(),
        };
        worlds.for_each(|world| census.add(world));
        census
    }

    fn add(&mut self, world: &World) {
        for (sum, counts) in self.nodes.iter_mut().zip(world.resource::<Counts>().nodes()) {
            sum.merge(counts);
        }
        self.segments_active += world.resource::<SegmentPool>().active();
        self.sessions_open += world.resource::<SessionIndex>().open();
        self.entities += u64::from(world.entities().count_spawned());
        self.blocks_created += world.resource::<BlockPool>().created();
        self.edge.add(world.resource::<EdgeFigures>());
        let controls = world.resource::<ControlFigures>();
        self.controls.arrived += controls.arrived;
        self.controls.without_effect += controls.without_effect;
        let sessions = world.resource::<SessionIndex>().entities();
        for wiring in sessions.filter_map(|entity| world.get::<Wiring>(entity)) {
            for (at, lane) in wiring.lanes.iter().enumerate() {
                if let Some(queue) = world.get::<Queue>(*lane) {
                    self.queued[at] += queue.iter().filter(|frame| frame.is_content()).count() as u64;
                }
                // What stands outside a full queue has arrived there.
                if let Some(lane) = world.get::<Lane>(*lane) {
                    for (to, _) in lane.stalled.iter().filter(|(_, frame)| frame.is_content()) {
                        self.queued[to.node.index()] += 1;
                    }
                }
            }
        }
    }
}
