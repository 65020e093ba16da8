//! Behaviour of the batch queue: each rule as a table, the whole against a plain model, and the laws that hold
//! whatever happens.

mod deadlines;
mod laws;
mod model;
mod sounds;
mod tables;

use std::sync::Arc;

use super::*;
use crate::base::ids::{NodeId, SegmentKey};

/// The policy that the tables vary: nothing goes by itself before 100 us.
fn policy() -> BatchPolicy {
    BatchPolicy {
        min: 4,
        max: 8,
        max_wait_us: 100,
        bound: 8,
        merge: Merge::Separate,
        overflow: OverflowPolicy::DropNewest,
        rule: None,
    }
}

fn key(session: u32, part: u32) -> CallKey {
    CallKey {
        session: SessionId(session),
        generation: 1,
        node: NodeId(0),
        segment: SegmentKey { slot: 0, serial: 1 },
        revision: 1,
        turn: 1,
        part,
    }
}

/// An item of one sentence without a deadline, whose text is `session.part`.
fn call(session: u32, part: u32, queued_us: u64) -> Call {
    Call {
        key: key(session, part),
        name: "caller".into(),
        text: format!("{session}.{part}").into(),
        audio: None,
        from_us: queued_us,
        to_us: queued_us.saturating_add(10),
        queued_us,
        deadline_us: 0,
        reduced: false,
        sentences: 1,
        attempt: 0,
        params: Arc::default(),
        history: Arc::default(),
    }
}

fn words() -> Merge {
    Merge::Texts { separator: " ".into() }
}

/// Joins as [`words`] does, but is the host's own.
fn custom() -> Merge {
    Merge::Custom(Arc::new(|texts| texts.join(" ").into()))
}

/// A queue with these calls, each pushed when its input came.
fn queue(policy: BatchPolicy, calls: &[Call]) -> BatchQueue {
    let mut queue = BatchQueue::new(policy);
    let mut settled = Vec::new();
    for call in calls {
        queue.push(call.clone(), call.queued_us, &mut settled);
    }
    assert!(settled.is_empty(), "{settled:?}");
    queue
}

/// Texts of the batch that goes at `now_us`, what else became of items, and the reason.
fn flush(
    queue: &mut BatchQueue,
    now_us: u64,
    avg_us: u64,
) -> (Vec<String>, Vec<Settled>, Option<FlushReason>) {
    let (mut batch, mut settled) = (Vec::new(), Vec::new());
    let reason = queue.flush(now_us, avg_us, &mut batch, &mut settled);
    (batch.iter().map(|call| call.text.to_string()).collect(), settled, reason)
}

fn due(session: u32, part: u32, queued_us: u64, deadline_us: u64) -> Call {
    Call { deadline_us, ..call(session, part, queued_us) }
}

fn rule(margin_us: u64, gives: Gives) -> Option<DeadlineRule> {
    Some(DeadlineRule { margin_us, gives })
}
