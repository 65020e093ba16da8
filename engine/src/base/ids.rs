//! Ids that frames, events and services carry: of sessions, nodes and segments.

use serde::Serialize;

/// Number of a session, given when it opens. The shard follows from the number, so a session never moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

/// Position of a node in the compiled scene (ranks ascending).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct NodeId(pub u8);

impl NodeId {
    /// The node's index in per-node tables.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A segment as frames name it: the slot of its state, and its serial.
///
/// `slot` is a place in the shard's pool and is used again; `serial` counts the segments of a session from 1 and is
/// never used again. Serial 0 means "belongs to no segment".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SegmentKey {
    /// Place in the shard's segment pool.
    pub slot: u32,
    /// Counts the segments of a session from 1; 0 = none.
    pub serial: u32,
}

impl SegmentKey {
    /// The key of frames that belong to no segment.
    pub const NONE: Self = Self { slot: 0, serial: 0 };

    /// A segment of the engine that sent the audio: the serial is that engine's, and this engine keeps no state for
    /// it.
    pub fn elsewhere(serial: u32) -> Self {
        Self { slot: u32::MAX, serial }
    }

    /// Whether the segment's state is in another engine.
    pub fn is_elsewhere(self) -> bool {
        self.slot == u32::MAX
    }

    /// Serials from here on are those of what a host has a session say, not of speech.
    pub const LINES: u32 = 1 << 31;
    /// Among them, those of what the user typed.
    pub const TYPED: u32 = 1 << 30;

    /// Whether nobody speaks in it: the host has the session say it, or sent it in the user's name.
    pub fn is_line(self) -> bool {
        self.serial & Self::LINES != 0 && !self.is_elsewhere()
    }

    /// Whether it stands for what the user typed.
    pub fn is_typed(self) -> bool {
        self.is_line() && self.serial & Self::TYPED != 0
    }

    /// Whether there is a segment at all.
    pub fn is_some(self) -> bool {
        self.serial != 0
    }
}

/// Longest session name in bytes.
pub const NAME_BYTES_MAX: usize = 128;
