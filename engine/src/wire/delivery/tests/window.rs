//! The window against a set that forgets nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::window::{Seen, WINDOW_MAX, Window};
use crate::wire::message::MESSAGE_ID_MAX;

/// Ids as senders make them: upwards with reordering, from a few, or from anywhere.
fn ids() -> impl Strategy<Value = Vec<u64>> {
    let upwards = prop::collection::vec(0..900_u64, 0..2_000).prop_map(|back| {
        back.iter().enumerate().map(|(at, back)| (at as u64).saturating_sub(*back)).collect()
    });
    let few = prop::collection::vec(0..40_u64, 0..200);
    let anywhere = prop::collection::vec(0..=MESSAGE_ID_MAX, 0..1_500);
    prop_oneof![upwards, few, anywhere]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_id_is_new_twice_and_the_greatest_are_known(ids in ids()) {
        let (mut window, mut all, mut greatest) = (Window::default(), BTreeSet::new(), BTreeSet::new());
        let mut applied = BTreeMap::new();
        for (at, id) in ids.into_iter().enumerate() {
            let seen = window.note(id);
            match seen {
                Seen::New => prop_assert!(!all.contains(&id), "{id} took effect twice"),
                Seen::Before { applied: was } => {
                    prop_assert!(all.contains(&id), "{id} was never here");
                    prop_assert_eq!(was, applied.contains_key(&id));
                }
                Seen::TooOld => {}
            }
            // Among the greatest, the answer is exact.
            let inside = greatest.len() < WINDOW_MAX || greatest.first().is_some_and(|least| id >= *least);
            if inside {
                let new = !all.contains(&id);
                prop_assert_eq!(seen == Seen::New, new, "{} is within the window", id);
            }
            if seen == Seen::New {
                all.insert(id);
                greatest.insert(id);
                if greatest.len() > WINDOW_MAX {
                    greatest.pop_first();
                }
            }
            if at % 3 == 0 && seen != Seen::TooOld && greatest.contains(&id) {
                prop_assert_eq!(window.note_applied(id), applied.insert(id, ()).is_none());
            }
        }
    }
}

#[test]
fn an_id_that_512_later_ones_overtook_is_neither_processed_nor_forgotten() {
    let mut window = Window::default();
    for id in (1..=WINDOW_MAX as u64).map(|at| at * 2) {
        assert_eq!(window.note(id), Seen::New);
    }
    assert_eq!(window.note(1), Seen::New, "late, and still below nothing that was pushed out");
    assert_eq!(window.note(1), Seen::TooOld, "it was the smallest itself");
    assert_eq!(window.note(3), Seen::New);
    assert_eq!(window.note(2), Seen::TooOld);
    assert_eq!(window.note(1_024), Seen::Before { applied: false });
    assert!(window.note_applied(2), "whose work took that long was seen");
}

#[test]
fn ids_out_of_range_are_never_new() {
    let mut window = Window::default();
    assert_eq!(window.note(MESSAGE_ID_MAX), Seen::New);
    for id in [MESSAGE_ID_MAX + 1, 1 << 63, u64::MAX] {
        assert_eq!(window.note(id), Seen::TooOld, "{id}");
    }
    assert_eq!(window.note(0), Seen::New, "one great id does not shut the small ones out");
}
