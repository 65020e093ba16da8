//! What a batch queue is told to do, and how waiting texts become one.

use std::fmt;
use std::sync::Arc;

use crate::joint::JoinTexts;
use crate::scene::OverflowPolicy;
use crate::service::{Call, CallKey};

/// Sentences that a flush joins into one item at most: a longer text would keep the listener waiting for its first
/// sound.
pub const SENTENCES_MAX: u32 = 5;

/// What a batch queue does.
#[derive(Clone, Debug)]
pub struct BatchPolicy {
    /// Items that are worth a batch, at least 1; a hint moves this up to `max`.
    pub min: u32,
    /// Items of one batch at most, at least `min`.
    pub max: u32,
    /// A lone item goes this long after it entered its node's queue, in microseconds.
    pub max_wait_us: u64,
    /// Items that may wait, over all sessions, at least 1.
    pub bound: u32,
    /// How items of one revision become one.
    pub merge: Merge,
    /// What happens at the bound.
    pub overflow: OverflowPolicy,
    /// What a near deadline changes; None: deadlines only decide who goes first.
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

    /// Whether time alone flushes items whose deadline is near.
    pub(super) fn flushes_early(&self) -> bool {
        self.rule.is_some_and(|rule| rule.gives == Gives::FlushEarly)
    }

    /// The deadline is near from this time on, as the batch has to be done by then; never without rule or deadline.
    pub(super) fn pressed_from_us(&self, deadline_us: u64, avg_us: u64) -> Option<u64> {
        let rule = self.rule.filter(|_| deadline_us > 0)?;
        Some(deadline_us.saturating_sub(rule.margin_us.saturating_add(avg_us)))
    }
}

/// How waiting items of one revision become one. Items of different sessions, nodes, segments or revisions never do.
#[derive(Clone)]
pub enum Merge {
    /// Not at all.
    Separate,
    /// Texts are joined, at a flush up to [`SENTENCES_MAX`] sentences.
    Texts {
        /// What stands between them.
        separator: Arc<str>,
    },
    /// The host joins them, under the same limit.
    Custom(JoinTexts),
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Separate => f.write_str("Separate"),
            Self::Texts { separator } => f.debug_struct("Texts").field("separator", separator).finish(),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl Merge {
    /// Whether the second of two neighbours may become part of the first, as far as whose they are goes.
    pub(super) fn may_join(&self, first: &CallKey, second: &CallKey) -> bool {
        let same = first.session == second.session
            && first.opening == second.opening
            && first.node == second.node
            && first.segment == second.segment
            && first.revision == second.revision;
        same && !matches!(self, Self::Separate)
    }

    /// The text of an item that consists of these.
    pub(super) fn join(&self, texts: &[Arc<str>]) -> Arc<str> {
        match self {
            Self::Separate => texts.concat().into(),
            Self::Texts { separator } => texts.join(&**separator).into(),
            Self::Custom(join) => join(texts),
        }
    }
}

impl Call {
    /// Takes over what a later item of the same revision brings, all but its text.
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
    /// An item is pressed once no more than this is left beside the time that its work takes, in microseconds.
    pub margin_us: u64,
    /// What gives way.
    pub gives: Gives,
}

/// What gives way when a deadline is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// The batch goes as it is.
    FlushEarly,
    /// Batches take up to `max` items while anything that waits is pressed.
    GrowBatch {
        /// Items of such a batch; not below the policy's own `max`.
        max: u32,
    },
    /// Pressed calls ask for lower quality.
    LowerQuality,
    /// Nothing; the sender is warned all the same.
    Nothing,
}

/// What became of an item other than by a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is part of an earlier item of its revision now.
    Merged(CallKey),
    /// It is gone, for there was no room.
    Dropped(CallKey),
}

impl Settled {
    /// Which item.
    pub fn key(self) -> CallKey {
        match self {
            Self::Merged(key) | Self::Dropped(key) => key,
        }
    }
}

/// Why a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushReason {
    /// As many items as are worth a batch.
    Count,
    /// An item had waited long enough.
    Timer,
    /// The queue was at its bound.
    Full,
    /// A deadline was near.
    Deadline,
}

impl FlushReason {
    /// As events and reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Timer => "timer",
            Self::Full => "full",
            Self::Deadline => "deadline",
        }
    }
}
