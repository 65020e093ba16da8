//! Two ends over a link that loses, repeats and reorders, against a plain model: what was asked for, how often it went
//! out, how often it took effect, and what its sender was told.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What happens to one transmission: the delays of the copies that arrive, in milliseconds. Two copies are a
/// duplicate, none is a loss.
type Fate = Vec<u64>;

#[derive(Clone, Debug)]
enum Step {
    /// One end (0 or 1) sends.
    Send(usize),
    /// Time passes, in milliseconds; every poll that is due in it happens.
    Pass(u64),
    /// Time passes and nobody polls.
    Sleep(u64),
    /// One end finishes the work of the oldest message it has not finished.
    Apply(usize),
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    transmits: u32,
    effects: u32,
    work_done: bool,
    delivered: u32,
    applied: u32,
    failed: u32,
}

struct Link {
    now_us: u64,
    ends: [Delivery; 2],
    /// (arrival, order, receiving end, message).
    flying: Vec<(u64, usize, usize, ControlMessage)>,
    fates: Vec<Fate>,
    transmitted: usize,
    /// By sending end and id.
    told: BTreeMap<(usize, u64), Told>,
    working: [Vec<u64>; 2],
    /// Ids of acknowledgements by sending end.
    ack_ids: [BTreeSet<u64>; 2],
}

impl Link {
    fn new(fates: Vec<Fate>) -> Self {
        Self {
            now_us: 0,
            ends: [end(), end()],
            flying: Vec::new(),
            fates,
            transmitted: 0,
            told: BTreeMap::new(),
            working: [Vec::new(), Vec::new()],
            ack_ids: [BTreeSet::new(), BTreeSet::new()],
        }
    }

    fn told(&mut self, from: usize, id: u64) -> &mut Told {
        self.told.get_mut(&(from, id)).expect("only what was sent goes about")
    }

    fn poll(&mut self) {
        for from in 0..2 {
            while let Some(message) = self.ends[from].poll_transmit(self.now_us).cloned() {
                if matches!(message.message_type, MessageType::Ack { .. }) {
                    let id = message.message_id;
                    assert!(self.ack_ids[from].insert(id), "id {id} is used twice");
                    assert!(!self.told.contains_key(&(from, id)), "id {id} is a message's");
                } else {
                    self.told(from, message.message_id).transmits += 1;
                }
                let fate = self.fates[self.transmitted % self.fates.len()].clone();
                self.transmitted += 1;
                for delay_ms in fate {
                    let order = self.flying.len() + self.transmitted * 8;
                    self.flying.push((self.now_us + delay_ms * MS, order, 1 - from, message.clone()));
                }
            }
            while let Some(event) = self.ends[from].poll_event() {
                match event {
                    DeliveryEvent::Delivered { message_id } => self.told(from, message_id).delivered += 1,
                    DeliveryEvent::Applied { message_id } => {
                        let told = self.told(from, message_id);
                        told.applied += 1;
                        assert!(told.work_done && told.delivered == 1, "{message_id}: {told:?}");
                    }
                    DeliveryEvent::Failed { message_id } => self.told(from, message_id).failed += 1,
                }
            }
            let next = self.ends[from].next_due_us();
            assert!(next.is_none_or(|due| due > self.now_us), "a driver would spin at {next:?}");
        }
    }

    fn arrive(&mut self) {
        self.flying.sort_by_key(|(at, order, ..)| (*at, *order));
        while self.flying.first().is_some_and(|(at, ..)| *at <= self.now_us) {
            let (_, _, to, message) = self.flying.remove(0);
            if self.ends[to].received(self.now_us, &message) == Receipt::Process {
                self.told(1 - to, message.message_id).effects += 1;
                self.working[to].push(message.message_id);
            }
        }
    }

    fn next_us(&self) -> Option<u64> {
        let arrival = self.flying.iter().map(|(at, ..)| *at).min();
        [arrival, self.ends[0].next_due_us(), self.ends[1].next_due_us()].into_iter().flatten().min()
    }

    fn pass(&mut self, until_us: u64) {
        // What came while nobody polled is still to be told.
        self.poll();
        while let Some(next_us) = self.next_us().filter(|next_us| *next_us <= until_us) {
            self.now_us = self.now_us.max(next_us);
            self.arrive();
            self.poll();
        }
        self.now_us = self.now_us.max(until_us);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Send(from) => {
                let id = self.ends[from].send(self.now_us, cancel()).expect("few are under way");
                self.told.insert((from, id), Told::default());
                self.poll();
            }
            Step::Pass(ms) => self.pass(self.now_us + ms * MS),
            Step::Sleep(ms) => {
                self.now_us += ms * MS;
                self.arrive();
            }
            Step::Apply(at) => {
                if !self.working[at].is_empty() {
                    let id = self.working[at].remove(0);
                    self.told(1 - at, id).work_done = true;
                    assert!(self.ends[at].applied(self.now_us, id));
                    self.poll();
                }
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize).prop_map(Step::Send),
        4 => (0..60_u64).prop_map(Step::Pass),
        1 => (0..250_u64).prop_map(Step::Sleep),
        3 => (0..2_usize).prop_map(Step::Apply),
    ];
    prop::collection::vec(step, 0..120)
}

/// From links that lose nothing to links that lose nearly all.
fn fates() -> impl Strategy<Value = Vec<Fate>> {
    (0..=10_u32).prop_flat_map(|lossy| {
        let arrives = prop::collection::vec(prop_oneof![2 => 0..30_u64, 1 => 0..260_u64], 1..=2);
        let fate = prop_oneof![1 + lossy => Just(Vec::new()), 11 - lossy => arrives];
        prop::collection::vec(fate, 1..80)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn effect_at_most_once_and_acknowledged_means_exactly_once(steps in steps(), fates in fates()) {
        let mut link = Link::new(fates);
        for step in &steps {
            link.step(step);
        }
        // Everything ends: four gaps after the last first transmission, and one flight for what is still on its way.
        let bound_us = link.now_us + 4 * RESEND_US + 2 * 260 * MS;
        link.pass(bound_us);
        prop_assert_eq!(link.next_us(), None, "something is under way for ever");
        let mut sums = [OutgoingFigures::default(); 2];
        for ((from, id), told) in &link.told {
            prop_assert!(told.effects <= 1, "{id}: {told:?}");
            prop_assert!((1..=4).contains(&told.transmits), "{id}: {told:?}");
            prop_assert_eq!(told.delivered + told.failed, 1, "{}: {:?}", id, told);
            if told.delivered == 1 {
                prop_assert_eq!(told.effects, 1, "{}: {:?}", id, told);
            }
            if told.failed == 1 {
                prop_assert_eq!(told.transmits, 4, "{}: {:?}", id, told);
            }
            prop_assert!(told.applied <= told.delivered, "{id}: {told:?}");
            let sum = &mut sums[*from];
            sum.sent += 1;
            sum.retried += u64::from(told.transmits - 1);
            sum.acked += u64::from(told.delivered);
            sum.applied += u64::from(told.applied);
            sum.failed += u64::from(told.failed);
        }
        for (end, mut sum) in link.ends.iter().zip(sums) {
            sum.acks_stray = end.outgoing().figures().acks_stray;
            prop_assert_eq!(end.outgoing().figures(), sum);
            prop_assert_eq!(end.outgoing().unacknowledged(), 0);
        }
    }

    #[test]
    fn a_clean_link_needs_no_second_transmission(sends in prop::collection::vec(0..30_u64, 1..60)) {
        let mut link = Link::new(vec![vec![20]]);
        for pause in &sends {
            link.step(&Step::Send(0));
            link.step(&Step::Apply(1));
            link.pass(link.now_us + pause * MS);
        }
        link.pass(link.now_us + 100 * MS);
        while !link.working[1].is_empty() {
            link.step(&Step::Apply(1));
        }
        link.pass(link.now_us + 100 * MS);
        for (id, told) in &link.told {
            prop_assert_eq!(
                (told.transmits, told.effects, told.delivered, told.applied), (1, 1, 1, 1), "{:?}: {:?}", id, told
            );
        }
    }
}
