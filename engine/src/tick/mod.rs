//! The systems of a tick, and the schedules that run them in the order of their stages.

pub(crate) mod account;
pub(crate) mod admit;
pub(crate) mod batch;
pub(crate) mod control;
pub(crate) mod deliver;
pub(crate) mod egress;
pub(crate) mod failures;
pub(crate) mod idle;
pub(crate) mod ingress;
pub(crate) mod install;
pub(crate) mod join;
pub(crate) mod lines;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod names;
pub(crate) mod open;
pub(crate) mod order;
pub(crate) mod resources;
pub(crate) mod run;
pub(crate) mod services;
pub(crate) mod settle;
pub(crate) mod shard;
pub(crate) mod shards;
pub(crate) mod stage;
pub(crate) mod systems;
pub(crate) mod tell;
pub(crate) mod turn_taking;

pub use control::{Messages, Received};
pub use names::component_names;
pub use stage::Stage;
#[doc(hidden)]
pub use systems::{Part, leaves_open, stages};
pub use systems::{SystemView, systems};
