//! Formats, ports and capabilities: what flows between nodes, and what a node promises about itself.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Deserialize;

/// Channels that a session's audio may have: one microphone to 7.1.
pub(crate) const CHANNELS: RangeInclusive<u8> = 1..=8;

/// How audio is laid out: interleaved f32 samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// Samples a second and channel.
    pub rate_hz: u32,
    /// 1 = mono, 2 = stereo, up to 8.
    pub channels: u8,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.rate_hz)?;
        match self.channels {
            1 => f.write_str(" mono"),
            2 => f.write_str(" stereo"),
            n => write!(f, " {n} channels"),
        }
    }
}

/// What a port carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortType {
    /// Blocks of samples.
    Audio,
    /// Pieces of text.
    Text,
    /// Notices without content, such as "segment opened" or "endpoint".
    Event,
}

impl fmt::Display for PortType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Text => "text",
            Self::Event => "event",
        })
    }
}

/// An end of a node that an edge can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Its name as edges write it after the dot: `gate.audio`.
    pub name: &'static str,
    /// The type that it carries.
    pub kind: PortType,
}

/// The policy of a full queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum OverflowPolicy {
    /// The oldest waiting frame makes room.
    DropOldest,
    /// The arriving frame is dropped.
    DropNewest,
    /// The sender waits.
    Block,
    /// The two oldest waiting frames become one.
    MergeOnOverflow,
}

impl fmt::Display for OverflowPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DropOldest => "drop oldest",
            Self::DropNewest => "drop newest",
            Self::Block => "block",
            Self::MergeOnOverflow => "merge on overflow",
        })
    }
}

/// Frames a queue can be asked to hold.
pub const QUEUE_CAPACITY: std::ops::RangeInclusive<u32> = 1..=1000;

/// What a node can do; each kind has its own defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeCapabilities {
    /// Sessions may be worked on at the same time; otherwise the node goes behind a hub.
    pub parallelizable: bool,
    /// Whether it takes several items in one call; otherwise one item a call.
    pub batch_aware: bool,
    /// Typical time for one item, microseconds; 0: unknown.
    pub avg_processing_us: u32,
    /// Frames its input queue holds for one session ([`QUEUE_CAPACITY`]).
    pub queue_capacity: u32,
    /// The policy when that queue is full.
    pub overflow_policy: OverflowPolicy,
    /// Whether it is told of cancellations, and of deadlines that are near. Otherwise its queue is cleared all the
    /// same, but the node finishes what it works on: the result is covered by its segment and revision, and dropped
    /// at the output.
    pub supports_control_messages: bool,
}

/// A scene's changes of a kind's [`NodeCapabilities`]; `None` keeps the kind's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapabilitiesOverride {
    /// See [`NodeCapabilities::parallelizable`].
    pub parallelizable: Option<bool>,
    /// See [`NodeCapabilities::batch_aware`].
    pub batch_aware: Option<bool>,
    /// Microseconds.
    pub avg_processing_us: Option<u32>,
    /// Frames.
    pub queue_capacity: Option<u32>,
    /// See [`NodeCapabilities::overflow_policy`].
    pub overflow_policy: Option<OverflowPolicy>,
    /// See [`NodeCapabilities::supports_control_messages`].
    pub supports_control_messages: Option<bool>,
}

impl CapabilitiesOverride {
    /// The kind's capabilities with what is set here.
    pub fn over(self, kind: NodeCapabilities) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: self.parallelizable.unwrap_or(kind.parallelizable),
            batch_aware: self.batch_aware.unwrap_or(kind.batch_aware),
            avg_processing_us: self.avg_processing_us.unwrap_or(kind.avg_processing_us),
            queue_capacity: self.queue_capacity.unwrap_or(kind.queue_capacity),
            overflow_policy: self.overflow_policy.unwrap_or(kind.overflow_policy),
            supports_control_messages: self
                .supports_control_messages
                .unwrap_or(kind.supports_control_messages),
        }
    }
}
