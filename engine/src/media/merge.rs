//! How two waiting frames become one: the rule behind `MergeOnOverflow`.

use std::sync::Arc;

use crate::base::time::frames_to_us;
use crate::media::block::BlockPool;
use crate::media::frame::{Frame, Payload};
use crate::scene::{Format, JoinTexts, MergeStrategy};

/// Longest text that joining makes, in characters: about a minute of speech, and the longest sentence of
/// `TextCollector`. A longer text would make a voice slower to stop, and cost it memory.
pub const JOINED_CHARS_MAX: usize = 1_000;

/// True if the texts and what stands between them have at most [`JOINED_CHARS_MAX`] characters together.
pub(crate) fn fit_in_one<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> bool {
    // Bytes first: few texts are near the limit.
    let bytes: usize = texts.clone().map(str::len).sum();
    bytes <= JOINED_CHARS_MAX || texts.map(|text| text.chars().count()).sum::<usize>() <= JOINED_CHARS_MAX
}

/// The rule by which neighbours in a queue become one. Frames of two segments, revisions or turns never do.
#[derive(Clone, Default)]
pub struct MergeRule {
    /// How texts are joined; `None` = with a space.
    pub strategy: Option<MergeStrategy>,
    /// The joining function of [`MergeStrategy::Custom`].
    pub custom: Option<JoinTexts>,
    /// Format of the audio in the queue.
    pub format: Option<Format>,
    /// Samples (all channels) that a joined block has at most: 20 ms.
    pub samples_max: usize,
}

impl std::fmt::Debug for MergeRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MergeRule").field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

impl MergeRule {
    /// Whether `second`, which stands directly behind `first`, may become one with it.
    pub fn fits(&self, first: &Frame, second: &Frame) -> bool {
        let origin = |f: &Frame| (f.segment, f.revision, f.turn);
        if origin(first) != origin(second) || self.strategy == Some(MergeStrategy::KeepSeparate) {
            return false;
        }
        match (&first.payload, &second.payload) {
            (Payload::Text(a), Payload::Text(b)) => fit_in_one([&**a, self.separator(), &**b].into_iter()),
            (Payload::Audio(a), Payload::Audio(b)) => {
                a.len() + b.len() <= self.samples_max && self.follows(first, second)
            }
            _ => false,
        }
    }

    /// Whether the media time of `second` begins where `first` ends, within rounding or the strategy's gap.
    fn follows(&self, first: &Frame, second: &Frame) -> bool {
        let Some(format) = self.format else { return false };
        let frames = first.samples() as u64 / u64::from(format.channels);
        let gap_us = second.pts_us.abs_diff(first.pts_us + frames_to_us(frames, format.rate_hz));
        match self.strategy {
            Some(MergeStrategy::ConcatenateAudio { ensure_continuity: false, .. }) => true,
            Some(MergeStrategy::ConcatenateAudio { max_gap_ms, .. }) => {
                gap_us <= ROUNDING_US + (max_gap_ms * 1_000.0) as u64
            }
            _ => gap_us <= ROUNDING_US,
        }
    }

    /// Puts `second` behind `first`, which keeps its identity, times and deadline.
    pub fn join(&self, first: &mut Frame, second: Frame, pool: &mut BlockPool) {
        match (&mut first.payload, second.payload) {
            (Payload::Text(a), Payload::Text(b)) => *a = self.texts(&[Arc::clone(a), b]),
            (Payload::Audio(a), Payload::Audio(b)) => {
                let mut whole = pool.lease(a.len() + b.len());
                let out = whole.try_mut().expect("a leased block has one owner");
                out[..a.len()].copy_from_slice(a.samples());
                out[a.len()..].copy_from_slice(b.samples());
                pool.put(std::mem::replace(a, whole));
                pool.put(b);
            }
            _ => {}
        }
    }

    fn texts(&self, texts: &[Arc<str>]) -> Arc<str> {
        if let Some(custom) = &self.custom {
            return custom(texts);
        }
        let spaced = texts
            .windows(2)
            .all(|pair| pair[0].ends_with(char::is_whitespace) || pair[1].starts_with(char::is_whitespace));
        texts.join(if spaced { "" } else { self.separator() }).into()
    }

    /// What stands between two texts.
    fn separator(&self) -> &str {
        match &self.strategy {
            Some(MergeStrategy::ConcatenateText { separator }) => separator,
            _ => " ",
        }
    }
}

/// Sender and engine round media times to a microsecond each.
pub(crate) const ROUNDING_US: u64 = 2;
