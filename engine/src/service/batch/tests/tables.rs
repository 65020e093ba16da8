//! Each rule by itself.

use super::*;
use crate::media::JOINED_CHARS_MAX;

#[test]
fn a_batch_goes_on_count_timer_full_or_deadline() {
    use FlushReason::{Count, Deadline, Full, Timer};
    let early = rule(20, Gives::FlushEarly);
    let many = |n: u32| (0..n).map(|i| call(i, 0, 0)).collect::<Vec<_>>();
    let rows = [
        ("empty", policy(), vec![], 1_000, None),
        ("one too few", policy(), many(3), 99, None),
        ("as many as are worth it", policy(), many(4), 0, Some(Count)),
        ("one alone waits", policy(), many(1), 99, None),
        ("one alone has waited", policy(), many(1), 100, Some(Timer)),
        ("the oldest counts", policy(), vec![call(1, 0, 50), call(0, 0, 60)], 149, None),
        ("the oldest has waited", policy(), vec![call(1, 0, 50), call(0, 0, 60)], 150, Some(Timer)),
        ("count before timer", policy(), many(4), 100, Some(Count)),
        ("full", BatchPolicy { min: 8, bound: 3, ..policy() }, many(3), 0, Some(Full)),
        ("full before count", policy(), many(8), 0, Some(Full)),
        ("deadline without a rule", policy(), vec![due(0, 0, 0, 50)], 99, None),
        ("deadline far", BatchPolicy { rule: early, ..policy() }, vec![due(0, 0, 0, 80)], 49, None),
        (
            "deadline near",
            BatchPolicy { rule: early, ..policy() },
            vec![due(0, 0, 0, 80)],
            50,
            Some(Deadline),
        ),
        (
            "deadline after the timer",
            BatchPolicy { rule: early, ..policy() },
            vec![due(0, 0, 0, 200)],
            180,
            Some(Timer),
        ),
        (
            "deadline past",
            BatchPolicy { rule: early, ..policy() },
            vec![due(0, 0, 40, 5)],
            40,
            Some(Deadline),
        ),
        (
            "another rule",
            BatchPolicy { rule: rule(20, Gives::Nothing), ..policy() },
            vec![due(0, 0, 0, 80)],
            60,
            None,
        ),
        (
            "numbers without sense",
            BatchPolicy { min: 0, max: 0, bound: 0, ..policy() },
            many(1),
            0,
            Some(Full),
        ),
    ];
    for (name, policy, calls, now_us, reason) in rows {
        let mut queue = queue(policy, &calls);
        let (batch, _, got) = flush(&mut queue, now_us, 10);
        assert_eq!(got, reason, "{name}");
        assert_eq!(batch.len(), if reason.is_some() { calls.len() } else { 0 }, "{name}");
    }
    assert_eq!([Count, Timer, Full, Deadline].map(FlushReason::name), ["count", "timer", "full", "deadline"]);
}

#[test]
fn a_hint_moves_the_count_within_its_bounds() {
    let rows: [(&[u32], u32); 6] = [(&[], 4), (&[6], 6), (&[100], 8), (&[1], 4), (&[0], 4), (&[8, 5], 5)];
    for (hints, worth) in rows {
        let mut queue = BatchQueue::new(BatchPolicy { bound: 100, ..policy() });
        hints.iter().for_each(|&hint| queue.hint(SessionId(7), 1, hint));
        for i in 0..worth {
            assert_eq!(flush(&mut queue, 0, 0).2, None, "{hints:?} at {i}");
            queue.push(call(7, i, 0), 0, &mut Vec::new());
        }
        assert_eq!(flush(&mut queue, 0, 0).2, Some(FlushReason::Count), "{hints:?}");
    }
}

#[test]
fn places_go_by_rounds_and_within_a_round_by_due_time() {
    let busy = |n: u32| (0..n).map(|part| call(0, part, 0));
    let rows: Vec<(&str, Vec<Call>, u32, &str)> = vec![
        ("by time", vec![call(2, 0, 5), call(1, 0, 9), call(0, 0, 7)], 3, "2.0 0.0 1.0"),
        ("equals by session", vec![call(2, 0, 5), call(0, 0, 5), call(1, 0, 5)], 3, "0.0 1.0 2.0"),
        ("heads first", busy(5).chain([call(1, 0, 9), call(1, 1, 9)]).collect(), 5, "0.0 1.0 0.1 1.1 0.2"),
        ("cut within a round", busy(2).chain([call(1, 0, 9), call(2, 0, 8)]).collect(), 2, "0.0 2.0"),
        ("a deadline goes first", vec![call(0, 0, 5), due(1, 0, 9, 50)], 1, "1.0"),
        ("a far deadline does not", vec![call(0, 0, 5), due(1, 0, 9, 130)], 1, "0.0"),
        ("less the work's time", vec![call(0, 0, 5), due(1, 0, 9, 114)], 1, "1.0"),
    ];
    for (name, calls, max, want) in rows {
        let mut queue = queue(BatchPolicy { min: 1, max, ..policy() }, &calls);
        assert_eq!(flush(&mut queue, 10, 10).0.join(" "), want, "{name}");
    }
}

#[test]
fn what_is_overdue_when_it_comes_stands_behind_what_was_before() {
    let mut queue = BatchQueue::new(BatchPolicy { min: 1, max: 1, bound: 100, ..policy() });
    let mut settled = Vec::new();
    queue.push(call(9, 0, 0), 0, &mut settled);
    let mut taken = Vec::new();
    for now_us in 99..104 {
        // The latest of them came into its queue long ago, and its deadline has passed.
        queue.push(due(now_us as u32 - 99, 0, 0, 1), now_us, &mut settled);
        taken.extend(flush(&mut queue, now_us, 0).0);
    }
    assert_eq!(taken.join(" "), "0.0 1.0 9.0 2.0 3.0");
}

#[test]
fn neighbours_of_one_revision_become_one() {
    let with = |session, part, change: fn(&mut Call)| {
        let mut call = call(session, part, 0);
        change(&mut call);
        call
    };
    let long = |part, sentences| Call { sentences, ..call(0, part, 0) };
    let three = || vec![call(0, 0, 0), call(0, 1, 0), call(0, 2, 0)];
    let rows: Vec<(&str, Merge, Vec<Call>, &str)> = vec![
        ("joined", words(), three(), "0.0 0.1 0.2"),
        ("by the host", custom(), three(), "0.0 0.1 0.2"),
        ("kept separate", Merge::Separate, three(), "0.0|0.1|0.2"),
        ("separator", Merge::Texts { separator: ", ".into() }, three(), "0.0, 0.1, 0.2"),
        ("sessions", words(), vec![call(0, 0, 0), call(1, 0, 0), call(0, 1, 0)], "0.0 0.1|1.0"),
        ("revision", words(), vec![call(0, 0, 0), with(0, 1, |c| c.key.revision = 2)], "0.0|0.1"),
        ("segment", words(), vec![call(0, 0, 0), with(0, 1, |c| c.key.segment.serial = 2)], "0.0|0.1"),
        ("node", words(), vec![call(0, 0, 0), with(0, 1, |c| c.key.node = NodeId(1))], "0.0|0.1"),
        ("opening", words(), vec![call(0, 0, 0), with(0, 1, |c| c.key.generation = 2)], "0.0|0.1"),
        (
            "not over another",
            words(),
            vec![call(0, 0, 0), with(0, 1, |c| c.key.revision = 2), call(0, 2, 0)],
            "0.0|0.1|0.2",
        ),
        (
            "five sentences",
            words(),
            (0..7).map(|part| call(0, part, 0)).collect(),
            "0.0 0.1 0.2 0.3 0.4|0.5 0.6",
        ),
        ("long ones", words(), vec![long(0, 3), long(1, 2), long(2, 1)], "0.0 0.1|0.2"),
        ("too long for the first", words(), vec![long(0, 2), long(1, 4), long(2, 1)], "0.0|0.1 0.2"),
        ("too long by itself", words(), vec![long(0, 9), long(1, 1)], "0.0|0.1"),
        ("0 counts as one", words(), (0..6).map(|part| long(part, 0)).collect(), "0.0 0.1 0.2 0.3 0.4|0.5"),
    ];
    for (name, merge, calls, want) in rows {
        let mut queue = queue(BatchPolicy { min: 1, merge, ..policy() }, &calls);
        let (batch, settled, _) = flush(&mut queue, 0, 0);
        assert_eq!(batch.join("|"), want, "{name}");
        assert_eq!(batch.len() + settled.len(), calls.len(), "{name}: {settled:?}");
        assert!(settled.iter().all(|s| matches!(s, Settled::Merged(_))), "{name}: {settled:?}");
    }
}

#[test]
fn a_merged_call_has_the_range_and_the_tightest_times_of_its_parts() {
    let first = Call { deadline_us: 0, reduced: false, ..call(0, 0, 20) };
    let second = Call { deadline_us: 90, reduced: true, from_us: 5, sentences: 2, ..call(0, 1, 10) };
    let third = Call { deadline_us: 70, to_us: 99, ..call(0, 2, 30) };
    for policy in [
        BatchPolicy { min: 1, merge: words(), ..policy() },
        BatchPolicy { bound: 1, merge: words(), overflow: OverflowPolicy::MergeOnOverflow, ..policy() },
    ] {
        let mut queue = BatchQueue::new(policy);
        let (mut batch, mut settled) = (Vec::new(), Vec::new());
        for call in [&first, &second, &third] {
            queue.push(call.clone(), 40, &mut settled);
        }
        assert!(queue.flush(40, 0, &mut batch, &mut settled).is_some());
        assert_eq!(settled, [Settled::Merged(second.key), Settled::Merged(third.key)]);
        let [got] = batch.as_slice() else { panic!("{batch:?}") };
        assert_eq!((got.key, &*got.text), (first.key, "0.0 0.1 0.2"));
        assert_eq!((got.from_us, got.to_us, got.queued_us, got.deadline_us), (5, 99, 10, 70));
        assert_eq!((got.reduced, got.sentences), (true, 4));
    }
}

#[test]
fn at_the_bound_the_policy_decides_who_goes() {
    use OverflowPolicy::{Block, DropNewest, DropOldest, MergeOnOverflow};
    use Settled::{Dropped, Merged};
    let other = |session, part, queued_us| {
        let mut call = call(session, part, queued_us);
        call.key.revision = 2;
        call
    };
    let (a, b, c) = (call(0, 0, 5), call(1, 0, 3), call(0, 1, 7));
    let full = [a.clone(), b.clone(), c.clone()];
    let gone = |part: u32, session: u32| key(session, part);
    let rows = [
        ("newest", DropNewest, words(), call(2, 0, 9), Some(Dropped(gone(0, 2))), "1.0|0.0 0.1"),
        ("oldest", DropOldest, words(), call(2, 0, 9), Some(Dropped(gone(0, 1))), "0.0 0.1|2.0"),
        ("the newcomer stays", DropOldest, words(), call(2, 0, 1), Some(Dropped(gone(0, 1))), "2.0|0.0 0.1"),
        ("block", Block, words(), call(2, 0, 9), None, "1.0|0.0 0.1"),
        ("a pair", MergeOnOverflow, words(), call(2, 0, 9), Some(Merged(gone(1, 0))), "1.0|0.0 0.1|2.0"),
        (
            "the oldest pair",
            MergeOnOverflow,
            words(),
            call(1, 1, 9),
            Some(Merged(gone(1, 1))),
            "1.0 1.1|0.0 0.1",
        ),
        (
            "by the host",
            MergeOnOverflow,
            custom(),
            call(2, 0, 9),
            Some(Merged(gone(1, 0))),
            "1.0|0.0 0.1|2.0",
        ),
        (
            "none may",
            MergeOnOverflow,
            Merge::Separate,
            call(2, 0, 9),
            Some(Dropped(gone(0, 1))),
            "0.0|2.0|0.1",
        ),
        (
            "with the newcomer alone",
            MergeOnOverflow,
            words(),
            call(0, 2, 9),
            Some(Merged(gone(1, 0))),
            "1.0|0.0 0.1 0.2",
        ),
    ];
    for (name, overflow, merge, newcomer, want, rest) in rows {
        let mut queue = queue(BatchPolicy { bound: 3, overflow, merge, ..policy() }, &full);
        let mut settled = Vec::new();
        queue.push(newcomer, 10, &mut settled);
        assert_eq!(settled, want.into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!((queue.len(), queue.depth_max()), (3, 3), "{name}");
        assert_eq!(flush(&mut queue, 10, 0).0.join("|"), rest, "{name}");
    }
    // Nothing but strangers: the oldest goes, the newcomer though it waits longer does not.
    let mut queue = queue(
        BatchPolicy { bound: 2, overflow: MergeOnOverflow, merge: words(), ..policy() },
        &[call(0, 0, 5), other(0, 1, 6)],
    );
    let mut settled = Vec::new();
    queue.push(call(0, 2, 1), 10, &mut settled);
    assert_eq!(settled, [Dropped(key(0, 0))]);
}

#[test]
fn overflow_merges_beyond_five_sentences() {
    let overflow = OverflowPolicy::MergeOnOverflow;
    let mut queue = BatchQueue::new(BatchPolicy { bound: 2, overflow, merge: words(), ..policy() });
    let mut settled = Vec::new();
    (0..9).for_each(|part| queue.push(call(0, part, u64::from(part)), 9, &mut settled));
    assert_eq!(settled, (1..8).map(|part| Settled::Merged(key(0, part))).collect::<Vec<_>>());
    // What has more than five already takes in no more by itself.
    assert_eq!(flush(&mut queue, 9, 0).0, ["0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7", "0.8"]);
}

/// A reply without an end, to a service that takes nothing.
#[test]
fn what_waits_for_a_service_is_bounded_in_items_and_in_characters() {
    let rows = [
        (OverflowPolicy::MergeOnOverflow, words()),
        (OverflowPolicy::MergeOnOverflow, custom()),
        (OverflowPolicy::MergeOnOverflow, Merge::Separate),
        (OverflowPolicy::DropOldest, words()),
        (OverflowPolicy::DropNewest, words()),
    ];
    for (overflow, merge) in rows {
        let name = format!("{overflow:?}, {merge:?}");
        let mut queue = BatchQueue::new(BatchPolicy { bound: 8, overflow, merge, ..policy() });
        let mut settled = Vec::new();
        let text: Arc<str> = "é".repeat(90).into();
        for part in 0..2_000 {
            queue.push(Call { text: Arc::clone(&text), ..call(0, part, 0) }, 0, &mut settled);
            let waits: usize = (0..queue.len()).map(|at| queue.item(at).call.text.chars().count()).sum();
            assert!(queue.len() <= 8 && waits <= 8 * JOINED_CHARS_MAX, "{name}: {} of {waits}", queue.len());
        }
        // Whatever does not wait was merged or is said to be lost.
        assert_eq!(settled.len() + queue.len(), 2_000, "{name}");
        let texts = queue.places.len() + settled.iter().filter(|s| matches!(s, Settled::Merged(_))).count();
        let dropped = settled.iter().filter(|s| matches!(s, Settled::Dropped(_))).count();
        assert_eq!(texts + dropped, 2_000, "{name}");
        assert!(dropped > 100, "{name}: {dropped}");
    }
}

#[test]
fn who_is_blocked_moves_in_as_places_get_free() {
    let overflow = OverflowPolicy::Block;
    let mut queue = BatchQueue::new(BatchPolicy { min: 2, max: 2, bound: 2, overflow, ..policy() });
    let mut settled = Vec::new();
    (0..7).for_each(|i| queue.push(call(i, 0, 0), 0, &mut settled));
    assert_eq!((queue.len(), queue.at_door(), queue.depth_max()), (2, 5, 2));
    assert!(queue.withdraw(key(0, 0)), "inside");
    assert_eq!((queue.len(), queue.at_door()), (2, 4));
    assert!(queue.withdraw(key(4, 0)), "at the door");
    assert_eq!((queue.len(), queue.at_door()), (2, 3));
    let mut went = Vec::new();
    while let (batch, _, Some(_)) = flush(&mut queue, 0, 0) {
        went.push(batch.join(" "));
    }
    assert_eq!(went, ["1.0 2.0", "3.0 5.0"]);
    // The last one is alone and waits for its time.
    assert_eq!((queue.len(), queue.at_door(), settled), (1, 0, vec![]));
    assert_eq!(flush(&mut queue, 100, 0).0, ["6.0"]);
    assert!(queue.is_empty());
}

#[test]
fn a_withdrawn_item_is_gone_and_none_else() {
    let mut queue = queue(policy(), &[call(0, 0, 0), call(0, 1, 0), call(1, 0, 0)]);
    assert!(queue.withdraw(key(0, 0)));
    for absent in [key(0, 0), key(0, 7), key(2, 0), CallKey { generation: 2, ..key(0, 1) }] {
        assert!(!queue.withdraw(absent), "{absent:?}");
    }
    assert_eq!(flush(&mut queue, 100, 0).0, ["0.1", "1.0"]);
    assert!(!queue.withdraw(key(1, 0)), "it went");
    // What became part of another is that one's.
    let overflow = OverflowPolicy::MergeOnOverflow;
    let mut queue = BatchQueue::new(BatchPolicy { bound: 1, overflow, merge: words(), ..policy() });
    (0..2).for_each(|part| queue.push(call(0, part, 0), 0, &mut Vec::new()));
    assert!(!queue.withdraw(key(0, 1)));
    assert!(queue.withdraw(key(0, 0)));
    assert!(queue.is_empty());
}

#[test]
fn a_hint_holds_for_the_items_of_its_session_alone() {
    let hinted = |sessions: &[u32]| {
        let mut queue = BatchQueue::new(BatchPolicy { min: 1, ..policy() });
        queue.hint(SessionId(0), 1, 3);
        for (part, session) in sessions.iter().enumerate() {
            queue.push(call(*session, part as u32, 0), 0, &mut Vec::new());
        }
        flush(&mut queue, 0, 0).0
    };
    assert_eq!(hinted(&[0, 0]), [""; 0], "two are not worth it to the session that asked for three");
    assert_eq!(hinted(&[0, 0, 0]), ["0.0", "0.1", "0.2"]);
    assert_eq!(hinted(&[1]), ["1.0"], "nobody else waits");
    assert_eq!(hinted(&[0, 1]), ["0.0", "1.1"], "a batch that goes takes along what fits");
}

#[test]
fn a_hint_ends_with_its_session() {
    let next = |part| Call { key: CallKey { generation: 2, ..key(0, part) }, ..call(0, part, 0) };
    let mut queue = BatchQueue::new(BatchPolicy { min: 1, ..policy() });
    queue.hint(SessionId(0), 1, 3);
    queue.push(next(0), 0, &mut Vec::new());
    assert_eq!(flush(&mut queue, 0, 0).0, ["0.0"], "of the next session with that id");
    queue.push(call(0, 1, 0), 0, &mut Vec::new());
    assert_eq!(flush(&mut queue, 0, 0).0, ["0.1"], "it is forgotten, not put aside");
    queue.hint(SessionId(0), 2, 3);
    queue.push(next(2), 0, &mut Vec::new());
    assert_eq!(flush(&mut queue, 0, 0).2, None, "the next session's own");
    queue.hint(SessionId(0), 2, 1);
    assert_eq!(flush(&mut queue, 0, 0).2, Some(FlushReason::Count), "a new hint holds for what waits, too");
}
