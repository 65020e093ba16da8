//! What a session was opened with, as the engine has judged it.

use std::sync::Arc;

use crate::edge::params::Params;
use crate::edge::voice::Voice;
use crate::scene::{Format, FormatConverter};
use crate::speech::overrides::GateOverrides;

/// What a session's handle keeps of its opening.
pub(crate) struct Terms {
    pub(crate) input: Format,
    /// `None`: the scene puts out no audio.
    pub(crate) output: Option<Format>,
    /// How far ahead of the ear audio leaves; `u32::MAX`: as fast as it is made.
    pub(crate) lead_us: u32,
    pub(crate) voice: Arc<Voice>,
    pub(crate) opening: Box<Opening>,
}

/// What only the tick that admits the session needs.
pub(crate) struct Opening {
    pub(crate) gate: GateOverrides,
    pub(crate) params: Arc<Params>,
    /// Time from a sample's leaving the host until its sound.
    pub(crate) latency_us: u32,
    /// Speech of this length interrupts; `u32::MAX`: none does.
    pub(crate) interrupt_min_us: u32,
    /// From the scene's format to the session's, where they differ.
    pub(crate) converter: Option<Box<dyn FormatConverter>>,
}
