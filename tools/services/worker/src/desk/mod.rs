//! The state of one service: its workers, the calls that they have, and the calls that wait.
//!
//! Time and messages come in as arguments, what is to be sent goes out as a list: nothing here waits, and nothing touches
//! shared memory. The invariant: a call is in one place only, waiting or at one worker, and its writer is there with it;
//! whoever takes the call away ends the answer or passes it on.

mod asked;
mod flight;
mod hail;
mod loss;
mod outgoing;
mod peer;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mynah_systems::service::OutsidePart;

pub(crate) use asked::Asked;
use flight::{Course, Flight};
pub(crate) use hail::Hail;
pub(crate) use outgoing::{Outgoing, Way};
use peer::{Pulse, WorkerPeer};

use crate::figures::FigureBoard;
use crate::wire::{AckStep, DataPart, Envelope, FromWorker, ToWorker, WorkerTask};

/// Workers of one service.
const WORKERS_MAX: usize = 32;
/// Time between the engine's signs of life.
pub(crate) const HEARTBEAT_US: u64 = 250_000;
/// Longest time between two words of an answer. On the wall clock the scene's `timeout_ms` comes first; in virtual time
/// the tick waits, and must not wait for ever.
const QUIET_US: u64 = 120_000_000;
/// Longest time that a program may take to say hello while calls wait for it.
const BIRTH_US: u64 = 60_000_000;
/// Time after which a worker that has stopped none of its cancelled calls is of no use.
const STUCK_US: u64 = 30_000_000;

/// How a desk is run.
#[derive(Clone, Debug)]
pub(crate) struct DeskRules {
    /// Calls that a worker gets at once.
    pub(crate) parallel: usize,
    /// Silence after which a worker counts as hung.
    pub(crate) hung_us: u64,
    /// Longest wait for a worker.
    pub(crate) wait_us: u64,
    /// Times that a call is tried at another worker.
    pub(crate) retries: u32,
}

/// The state of a service.
pub(crate) struct Desk {
    rules: DeskRules,
    /// What the scene's nodes ask for.
    tasks: BTreeSet<WorkerTask>,
    /// Workers in the order of their arrival.
    peers: BTreeMap<u64, WorkerPeer>,
    /// Calls at workers, by their numbers.
    flights: BTreeMap<u64, Flight>,
    /// Numbers of the calls at workers, by ticket.
    tickets: BTreeMap<u64, u64>,
    waiting: VecDeque<Asked>,
    out: VecDeque<Outgoing>,
    board: FigureBoard,
    next_peer: u64,
    next_call: u64,
    beaten_us: u64,
    /// Programs that have been started and have not said hello.
    unborn: usize,
    /// Why there is no worker, as far as is known.
    last_reason: Option<String>,
    /// Microseconds between the Unix epoch and the clock's 0.
    epoch_us: u64,
}

impl Desk {
    pub(crate) fn new(rules: DeskRules, board: FigureBoard, epoch_us: u64) -> Self {
        Self {
            rules,
            tasks: BTreeSet::new(),
            peers: BTreeMap::new(),
            flights: BTreeMap::new(),
            tickets: BTreeMap::new(),
            waiting: VecDeque::new(),
            out: VecDeque::new(),
            board,
            next_peer: 0,
            next_call: 0,
            beaten_us: 0,
            unborn: 0,
            last_reason: None,
            epoch_us,
        }
    }

    /// What is to be sent next.
    pub(crate) fn outgoing(&mut self) -> Option<Outgoing> {
        self.out.pop_front()
    }

    /// A call begins.
    pub(crate) fn ask(&mut self, asked: Asked, now_us: u64) {
        self.waiting.push_back(asked);
        self.assign(now_us);
    }

    /// A call is not wanted any more, or its host has answered.
    pub(crate) fn notice(&mut self, ticket: u64, now_us: u64) {
        let Some(call) = self.tickets.get(&ticket).copied() else {
            // The work of one that waits has not begun.
            self.waiting.retain(|asked| asked.ticket != ticket || asked.writer.is_wanted());
            return;
        };
        let Some(flight) = self.flights.get_mut(&call) else { return };
        let (peer, results) = (flight.peer, flight.asked.writer.tool_results());
        let session = Arc::clone(&flight.asked.session);
        flight.heard_us = now_us;
        let stops = !flight.asked.writer.is_wanted();
        for (call_id, result) in results {
            self.tell(peer, &session, ToWorker::ToolResult { call, call_id, result }, now_us);
        }
        if stops {
            self.cancel(call, now_us);
        }
    }

    /// A session is over: all workers hear of it.
    pub(crate) fn close(&mut self, session: &str) {
        let peers: Vec<u64> = self.peers.keys().copied().collect();
        for peer in peers {
            self.say(peer, session, ToWorker::Close { session: session.to_owned() }, Way::Control);
        }
    }

    /// The service ends.
    pub(crate) fn goodbye(&mut self, reason: &str) {
        let peers: Vec<u64> = self.peers.keys().copied().collect();
        for peer in peers {
            self.say(peer, "", ToWorker::Goodbye { reason: reason.to_owned() }, Way::Control);
        }
        self.waiting.clear();
        self.flights.clear();
        self.tickets.clear();
    }

    /// A worker has said something.
    pub(crate) fn heard(&mut self, peer: u64, message: Envelope<FromWorker>, now_us: u64) {
        let Some(worker) = self.peers.get_mut(&peer) else { return };
        worker.heard_us = now_us;
        if worker.pulse == Pulse::Hangs {
            worker.pulse = Pulse::Beats;
        }
        if !worker.is_new(message.message_id) {
            return;
        }
        match message.message_type {
            FromWorker::Ack { message_id, stage: AckStep::Delivered } => {
                if worker.delivered(message_id) {
                    self.board.locked().delivered += 1;
                }
            }
            FromWorker::Ack { message_id, stage: AckStep::Applied } => self.applied(peer, message_id, now_us),
            FromWorker::Done { call, parts, .. } => self.ends(peer, call, parts, Ok(())),
            FromWorker::Failed { call, reason, parts } => {
                self.ends(peer, call, parts, Err(bounded(&reason).into()));
            }
            FromWorker::Partial { call, text } => {
                if let Some(flight) = self.wanted(peer, call, now_us) {
                    flight.asked.writer.part(OutsidePart::Partial(text));
                }
            }
            FromWorker::ToolCall { call, parts, call_id, name, arguments } => {
                self.aside(peer, call, parts, OutsidePart::ToolCall { call_id, name, arguments }, now_us);
            }
            FromWorker::AwaitHost { call, parts } => {
                self.aside(peer, call, parts, OutsidePart::AwaitHost, now_us)
            }
            FromWorker::Goodbye { reason } => {
                worker.pulse = Pulse::Leaves;
                let reason = format!("{} has left: {}", worker.title(), bounded(&reason));
                self.take_calls(peer, &reason, now_us);
            }
            // A hello is for the lobby.
            FromWorker::Hello { .. } | FromWorker::Heartbeat { .. } => {}
        }
        self.assign(now_us);
    }

    /// A part of an answer has come.
    pub(crate) fn part(&mut self, peer: u64, part: DataPart, now_us: u64) {
        let call = part.call();
        if let Some(worker) = self.peers.get_mut(&peer) {
            worker.heard_us = now_us;
        }
        let Some(flight) = self.wanted(peer, call, now_us) else {
            self.board.locked().late += 1;
            return;
        };
        if let Err(reason) = flight.part(part) {
            self.give_up(call, reason, now_us);
        }
    }

    /// What a worker sent was read: what is complete ends. `all`: nothing of it is left in its lanes.
    pub(crate) fn is_read(&mut self, peer: u64, all: bool, now_us: u64) {
        let Some(worker) = self.peers.get(&peer) else { return };
        let calls: Vec<u64> = worker.calls.iter().copied().collect();
        for call in calls {
            let Some(flight) = self.flights.get_mut(&call) else { continue };
            if flight.cancelled.is_some() {
                continue;
            }
            match flight.course(all) {
                Course::GoesOn => {}
                Course::Done => {
                    if let Some(asked) = self.land(call) {
                        asked.writer.done();
                        self.board.locked().done += 1;
                    }
                }
                Course::Failed(reason) => {
                    if let Some(asked) = self.land(call) {
                        self.fail(&asked, reason);
                    }
                }
            }
        }
        self.assign(now_us);
    }

    /// Time has passed: repeats, silences, signs of life.
    pub(crate) fn passed(&mut self, now_us: u64) {
        self.watch(now_us);
        if now_us.saturating_sub(self.beaten_us) >= HEARTBEAT_US {
            self.beaten_us = now_us;
            let peers: Vec<u64> = self.peers.keys().copied().collect();
            for peer in peers {
                self.say(peer, "", ToWorker::Heartbeat {}, Way::Offer);
            }
        }
        self.assign(now_us);
        let mut figures = self.board.locked();
        figures.workers = self.peers.len() as u32;
        figures.under_way = self.flights.len() as u32;
        figures.waiting = self.waiting.len() as u32;
    }

    /// When [`passed`](Self::passed) has something to do again.
    pub(crate) fn due_us(&self) -> u64 {
        let messages = self.peers.values().filter_map(WorkerPeer::due_us).min();
        messages.unwrap_or(u64::MAX).min(self.beaten_us + HEARTBEAT_US)
    }

    /// The calls at this worker that somebody waits for.
    fn wanted(&mut self, peer: u64, call: u64, now_us: u64) -> Option<&mut Flight> {
        let flight = self.flights.get_mut(&call).filter(|flight| flight.peer == peer)?;
        flight.heard_us = now_us;
        flight.cancelled.is_none().then_some(flight)
    }

    fn aside(&mut self, peer: u64, call: u64, parts: u32, aside: OutsidePart, now_us: u64) {
        let Some(flight) = self.wanted(peer, call, now_us) else { return };
        if let Err(reason) = flight.aside(parts, aside) {
            self.give_up(call, reason, now_us);
        }
    }

    fn ends(&mut self, peer: u64, call: u64, parts: u32, end: Result<(), Arc<str>>) {
        if let Some(flight) = self.flights.get_mut(&call).filter(|flight| flight.peer == peer) {
            flight.ends(parts, end);
        }
    }

    /// A cancelled work has stopped.
    fn applied(&mut self, peer: u64, message_id: u64, now_us: u64) {
        let Some(worker) = self.peers.get_mut(&peer) else { return };
        let Some(call) = worker.cancels.remove(&message_id) else { return };
        // That it has come is said, too, should the other word be late.
        let delivered = worker.delivered(message_id);
        let since_us = self.flights.get(&call).and_then(|flight| flight.cancelled);
        let mut figures = self.board.locked();
        figures.delivered += u64::from(delivered);
        figures.stopped_after(now_us.saturating_sub(since_us.unwrap_or(now_us)));
        drop(figures);
        drop(self.land(call));
    }

    /// Takes a call from its worker's list.
    fn land(&mut self, call: u64) -> Option<Asked> {
        let flight = self.flights.remove(&call)?;
        self.tickets.remove(&flight.asked.ticket);
        if let Some(worker) = self.peers.get_mut(&flight.peer) {
            worker.calls.remove(&call);
        }
        Some(flight.asked)
    }

    fn fail(&self, asked: &Asked, reason: impl Into<Arc<str>>) {
        self.board.locked().failed += 1;
        asked.writer.fail(reason);
    }

    /// Gives calls to workers: each to the one that has fewest, among equals to the one that came first.
    fn assign(&mut self, now_us: u64) {
        let mut at = 0;
        while at < self.waiting.len() {
            let asked = &self.waiting[at];
            let (task, not) = (asked.words.task, asked.taken.as_ref().map(|(peer, _)| *peer));
            let parallel = self.rules.parallel;
            // Not the one that it was taken from, as long as there is another.
            let others = self.peers.iter().any(|(key, worker)| {
                Some(*key) != not && worker.pulse == Pulse::Beats && worker.serves == task
            });
            let free = self
                .peers
                .iter()
                .filter(|(key, worker)| (!others || Some(**key) != not) && worker.takes(task, parallel));
            let fewest = free.min_by_key(|(key, worker)| (worker.is_doubtful, worker.calls.len(), **key));
            match fewest.map(|(key, _)| *key) {
                Some(peer) => {
                    if let Some(asked) = self.waiting.remove(at) {
                        self.give(asked, peer, now_us);
                    }
                }
                None => at += 1,
            }
        }
    }

    /// Gives a call to a worker.
    fn give(&mut self, mut asked: Asked, peer: u64, now_us: u64) {
        let Some(worker) = self.peers.get_mut(&peer) else { return self.waiting.push_front(asked) };
        self.next_call += 1;
        let (call, message) = (self.next_call, worker.next_id());
        match asked.encode(call, message, self.epoch_us + now_us) {
            Ok(bytes) => {
                worker.calls.insert(call);
                worker.expects(message, Arc::clone(&bytes.control), now_us);
                self.board.locked().sent += 1;
                self.out.push_back(Outgoing { peer, way: Way::Control, bytes: bytes.control });
                let audio = bytes.audio.into_iter();
                self.out.extend(audio.map(|bytes| Outgoing { peer, way: Way::Audio, bytes }));
                self.tickets.insert(asked.ticket, call);
                self.flights.insert(call, Flight::new(asked, peer, now_us));
            }
            Err(error) => self.fail(&asked, format!("the call cannot be sent to a worker: {error}")),
        }
    }

    /// Tells a worker something that it is to acknowledge; the id of the message.
    fn tell(&mut self, peer: u64, session: &str, what: ToWorker, now_us: u64) -> u64 {
        let Some((id, bytes)) = self.say(peer, session, what, Way::Control) else { return 0 };
        if let Some(worker) = self.peers.get_mut(&peer) {
            worker.expects(id, bytes, now_us);
            self.board.locked().sent += 1;
        }
        id
    }
}

/// A reason of somebody else, cut to 300 characters.
pub(crate) fn bounded(reason: &str) -> String {
    reason.trim().chars().take(300).collect()
}
