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
    /// What gives way when an item has little time left, if the scene says so.
    pub rule: Option<DeadlineRule>,
    /// The node is optional: frames with little time left pass it unchanged.
    pub skips: bool,
    /// The node supports control messages: it is told of cancellations, and of deadlines that are near.
    pub controls: bool,
}
