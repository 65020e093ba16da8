//! The rules written down once more, as plainly as they can be and at any cost; the queue must agree with them in
//! every answer.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::laws::{Op, ops, policies};
use super::*;
use crate::media::JOINED_CHARS_MAX;

#[derive(Clone)]
struct Waiting {
    call: Call,
    serial: usize,
    pushed_us: u64,
    warned: bool,
}

impl Waiting {
    fn oldest_first(&self) -> (u64, SessionId, usize) {
        (self.call.queued_us, self.call.key.session, self.serial)
    }
}

struct Model {
    policy: BatchPolicy,
    /// Every hint that holds: session, generation, size as it was suggested.
    hints: Vec<(SessionId, u32, u32)>,
    /// In the order of the pushes.
    inside: Vec<Waiting>,
    door: Vec<Waiting>,
    pushes: usize,
}

impl Model {
    fn push(&mut self, call: Call, now_us: u64) -> Option<Settled> {
        let mut newcomer = Waiting { call, serial: self.pushes, pushed_us: now_us, warned: false };
        newcomer.call.queued_us = newcomer.call.queued_us.min(now_us);
        newcomer.call.sentences = newcomer.call.sentences.max(1);
        self.pushes += 1;
        // The session of that id that gave the hint is over.
        let key = newcomer.call.key;
        self.hints.retain(|&(session, generation, _)| session != key.session || generation == key.generation);
        if self.inside.len() < self.policy.bound as usize {
            self.inside.push(newcomer);
            return None;
        }
        match self.policy.overflow {
            OverflowPolicy::DropNewest => return Some(Settled::Dropped(newcomer.call.key)),
            OverflowPolicy::Block => {
                self.door.push(newcomer);
                return None;
            }
            OverflowPolicy::DropOldest => {}
            OverflowPolicy::MergeOnOverflow => {
                self.inside.push(newcomer.clone());
                if let Some(merged) = self.merge_oldest_pair() {
                    return Some(Settled::Merged(merged));
                }
                self.inside.pop();
            }
        }
        let oldest = self.inside.iter().min_by_key(|w| w.oldest_first()).unwrap().serial;
        let at = self.inside.iter().position(|w| w.serial == oldest).unwrap();
        let dropped = self.inside.remove(at).call.key;
        self.inside.push(newcomer);
        Some(Settled::Dropped(dropped))
    }

    fn merge_oldest_pair(&mut self) -> Option<CallKey> {
        let mut pairs = Vec::new();
        for (at, first) in self.inside.iter().enumerate() {
            let session = first.call.key.session;
            let next = (at + 1..self.inside.len()).find(|&i| self.inside[i].call.key.session == session);
            if let Some(next) = next.filter(|&i| self.joinable(&first.call, &self.inside[i].call)) {
                pairs.push((first.oldest_first(), at, next));
            }
        }
        let (_, first, second) = *pairs.iter().min()?;
        let second = self.inside.remove(second).call;
        let merged = self.merged(self.inside[first].call.clone(), std::slice::from_ref(&second));
        self.inside[first].call = merged;
        Some(second.key)
    }

    fn joinable(&self, one: &Call, other: &Call) -> bool {
        let of = |key: CallKey| CallKey { part: 0, turn: 0, ..key };
        let near = match self.policy.merge {
            Merge::Audio { ensure_continuity: true, max_gap_us } => {
                let (ends_us, begins_us) = (one.to_us as i64, other.from_us as i64);
                (-2..=max_gap_us as i64 + 2).contains(&(begins_us - ends_us))
            }
            Merge::Separate => false,
            _ => true,
        };
        let chars = |text: &str| text.chars().count();
        let short = match &self.policy.merge {
            Merge::Audio { .. } => other.to_us.saturating_sub(one.from_us) <= SOUND_MAX_US,
            Merge::Texts { separator } => {
                chars(&one.text) + chars(separator) + chars(&other.text) <= JOINED_CHARS_MAX
            }
            _ => chars(&one.text) + chars(&other.text) <= JOINED_CHARS_MAX,
        };
        near && short && of(one.key) == of(other.key)
    }

    fn merged(&self, head: Call, more: &[Call]) -> Call {
        let all: Vec<&Call> = std::iter::once(&head).chain(more).collect();
        let texts: Vec<Arc<str>> = all.iter().map(|c| Arc::clone(&c.text)).collect();
        let deadlines = all.iter().map(|c| c.deadline_us).filter(|&us| us != 0);
        Call {
            key: head.key,
            name: Arc::clone(&head.name),
            text: match &self.policy.merge {
                Merge::Custom(join) => join(&texts),
                Merge::Texts { separator } => texts.join(&**separator).into(),
                Merge::Audio { .. } => texts.join(" ").into(),
                Merge::Separate => panic!("nothing is merged"),
            },
            audio: None,
            from_us: all.iter().map(|c| c.from_us).min().unwrap(),
            to_us: all.iter().map(|c| c.to_us).max().unwrap(),
            queued_us: all.iter().map(|c| c.queued_us).min().unwrap(),
            deadline_us: deadlines.min().unwrap_or(0),
            reduced: all.iter().any(|c| c.reduced),
            sentences: all.iter().map(|c| c.sentences).sum(),
            params: Arc::clone(&head.params),
            attempt: 0,
            history: Arc::clone(&head.history),
        }
    }

    fn withdraw(&mut self, key: CallKey) -> bool {
        let before = self.inside.len() + self.door.len();
        self.inside.retain(|w| w.call.key != key);
        self.door.retain(|w| w.call.key != key);
        self.admit();
        self.inside.len() + self.door.len() < before
    }

    fn admit(&mut self) {
        while !self.door.is_empty() && self.inside.len() < self.policy.bound as usize {
            self.inside.push(self.door.remove(0));
        }
    }

    fn pressed(&self, call: &Call, now_us: u64, avg_us: u64) -> bool {
        let margin_us = self.policy.rule.map(|rule| rule.margin_us);
        margin_us.is_some_and(|us| call.deadline_us != 0 && now_us + avg_us + us >= call.deadline_us)
    }

    fn hint(&mut self, session: SessionId, generation: u32, suggested: u32) {
        self.hints.retain(|hint| hint.0 != session);
        self.hints.push((session, generation, suggested));
    }

    /// Whether so many items are worth a batch to this one: its own session's hint decides, nobody else's.
    fn is_worth(&self, waiting: &Waiting, items: usize) -> bool {
        let CallKey { session, generation, .. } = waiting.call.key;
        let own = self.hints.iter().find(|hint| (hint.0, hint.1) == (session, generation));
        let wanted = own.map_or(self.policy.min, |hint| hint.2);
        items >= self.policy.max as usize || items >= wanted.max(self.policy.min) as usize
    }

    fn reason(&self, now_us: u64, avg_us: u64) -> Option<FlushReason> {
        if self.inside.is_empty() {
            return None;
        }
        if self.inside.len() >= self.policy.bound as usize {
            return Some(FlushReason::Full);
        }
        if self.inside.iter().any(|waiting| self.is_worth(waiting, self.inside.len())) {
            return Some(FlushReason::Count);
        }
        // Which of the two came first is found by going through all times up to now.
        let early = self.policy.rule.is_some_and(|rule| rule.gives == Gives::FlushEarly);
        (0..=now_us).find_map(|at_us| {
            let waited = |w: &Waiting| at_us >= w.call.queued_us + self.policy.max_wait_us;
            if self.inside.iter().any(waited) {
                Some(FlushReason::Timer)
            } else if early && self.inside.iter().any(|w| self.pressed(&w.call, at_us, avg_us)) {
                Some(FlushReason::Deadline)
            } else {
                None
            }
        })
    }

    fn due_us(&self, waiting: &Waiting, avg_us: u64) -> (u64, u64) {
        let call = &waiting.call;
        let timer_us = call.queued_us + self.policy.max_wait_us;
        let due_us = match call.deadline_us {
            0 => timer_us,
            deadline_us => timer_us.min(deadline_us.saturating_sub(avg_us)),
        };
        (due_us.max(waiting.pushed_us), due_us)
    }

    fn flush(
        &mut self,
        now_us: u64,
        avg_us: u64,
        batch: &mut Vec<Call>,
        settled: &mut Vec<Settled>,
    ) -> Option<FlushReason> {
        let reason = self.reason(now_us, avg_us)?;
        let pressure = self.inside.iter().chain(&self.door).any(|w| self.pressed(&w.call, now_us, avg_us));
        let size = match self.policy.rule.map(|rule| rule.gives) {
            Some(Gives::GrowBatch { max }) if pressure => max.max(self.policy.max),
            _ => self.policy.max,
        };
        let mut lines: BTreeMap<SessionId, Vec<Waiting>> = BTreeMap::new();
        for waiting in self.inside.drain(..) {
            lines.entry(waiting.call.key.session).or_default().push(waiting);
        }
        let mut places = 0;
        while places < size {
            let heads = lines.iter().filter_map(|(session, line)| Some((line.first()?, *session)));
            let mut round: Vec<_> = heads.map(|(head, of)| (self.due_us(head, avg_us), of)).collect();
            round.sort();
            if round.is_empty() {
                break;
            }
            for (_, session) in round.into_iter().take((size - places) as usize) {
                let line = lines.get_mut(&session).unwrap();
                let head = line.remove(0).call;
                let (mut more, mut sentences) = (Vec::new(), head.sentences);
                while let Some(next) = line.first().map(|w| w.call.clone()) {
                    sentences += next.sentences;
                    let sounds = matches!(self.policy.merge, Merge::Audio { .. });
                    if (sentences > 5 && !sounds) || !self.joinable(more.last().unwrap_or(&head), &next) {
                        break;
                    }
                    line.remove(0);
                    settled.push(Settled::Merged(next.key));
                    more.push(next);
                }
                let mut call = if more.is_empty() { head } else { self.merged(head, &more) };
                let lower = self.policy.rule.is_some_and(|rule| rule.gives == Gives::LowerQuality);
                call.reduced |= lower && self.pressed(&call, now_us, avg_us);
                batch.push(call);
                places += 1;
            }
        }
        self.inside = lines.into_values().flatten().collect();
        self.inside.sort_by_key(|w| w.serial);
        self.admit();
        Some(reason)
    }

    /// Each key with its time left, those inside by session, then the door.
    fn warnings(&mut self, now_us: u64, avg_us: u64) -> Vec<(CallKey, u64)> {
        let mut order: Vec<(SessionId, usize)> =
            self.inside.iter().map(|w| (w.call.key.session, w.serial)).collect();
        order.sort();
        let inside = order.into_iter().map(|(_, serial)| serial);
        let serials: Vec<usize> = inside.chain(self.door.iter().map(|w| w.serial)).collect();
        let mut warned = Vec::new();
        for serial in serials {
            let all = self.inside.iter().chain(&self.door);
            let waiting = all.clone().find(|w| w.serial == serial).unwrap();
            let left_us = waiting.call.deadline_us.saturating_sub(now_us);
            if !waiting.warned && self.pressed(&waiting.call, now_us, avg_us) {
                warned.push((waiting.call.key, left_us));
                let mut all = self.inside.iter_mut().chain(&mut self.door);
                all.find(|w| w.serial == serial).unwrap().warned = true;
            }
        }
        warned
    }
}

fn agree(policy: BatchPolicy, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut queue = BatchQueue::new(policy.clone());
    let (inside, door) = (Vec::new(), Vec::new());
    let mut model = Model { hints: Vec::new(), policy, inside, door, pushes: 0 };
    let mut now_us = 0;
    let mut keys = Vec::new();
    for op in ops {
        match op {
            Op::Wait(us) => now_us += us,
            Op::Push(push) => {
                let call = push.call(keys.len() as u32, now_us);
                keys.push(call.key);
                let mut settled = Vec::new();
                queue.push(call.clone(), now_us, &mut settled);
                prop_assert_eq!(settled.pop(), model.push(call, now_us));
                prop_assert!(settled.is_empty());
            }
            Op::Withdraw(_) if keys.is_empty() => {}
            Op::Withdraw(which) => {
                let key = *which.get(&keys);
                prop_assert_eq!(queue.withdraw(key), model.withdraw(key));
            }
            Op::Hint(session, generation, suggested) => {
                queue.hint(SessionId(*session), *generation, *suggested);
                model.hint(SessionId(*session), *generation, *suggested);
            }
            Op::Flush(avg_us) => {
                let [mut ours, mut theirs] = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
                let reason = queue.flush(now_us, *avg_us, &mut ours.0, &mut ours.1);
                prop_assert_eq!(reason, model.flush(now_us, *avg_us, &mut theirs.0, &mut theirs.1));
                prop_assert_eq!(format!("{:#?}", ours), format!("{:#?}", theirs));
            }
            Op::Warn(avg_us) => {
                let mut warned = Vec::new();
                queue.warnings(now_us, *avg_us, &mut warned);
                prop_assert_eq!(warned, model.warnings(now_us, *avg_us));
            }
        }
        prop_assert_eq!((queue.len(), queue.at_door()), (model.inside.len(), model.door.len()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_agrees_with_the_plain_model(policy in policies(), ops in ops()) {
        agree(policy, &ops)?;
    }
}
