//! What holds of a queue whatever is done to it, against a plain list.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::base::ids::SegmentKey;
use crate::base::time::frames_to_us;
use crate::media::frame::{Mark, Payload};
use crate::scene::MergeStrategy;
use crate::speech::cancellation::{CancelScope, Cancellation};

const RATE_HZ: u32 = 16_000;
/// 20 ms.
const SAMPLES_MAX: usize = 320;

/// Whose a frame is: segment and revision.
type Origin = (u32, u32);

#[derive(Clone, Debug)]
enum Op {
    Text(Origin, String),
    /// Samples, and whether some are missing before them.
    Audio(Origin, usize, bool),
    Mark(Origin),
    Pop,
    /// A cancellation covers this origin.
    Purge(Origin),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let origin = || (1_u32..3, 0_u32..3);
    let op = prop_oneof![
        5 => (origin(), "[a-z]{1,3} ?").prop_map(|(origin, text)| Op::Text(origin, text)),
        5 => (origin(), 1_usize..=SAMPLES_MAX, prop::bool::weighted(0.2)).prop_map(|(o, n, gap)| Op::Audio(o, n, gap)),
        1 => origin().prop_map(Op::Mark),
        4 => Just(Op::Pop),
        1 => origin().prop_map(Op::Purge),
    ];
    // Runs of one origin, as nodes send them; else hardly any two neighbours would fit.
    let run = (op, 1_usize..6).prop_map(|(op, times)| vec![op; times]);
    prop::collection::vec(run, 1..40).prop_map(|runs| runs.concat())
}

fn strategies() -> impl Strategy<Value = Option<MergeStrategy>> {
    let joined = |ensure_continuity| MergeStrategy::ConcatenateAudio { ensure_continuity, max_gap_ms: 0.0 };
    prop_oneof![
        3 => Just(None),
        2 => Just(Some(MergeStrategy::ConcatenateText { separator: ", ".into() })),
        1 => Just(Some(MergeStrategy::KeepSeparate)),
        1 => Just(Some(joined(true))),
        1 => Just(Some(joined(false))),
    ]
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Text(String),
    Audio(Vec<f32>),
    Mark,
}

/// A frame as the list has it.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    origin: Origin,
    pts_us: u64,
    content: Content,
}

impl Plain {
    fn of(frame: &Frame) -> Self {
        let content = match &frame.payload {
            Payload::Text(text) => Content::Text(text.to_string()),
            Payload::Audio(block) => Content::Audio(block.samples().to_vec()),
            Payload::Mark(_) | Payload::Clip(_) | Payload::Caption(_) => Content::Mark,
        };
        Self { origin: (frame.segment.serial, frame.revision), pts_us: frame.pts_us, content }
    }

    fn frame(&self) -> Frame {
        let payload = match &self.content {
            Content::Text(text) => Payload::Text(text.as_str().into()),
            Content::Audio(samples) => Payload::Audio(crate::media::block::Block::from_samples(samples)),
            Content::Mark => Payload::Mark(Mark::Endpoint),
        };
        Frame {
            payload,
            pts_us: self.pts_us,
            arrived_us: 0,
            queued_us: 0,
            deadline_us: 0,
            session: SessionId(7),
            segment: SegmentKey { slot: 0, serial: self.origin.0 },
            revision: self.origin.1,
            turn: 1,
            seq: 0,
        }
    }

    fn is_mark(&self) -> bool {
        self.content == Content::Mark
    }

    /// The two as one, if they may be.
    fn with(&self, second: &Self, strategy: &Option<MergeStrategy>) -> Option<Self> {
        if self.origin != second.origin || *strategy == Some(MergeStrategy::KeepSeparate) {
            return None;
        }
        let content = match (&self.content, &second.content) {
            (Content::Text(a), Content::Text(b)) => {
                let separator = match strategy {
                    _ if a.ends_with(' ') => "",
                    Some(MergeStrategy::ConcatenateText { separator }) => separator,
                    _ => " ",
                };
                Content::Text(format!("{a}{separator}{b}"))
            }
            (Content::Audio(a), Content::Audio(b)) if a.len() + b.len() <= SAMPLES_MAX => {
                let end_us = self.pts_us + frames_to_us(a.len() as u64, RATE_HZ);
                let gaps = matches!(
                    strategy,
                    Some(MergeStrategy::ConcatenateAudio { ensure_continuity: false, .. })
                );
                if !gaps && second.pts_us.abs_diff(end_us) > 2 {
                    return None;
                }
                Content::Audio([&a[..], b].concat())
            }
            _ => return None,
        };
        Some(Self { content, ..self.clone() })
    }
}

/// What became of all that was pushed.
#[derive(Debug, Default, PartialEq)]
struct Fates {
    pushed: usize,
    popped: usize,
    purged: usize,
    dropped: usize,
    merged: usize,
    samples_in: usize,
    samples_out: usize,
}

/// The list.
struct Model {
    bound: usize,
    overflow: OverflowPolicy,
    strategy: Option<MergeStrategy>,
    waiting: VecDeque<Plain>,
}

impl Model {
    /// What is lost by the push, and whether two became one.
    fn push(&mut self, frame: Plain) -> (Option<Plain>, bool) {
        if self.waiting.len() < self.bound || frame.is_mark() {
            self.waiting.push_back(frame);
            return (None, false);
        }
        if self.overflow == OverflowPolicy::MergeOnOverflow {
            let all: Vec<Plain> = self.waiting.iter().cloned().chain([frame.clone()]).collect();
            let pair = all.windows(2).enumerate();
            let mut pairs = pair.filter_map(|(at, two)| Some((at, two[0].with(&two[1], &self.strategy)?)));
            if let Some((at, one)) = pairs.next() {
                self.waiting = [&all[..at], &[one], &all[at + 2..]].concat().into();
                return (None, true);
            }
        }
        let keeps_new = matches!(self.overflow, OverflowPolicy::DropOldest | OverflowPolicy::MergeOnOverflow);
        match self.waiting.iter().position(|waiting| keeps_new && !waiting.is_mark()) {
            Some(at) => {
                let oldest = self.waiting.remove(at);
                self.waiting.push_back(frame);
                (oldest, false)
            }
            None => (Some(frame), false),
        }
    }
}

/// Does `op` to both; says what differs.
fn apply(
    op: &Op,
    at: usize,
    ends_us: &mut [u64; 16],
    queue: &mut Queue,
    model: &mut Model,
    fates: &mut Fates,
) {
    let mut pool = BlockPool::default();
    let plain = match op {
        Op::Pop => {
            let (got, want) = (queue.pop().map(|frame| Plain::of(&frame)), model.waiting.pop_front());
            assert_eq!(got, want, "op {at}: popped");
            if let Some(frame) = got {
                fates.popped += 1;
                fates.samples_out += samples(&frame);
            }
            return;
        }
        Op::Purge((segment, revision)) => {
            let scope = CancelScope::Revision { segment: *segment, revision: *revision };
            let cancellation = Cancellation { session: SessionId(7), scope };
            queue.purge(
                |frame| cancellation.covers_frame(frame),
                |frame| {
                    fates.purged += 1;
                    fates.samples_out += frame.samples();
                },
            );
            model.waiting.retain(|frame| frame.origin != (*segment, *revision));
            return;
        }
        Op::Text(origin, text) => Plain { origin: *origin, pts_us: 0, content: Content::Text(text.clone()) },
        Op::Mark(origin) => Plain { origin: *origin, pts_us: 0, content: Content::Mark },
        Op::Audio(origin, n, gap) => {
            let end_us = &mut ends_us[(origin.0 * 4 + origin.1) as usize];
            let pts_us = *end_us + if *gap { 5_000 } else { 0 };
            *end_us = pts_us + frames_to_us(*n as u64, RATE_HZ);
            let content = Content::Audio((0..*n).map(|s| (at * 1_000 + s) as f32).collect());
            Plain { origin: *origin, pts_us, content }
        }
    };
    fates.pushed += 1;
    fates.samples_in += samples(&plain);
    let frame = plain.frame();
    let (lost, merges) = model.push(plain);
    let (got_lost, got_merges) = match queue.push(frame, &mut pool) {
        Pushed::Queued => (None, false),
        Pushed::Merged => (None, true),
        Pushed::Dropped(frame) => (Some(Plain::of(&frame)), false),
    };
    assert_eq!((&got_lost, got_merges), (&lost, merges), "op {at}: {op:?}");
    fates.merged += usize::from(merges);
    if let Some(lost) = lost {
        fates.dropped += 1;
        fates.samples_out += samples(&lost);
    }
}

fn samples(frame: &Plain) -> usize {
    if let Content::Audio(samples) = &frame.content { samples.len() } else { 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_does_what_its_policy_says_and_loses_nothing_else(
        ops in ops(), bound in 1_u32..6, strategy in strategies(), policy in 0_usize..4,
    ) {
        let overflow = [
            OverflowPolicy::DropOldest,
            OverflowPolicy::DropNewest,
            OverflowPolicy::Block,
            OverflowPolicy::MergeOnOverflow,
        ][policy];
        let format = Some(Format { rate_hz: RATE_HZ, channels: 1 });
        let joint = MergeRule { strategy: strategy.clone(), custom: None, format, samples_max: SAMPLES_MAX };
        let mut queue = Queue::new(bound, overflow).joining(joint);
        let mut model = Model { bound: bound as usize, overflow, strategy, waiting: VecDeque::new() };
        let (mut fates, mut ends_us) = (Fates::default(), [0; 16]);
        for (at, op) in ops.iter().enumerate() {
            apply(op, at, &mut ends_us, &mut queue, &mut model, &mut fates);
            let waiting: Vec<Plain> = queue.iter().map(Plain::of).collect();
            prop_assert!(model.waiting.iter().eq(&waiting), "op {at}: {waiting:?}, expected {:?}", model.waiting);
            let content = waiting.iter().filter(|frame| !frame.is_mark()).count();
            prop_assert!(content <= bound as usize, "op {at}: {content} wait, {bound} fit");
            let joined = waiting.iter().map(samples).max().unwrap_or(0);
            prop_assert!(joined <= SAMPLES_MAX, "op {at}: a block of {joined} samples");
            let ends = fates.popped + fates.purged + fates.dropped + fates.merged + waiting.len();
            prop_assert_eq!(fates.pushed, ends, "op {}: {:?}", at, &fates);
            let held: usize = waiting.iter().map(samples).sum();
            prop_assert_eq!(fates.samples_in, fates.samples_out + held, "op {}: {:?}", at, &fates);
        }
    }
}

#[test]
fn texts_become_one_up_to_the_limit_and_then_the_oldest_is_dropped() {
    let text = |chars: usize| Plain { origin: (1, 1), pts_us: 0, content: Content::Text("é".repeat(chars)) };
    // Characters of the two, what is between them, what is left of them.
    let cases = [
        (499, 500, " ", Some(1_000)),
        (500, 500, " ", None),
        (1, 998, " ", Some(1_000)),
        (1, 999, " ", None),
        (500, 497, " - ", Some(1_000)),
        (500, 498, " - ", None),
        (5_000, 1, " ", None),
    ];
    let mut wrong = Vec::new();
    for (first, second, separator, want) in cases {
        let strategy = Some(MergeStrategy::ConcatenateText { separator: separator.into() });
        let joint = MergeRule { strategy, ..MergeRule::default() };
        let mut queue = Queue::new(1, OverflowPolicy::MergeOnOverflow).joining(joint);
        let mut pool = BlockPool::default();
        assert!(matches!(queue.push(text(first).frame(), &mut pool), Pushed::Queued));
        let fate = queue.push(text(second).frame(), &mut pool);
        let left = queue.pop().map(|frame| match Plain::of(&frame).content {
            Content::Text(text) => text.chars().count(),
            content => panic!("no text: {content:?}"),
        });
        let as_wanted = match (&fate, want) {
            (Pushed::Merged, Some(chars)) => left == Some(chars),
            (Pushed::Dropped(lost), None) => Plain::of(lost) == text(first) && left == Some(second),
            _ => false,
        };
        if !as_wanted {
            wrong.push(format!("{first} and {second} by {separator:?}: {left:?} left, expected {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_newcomer_that_fits_the_last_one_is_joined_before_anything_is_dropped() {
    let mut queue = Queue::new(1, OverflowPolicy::MergeOnOverflow);
    let text = |text: &str| Plain { origin: (1, 1), pts_us: 0, content: Content::Text(text.into()) };
    let mut pool = BlockPool::default();
    for word in ["one", "two", "three"] {
        assert!(!matches!(queue.push(text(word).frame(), &mut pool), Pushed::Dropped(_)), "{word}");
    }
    assert_eq!(queue.pop().map(|frame| Plain::of(&frame)), Some(text("one two three")));
}
