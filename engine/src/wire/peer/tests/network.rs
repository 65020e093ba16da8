//! Two peers over a network that loses, repeats and reorders, and over one that breaks, against a plain model: what was
//! sent, how often it took effect, and what its sender was told.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What happens to one transmission: the delays of the copies that arrive, milliseconds. None is a loss.
type Fate = Vec<u64>;

#[derive(Clone, Debug)]
enum Step {
    /// The engine's end says something of speech.
    Correct,
    /// The engine's end tells an event.
    Tell,
    /// The host's end wants something.
    Want,
    /// The engine's end says that the session is over.
    Close,
    /// Time passes, milliseconds; every poll that is due in it happens.
    Pass(u64),
    /// Time passes and nobody polls.
    Sleep(u64),
    /// The connection is lost with what is under way, for so many milliseconds.
    Break(u64),
}

/// What became of one thing that was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    tracked: bool,
    effects: u32,
    delivered: u32,
    failed: u32,
}

const ENGINE: usize = 0;
const HOST: usize = 1;

struct World {
    now_us: u64,
    peers: [Peer; 2],
    receipts: EventReceipts,
    /// Keeps the order and loses nothing.
    stream: bool,
    fates: Vec<Fate>,
    transmitted: usize,
    /// (arrival, order, receiving end, bytes).
    flying: Vec<(u64, usize, usize, Vec<u8>)>,
    /// By sending end and number.
    told: BTreeMap<(usize, u32), Told>,
    /// Number of what has an id, by sending end and id.
    numbers: BTreeMap<(usize, u64), u32>,
    next: u32,
    last_event: u32,
    closed: bool,
    inputs: [u64; 2],
}

/// The number that a message carries; `None` for receipts.
fn number(message: &ControlMessage) -> Option<u32> {
    Some(match &message.message_type {
        MessageType::Ack { .. } => return None,
        MessageType::CancelAnswer {} => message.turn.expect("it has a turn"),
        MessageType::Transcript { text, .. } | MessageType::SendText { text } => {
            text.parse().expect("a number")
        }
        MessageType::Closed { .. } => u32::MAX,
        other => panic!("nobody sends {other:?}"),
    })
}

impl World {
    fn new(receipts: EventReceipts, forms: [MessageForm; 2], stream: bool, fates: Vec<Fate>) -> Self {
        let peer = |form| Peer::new(PeerConfig { form, receipts, ..config() }).expect("it is a session");
        Self {
            now_us: 0,
            peers: forms.map(peer),
            receipts,
            stream,
            fates,
            transmitted: 0,
            flying: Vec::new(),
            told: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next: 1,
            last_event: 0,
            closed: false,
            inputs: [0; 2],
        }
    }

    fn send(&mut self, from: usize, what: &Step) {
        let (now_us, number) = (self.now_us, self.next);
        let text: Arc<str> = number.to_string().into();
        let peer = &mut self.peers[from];
        let sent = match what {
            Step::Correct => peer.send_control(now_us, &Control::CancelAnswer { turn: number }),
            Step::Want => peer.send_control(now_us, &Control::SendText { text }),
            Step::Tell => {
                let event = SessionEvent::Transcript { segment: 0, revision: 0, turn: 1, text, last: false };
                peer.send_event(now_us, &event).map(|_| None)
            }
            _ => {
                let event = SessionEvent::Closed { reason: CloseReason::Finished };
                peer.send_event(now_us, &event).map(|_| None)
            }
        };
        let number = if matches!(what, Step::Close) { u32::MAX } else { number };
        match sent {
            Ok(_) => {
                let tracked =
                    self.receipts == EventReceipts::Each || matches!(what, Step::Correct | Step::Want);
                self.told.insert((from, number), Told { tracked, ..Told::default() });
            }
            Err(SendError::Closed) => {
                assert!(self.told.contains_key(&(from, u32::MAX)), "nobody has closed");
            }
            Err(error) => assert_eq!(error, SendError::Overflow),
        }
        self.next += 1;
    }

    fn poll(&mut self) {
        for from in [ENGINE, HOST] {
            loop {
                let now_us = self.now_us;
                match self.peers[from].poll(now_us) {
                    Output::Transmit(bytes) => {
                        let bytes = bytes.to_vec();
                        self.transmit(from, bytes);
                    }
                    Output::Control(ControlIn { message_id, control }) => {
                        let number = match control {
                            Control::CancelAnswer { turn } => turn,
                            Control::SendText { text } => text.parse().expect("a number"),
                            other => panic!("nobody sends {other:?}"),
                        };
                        self.effect(1 - from, number);
                        self.peers[from].applied(now_us, message_id);
                    }
                    Output::Event { message, .. } => {
                        let number = number(&message).expect("an event");
                        assert!(number > self.last_event, "{number} behind {}", self.last_event);
                        self.last_event = number;
                        self.effect(1 - from, number);
                        self.closed |= number == u32::MAX;
                    }
                    Output::Delivery(event) => self.fate(from, event),
                    Output::Wait { until_us } => {
                        assert!(until_us.is_none_or(|us| us > now_us), "a driver would spin at {until_us:?}");
                        break;
                    }
                }
            }
        }
    }

    fn effect(&mut self, from: usize, number: u32) {
        assert!(!self.closed || from == HOST, "{number} comes behind the end");
        let told = self.told.get_mut(&(from, number)).expect("only what was sent takes effect");
        told.effects += 1;
        assert_eq!(told.effects, 1, "{number}");
    }

    fn fate(&mut self, from: usize, event: DeliveryEvent) {
        let (DeliveryEvent::Delivered { message_id }
        | DeliveryEvent::Applied { message_id }
        | DeliveryEvent::Failed { message_id }) = event;
        let number = self.numbers[&(from, message_id)];
        let told = self.told.get_mut(&(from, number)).expect("only what was sent has a fate");
        match event {
            DeliveryEvent::Delivered { .. } => told.delivered += 1,
            DeliveryEvent::Failed { .. } => told.failed += 1,
            DeliveryEvent::Applied { .. } => {}
        }
        assert!(told.tracked && told.delivered + told.failed == 1, "{number}: {told:?}");
        assert!(told.delivered == 0 || told.effects == 1, "{number} is acknowledged: {told:?}");
    }

    fn transmit(&mut self, from: usize, bytes: Vec<u8>) {
        let arrival = match bytes[0] {
            b'{' => json::decode(&bytes),
            _ => binary::decode(&bytes).map(|(arrival, _)| arrival),
        };
        let Ok(Arrival::Message { message, .. }) = arrival else { panic!("{arrival:?}") };
        if let Some(number) = number(&message) {
            let before = self.numbers.insert((from, message.message_id), number);
            assert!(before.is_none_or(|before| before == number), "two messages have one id");
        }
        let fate = self.fates[self.transmitted % self.fates.len()].clone();
        self.transmitted += 1;
        if self.stream {
            let sooner = self.flying.iter().filter(|(_, _, to, _)| *to != from).map(|(at, ..)| *at).max();
            let at = (self.now_us + fate.first().map_or(1, |ms| ms * MS)).max(sooner.unwrap_or(0));
            self.flying.push((at, self.transmitted, 1 - from, bytes));
            return;
        }
        for delay_ms in fate {
            self.flying.push((self.now_us + delay_ms * MS, self.transmitted, 1 - from, bytes.clone()));
        }
    }

    fn arrive(&mut self) {
        self.flying.sort_by_key(|(at, order, ..)| (*at, *order));
        while self.flying.first().is_some_and(|(at, ..)| *at <= self.now_us) {
            let (_, _, to, bytes) = self.flying.remove(0);
            let input = if bytes[0] == b'{' { Input::Json(&bytes) } else { Input::Binary(&bytes) };
            self.inputs[to] += 1;
            let taken = self.peers[to].handle(self.now_us, input);
            assert!(matches!(taken, Ok(()) | Err(PeerError::Overflow)), "{taken:?}");
        }
    }

    fn next_us(&mut self) -> Option<u64> {
        let mut next = self.flying.iter().map(|(at, ..)| *at).min();
        for peer in &mut self.peers {
            if let Output::Wait { until_us: Some(us) } = peer.poll(self.now_us) {
                next = Some(next.map_or(us, |next| next.min(us)));
            }
        }
        next
    }

    fn pass(&mut self, until_us: u64) {
        self.poll();
        while let Some(next_us) = self.next_us().filter(|next_us| *next_us <= until_us) {
            self.now_us = self.now_us.max(next_us);
            self.arrive();
            self.poll();
        }
        self.now_us = self.now_us.max(until_us);
    }

    fn act(&mut self, step: &Step) {
        match step {
            Step::Correct | Step::Tell | Step::Close => self.send(ENGINE, step),
            Step::Want => self.send(HOST, step),
            Step::Pass(ms) => self.pass(self.now_us + ms * MS),
            Step::Sleep(ms) => {
                self.now_us += ms * MS;
                self.arrive();
            }
            Step::Break(ms) => {
                self.flying.clear();
                self.peers.iter_mut().for_each(Peer::disconnected);
                self.pass(self.now_us + ms * MS);
                assert!(self.flying.is_empty(), "sent without a connection");
                self.peers.iter_mut().for_each(|peer| peer.reconnected(self.now_us));
            }
        }
    }

    /// Lets everything come to its end.
    fn finish(&mut self) {
        self.pass(self.now_us + 600_000 * MS);
        for (place, told) in &self.told {
            let fates = if told.tracked { 1 } else { 0 };
            assert_eq!(told.delivered + told.failed, fates, "{place:?}: {told:?}");
        }
        for (peer, inputs) in self.peers.iter().zip(self.inputs) {
            let PeerFigures { intake, incoming, receipts, overtaken, after_closed, overflowed, .. } =
                peer.figures();
            assert_eq!((intake.accepted, intake.rejected), (inputs, 0));
            let processed = incoming.processed + incoming.repeated + incoming.too_old;
            assert_eq!(intake.accepted, receipts + processed + overtaken + after_closed + overflowed);
            assert_eq!(peer.unacknowledged(), 0);
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Correct),
        6 => Just(Step::Tell),
        3 => Just(Step::Want),
        1 => Just(Step::Close),
        8 => (0..80_u64).prop_map(Step::Pass),
        1 => (0..400_u64).prop_map(Step::Sleep),
        1 => (0..2_000_u64).prop_map(Step::Break),
    ]
}

fn form() -> impl Strategy<Value = MessageForm> {
    prop_oneof![Just(MessageForm::Binary), Just(MessageForm::Json), Just(MessageForm::LabelledJson)]
}

fn receipts() -> impl Strategy<Value = EventReceipts> {
    prop_oneof![Just(EventReceipts::None), Just(EventReceipts::Each)]
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = || prop_oneof![0..8_u64, 0..300_u64];
    prop_oneof![
        3 => delay().prop_map(|ms| vec![ms]),
        1 => Just(Vec::new()),
        1 => (delay(), delay()).prop_map(|(a, b)| vec![a, b]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn effect_at_most_once_in_order_and_nothing_behind_the_end(
        receipts in receipts(),
        forms in [form(), form()],
        fates in prop::collection::vec(fate(), 1..40),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(receipts, forms, false, fates);
        steps.iter().for_each(|step| world.act(step));
        world.finish();
    }

    #[test]
    fn a_stream_brings_everything_once_and_nothing_twice(
        receipts in receipts(),
        form in form(),
        delays in prop::collection::vec(0..20_u64, 1..40),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let fates = delays.into_iter().map(|ms| vec![ms]).collect();
        let mut world = World::new(receipts, [form, form], true, fates);
        let kept = |step: &&Step| !matches!(step, Step::Break(_) | Step::Sleep(_));
        steps.iter().filter(kept).for_each(|step| world.act(step));
        world.finish();
        for (place, told) in &world.told {
            prop_assert_eq!((told.effects, told.failed), (1, 0), "{:?}", place);
        }
        prop_assert!(world.peers.iter().all(|peer| peer.figures().outgoing.retried == 0));
    }

    #[test]
    fn a_connection_that_breaks_loses_no_message_that_is_acknowledged(
        form in form(),
        delays in prop::collection::vec(0..20_u64, 1..40),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let fates = delays.into_iter().map(|ms| vec![ms]).collect();
        let mut world = World::new(EventReceipts::Each, [form, form], true, fates);
        let kept = |step: &&Step| !matches!(step, Step::Sleep(_));
        steps.iter().filter(kept).for_each(|step| world.act(step));
        world.finish();
        for (place, told) in &world.told {
            prop_assert_eq!((told.effects, told.delivered), (1, 1), "{:?}", place);
        }
    }
}
