//! The thread of a service: moves messages between shared memory and the [`Desk`], and looks after its programs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mynah_engine::crossbeam::channel::{Receiver, TryRecvError};

use crate::clock::{Since, sleep_ms, unix_us};
use crate::crew::{Crew, Orders};
use crate::desk::{Asked, Desk, DeskRules, HEARTBEAT_US, Hail, Outgoing, Way};
use crate::figures::FigureBoard;
use crate::link::{EngineDoor, EngineSide, LinkError, LinkNames, LinkPlace, Pushing, RingBell, bell};
use crate::log;
use crate::wire::{
    DataPart, Envelope, FromWorker, HearsRate, PROTOCOL, Said, SpeaksRate, ToWorker, WorkerTask,
    encode_control,
};

/// Longest wait for a ring: programs that end, and what found no room, are looked at that often.
const WAIT_US: u64 = 50_000;
/// The same while something waits for room.
const FULL_WAIT_US: u64 = 2_000;
/// Times that all lanes are read when a program has ended: more than they hold.
const LAST_READS: usize = 8;
/// Messages that may wait for a worker that takes none.
const WAITING_MAX: usize = 4_096;
/// Time between looks for dead processes.
const CLEAN_US: u64 = 200_000;
/// Time between attempts to open shared memory, as long as that fails.
const OPEN_AGAIN_MS: u64 = 100;

/// What the tick tells the thread.
pub(crate) enum Order {
    /// A session begins at a node.
    Open { task: WorkerTask, hears: Option<HearsRate>, speaks: Option<SpeaksRate> },
    /// A session is over.
    Close(Arc<str>),
    /// A call.
    Ask(Box<Asked>),
    /// A call is not wanted any more, or its host has answered.
    Notice(u64),
    /// The service ends.
    End,
}

/// The tick's end of the thread's bell: rings once until the thread has looked.
#[derive(Debug, Default)]
pub(crate) struct OwnBell {
    has_rung: AtomicBool,
    ring: std::sync::OnceLock<RingBell>,
}

impl OwnBell {
    /// Something was ordered.
    pub(crate) fn ring(&self) {
        if !self.has_rung.swap(true, Ordering::AcqRel)
            && let Some(bell) = self.ring.get()
        {
            bell.ring(bell::OWN);
        }
    }
}

/// What the thread is made of.
pub(crate) struct Terms {
    pub(crate) names: LinkNames,
    pub(crate) prefix: Option<String>,
    pub(crate) rules: DeskRules,
    pub(crate) command: Option<(Orders, u32)>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) board: FigureBoard,
    pub(crate) bell: Arc<OwnBell>,
    pub(crate) since: Since,
}

/// Runs a service until it is told that it ends.
pub(crate) fn run(terms: Terms) {
    let Terms { names, prefix, rules, command, orders, board, bell, since } = terms;
    let epoch_us = unix_us().saturating_sub(since.now_us());
    let mut desk = Desk::new(rules, board.clone(), epoch_us);
    let mut told = None;
    let (place, door) = loop {
        let opened = LinkPlace::new(prefix.as_deref()).and_then(|place| {
            place.clean_up();
            EngineDoor::open(&place, &names).map(|door| (place, door))
        });
        let error = match opened {
            Ok(opened) => break opened,
            Err(error) => error.to_string(),
        };
        if told.as_ref() != Some(&error) {
            log::line(&names.service, None, &error);
            told = Some(error.clone());
        }
        desk.expects(0, Some(error));
        // Calls are kept for as long as they may wait, and fail with the reason.
        loop {
            match orders.try_recv() {
                Ok(Order::End) | Err(TryRecvError::Disconnected) => return,
                Ok(order) => take(&mut desk, order, since.now_us(), &mut None),
                Err(TryRecvError::Empty) => break,
            }
        }
        desk.passed(since.now_us());
        sleep_ms(OPEN_AGAIN_MS);
    };
    // It is set once: the thread is the only one that sets it.
    let _was_set = bell.ring.set(door.own_bell()).is_err();
    let crew = command.map(|(orders, workers)| Crew::new(orders, workers));
    let mut service = Thread {
        names,
        place,
        door,
        desk,
        board,
        crew,
        sides: BTreeMap::new(),
        full: BTreeSet::new(),
        formats: None,
        message_id: 0,
        epoch_us,
        cleaned_us: 0,
    };
    service.work(&orders, &bell, since);
    service.end(since);
}

/// Formats that sessions have told of.
type Formats = Option<(Option<HearsRate>, Option<SpeaksRate>)>;

fn take(desk: &mut Desk, order: Order, now_us: u64, formats: &mut Formats) {
    match order {
        Order::Open { task, hears, speaks } => {
            *formats = Some((hears, speaks));
            desk.opens(task);
        }
        Order::Close(session) => desk.close(&session),
        Order::Ask(asked) => desk.ask(*asked, now_us),
        Order::Notice(ticket) => desk.notice(ticket, now_us),
        Order::End => {}
    }
}

struct Thread {
    names: LinkNames,
    place: LinkPlace,
    door: EngineDoor,
    desk: Desk,
    board: FigureBoard,
    crew: Option<Crew>,
    sides: BTreeMap<u64, EngineSide>,
    /// Workers for whom something waits for room.
    full: BTreeSet<u64>,
    formats: Formats,
    /// The last id of a message in the lobby.
    message_id: u64,
    epoch_us: u64,
    cleaned_us: u64,
}

impl Thread {
    fn work(&mut self, orders: &Receiver<Order>, own: &OwnBell, since: Since) {
        let mut has_died = false;
        loop {
            own.has_rung.store(false, Ordering::Release);
            loop {
                match orders.try_recv() {
                    Ok(Order::End) | Err(TryRecvError::Disconnected) => return,
                    Ok(order) => take(&mut self.desk, order, since.now_us(), &mut self.formats),
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.send();
            let now_us = since.now_us();
            self.read_lobby(now_us);
            // What a worker said before it ended counts: its end is looked for afterwards.
            let goes_on = self.read_workers(now_us);
            self.look_after_crew(now_us);
            self.bury(has_died, now_us);
            self.desk.passed(now_us);
            self.send();
            has_died = false;
            // A wait for no time at all would last until the next bell.
            if goes_on {
                continue;
            }
            let waits_us = match self.full.is_empty() {
                false => FULL_WAIT_US,
                true => WAIT_US.min(self.desk.due_us().saturating_sub(now_us).max(500)),
            };
            has_died = match self.door.wait(Duration::from_micros(waits_us)) {
                Ok(has_died) => has_died,
                Err(error) => {
                    self.complain(&error);
                    sleep_ms(5);
                    false
                }
            };
        }
    }

    fn complain(&self, error: &LinkError) {
        log::line(&self.names.service, None, &error.to_string());
    }

    fn look_after_crew(&mut self, now_us: u64) {
        let Some(crew) = &mut self.crew else { return };
        for pid in self.desk.stuck(now_us) {
            crew.kills(pid);
        }
        let (ended, failure) = crew.look(now_us);
        let unborn = crew.pids().filter(|pid| self.desk.peer_of(*pid).is_none()).count();
        self.board.locked().restarts = crew.restarts;
        let mut reason = failure;
        if !ended.is_empty() {
            // The last words of those that have ended just now.
            let _much = (0..LAST_READS).any(|_| !self.read_workers(now_us));
        }
        for end in ended {
            match self.desk.peer_of(end.pid) {
                Some(peer) => self.loses(peer, &end.how, now_us),
                None => reason = Some(format!("worker {} {}", end.pid, end.how)),
            }
        }
        self.desk.expects(unborn, reason);
    }

    fn loses(&mut self, peer: u64, how: &str, now_us: u64) {
        self.desk.dies(peer, how, now_us);
        self.sides.remove(&peer);
        self.full.remove(&peer);
    }

    /// Workers say hello.
    fn read_lobby(&mut self, now_us: u64) {
        let mut hellos = Vec::new();
        let (mut rejected, mut unknown) = (0, 0);
        let read = self.door.lobby.read(|bytes| match Envelope::<FromWorker>::decode(bytes) {
            Ok(Said::Known(message)) => hellos.push(message.message_type),
            // The engine's own answers are here, too.
            Ok(Said::Unknown { name }) => unknown += u64::from(!matches!(&*name, "Welcome" | "Refused")),
            Err(_) => rejected += 1,
        });
        if let Err(error) = read {
            self.complain(&error);
        }
        let mut figures = self.board.locked();
        figures.rejected += rejected;
        figures.unknown += unknown;
        drop(figures);
        for hello in hellos {
            self.answer(&hello, now_us);
        }
    }

    fn answer(&mut self, hello: &FromWorker, now_us: u64) {
        let FromWorker::Hello { worker, pid, name, .. } = hello else { return };
        let refused = match self.desk.hail(hello) {
            Hail::Nobody => return,
            Hail::Again => None,
            Hail::Refused(reason) => Some(reason),
            Hail::Comes(serves) => match EngineSide::open(&self.place, &self.names, worker) {
                Ok(side) => {
                    if let Some(peer) = self.desk.arrives(hello, serves, now_us) {
                        self.sides.insert(peer, side);
                        let text = format!("worker {pid} ({}) is here", crate::desk::bounded(name));
                        log::line(&self.names.service, None, &text);
                    }
                    None
                }
                Err(error) => Some(error.to_string()),
            },
        };
        let answer = match refused {
            Some(reason) => {
                self.board.locked().refused += 1;
                log::line(&self.names.service, None, &format!("worker {pid} was refused: {reason}"));
                ToWorker::Refused { worker: worker.clone(), reason }
            }
            None => ToWorker::Welcome {
                worker: worker.clone(),
                protocol: PROTOCOL,
                engine_pid: std::process::id(),
                heartbeat_ms: (HEARTBEAT_US / 1_000) as u32,
                hears: self.formats.and_then(|(hears, _)| hears),
                speaks: self.formats.and_then(|(_, speaks)| speaks),
            },
        };
        self.message_id += 1;
        let (message_id, timestamp) = (self.message_id, self.epoch_us + now_us);
        let envelope = Envelope { message_id, session_id: String::new(), timestamp, message_type: answer };
        let sent = encode_control(&envelope).map(|bytes| self.door.answers.offer(&bytes));
        if let Ok(Err(error)) = sent {
            self.complain(&error);
        }
    }

    /// Reads what workers have sent: control messages first. True if there is more.
    fn read_workers(&mut self, now_us: u64) -> bool {
        let mut goes_on = false;
        let (mut rejected, mut unknown) = (0, 0);
        let mut errors = Vec::new();
        for (&peer, side) in &self.sides {
            let desk = &mut self.desk;
            let mut keep = |read: Result<bool, LinkError>| match read {
                Ok(more) => more,
                Err(error) => {
                    errors.push(error);
                    false
                }
            };
            let more = keep(side.control_up.read(|bytes| match Envelope::<FromWorker>::decode(bytes) {
                Ok(Said::Known(message)) => desk.heard(peer, message, now_us),
                Ok(Said::Unknown { .. }) => unknown += 1,
                Err(_) => rejected += 1,
            }));
            let mut data = |bytes: &[u8]| match DataPart::decode(bytes) {
                Ok((_, part)) => desk.part(peer, part, now_us),
                Err(_) => rejected += 1,
            };
            let audio = keep(side.audio_up.read(&mut data));
            let text = keep(side.text_up.read(&mut data));
            self.desk.is_read(peer, !(audio || text), now_us);
            goes_on |= more || audio || text;
        }
        let mut figures = self.board.locked();
        figures.rejected += rejected;
        figures.unknown += unknown;
        drop(figures);
        errors.iter().for_each(|error| self.complain(error));
        goes_on
    }

    /// Finds workers that are gone, or as good as gone, and takes away what they have left.
    fn bury(&mut self, has_died: bool, now_us: u64) {
        if !has_died && now_us.saturating_sub(self.cleaned_us) < CLEAN_US {
            return;
        }
        self.cleaned_us = now_us;
        self.place.clean_up();
        let lost = |(peer, side): (&u64, &EngineSide)| match side.control_down.waiting() {
            _ if !side.is_there() => Some((*peer, "is gone")),
            0..WAITING_MAX => None,
            // It ends when it goes on and finds its engine's end closed.
            _ => Some((*peer, "takes no messages any more")),
        };
        let lost: Vec<(u64, &str)> = self.sides.iter().filter_map(lost).collect();
        for (peer, how) in lost {
            self.loses(peer, how, now_us);
        }
    }

    /// Sends what the desk has to say, and what found no room before.
    fn send(&mut self) {
        let mut to_wake = BTreeSet::new();
        while let Some(Outgoing { peer, way, bytes }) = self.desk.outgoing() {
            let Some(side) = self.sides.get_mut(&peer) else { continue };
            let pushed = match way {
                Way::Control => side.control_down.push(bytes),
                Way::Offer => side.control_down.offer(&bytes),
                // Audio never comes before its call.
                Way::Audio if side.control_down.waiting() > 0 => {
                    side.audio_down.hold(bytes);
                    Ok(Pushing::Waits)
                }
                Way::Audio => side.audio_down.push(bytes),
            };
            to_wake.insert((peer, way == Way::Audio));
            match pushed {
                Ok(Pushing::Sent) => {}
                Ok(Pushing::Waits) if way == Way::Offer => {}
                Ok(Pushing::Waits) => drop(self.full.insert(peer)),
                Err(error) => self.complain(&error),
            }
        }
        for peer in std::mem::take(&mut self.full) {
            let Some(side) = self.sides.get_mut(&peer) else { continue };
            let control = side.control_down.flush();
            let audio = match control {
                Ok(Pushing::Sent) => side.audio_down.flush(),
                _ => Ok(Pushing::Waits),
            };
            if !matches!((&control, &audio), (Ok(Pushing::Sent), Ok(Pushing::Sent))) {
                self.full.insert(peer);
            }
            to_wake.insert((peer, true));
            for error in [control.err(), audio.err()].into_iter().flatten() {
                self.complain(&error);
            }
        }
        for (peer, is_data) in to_wake {
            if let Some(side) = self.sides.get(&peer) {
                side.bell.ring(if is_data { bell::DATA } else { bell::CONTROL });
            }
        }
    }

    /// Says goodbye, and waits for the programs to end.
    fn end(mut self, since: Since) {
        self.desk.goodbye("the service has ended");
        let told_us = since.now_us();
        self.send();
        while let Some(crew) = &mut self.crew {
            if crew.is_over(told_us, since.now_us()) {
                break;
            }
            self.send();
            sleep_ms(5);
        }
        self.sides.clear();
        // Programs that were killed have left their memory behind.
        self.place.clean_up_all();
    }
}
