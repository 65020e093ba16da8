//! Why a device cannot be had.

use std::error::Error;
use std::fmt;
use std::io;

use crate::direction::Direction;

/// Why a device is not found or does not open.
#[derive(Debug)]
pub enum DeviceError {
    /// There is no sound system, or it does not answer; what it says.
    System(String),
    /// The system has no default of that direction.
    NoDefault {
        /// Whether it was to record or to play.
        direction: Direction,
        /// Every device of that direction.
        there: Vec<String>,
    },
    /// No device, or more than one, is meant by this.
    NotOne {
        /// Whether it was to record or to play.
        direction: Direction,
        /// What was asked for.
        wanted: String,
        /// The devices that were meant: none, or several.
        meant: Vec<String>,
        /// Every device of that direction.
        there: Vec<String>,
    },
    /// The device has no format that a session can have: 8,000 to 192,000 Hz and up to 8 channels.
    Format {
        /// Its name.
        device: String,
        /// What it has, or what it was asked for.
        what: String,
    },
    /// The device does not open; what it says.
    Refused {
        /// Its name.
        device: String,
        /// What the sound system says.
        reason: String,
    },
    /// The operating system refuses the thread that looks after the device.
    Thread(io::Error),
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(reason) => {
                write!(
                    f,
                    "no sound system answers: {reason}; is PulseAudio or PipeWire running, or has ALSA a card?"
                )
            }
            Self::NoDefault { direction, there } if there.is_empty() => {
                write!(f, "there is no {direction}; plug one in, or start the sound server")
            }
            Self::NoDefault { direction, there } => {
                write!(f, "the system has no default {direction}; name one of these: {}", list(there))
            }
            Self::NotOne { direction, wanted, meant, there } if meant.is_empty() => {
                write!(f, "no {direction} is called `{wanted}`; there are: {}", list(there))
            }
            Self::NotOne { direction, wanted, meant, .. } => {
                write!(f, "`{wanted}` is the name of more than one {direction}: {}; give an id", list(meant))
            }
            Self::Format { device, what } => {
                write!(
                    f,
                    "`{device}`: {what}; expected 8000 to 192000 Hz and 1 to 8 channels: take another device"
                )
            }
            Self::Refused { device, reason } => {
                write!(
                    f,
                    "`{device}` does not open: {reason}; is it there, free, and are you allowed to use it?"
                )
            }
            Self::Thread(cause) => {
                write!(f, "no thread for a sound device: {cause}; raise the limit of processes (`ulimit -u`)")
            }
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

impl Error for DeviceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Thread(cause) => Some(cause),
            _ => None,
        }
    }
}
