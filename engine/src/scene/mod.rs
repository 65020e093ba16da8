//! Scenes: RON files that say which nodes a session's audio flows through, compiled into a [`Plan`].
//!
//! Knows neither node kinds nor the ECS: kinds come through a [`Catalogue`]. Every finding carries its place in the
//! file or in the `--set` that caused it, and all findings are reported at once.
mod batching;
mod catalogue;
mod check;
mod diagnostic;
mod draw;
mod flow;
mod formats;
mod gates;
mod limits;
mod locate;
mod model;
mod overrides;
mod parse;
mod paths;
mod plan;
mod reading;
mod repair;
mod scan;
mod source;
mod suggest;
mod wiring;

pub use catalogue::{Catalogue, Issue, NodeSpec, Severity, parse_config};
pub use diagnostic::{Diagnostic, Diagnostics, Look, Place};
pub use draw::{Form, draw};
pub(crate) use formats::CHANNELS;
pub use formats::{
    CapabilitiesOverride, Format, NodeCapabilities, OverflowPolicy, Port, PortType, QUEUE_CAPACITY,
};
pub use limits::Limits;
pub use model::{
    Buffering, BufferingOverride, Deadline, DeadlinePolicy, Driver, Entry, LATENCY_MS, Latency,
    MergeStrategy, Metrics, Pace, Release, Scene, SceneNode, SceneService, Session, SessionInput,
    SessionOutput, Tick, Timing,
};
pub use overrides::{Override, OverrideError};
pub use plan::{Compiled, NodeRef, Plan, PlanNode, PlanOutput, PlanService, Target, compile};
pub use reading::Reading;
pub use source::Source;
pub use suggest::nearest;

#[cfg(test)]
mod tests;
