//! What a host says of a session when it opens one.

use std::sync::Arc;

use crate::edge::params::Params;
use crate::scene::Format;
use crate::speech::history::History;
use crate::speech::overrides::{GateOverrides, Interruption};

/// Called when there is something to fetch: from the tick, and from the thread that drops the engine. A waker must not
/// block, nor wait for a thread that pushes.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// The name, formats and options of a session to open.
#[derive(Clone, Default)]
pub struct SessionSpec {
    /// UTF-8, 1 to 128 bytes, not in use by an open session.
    pub name: String,
    /// Format of the audio that will arrive; `None` = the scene's `session.input`.
    pub input: Option<Format>,
    /// Format of the audio that leaves; `None` = as the scene makes it.
    pub output: Option<Format>,
    /// How far ahead of the ear answers leave, 0 to 10,000 ms; `None` = the scene's pace.
    pub lead_ms: Option<u32>,
    /// Time from a sample's leaving the host until its sound, 0 to 10,000 ms: that of the loudspeaker's device.
    pub latency_ms: u32,
    /// What the scene's gate does differently for this session.
    pub gate: GateOverrides,
    /// Whether the user's speech interrupts answers; `None` = as the scene says.
    pub interruption: Option<Interruption>,
    /// What the services should know of the caller.
    pub params: Params,
    /// The conversation that goes on with this session, for scenes that answer: what
    /// [`SessionHandle::history`](crate::SessionHandle::history) gave.
    pub history: History,
    /// Whether cancellations and confirmations are delivered with [`Out::Control`](crate::Out::Control).
    pub controls: bool,
    /// Whether everything that happens is delivered with [`Out::Event`](crate::Out::Event), in place of controls.
    pub events: bool,
    /// Whether its gates log every probability, even if the scene does not say so.
    pub traced: bool,
    /// Called when an output is ready or the session has closed.
    pub waker: Option<Waker>,
}

impl SessionSpec {
    /// A session of that name in the scene's format, without control messages.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}
