//! Where a node stands in the compiled scene.

use crate::base::ids::NodeId;
use crate::service::batch::DeadlineRule;

/// Where a node stands in the compiled scene.
#[derive(Clone, Copy, Debug)]
pub struct NodePlace {
    /// The node.
    pub node: NodeId,
    /// Number of its service in the scene.
    pub service: Option<u8>,
    /// Whether that service wants audio pushed.
    pub wants_audio: bool,
    /// What gives way when little is left of an item's time, if the scene says.
    pub rule: Option<DeadlineRule>,
    /// The node is optional, and what has little time left passes it untouched.
    pub skips: bool,
}
