//! In the voice's place, in a build without it: nothing is ever spoken.

use std::ops::ControlFlow;

use mynah_engine::media::SpokenTime;

pub use super::style::{FliteError, RATE_HZ, VoiceStyle};

/// The voice of builds with the feature `flite`; this build has none, and no value of this type exists.
#[derive(Debug)]
pub enum Flite {}

impl Flite {
    /// Refuses.
    ///
    /// # Errors
    /// [`FliteError::VoiceData`], always: the voice is not part of this build.
    pub fn new() -> Result<Self, FliteError> {
        Err(FliteError::VoiceData("this build has no voice; build it with the feature `flite`".into()))
    }

    pub(crate) fn speak_piece(
        &self,
        _text: &str,
        _from: usize,
        style: VoiceStyle,
        _timed: &mut dyn FnMut(Vec<SpokenTime>),
        _sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
    ) -> Result<Option<usize>, FliteError> {
        style.check()?;
        match *self {}
    }
}
