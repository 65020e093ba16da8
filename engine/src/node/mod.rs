//! Node kinds: what a kind declares, how a configured one becomes a system, and what it has at hand while it works.

pub(crate) mod cancel;
pub(crate) mod context;
pub(crate) mod kind;
pub(crate) mod mark;
pub(crate) mod params;
pub(crate) mod plan;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod site;

pub use cancel::{correct_lanes, purge};
pub use context::{Cx, Look};
pub use kind::{Advice, Node, NodeKind, Opening, RestSystem, StepNode, SystemNode};
pub use params::{Desk, Lanes, lane_params};
pub use plan::ScenePlan;
pub use registry::Registry;
pub use site::Site;
