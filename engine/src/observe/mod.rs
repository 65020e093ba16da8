//! What can be seen of a running engine: metrics for operators, a census for tests and checks.

pub(crate) mod census;
pub mod metrics;
pub(crate) mod session_view;

pub use census::Census;
pub use session_view::SessionView;
