//! The shared memory between an engine and its workers: names, settings, and ports that keep what finds no room.

mod door;
mod failure;
mod inlet;
mod names;
mod outlet;
mod place;
mod side;

pub use door::{EngineDoor, RingBell};
pub use failure::LinkError;
pub use inlet::Inlet;
pub use names::{LinkNames, NAME_CHARS_MAX, is_link_name};
pub use outlet::{Outlet, Pushing};
pub use place::{LinkPlace, PREFIX_VARIABLE};
pub use side::{EngineSide, WorkerSide};

/// The version of iceoryx2 on both sides; part of what the sides must agree on.
pub const ICEORYX_VERSION: &str = "0.10.0";

/// What a bell says.
pub mod bell {
    /// A control message, or something in the lobby.
    pub const CONTROL: usize = 1;
    /// Audio or text.
    pub const DATA: usize = 2;
    /// The engine's tick has something for its own thread.
    pub const OWN: usize = 3;
    /// The process of somebody who could ring has died.
    pub const DEAD: usize = 9;
    /// Greatest id.
    pub(super) const ID_MAX: usize = 15;
}

/// Settings of a service of shared memory. They are part of its identity: both sides open it with all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneSettings {
    pub(crate) buffer: usize,
    pub(crate) overflows: bool,
    pub(crate) ends: usize,
    pub(crate) nodes: usize,
    /// Bytes that a slice has at first; not part of the identity.
    pub(crate) slice: usize,
}

/// Workers that may say hello at once, and the engine.
const LOBBY_ENDS: usize = 40;
/// Messages that wait to be read. Hello is repeated: what overflows comes again.
pub(crate) const LOBBY: LaneSettings =
    LaneSettings { buffer: 64, overflows: true, ends: LOBBY_ENDS, nodes: LOBBY_ENDS, slice: 1024 };
pub(crate) const CONTROL: LaneSettings =
    LaneSettings { buffer: 128, overflows: false, ends: 2, nodes: 4, slice: 1024 };
pub(crate) const AUDIO: LaneSettings = LaneSettings {
    buffer: 32,
    overflows: false,
    ends: 2,
    nodes: 4,
    slice: crate::wire::PAYLOAD_BYTES_MAX + 256,
};
pub(crate) const TEXT: LaneSettings =
    LaneSettings { buffer: 256, overflows: false, ends: 2, nodes: 4, slice: 256 };
