//! Scenes: RON files that say which nodes a session's audio flows through, compiled into a [`Plan`].
//!
//! Knows neither node kinds nor the ECS: kinds come through a [`Catalogue`]. Every finding carries its place in the
//! file or in the `--set` that caused it. All findings of a step are reported at once; wiring is checked when the scene's
//! own fields could be read.
mod compile;
mod language;

pub use compile::draw::{Form, draw};
pub use compile::plan::{Compiled, NodeRef, Plan, PlanNode, PlanOutput, PlanService, PlanTarget, compile};
pub use language::catalogue::{
    BuildConverter, Catalogue, FormatConverter, Hearing, Issue, JoinTexts, NodeSpec, Severity, parse_config,
};
pub use language::diagnostic::{Diagnostic, Diagnostics, Place, Rendering};
pub(crate) use language::formats::CHANNELS;
pub use language::formats::{
    CapabilitiesOverride, Format, NodeCapabilities, OverflowPolicy, Port, PortType, QUEUE_CAPACITY,
};
pub use language::limits::Limits;
pub use language::model::{
    Buffering, BufferingOverride, Deadline, DeadlinePolicy, Entry, LATENCY_MS, Latency, MergeStrategy,
    Metrics, Pace, Release, Scene, SceneNode, SceneService, SessionInput, SessionOutput, SessionPolicy, Tick,
    TickDriver, Timing,
};
pub use language::overrides::{Override, OverrideError};
pub use language::reading::Reading;
pub use language::source::Source;
pub use language::suggest::nearest;

#[cfg(test)]
mod tests;
