//! Modes by their names on the wire.

use serde::{Deserialize, Serializer};

use crate::speech::overrides::{GateMode, InterruptMode};

/// The value of a `mode`, whoever's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Mode {
    Soft,
    Now,
    Auto,
    Open,
    Shut,
}

impl Mode {
    pub(super) fn of_interrupt(self) -> Option<InterruptMode> {
        match self {
            Self::Soft => Some(InterruptMode::Soft),
            Self::Now => Some(InterruptMode::Now),
            _ => None,
        }
    }

    pub(super) fn of_gate(self) -> Option<GateMode> {
        match self {
            Self::Auto => Some(GateMode::Auto),
            Self::Open => Some(GateMode::Open),
            Self::Shut => Some(GateMode::Shut),
            _ => None,
        }
    }
}

pub(super) fn interrupt<S: Serializer>(mode: &InterruptMode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match mode {
        InterruptMode::Soft => "Soft",
        InterruptMode::Now => "Now",
    })
}

pub(super) fn gate<S: Serializer>(mode: &GateMode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match mode {
        GateMode::Auto => "Auto",
        GateMode::Open => "Open",
        GateMode::Shut => "Shut",
    })
}
