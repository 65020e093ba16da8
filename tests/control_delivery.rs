//! Control messages from end to end: encoded, over simulated links that lose, repeat and reorder, taken in, given
//! their effect, acknowledged. In virtual time, with the counts printed.

#![allow(clippy::print_stdout, reason = "the counts are printed for whoever runs this with --nocapture")]

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::base::rng::Rng;
use mynah_engine::wire::delivery::{
    Delivery, DeliveryEvent, OutgoingFigures, RESEND_US, Receipt, TRANSMITS_MAX,
};
use mynah_engine::wire::message::{ControlMessage, MessageIntake, MessageType, Taken, binary, segment_id};
use mynah_load::link::{LinkFaults, SimulatedLink};
use mynah_load::network::{Carriage, NetworkFigures};

const SESSION: &str = "sess_abc123";
const CANCELS: u32 = 1_000;
/// 500 a second: some 100 under way where nothing is ever acknowledged.
const GAP_US: u64 = 2_000;
/// The host's work stops within this much.
const WORK_US: u64 = 30_000;

/// One end with the link that leads away from it.
struct End {
    delivery: Delivery,
    link: SimulatedLink<Vec<u8>>,
    intake: MessageIntake,
    bytes: Vec<u8>,
}

impl End {
    fn new(faults: LinkFaults, seed: u64, direction: u64) -> Self {
        Self {
            delivery: Delivery::new(SESSION.into(), 0),
            link: SimulatedLink::new(faults, Carriage::Datagrams, seed, direction).expect("valid faults"),
            intake: MessageIntake::default(),
            bytes: Vec::new(),
        }
    }

    /// Puts everything that is due on the link; `seen` sees each message.
    fn transmit(&mut self, now_us: u64, mut seen: impl FnMut(&ControlMessage)) {
        while let Some(message) = self.delivery.poll_transmit(now_us) {
            seen(message);
            self.bytes.clear();
            binary::encode_into(message, &mut self.bytes).expect("delivery sends valid messages");
            self.link.send(now_us, self.bytes.clone());
        }
    }

    /// Takes in what `bytes` say.
    fn receive(&mut self, now_us: u64, bytes: &[u8]) -> Option<(Receipt, ControlMessage)> {
        let arrival = binary::decode(bytes).map(|(arrival, _)| arrival);
        match self.intake.take(now_us, Some(SESSION), arrival) {
            Taken::Message(message) => Some((self.delivery.received(now_us, &message), message)),
            other => panic!("{other:?}"),
        }
    }

    fn next_us(&self) -> Option<u64> {
        [self.delivery.next_due_us(), self.link.next_due_us()].into_iter().flatten().min()
    }
}

/// What became of one cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fate {
    transmits: u32,
    effects: u32,
    delivered: u32,
    applied: u32,
    failed: u32,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    fates: BTreeMap<u64, Fate>,
    ended_us: u64,
    sender: OutgoingFigures,
    repeated: u64,
    links: [NetworkFigures; 2],
}

/// 1,000 cancels from an engine to a host, over one link each way.
fn exchanged(there: LinkFaults, back: LinkFaults, seed: u64) -> Outcome {
    let (mut engine, mut host) = (End::new(there, seed, 0), End::new(back, seed, 1));
    let mut fates: BTreeMap<u64, Fate> = BTreeMap::new();
    let mut work: BTreeMap<(u64, u64), ()> = BTreeMap::new();
    let mut rng = Rng::new(seed, 0, 0x7e57);
    let (mut now_us, mut cancelled) = (0, 0);
    loop {
        if cancelled < CANCELS && now_us >= u64::from(cancelled) * GAP_US {
            cancelled += 1;
            let id = engine.delivery.send(now_us, cancel(now_us, cancelled)).expect("there is room");
            fates.insert(id, Fate::default());
        }
        while let Some(bytes) = engine.link.receive(now_us) {
            let Some((receipt, message)) = host.receive(now_us, &bytes) else { continue };
            if receipt == Receipt::Process {
                fates.get_mut(&message.message_id).expect("it was sent").effects += 1;
                work.insert((now_us + rng.below(WORK_US), message.message_id), ());
            }
        }
        while let Some(bytes) = host.link.receive(now_us) {
            assert!(engine.receive(now_us, &bytes).is_some_and(|(receipt, _)| receipt == Receipt::Ack));
        }
        while let Some(((_, id), ())) = work.first_key_value().filter(|((due, _), ())| *due <= now_us) {
            assert!(host.delivery.applied(now_us, *id));
            work.pop_first();
        }
        engine.transmit(now_us, |message| {
            fates.get_mut(&message.message_id).expect("it was sent").transmits += 1;
        });
        host.transmit(now_us, |ack| assert!(matches!(ack.message_type, MessageType::Ack { .. })));
        while let Some(event) = engine.delivery.poll_event() {
            let (id, count): (u64, fn(&mut Fate) -> &mut u32) = match event {
                DeliveryEvent::Delivered { message_id } => (message_id, |fate| &mut fate.delivered),
                DeliveryEvent::Applied { message_id } => (message_id, |fate| &mut fate.applied),
                DeliveryEvent::Failed { message_id } => (message_id, |fate| &mut fate.failed),
            };
            *count(fates.get_mut(&id).expect("it was sent")) += 1;
        }
        for end in [&engine, &host] {
            assert!(end.delivery.next_due_us().is_none_or(|due_us| due_us > now_us), "a driver would spin");
        }
        let next_cancel = (cancelled < CANCELS).then(|| u64::from(cancelled) * GAP_US);
        let work_due = work.first_key_value().map(|((due, _), ())| *due);
        let next = [engine.next_us(), host.next_us(), next_cancel, work_due];
        let Some(next_us) = next.into_iter().flatten().min() else { break };
        now_us = next_us;
    }
    assert_eq!(engine.intake.figures().rejected + host.intake.figures().rejected, 0);
    Outcome {
        fates,
        ended_us: now_us,
        sender: engine.delivery.outgoing().figures(),
        repeated: host.delivery.incoming().figures().repeated,
        links: [engine.link.figures(), host.link.figures()],
    }
}

fn cancel(now_us: u64, serial: u32) -> ControlMessage {
    let session: Arc<str> = SESSION.into();
    let what =
        MessageType::CancelSpeculation { from_timestamp: now_us, to_timestamp: now_us + 1, late: false };
    let mut message = ControlMessage::new(session, now_us, what);
    message.target_segment_id = Some(segment_id(SESSION, 1, serial));
    message
}

/// Every way in which an outcome breaks the invariant.
fn broken(outcome: &Outcome, flight_us: u64) -> Vec<String> {
    let mut found = Vec::new();
    for (id, fate) in &outcome.fates {
        let ends_once = fate.delivered + fate.failed == 1;
        let effect_once = fate.effects <= 1 && (fate.delivered == 0 || fate.effects == 1);
        let transmits = (1..=u32::from(TRANSMITS_MAX)).contains(&fate.transmits);
        let failed_late = fate.failed == 0 || fate.transmits == u32::from(TRANSMITS_MAX);
        if !(ends_once && effect_once && transmits && failed_late && fate.applied <= fate.delivered) {
            found.push(format!("message {id}: {fate:?}"));
        }
    }
    let last_us = u64::from(CANCELS) * GAP_US;
    let bound_us = last_us + u64::from(TRANSMITS_MAX) * RESEND_US + 2 * flight_us + WORK_US;
    if outcome.ended_us > bound_us || outcome.fates.len() != CANCELS as usize {
        found.push(format!("{} fates, ended at {} us of {bound_us}", outcome.fates.len(), outcome.ended_us));
    }
    let sums = |of: fn(&Fate) -> u32| outcome.fates.values().map(|fate| u64::from(of(fate))).sum::<u64>();
    let sender = &outcome.sender;
    let counted = [sender.sent + sender.retried, sender.acked, sender.applied, sender.failed];
    let seen = [sums(|f| f.transmits), sums(|f| f.delivered), sums(|f| f.applied), sums(|f| f.failed)];
    if counted != seen || sender.sent != u64::from(CANCELS) {
        found.push(format!("figures {counted:?}, seen {seen:?}"));
    }
    found
}

fn effects(outcome: &Outcome) -> u64 {
    outcome.fates.values().map(|fate| u64::from(fate.effects)).sum()
}

/// 10 % loss, 5 % duplicates, 10 % held back by 30 ms, 0 to 40 ms of jitter.
fn rough() -> LinkFaults {
    LinkFaults {
        jitter_ms: 40.0,
        loss_ratio: 0.1,
        duplicate_ratio: 0.05,
        reorder_ratio: 0.1,
        reorder_extra_ms: 30.0,
        ..LinkFaults::default()
    }
}

#[test]
fn a_thousand_cancels_over_a_rough_path_take_effect_once() {
    println!(
        "seed: effects, acked, applied, failed; retried, repeated; lost, duplicated, reordered (both ways)"
    );
    let (mut failed, mut effects_all, mut acked_all) = (Vec::new(), 0, 0);
    let seeds = 1..=20;
    for seed in seeds.clone() {
        let outcome = exchanged(rough(), rough(), seed);
        let (sender, effects) = (outcome.sender, effects(&outcome));
        let [there, back] = outcome.links;
        println!(
            "{seed}: {effects}, {}, {}, {}; {}, {}; {}, {}, {}",
            sender.acked,
            sender.applied,
            sender.failed,
            sender.retried,
            outcome.repeated,
            there.lost + back.lost,
            there.duplicated + back.duplicated,
            there.reordered + back.reordered,
        );
        failed.extend(broken(&outcome, 70_000).into_iter().map(|what| format!("seed {seed}: {what}")));
        let sent = (there.sent + back.sent) as f64;
        for (what, count, ratio) in
            [("lost", there.lost + back.lost, 0.1), ("duplicated", there.duplicated + back.duplicated, 0.045)]
        {
            if (count as f64 / sent - ratio).abs() > 0.03 {
                failed.push(format!(
                    "seed {seed}: {count} of {sent} {what}: the path was not what it should be"
                ));
            }
        }
        if there.reordered < 100 || outcome.repeated < 100 {
            failed.push(format!("seed {seed}: hardly anything overtook or came twice"));
        }
        (effects_all, acked_all) = (effects_all + effects, acked_all + sender.acked);
    }
    // Four chances of one in ten each to be lost on the way there: hardly one in ten thousand never arrives.
    let sent = seeds.count() as f64 * f64::from(CANCELS);
    println!("of {sent}: {effects_all} took effect, {acked_all} known to have");
    assert!(effects_all as f64 / sent > 0.999, "{effects_all} of {sent} took effect");
    assert!(acked_all as f64 / sent > 0.998, "{acked_all} of {sent} are known to have taken effect");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_the_sender_knows_follows_what_the_path_lets_through() {
    let clean = LinkFaults { delay_ms: 20.0, ..LinkFaults::default() };
    let dead = LinkFaults { loss_ratio: 1.0, ..LinkFaults::default() };
    let slow = LinkFaults { delay_ms: 120.0, ..LinkFaults::default() };
    let doubled = LinkFaults { duplicate_ratio: 1.0, ..clean };
    let all = u64::from(CANCELS);
    // Name, there, back; effects, acked, applied, failed, retried, repeated.
    let cases = [
        ("clean", clean, clean, [all, all, all, 0, 0, 0]),
        ("nothing arrives", dead, clean, [0, 0, 0, all, 3 * all, 0]),
        ("no acknowledgement arrives", clean, dead, [all, 0, 0, all, 3 * all, 3 * all]),
        ("the answer takes longer than the patience", slow, slow, [all, 0, 0, all, 3 * all, 3 * all]),
        ("everything comes twice", doubled, doubled, [all, all, all, 0, 0, all]),
    ];
    let mut failed = Vec::new();
    for (name, there, back, want) in cases {
        let outcome = exchanged(there, back, 1);
        let OutgoingFigures { acked, applied, failed: given_up, retried, .. } = outcome.sender;
        let got = [effects(&outcome), acked, applied, given_up, retried, outcome.repeated];
        println!("{name}: {got:?}");
        if got != want {
            failed.push(format!("{name}: {got:?}, expected {want:?}"));
        }
        failed.extend(broken(&outcome, 240_000).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_seed_repeats_the_whole_exchange() {
    assert_eq!(exchanged(rough(), rough(), 7), exchanged(rough(), rough(), 7));
    assert_ne!(exchanged(rough(), rough(), 7), exchanged(rough(), rough(), 8));
}
