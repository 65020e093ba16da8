//! A group: the items of one session that a flush sends as one call.

use crate::base::ids::SessionId;

/// Neighbours in one session's order that a flush would send as one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// How many groups of its session stand before it.
    pub(super) round: u32,
    /// Index in `places` of the first item, and their number.
    pub(super) first: u32,
    pub(super) count: u32,
    /// When the first item is due, but not before it was pushed; then when it is due, whenever it was pushed.
    pub(super) due_us: (u64, u64),
    pub(super) session: SessionId,
}
