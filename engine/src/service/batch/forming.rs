//! How a batch is formed: when it is due, how much it takes, and which items go as one call.

use std::sync::Arc;

use crate::record::event::FlushReason;
use crate::service::call::Call;

use super::group::Group;
use super::policy::{Gives, Settled};
use super::{BatchQueue, Item, Place};

impl BatchQueue {
    pub(super) fn reason(&self, now_us: u64, avg_us: u64) -> Option<FlushReason> {
        let waiting = self.places.len();
        let (due_us, by_time) = self.next_due(avg_us)?;
        let worth = self.places.iter().map(|place| place.worth).min()?;
        if waiting >= self.policy.bound as usize {
            Some(FlushReason::Full)
        } else if waiting >= worth as usize {
            Some(FlushReason::Count)
        } else {
            (now_us >= due_us).then_some(by_time)
        }
    }

    pub(super) fn next_due(&self, avg_us: u64) -> Option<(u64, FlushReason)> {
        let oldest_us = self.places.iter().map(|place| place.queued_us).min()?;
        let timer_us = oldest_us.saturating_add(self.policy.max_wait_us);
        let pressed = self.places.iter().filter_map(|p| self.policy.pressed_from_us(p.deadline_us, avg_us));
        let pressed_us = if self.policy.flushes_early() { pressed.min() } else { None };
        Some(match pressed_us.filter(|&at_us| at_us < timer_us) {
            Some(at_us) => (at_us, FlushReason::Deadline),
            None => (timer_us, FlushReason::Timer),
        })
    }

    pub(super) fn pressed(&self, deadline_us: u64, now_us: u64, avg_us: u64) -> bool {
        self.policy.pressed_from_us(deadline_us, avg_us).is_some_and(|from_us| now_us >= from_us)
    }

    /// Items that the next batch takes at most.
    pub(super) fn size_max(&self, now_us: u64, avg_us: u64) -> u32 {
        let Some(Gives::GrowBatch { max }) = self.policy.rule.map(|rule| rule.gives) else {
            return self.policy.max;
        };
        let inside = self.places.iter().map(|place| place.deadline_us);
        let mut all = inside.chain(self.door.iter().map(|item| item.call.deadline_us));
        let pressed = all.any(|deadline_us| self.pressed(deadline_us, now_us, avg_us));
        if pressed { max.max(self.policy.max) } else { self.policy.max }
    }

    /// Lists the groups of items that would go as one call, in the order in which they get places.
    pub(super) fn group(&self, avg_us: u64, groups: &mut Vec<Group>) {
        let (mut at, mut round) = (0, 0);
        while at < self.places.len() {
            let Item { call, pushed_us, .. } = self.item(at);
            let Place { session, queued_us, deadline_us, .. } = self.places[at];
            if at > 0 && self.places[at - 1].session != session {
                round = 0;
            }
            let mut due_us = queued_us.saturating_add(self.policy.max_wait_us);
            if deadline_us > 0 {
                due_us = due_us.min(deadline_us.saturating_sub(avg_us));
            }
            let (mut count, mut sentences) = (1, call.sentences);
            while at + count < self.places.len() {
                let (last, next) = (&self.item(at + count - 1).call, &self.item(at + count).call);
                sentences = sentences.saturating_add(next.sentences);
                let merge = &self.policy.merge;
                let texts = (at..=at + count).map(|at| &*self.item(at).call.text);
                if !merge.may_join(last, next) || !merge.fits(call, next, sentences) || !merge.has_room(texts)
                {
                    break;
                }
                count += 1;
            }
            groups.push(Group {
                round,
                first: at as u32,
                count: count as u32,
                due_us: (due_us.max(*pushed_us), due_us),
                session,
            });
            at += count;
            round += 1;
        }
        // No two keys are equal, so an unstable sort will do, and it needs no memory.
        groups.sort_unstable_by_key(|group| (group.round, group.due_us, group.session));
    }

    /// Takes a group out as one call and leaves the places.
    pub(super) fn take(&mut self, group: &Group, settled: &mut Vec<Settled>) -> Call {
        let first = group.first as usize;
        let mut call = self.lift(first).call;
        if group.count == 1 {
            return call;
        }
        self.texts.push(Arc::clone(&call.text));
        for at in first + 1..first + group.count as usize {
            let mut later = self.lift(at).call;
            self.policy.merge.append(&mut call, &mut later);
            call.absorb(&later);
            settled.push(Settled::Merged(later.key));
            self.texts.push(later.text);
        }
        call.text = self.policy.merge.join(&self.texts);
        self.texts.clear();
        call
    }
}
