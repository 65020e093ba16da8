//! The policy of a batch queue, and how waiting texts become one.

use std::fmt;
use std::sync::Arc;

use crate::media::merge::{ROUNDING_US, fit_in_one};
use crate::scene::{JoinTexts, OverflowPolicy};
use crate::service::call::{Call, CallKey};

/// Most sentences that a flush joins into one item: a longer text would keep the listener waiting for its first
/// sound.
pub const SENTENCES_MAX: u32 = 5;

/// Longest audio that a flush joins into one item, in microseconds: the half minute that common recognisers hear at
/// once.
pub const SOUND_MAX_US: u64 = 30_000_000;

/// The policy of a batch queue.
#[derive(Clone, Debug)]
pub struct BatchPolicy {
    /// Items that are worth a batch, at least 1; for the items of one session its hint moves this up to `max`.
    pub min: u32,
    /// Most items of one batch, at least `min`.
    pub max: u32,
    /// A lone item goes this long after it entered its node's queue, in microseconds.
    pub max_wait_us: u64,
    /// Items that may wait, over all sessions, at least 1.
    pub bound: u32,
    /// How items of one revision become one.
    pub merge: Merge,
    /// What happens at the bound.
    pub overflow: OverflowPolicy,
    /// What a near deadline changes; `None`: deadlines only decide the order.
    pub rule: Option<DeadlineRule>,
}

impl BatchPolicy {
    /// The policy with every number raised or lowered to the nearest that makes sense.
    pub(super) fn sound(mut self) -> Self {
        self.max = self.max.max(1);
        self.min = self.min.clamp(1, self.max);
        self.bound = self.bound.max(1);
        self
    }

    /// Whether a near deadline alone makes a batch due.
    pub(super) fn flushes_early(&self) -> bool {
        self.rule.is_some_and(|rule| rule.gives == Gives::FlushEarly)
    }

    /// The time from which the deadline is near, so that the batch can be done by then; never without rule or
    /// deadline.
    pub(super) fn pressed_from_us(&self, deadline_us: u64, avg_us: u64) -> Option<u64> {
        let rule = self.rule.filter(|_| deadline_us > 0)?;
        Some(deadline_us.saturating_sub(rule.margin_us.saturating_add(avg_us)))
    }
}

/// How waiting items of one revision become one. Items of different sessions, nodes, segments or revisions never do.
#[derive(Clone)]
pub enum Merge {
    /// Items are not merged.
    Separate,
    /// Texts are joined, at a flush up to [`SENTENCES_MAX`] sentences and
    /// [`JOINED_CHARS_MAX`](crate::media::JOINED_CHARS_MAX) characters.
    Texts {
        /// What stands between them.
        separator: Arc<str>,
    },
    /// Audio is put one behind the other, at a flush up to [`SOUND_MAX_US`].
    Audio {
        /// Only audio that follows without a gap in media time is joined; a gap up to `max_gap_us` is filled with
        /// silence. Otherwise gaps do not matter and leave no trace.
        ensure_continuity: bool,
        /// The longest gap that is filled.
        max_gap_us: u64,
    },
    /// The host joins texts, under the limit of `Texts`.
    Custom(JoinTexts),
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Separate => f.write_str("Separate"),
            Self::Texts { separator } => f.debug_struct("Texts").field("separator", separator).finish(),
            Self::Audio { ensure_continuity, max_gap_us } => f
                .debug_struct("Audio")
                .field("ensure_continuity", ensure_continuity)
                .field("max_gap_us", max_gap_us)
                .finish(),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl Merge {
    /// True if two adjacent calls belong to the same answer and, for audio, the second begins where the first ends.
    pub(super) fn may_join(&self, first: &Call, second: &Call) -> bool {
        let owner = |key: &CallKey| (key.session, key.generation, key.node, key.segment, key.revision);
        let follows = match *self {
            Self::Separate => false,
            Self::Audio { ensure_continuity: true, max_gap_us } => {
                let gap_us = second.from_us.saturating_sub(first.to_us);
                let overlap_us = first.to_us.saturating_sub(second.from_us);
                gap_us <= max_gap_us.saturating_add(ROUNDING_US) && overlap_us <= ROUNDING_US
            }
            Self::Audio { .. } | Self::Texts { .. } | Self::Custom(_) => true,
        };
        follows && owner(&first.key) == owner(&second.key)
    }

    /// Whether a flush may make one item of everything from `first` to `last`, `sentences` in all.
    pub(super) fn fits(&self, first: &Call, last: &Call, sentences: u32) -> bool {
        match self {
            Self::Audio { .. } => last.to_us.saturating_sub(first.from_us) <= SOUND_MAX_US,
            _ => sentences <= SENTENCES_MAX,
        }
    }

    /// Whether these texts together are short enough to become one.
    pub(super) fn has_room<'a>(&'a self, texts: impl Iterator<Item = &'a str> + Clone) -> bool {
        let Self::Texts { separator } = self else { return fit_in_one(texts) };
        let between = texts.clone().skip(1).map(|_| &**separator);
        fit_in_one(texts.chain(between))
    }

    /// Puts the audio of `second` behind that of `first`, before their times are joined.
    pub(super) fn append(&self, first: &mut Call, second: &mut Call) {
        let (Some(sound), Some(more)) = (&mut first.audio, &mut second.audio) else { return };
        if matches!(self, Self::Audio { ensure_continuity: true, .. }) {
            sound.pause(second.from_us.saturating_sub(first.to_us));
        }
        sound.blocks.append(&mut more.blocks);
    }

    /// The text of an item that consists of these texts.
    pub(super) fn join(&self, texts: &[Arc<str>]) -> Arc<str> {
        match self {
            Self::Separate => texts.concat().into(),
            Self::Texts { separator } => texts.join(&**separator).into(),
            // A recogniser gets no text.
            Self::Audio { .. } => {
                let said: Vec<&str> =
                    texts.iter().map(|text| &**text).filter(|text| !text.is_empty()).collect();
                said.join(" ").into()
            }
            Self::Custom(join) => join(texts),
        }
    }
}

impl Call {
    /// Takes over everything from a later item of the same revision but its text and its audio.
    pub(super) fn absorb(&mut self, later: &Call) {
        self.from_us = self.from_us.min(later.from_us);
        self.to_us = self.to_us.max(later.to_us);
        self.queued_us = self.queued_us.min(later.queued_us);
        self.deadline_us = match (self.deadline_us, later.deadline_us) {
            (0, other) | (other, 0) => other,
            (one, other) => one.min(other),
        };
        self.reduced |= later.reduced;
        self.sentences = self.sentences.saturating_add(later.sentences);
    }
}

/// When a deadline counts as near, and what gives way then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineRule {
    /// Time that must be left beside the time of the work, in microseconds; an item with less is pressed.
    pub margin_us: u64,
    /// What gives way.
    pub gives: Gives,
}

/// What gives way when a deadline is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// The batch goes as it is.
    FlushEarly,
    /// Batches take up to `max` items while a pressed item waits.
    GrowBatch {
        /// Most items of such a batch; not below the policy's own `max`.
        max: u32,
    },
    /// Pressed calls ask for lower quality.
    LowerQuality,
    /// Nothing changes; the sender is warned all the same.
    Nothing,
}

/// What became of an item that was not submitted by a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The item was merged into an earlier one of its revision.
    Merged(CallKey),
    /// The item was dropped: there was no room.
    Dropped(CallKey),
}

impl Settled {
    /// The key of the item.
    pub fn key(self) -> CallKey {
        match self {
            Self::Merged(key) | Self::Dropped(key) => key,
        }
    }
}
