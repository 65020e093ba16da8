//! What holds whatever happens, told without knowing how batches are formed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// One item as random sequences push it.
#[derive(Clone, Debug)]
pub(super) struct Push {
    session: u32,
    /// Most are of the first session with that id.
    generation: u32,
    revision: u32,
    node: u8,
    sentences: u32,
    /// It was in its node's queue that long before it came; negative: it says that it will be.
    age_us: i64,
    /// Microseconds from the push; negative: it has passed.
    deadline_us: Option<i64>,
}

impl Push {
    /// The item with this serial; its text is the serial.
    pub(super) fn call(&self, serial: u32, now_us: u64) -> Call {
        let mut call = call(self.session, serial, now_us.saturating_add_signed(-self.age_us));
        call.key.generation = self.generation;
        call.key.revision = self.revision;
        call.key.node = NodeId(self.node);
        call.text = serial.to_string().into();
        call.sentences = self.sentences;
        call.deadline_us = self.deadline_us.map_or(0, |us| now_us.saturating_add_signed(us));
        call
    }
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    Push(Push),
    Withdraw(Index),
    /// Session, generation, size.
    Hint(u32, u32, u32),
    Flush(u64),
    Warn(u64),
    Wait(u64),
}

fn generations() -> impl Strategy<Value = u32> {
    prop_oneof![9 => Just(1_u32), 1 => Just(2)]
}

fn pushes() -> impl Strategy<Value = Push> {
    let revision = prop_oneof![4 => Just(1_u32), 1 => Just(2)];
    let node = prop_oneof![6 => Just(0_u8), 1 => Just(1)];
    let age_us = prop_oneof![3 => Just(0_i64), 1 => -10_i64..40];
    let deadline_us = prop_oneof![2 => Just(None), 3 => (-10_i64..60).prop_map(Some)];
    (0_u32..4, generations(), revision, node, 0_u32..4, age_us, deadline_us).prop_map(
        |(session, generation, revision, node, sentences, age_us, deadline_us)| Push {
            session,
            generation,
            revision,
            node,
            sentences,
            age_us,
            deadline_us,
        },
    )
}

/// Items of many sessions that came into their queues long ago or should have been done long ago.
fn urgent() -> impl Strategy<Value = Push> {
    (pushes(), 0_u32..40, 0_i64..2_000, prop::option::of(-2_000_i64..60))
        .prop_map(|(push, session, age_us, deadline_us)| Push { session, age_us, deadline_us, ..push })
}

pub(super) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        10 => pushes().prop_map(Op::Push),
        1 => any::<Index>().prop_map(Op::Withdraw),
        1 => (0_u32..4, generations(), 0_u32..12).prop_map(|(session, generation, size)| Op::Hint(session, generation, size)),
        3 => (0_u64..12).prop_map(Op::Flush),
        2 => (0_u64..12).prop_map(Op::Warn),
        3 => (0_u64..16).prop_map(Op::Wait),
    ];
    prop::collection::vec(op, 0..120)
}

pub(super) fn policies() -> impl Strategy<Value = BatchPolicy> {
    use OverflowPolicy::{Block, DropNewest, DropOldest, MergeOnOverflow};
    let sound = |ensure_continuity| Merge::Audio { ensure_continuity, max_gap_us: 6 };
    let merge = prop::sample::select(vec![
        Merge::Separate,
        words(),
        custom(),
        sound(false),
        sound(true),
        sound(true),
    ]);
    let overflow =
        prop::sample::select(vec![Block, DropNewest, DropOldest, MergeOnOverflow, MergeOnOverflow]);
    let gives = prop_oneof![
        2 => Just(Gives::FlushEarly),
        1 => (0_u32..8).prop_map(|max| Gives::GrowBatch { max }),
        1 => Just(Gives::LowerQuality),
        1 => Just(Gives::Nothing),
    ];
    let rule = prop::option::of((0_u64..20, gives))
        .prop_map(|rule| rule.map(|(margin_us, gives)| DeadlineRule { margin_us, gives }));
    (1_u32..6, 0_u32..5, 0_u64..50, 1_u32..10, merge, overflow, rule).prop_map(
        |(min, more, max_wait_us, bound, merge, overflow, rule)| BatchPolicy {
            min,
            max: min + more,
            max_wait_us,
            bound,
            merge,
            overflow,
            rule,
        },
    )
}

/// A queue with a record of everything that went in and came out.
struct Watched {
    queue: BatchQueue,
    policy: BatchPolicy,
    now_us: u64,
    pushed: Vec<Call>,
    flushed: Vec<Call>,
    settled: Vec<Settled>,
    withdrawn: Vec<CallKey>,
    /// By session: generation, and the items that are worth a batch to its items.
    hints: BTreeMap<u32, (u32, u32)>,
    batch: std::ops::Range<usize>,
}

impl Watched {
    fn new(policy: BatchPolicy) -> Self {
        let queue = BatchQueue::new(policy.clone());
        Self {
            queue,
            hints: BTreeMap::new(),
            policy,
            now_us: 0,
            pushed: Vec::new(),
            flushed: Vec::new(),
            settled: Vec::new(),
            withdrawn: Vec::new(),
            batch: 0..0,
        }
    }

    fn push(&mut self, push: &Push) {
        let call = push.call(self.pushed.len() as u32, self.now_us);
        self.hints.retain(|session, (generation, _)| {
            *session != call.key.session.0 || *generation == call.key.generation
        });
        self.pushed.push(call.clone());
        self.queue.push(call, self.now_us, &mut self.settled);
    }

    fn flush(&mut self, avg_us: u64) -> Option<FlushReason> {
        let from = self.flushed.len();
        let reason = self.queue.flush(self.now_us, avg_us, &mut self.flushed, &mut self.settled);
        self.batch = from..self.flushed.len();
        reason
    }

    fn act(&mut self, op: &Op) {
        match op {
            Op::Wait(us) => self.now_us += us,
            Op::Push(push) => self.push(push),
            Op::Withdraw(_) if self.pushed.is_empty() => {}
            Op::Withdraw(which) => {
                let key = which.get(&self.pushed).key;
                if self.queue.withdraw(key) {
                    self.withdrawn.push(key);
                }
            }
            Op::Hint(session, generation, suggested) => {
                let worth = (*suggested).max(self.policy.min).min(self.policy.max);
                self.hints.insert(*session, (*generation, worth));
                self.queue.hint(SessionId(*session), *generation, *suggested);
            }
            Op::Flush(avg_us) => drop(self.flush(*avg_us)),
            Op::Warn(avg_us) => self.queue.warnings(self.now_us, *avg_us, &mut Vec::new()),
        }
    }

    /// Everything that may go goes.
    fn drain(&mut self) {
        self.now_us += 1_000;
        while self.flush(0).is_some() {}
    }

    fn waiting(&self) -> usize {
        self.queue.len() + self.queue.at_door()
    }

    /// Items that are worth a batch to the one that waits inside for which the fewest are; without hints the
    /// policy's number.
    fn worth(&self) -> u32 {
        let worth = |key: CallKey| match self.hints.get(&key.session.0) {
            Some((generation, worth)) if *generation == key.generation => *worth,
            _ => self.policy.min,
        };
        self.queue.keys().take(self.queue.len()).map(worth).min().unwrap_or(self.policy.min)
    }

    /// Sessions of which something waits.
    fn waiting_sessions(&self) -> BTreeSet<u32> {
        let settled = self.settled.iter().map(|settled| settled.key().part);
        let flushed = self.flushed.iter().map(|call| call.key.part);
        let withdrawn = self.withdrawn.iter().map(|key| key.part);
        let gone: BTreeSet<u32> = settled.chain(flushed).chain(withdrawn).collect();
        let waiting = self.pushed.iter().filter(|call| !gone.contains(&call.key.part));
        waiting.map(|call| call.key.session.0).collect()
    }

    /// Serials of the items that a flushed call consists of.
    fn parts(call: &Call) -> Vec<usize> {
        call.text.split(' ').map(|serial| serial.parse().unwrap()).collect()
    }

    fn most(&self) -> u32 {
        match self.policy.rule.map(|rule| rule.gives) {
            Some(Gives::GrowBatch { max }) => max.max(self.policy.max),
            _ => self.policy.max,
        }
    }
}

fn bounds_and_counts(seen: &Watched) -> Result<(), TestCaseError> {
    prop_assert!(seen.queue.len() <= seen.policy.bound as usize, "{} wait", seen.queue.len());
    prop_assert!(seen.queue.depth_max() <= seen.policy.bound);
    prop_assert!(seen.queue.len() <= seen.queue.depth_max() as usize);
    prop_assert!(seen.queue.at_door() == 0 || seen.policy.overflow == OverflowPolicy::Block);
    prop_assert!(seen.queue.at_door() == 0 || seen.queue.len() == seen.policy.bound as usize);
    // Storage is used again: one more than the bound while an overflow is settled.
    prop_assert!(seen.queue.slots.len() <= seen.policy.bound as usize + 1);
    prop_assert!(seen.batch.len() <= seen.most() as usize, "a batch of {}", seen.batch.len());
    let known = seen.flushed.len() + seen.settled.len() + seen.withdrawn.len() + seen.waiting();
    prop_assert_eq!(seen.pushed.len(), known);
    Ok(())
}

/// Nothing comes out twice, in the wrong order within its session, or as part of something else.
fn order_and_origin(seen: &Watched) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<u32, usize> = BTreeMap::new();
    for call in &seen.flushed {
        let parts = Watched::parts(call);
        prop_assert_eq!(parts[0], call.key.part as usize);
        for part in parts {
            let pushed = &seen.pushed[part].key;
            let of = |key: &CallKey| CallKey { part: 0, ..*key };
            prop_assert_eq!(of(pushed), of(&call.key));
            let before = last.insert(pushed.session.0, part);
            prop_assert!(before.is_none_or(|before| before < part), "{part} after {before:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_item_ends_once_in_order_and_within_bounds(policy in policies(), ops in ops()) {
        let mut seen = Watched::new(policy);
        for op in &ops {
            seen.act(op);
            bounds_and_counts(&seen)?;
        }
        seen.drain();
        prop_assert!(seen.queue.is_empty());
        bounds_and_counts(&seen)?;
        order_and_origin(&seen)?;
    }

    /// Every session always speaks of one revision, and there are fewer sessions than places: two that may be joined
    /// are always there.
    #[test]
    fn no_text_is_lost_while_something_can_be_merged(
        policy in policies(),
        ops in ops(),
        merge in prop::sample::select(vec![words(), custom()]),
        bound in 4_u32..8,
    ) {
        let overflow = OverflowPolicy::MergeOnOverflow;
        let mut seen = Watched::new(BatchPolicy { merge, bound, overflow, ..policy });
        for op in ops {
            match op {
                Op::Push(push) => seen.push(&Push { generation: 1, revision: 1, node: 0, ..push }),
                Op::Withdraw(_) => {}
                other => seen.act(&other),
            }
        }
        seen.drain();
        let mut texts: Vec<usize> = seen.flushed.iter().flat_map(Watched::parts).collect();
        texts.sort_unstable();
        prop_assert_eq!(texts, (0..seen.pushed.len()).collect::<Vec<_>>());
    }

    /// The service takes every batch at once, and time moves in steps of at most `step_us`.
    #[test]
    fn with_a_free_service_nothing_waits_longer_than_the_longest_wait(
        policy in policies(),
        ops in ops(),
        step_us in 1_u64..10,
        avg_us in 0_u64..12,
    ) {
        let mut seen = Watched::new(policy);
        let mut checked = 0;
        for op in ops {
            match op {
                Op::Wait(us) => seen.now_us += us.min(step_us),
                Op::Push(push) => seen.push(&Push { age_us: 0, ..push }),
                other => seen.act(&other),
            }
            let announced_us = seen.queue.next_due_us(avg_us);
            let (waiting, now_us) = (seen.waiting() as u32, seen.now_us);
            let worth = waiting >= seen.worth() || waiting >= seen.policy.bound;
            let reason = seen.flush(avg_us);
            // What goes is what was announced, but for numbers.
            prop_assert_eq!(reason.is_some(), worth || announced_us.is_some_and(|us| us <= now_us));
            while seen.flush(avg_us).is_some() {}
            for call in &seen.flushed[checked..] {
                for part in Watched::parts(call) {
                    let waited_us = now_us - seen.pushed[part].queued_us;
                    let most_us = seen.policy.max_wait_us + step_us;
                    prop_assert!(waited_us <= most_us, "{part} waited {waited_us} of {most_us} us");
                }
            }
            checked = seen.flushed.len();
        }
    }

    /// In one batch nobody gets two places more than somebody who still waits.
    #[test]
    fn places_are_given_evenly(policy in policies(), ops in ops()) {
        prop_assume!(policy.overflow != OverflowPolicy::Block);
        let mut seen = Watched::new(policy);
        for op in &ops {
            seen.act(op);
            if !matches!(op, Op::Flush(_)) {
                continue;
            }
            let mut places: BTreeMap<u32, i32> = BTreeMap::new();
            for call in &seen.flushed[seen.batch.clone()] {
                *places.entry(call.key.session.0).or_default() += 1;
            }
            let most = places.values().copied().max().unwrap_or(0);
            for session in seen.waiting_sessions() {
                let got = places.get(&session).copied().unwrap_or(0);
                prop_assert!(most - got <= 1, "{session} got {got} places of {places:?}");
            }
        }
    }

    /// Others push what they like, as late and as urgent as they like: once the first item has waited its time, only
    /// what waited with it then can go before it.
    #[test]
    fn no_session_waits_for_ever(
        policy in policies(),
        max in 1_u32..4,
        bound in 1_u32..30,
        before in prop::collection::vec(urgent(), 0..30),
        others in prop::collection::vec((prop::collection::vec(urgent(), 0..8), 1_u64..8, 0_u64..12), 200),
    ) {
        let mut seen = Watched::new(BatchPolicy { min: 1, max, bound, ..policy });
        let first = Push { session: 99, generation: 1, revision: 1, node: 0, sentences: 1, age_us: 0, deadline_us: None };
        seen.push(&first);
        before.iter().for_each(|push| seen.push(push));
        let due_us = seen.policy.max_wait_us;
        let mut flushes_left = None;
        for (pushes, wait_us, avg_us) in &others {
            let gone = seen.settled.contains(&Settled::Dropped(key(99, 0)));
            if gone || seen.flushed.iter().any(|call| call.key.session.0 == 99) {
                return Ok(());
            }
            if seen.now_us > due_us {
                let most = seen.waiting() / seen.policy.max as usize + 1;
                let left = flushes_left.get_or_insert(most);
                prop_assert!(*left > 0, "still waiting after {most} flushes");
                *left -= 1;
            }
            seen.flush(*avg_us);
            seen.now_us += wait_us;
            pushes.iter().for_each(|push| seen.push(push));
        }
        prop_assert!(flushes_left.is_some(), "it was never due");
    }
}
