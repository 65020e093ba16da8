//! What a scene makes of the lines that a host has a session say.

use std::sync::Arc;

use crate::edge::control::ControlError;
use crate::edge::line::{Line, Words};
use crate::media::clip::{CLIP_S_MAX, Clip};
use crate::scene::{BuildConverter, Format};

/// Whether a scene speaks lines, and what its voice plays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Voice {
    /// The scene has an edge from `said`.
    pub(crate) speaks: bool,
    /// Format of the clips that the node behind the edge plays; `None`: it plays none.
    pub(crate) clips: Option<Format>,
    /// Makes converters between formats.
    pub(crate) build: Option<BuildConverter>,
}

impl Voice {
    /// A line whose recording the voice would not take as it is, with one that it takes. `None`: there is nothing to
    /// convert, or no voice to play it, and the line is dropped where it would be spoken.
    pub(crate) fn converted(&self, line: &Line) -> Result<Option<Line>, ControlError> {
        let (Words::Clip(clip), Some(_), true) = (&line.words, self.clips, self.speaks) else {
            return Ok(None);
        };
        match self.prepare(Words::Clip(Arc::clone(clip)))? {
            Words::Clip(same) if Arc::ptr_eq(&same, clip) => Ok(None),
            words => Ok(Some(Line { words, say: line.say })),
        }
    }

    /// The words as the voice takes them: a clip is converted to its format, by the calling thread.
    pub(crate) fn prepare(&self, words: Words) -> Result<Words, ControlError> {
        if !self.speaks {
            return Err(ControlError::NoVoice);
        }
        let Words::Clip(clip) = words else { return Ok(words) };
        let to = self.clips.ok_or(ControlError::NoVoice)?;
        check(&clip)?;
        if clip.format == to {
            return Ok(Words::Clip(clip));
        }
        let build = self.build.ok_or(ControlError::BadClip { samples: clip.samples.len() })?;
        let bad = |_| ControlError::BadClip { samples: clip.samples.len() };
        let mut converter = build(clip.format, to).map_err(bad)?;
        let mut samples = Vec::new();
        converter.push(&clip.samples, &mut samples);
        converter.flush(&mut samples);
        let subtitle = Arc::clone(&clip.subtitle);
        Ok(Words::Clip(Arc::new(Clip { subtitle, format: to, samples: samples.into() })))
    }
}

fn check(clip: &Clip) -> Result<(), ControlError> {
    let (samples, channels) = (clip.samples.len(), usize::from(clip.format.channels));
    let most = clip.format.rate_hz as usize * CLIP_S_MAX as usize;
    let whole = channels > 0 && samples.is_multiple_of(channels) && samples / channels <= most;
    if whole && samples > 0 { Ok(()) } else { Err(ControlError::BadClip { samples }) }
}
