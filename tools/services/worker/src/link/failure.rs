//! Why shared memory cannot be used.

use std::fmt;

use super::ICEORYX_VERSION;

/// A port, a service or a node that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkError {
    /// What was to be opened.
    pub what: String,
    /// Why it could not.
    pub error: String,
}

impl LinkError {
    pub(super) fn new(what: impl Into<String>, error: impl fmt::Debug) -> Self {
        Self { what: what.into(), error: format!("{error:?}") }
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, error } = self;
        write!(f, "shared memory `{what}` could not be opened: {error}")?;
        if error.contains("Corrupted") || error.contains("Incompatible") || error.contains("VersionMismatch")
        {
            write!(
                f,
                "; engine and worker need iceoryx2 {ICEORYX_VERSION} both (`pip install iceoryx2=={ICEORYX_VERSION}`)"
            )?;
        } else if error.contains("ExceedsMaxSupportedListeners") {
            write!(f, "; another engine has this name and this service: give one of them another `engine`")?;
        }
        Ok(())
    }
}

impl std::error::Error for LinkError {}
