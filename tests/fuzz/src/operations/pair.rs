//! Two engines that get the same: one in a world of our own, where queues can be looked into, and one with shards.
//! Whatever they tell must be equal.

use std::sync::Arc;

use bevy_ecs::prelude::World;
use mynah_engine::embed::{self, Embedded};
use mynah_engine::media::{Lane, Payload, Queue};
use mynah_engine::observe::Census;
use mynah_engine::scene::NodeRef;
use mynah_engine::{
    Engine, EngineConfig, EngineHandle, Event, Out, OutAudio, Record, ScenePlan, SessionHandle, SessionId,
    SessionSpec,
};

/// Most sessions at once.
pub(crate) const SESSIONS_MAX: u32 = 5;

pub(crate) struct Pair {
    pub(crate) plan: Arc<ScenePlan>,
    world: World,
    door: EngineHandle,
    engine: Engine,
    pub(crate) now_us: u64,
}

/// Both ends of one session.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) one: SessionHandle,
    pub(crate) other: SessionHandle,
}

impl Ends {
    /// Does the same at both and compares what comes of it.
    pub(crate) fn both<R: PartialEq + std::fmt::Debug>(&self, mut act: impl FnMut(&SessionHandle) -> R) -> R {
        let (one, other) = (act(&self.one), act(&self.other));
        assert_eq!(one, other, "two engines do not agree");
        one
    }

    /// The next thing that left, if both say the same.
    pub(crate) fn poll(&self) -> Option<Out> {
        let (one, other) = (self.one.poll(), self.other.poll());
        match (&one, &other) {
            (Some(Out::Audio(a)), Some(Out::Audio(b))) => {
                let told =
                    |o: &OutAudio| (o.pts_us, o.released_us, o.arrived_us, o.segment, o.revision, o.turn);
                assert_eq!(told(a), told(b), "two engines release something else");
                let bits = |o: &OutAudio| o.block.samples().iter().map(|s| s.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(a), bits(b), "two engines release other samples");
            }
            _ => assert_eq!(format!("{one:?}"), format!("{other:?}"), "two engines release something else"),
        }
        if let Some(Out::Audio(audio)) = other {
            self.other.give_back(audio.block);
        }
        one
    }
}

impl Pair {
    pub(crate) fn new(plan: Arc<ScenePlan>, shards: u32) -> Self {
        let config = EngineConfig { sessions_max: SESSIONS_MAX, ..EngineConfig::simulated() };
        let mut world = World::new();
        let door = embed::embed(&mut world, &plan, config);
        let engine = Engine::new(Arc::clone(&plan), EngineConfig { shards: Some(shards), ..config });
        Self { plan, world, door, engine, now_us: 0 }
    }

    pub(crate) fn open(&self, spec: SessionSpec) -> Option<Ends> {
        match (self.door.open(spec.clone()), self.engine.handle().open(spec)) {
            (Ok(one), Ok(other)) => {
                assert_eq!((one.id(), one.generation()), (other.id(), other.generation()));
                Some(Ends { one, other })
            }
            (one, other) => {
                assert_eq!(one.err(), other.err(), "one engine opens what the other refuses");
                None
            }
        }
    }

    /// One tick of both; a time that goes back counts as none.
    pub(crate) fn tick(&mut self, us: u64) -> Vec<Record> {
        embed::tick(&mut self.world, us);
        self.engine.tick(us);
        self.now_us = self.now_us.max(us);
        assert_eq!(self.engine.now_us(), self.now_us);
        let told = |records: &[Record]| -> Vec<(u64, SessionId, u32, Event)> {
            records.iter().map(|r| (r.t_us, r.session, r.turn, r.event.clone())).collect()
        };
        let one = self.world.resource::<Embedded>().records();
        assert_eq!(told(one), told(self.engine.records()), "two engines tell something else");
        let records = one.to_vec();
        self.queues_are_within_bounds();
        records
    }

    fn queues_are_within_bounds(&mut self) {
        let mut queues = self.world.query::<(&Lane, &Queue)>();
        for (lane, queue) in queues.iter(&self.world) {
            let content = queue.iter().filter(|frame| !matches!(frame.payload, Payload::Mark(_))).count();
            let bound = queue.bound() as usize;
            assert!(content <= bound, "{:?}: {content} frames in a queue of {bound}", lane.session);
        }
    }

    /// The counts of the engine with shards and what waits at its nodes, when they add up.
    pub(crate) fn balanced(&self) -> (Census, Vec<u64>) {
        let (mut census, mut queued) = (Census::default(), Vec::new());
        self.engine.census(&mut census);
        self.engine.queued(&mut queued);
        let plan = &self.plan;
        let mut sent = vec![0; census.nodes.len()];
        for target in &plan.input_targets {
            sent[plan.position(target.node).index()] += census.edge.blocks + census.edge.concealed_blocks;
        }
        for (node, counts) in plan.nodes.iter().zip(&census.nodes) {
            for target in &node.targets {
                let to: NodeRef = target.node;
                sent[plan.position(to).index()] += counts.created[usize::from(target.port)];
            }
        }
        for (at, balance) in census.balances(&queued).enumerate() {
            let name = plan.nodes.get(at).map_or("output", |node| &node.id);
            assert!(balance.holds(), "`{name}` has lost or made frames: {balance}");
            assert_eq!(balance.arrived, sent[at], "an edge to `{name}` has lost or made frames");
        }
        (census, queued)
    }
}
