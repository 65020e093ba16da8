//! What can be seen of a running engine: metrics for operators, counts for checkers.

pub(crate) mod books;
pub(crate) mod census;
pub(crate) mod glance;
pub mod metrics;
pub(crate) mod session_view;

pub use books::{Books, NodeBook};
pub use census::Census;
pub use glance::Glance;
pub use session_view::SessionView;
