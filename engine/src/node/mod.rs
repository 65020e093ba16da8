//! Node kinds: what a kind declares, how a configured node becomes a system, and what a node uses while it works.

pub(crate) mod cancel;
pub(crate) mod context;
pub(crate) mod enqueue;
pub(crate) mod failure;
pub(crate) mod kind;
pub(crate) mod lane_system;
pub(crate) mod mark;
pub(crate) mod params;
pub(crate) mod place;
pub(crate) mod plan;
pub(crate) mod purge;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod session_parts;
pub(crate) mod writer;

pub use context::{NodeContext, ReadyContext};
pub use kind::{Advice, IdleCheck, Node, NodeKind, SessionContext, StepNode, SystemNode};
pub use lane_system::lane_system;
pub use params::{Lanes, NodeParams};
pub use place::NodePlace;
pub use plan::ScenePlan;
pub use registry::{NameTaken, Registry};
pub use writer::{OpenSegment, SegmentWriter};
