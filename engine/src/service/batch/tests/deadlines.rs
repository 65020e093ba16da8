//! What deadlines change.

use super::*;

#[test]
fn time_alone_is_announced() {
    let early = rule(20, Gives::FlushEarly);
    let rows = [
        ("nothing waits", early, vec![], None),
        ("timer of the oldest", None, vec![call(1, 0, 40), call(0, 0, 70)], Some(140)),
        ("deadlines do nothing", rule(20, Gives::Nothing), vec![due(0, 0, 40, 60)], Some(140)),
        ("the tightest deadline", early, vec![due(0, 0, 40, 150), due(1, 0, 41, 130)], Some(100)),
        ("a deadline behind the timer", early, vec![due(0, 0, 40, 250)], Some(140)),
        ("no deadline", early, vec![call(0, 0, 40)], Some(140)),
        ("a deadline too tight", early, vec![due(0, 0, 40, 20)], Some(0)),
    ];
    for (name, rule, calls, at_us) in rows {
        assert_eq!(queue(BatchPolicy { rule, ..policy() }, &calls).next_due_us(10), at_us, "{name}");
    }
}

#[test]
fn under_pressure_batches_grow_or_ask_for_less() {
    let pressed = |n: u32| (0..n).map(|i| due(i, 0, 0, if i == 2 { 50 } else { 0 })).collect::<Vec<_>>();
    let rows: Vec<(&str, Gives, u64, usize, &[u32])> = vec![
        ("grows", Gives::GrowBatch { max: 5 }, 20, 5, &[]),
        ("not yet", Gives::GrowBatch { max: 5 }, 19, 2, &[]),
        ("never shrinks", Gives::GrowBatch { max: 1 }, 20, 2, &[]),
        ("less quality", Gives::LowerQuality, 20, 2, &[2]),
        ("full quality", Gives::LowerQuality, 19, 2, &[]),
        ("early only", Gives::FlushEarly, 20, 2, &[]),
        ("nothing", Gives::Nothing, 20, 2, &[]),
    ];
    for (name, gives, now_us, size, reduced) in rows {
        let policy = BatchPolicy { min: 1, max: 2, rule: rule(20, gives), ..policy() };
        let mut queue = queue(policy, &pressed(6));
        let mut batch = Vec::new();
        assert_eq!(queue.flush(now_us, 10, &mut batch, &mut Vec::new()), Some(FlushReason::Count), "{name}");
        assert_eq!(batch.len(), size, "{name}");
        // The pressed one is due first and so always in it.
        assert_eq!(batch[0].key, key(2, 0), "{name}");
        let asked: Vec<u32> = batch.iter().filter(|c| c.reduced).map(|c| c.key.session.0).collect();
        assert_eq!(asked, reduced, "{name}");
    }
}

#[test]
fn pressure_at_the_door_counts() {
    let gives = Gives::GrowBatch { max: 3 };
    let overflow = OverflowPolicy::Block;
    let policy = BatchPolicy { max: 2, bound: 3, overflow, rule: rule(20, gives), ..policy() };
    let mut queue = queue(policy, &[call(0, 0, 0), call(1, 0, 0), call(2, 0, 0), due(3, 0, 0, 50)]);
    let mut warned = Vec::new();
    queue.warnings(30, 0, &mut warned);
    assert_eq!(warned, [(key(3, 0), 20)]);
    assert_eq!(flush(&mut queue, 30, 0).0, ["0.0", "1.0", "2.0"]);
    queue.warnings(31, 0, &mut warned);
    assert_eq!(warned.len(), 1, "inside it is not warned again");
}

#[test]
fn each_item_is_warned_of_once_when_its_deadline_is_near() {
    for gives in [Gives::Nothing, Gives::FlushEarly, Gives::LowerQuality] {
        let calls = [due(0, 0, 0, 80), call(0, 1, 0), due(1, 0, 0, 60), due(2, 0, 0, 5)];
        let mut queue = queue(BatchPolicy { min: 8, rule: rule(20, gives), ..policy() }, &calls);
        let mut seen = Vec::new();
        for now_us in [0, 29, 30, 31, 49, 50, 90] {
            let mut warned = Vec::new();
            queue.warnings(now_us, 10, &mut warned);
            seen.extend(warned.into_iter().map(|(key, left_us)| (now_us, key.session.0, left_us)));
        }
        assert_eq!(seen, [(0, 2, 5), (30, 1, 30), (50, 0, 30)], "{gives:?}");
    }
    let mut late = queue(BatchPolicy { rule: rule(0, Gives::Nothing), ..policy() }, &[due(0, 0, 0, 5)]);
    let mut warned = Vec::new();
    late.warnings(9, 0, &mut warned);
    assert_eq!(warned, [(key(0, 0), 0)], "the deadline has passed");
    let mut none = queue(policy(), &[due(0, 0, 0, 5)]);
    none.warnings(9, 0, &mut warned);
    assert_eq!(warned.len(), 1, "without a rule nobody is warned");
}

#[test]
fn no_number_is_too_large() {
    const MAX: u64 = u64::MAX;
    for gives in [Gives::FlushEarly, Gives::GrowBatch { max: u32::MAX }, Gives::LowerQuality] {
        let limits =
            BatchPolicy { min: u32::MAX, max: u32::MAX, max_wait_us: MAX, bound: u32::MAX, ..policy() };
        let calls = [0, 1].map(|part| Call { sentences: u32::MAX, ..due(0, part, MAX, MAX) });
        let mut queue = queue(BatchPolicy { merge: words(), rule: rule(MAX, gives), ..limits }, &calls);
        queue.hint(SessionId(0), 1, u32::MAX);
        queue.warnings(MAX, MAX, &mut Vec::new());
        assert_eq!(flush(&mut queue, MAX, MAX).0, ["0.0", "0.1"], "{gives:?}");
    }
}
