//! Runs both engines on the wall clock, each on a thread of its own, with a third thread as the network: items under
//! way wait in rings, and an arrival wakes its engine.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cpu_time::ProcessTime;
use crossbeam::queue::SegQueue;
use crossbeam::sync::{Parker, Unparker};
use hdrhistogram::Histogram;
use mynah_engine::driver::run;
use mynah_engine::record::latency_histogram;
use mynah_engine::wire::peer::{Input, Peer, SessionPeer};
use mynah_engine::{Control, Driver, Engine, EngineHandle, Out, Record, SessionHandle, SessionId};
use mynah_host::clock::{Epoch, WallClock};

use super::accounts::{Account, fate, sent};
use super::together;
use super::wire::{Carried, Datagram, Link, Wire, go_out};
use crate::observer::{Observer, TickView};
use crate::simulate::clockwork::{DRAIN_US, generate};
use crate::simulate::measure::Measurement;
use crate::simulate::side::Side;
use crate::simulate::simulation::Simulation;

/// The network looks for work at least this often.
const LOOK: Duration = Duration::from_millis(1);

/// What is given to the network, with the number of its session and the time.
enum Given {
    Audio(Carried),
    /// The near engine has decided something, at that time, and says it with this message.
    Decided {
        message_id: u64,
        takes_back: bool,
    },
    Message(Datagram),
    /// The far engine has worked off a message, in a tick that ended at that time.
    Applied(u64),
}

/// What the threads share.
struct Rings {
    given: SegQueue<(usize, u64, Given)>,
    receipts: SegQueue<(usize, Datagram)>,
    /// Events of the far engine, for the log.
    records: Mutex<Vec<Record>>,
    network: Unparker,
    far_over: AtomicBool,
}

impl Rings {
    fn give(&self, at: usize, now_us: u64, given: Given) {
        self.given.push((at, now_us, given));
        self.network.unpark();
    }
}

impl Simulation {
    /// The wall-clock run of a scene with a link.
    pub(in crate::simulate) fn run_linked(&mut self, observer: &mut dyn Observer) {
        let (Some(mut remote), Some(beside)) = (self.remote.take(), self.beside.take()) else { return };
        let (mut end_us, epoch) = (self.near.options.duration_us, self.near.epoch);
        let mut cut_us = None;
        // One clock for both, or nothing between them could be measured.
        remote.far.epoch = epoch;
        let started_us = epoch.now_us();
        for (at, line) in self.lines.iter_mut().enumerate() {
            line.offset_us += started_us;
            self.near.run.sessions[at].starts_at(line.offset_us);
            remote.far.run.sessions[at].starts_at(line.offset_us);
        }
        let handles: Vec<SessionHandle> = self.lines.iter().map(|line| line.handle.clone()).collect();
        let parker = Parker::new();
        let rings = Rings {
            given: SegQueue::new(),
            receipts: SegQueue::new(),
            records: Mutex::default(),
            network: parker.unparker().clone(),
            far_over: AtomicBool::new(false),
        };
        let (mut near_ends, mut accounts, mut nets) = (Vec::new(), Vec::new(), Vec::new());
        for Wire { near, far, link, account, .. } in std::mem::take(&mut remote.wires) {
            near_ends.push(near);
            accounts.push(account);
            nets.push((far, link));
        }
        let far_handles: Vec<SessionHandle> = nets.iter().map(|(far, _)| far.session().clone()).collect();
        let mut near = NearSide {
            epoch,
            rings: &rings,
            handles: &handles,
            ends: near_ends,
            over: vec![Over::No; handles.len()],
            accounts,
            in_process: latency_histogram(),
            refused: Vec::new(),
        };
        let done = AtomicBool::new(false);
        let until_us = started_us + end_us + DRAIN_US;
        let fed_until_us = AtomicU64::new(started_us + end_us);
        self.cost.process = ProcessTime::now();
        let (mut fed, mut heard, mut across) = (None, None, None);
        beside.in_place_scope(|scope| {
            let lines = &mut self.lines;
            scope.spawn(|_| fed = Some(generate(lines, (started_us, &fed_until_us), epoch, &done)));
            let (carried, rings) = (&mut nets, &rings);
            let (door, far) = (self.near.engine.handle(), &mut remote.far);
            let count = handles.len();
            let far_handles = &far_handles;
            let (heard, across) = (&mut heard, &mut across);
            scope.spawn(move |_| *heard = Some(far.follow(far_handles, rings, until_us, count)));
            scope.spawn(move |_| *across = Some(carry(carried, rings, &parker, epoch, &door)));
            let mut clock = WallClock::new(epoch, self.near.engine.handle().bell());
            let driver = Driver::of(&self.near.plan.scene.tick);
            let period_us = u64::from(self.near.plan.scene.tick.period_ms) * 1_000;
            run(&mut self.near.engine, driver, &mut clock, &mut |engine, late_us| {
                self.cost.tick_late.saturating_record(late_us);
                self.cost.ticks += 1;
                let ended_us = epoch.now_us();
                let work_us = ended_us.saturating_sub(engine.now_us());
                self.cost.tick_work.saturating_record(work_us);
                self.cost.overruns += u64::from(work_us > period_us);
                near.after_tick(engine, ended_us, &mut self.near.run, observer);
                let work_ns = work_us * 1_000;
                observer.tick(TickView { engine, lines: &[], work_ns, late_us, started_us });
                let so_far = engine.now_us().saturating_sub(started_us);
                if so_far < end_us && observer.interrupts() {
                    observer.interrupted(engine.now_us());
                    (end_us, cut_us) = (so_far, Some(so_far));
                    self.near.run.until_us = engine.now_us();
                    fed_until_us.store(engine.now_us(), Ordering::Release);
                }
                observer.progress("in real time", so_far.min(end_us), end_us);
                let over =
                    done.load(Ordering::Acquire) && near.is_over() && rings.far_over.load(Ordering::Acquire);
                if over || engine.now_us() > until_us {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        });
        if let Some((late, generator_ns)) = fed {
            self.cost.generator_late = late;
            self.cost.generator_ns += generator_ns;
        }
        if let Some(accounts) = heard {
            near.accounts.iter_mut().zip(accounts).for_each(|(near, far)| near.join(far));
        }
        if let Some(across) = across {
            [remote.to_last_consumer, remote.to_quiet] = across;
        }
        remote.in_process = near.in_process;
        remote.refused = near.refused;
        let ends = near.ends.into_iter().zip(near.accounts).zip(nets);
        let wire = |((near, account), (far, link))| Wire::of(near, far, link, account);
        remote.wires = ends.map(wire).collect();
        self.cost.cpu_s = self.cost.process.elapsed().as_secs_f64() - self.cost.generator_ns as f64 / 1e9;
        self.cost.wall_s = (epoch.now_us() - started_us) as f64 / 1e6;
        self.remote = Some(remote);
        cut_us.into_iter().for_each(|cut_us| self.cut(cut_us));
    }
}

impl Side {
    /// The far engine's thread: ticks when something arrives, until its sessions are over.
    fn follow(
        &mut self,
        handles: &[SessionHandle],
        rings: &Rings,
        until_us: u64,
        count: usize,
    ) -> Vec<Account> {
        let Self { engine, run: measured, epoch, plan, .. } = self;
        let mut accounts = vec![Account::default(); count];
        let mut clock = WallClock::new(*epoch, engine.handle().bell());
        run(engine, Driver::of(&plan.scene.tick), &mut clock, &mut |engine, _| {
            let ended_us = epoch.now_us();
            for record in engine.records() {
                measured.event(record);
                accounts[record.session.0 as usize].far(record);
            }
            if let Ok(mut records) = rings.records.lock() {
                records.extend_from_slice(engine.records());
            }
            for (at, handle) in handles.iter().enumerate() {
                while let Some(out) = handle.poll() {
                    match out {
                        Out::Audio(audio) => {
                            measured.audio(at, &audio);
                            accounts[at].released(&audio);
                            handle.give_back(audio.block);
                        }
                        Out::Control(Control::Applied { message_id }) => {
                            rings.give(at, ended_us, Given::Applied(message_id));
                        }
                        Out::Control(_) | Out::Text { .. } | Out::Event(_) => {}
                    }
                }
            }
            let over = handles.iter().all(SessionHandle::is_closed) || engine.now_us() > until_us;
            if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        rings.far_over.store(true, Ordering::Release);
        rings.network.unpark();
        accounts
    }
}

/// How far a near session's end has been told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    No,
    Closed,
    Told,
}

/// The near engine's thread, beside its ticks.
struct NearSide<'a> {
    epoch: Epoch,
    rings: &'a Rings,
    handles: &'a [SessionHandle],
    ends: Vec<Peer>,
    over: Vec<Over>,
    accounts: Vec<Account>,
    /// From the start of a tick that decided to its end.
    in_process: Histogram<u32>,
    refused: Vec<String>,
}

impl NearSide<'_> {
    fn is_over(&self) -> bool {
        self.over.iter().all(|over| *over == Over::Told)
    }

    fn after_tick(
        &mut self,
        engine: &Engine,
        ended_us: u64,
        measured: &mut Measurement,
        observer: &mut dyn Observer,
    ) {
        let now_us = engine.now_us();
        for record in engine.records() {
            measured.event(record);
            self.accounts[record.session.0 as usize].near(record);
        }
        observer.records(engine.records());
        while let Some((at, datagram)) = self.rings.receipts.pop() {
            // What is refused is counted there.
            self.ends[at].handle(now_us, Input::Binary(&datagram)).ok();
        }
        let mut records = Vec::new();
        for at in 0..self.ends.len() {
            self.session(at, now_us, ended_us, (measured, observer), &mut records);
        }
        records.iter().for_each(|record| measured.event(record));
        observer.records(&records);
        let far = self.rings.records.lock().map(|mut far| std::mem::take(&mut *far));
        observer.far_records(&far.unwrap_or_default());
        observer.link(now_us, &|| together(self.ends.iter()));
    }

    fn session(
        &mut self,
        at: usize,
        now_us: u64,
        ended_us: u64,
        (measured, observer): (&mut Measurement, &mut dyn Observer),
        records: &mut Vec<Record>,
    ) {
        let (handle, end, session) = (&self.handles[at], &mut self.ends[at], SessionId(at as u32));
        while let Some(out) = handle.poll() {
            match out {
                Out::Audio(audio) => {
                    measured.audio(at, &audio);
                    observer.audio(at, &audio);
                    self.rings.give(at, self.epoch.now_us(), Given::Audio(Carried::of(&audio)));
                    handle.give_back(audio.block);
                }
                Out::Control(Control::Closed) => self.over[at] = Over::Closed,
                Out::Control(control) => match end.send_control(now_us, &control) {
                    Ok(Some(message_id)) => {
                        self.in_process.saturating_record(ended_us.saturating_sub(now_us));
                        self.accounts[at].sent(message_id, now_us, control.clone());
                        records.push(Record::new(now_us, session, 0, sent(message_id, &control)));
                        let takes_back = takes_back(&control);
                        self.rings.give(at, now_us, Given::Decided { message_id, takes_back });
                    }
                    Ok(None) => {}
                    Err(error) => self.refused.push(format!("{} {control:?}: {error}", handle.name())),
                },
                Out::Text { .. } | Out::Event(_) => {}
            }
        }
        let (rings, epoch) = (self.rings, self.epoch);
        let account = &mut self.accounts[at];
        let send = |datagram| rings.give(at, epoch.now_us(), Given::Message(datagram));
        go_out(now_us, end, send, |event| {
            records.push(Record::new(now_us, session, 0, fate(account, event)));
        });
        if self.over[at] == Over::Closed && end.unacknowledged() == 0 {
            self.over[at] = Over::Told;
            rings.give(at, epoch.now_us(), Given::Audio(Carried::End));
        }
    }
}

/// The network's thread; how long messages took to the last consumer, and those that take something back.
fn carry(
    nets: &mut [(SessionPeer, Link)],
    rings: &Rings,
    parker: &Parker,
    epoch: Epoch,
    near: &EngineHandle,
) -> [Histogram<u32>; 2] {
    let (mut all, mut stops) = (latency_histogram(), latency_histogram());
    // When a message was made, and whether it takes something back: by session and id.
    let mut decided: BTreeMap<(usize, u64), (u64, bool)> = BTreeMap::new();
    loop {
        while let Some((at, now_us, given)) = rings.given.pop() {
            let (far, link) = &mut nets[at];
            match given {
                Given::Decided { message_id, takes_back } => {
                    decided.insert((at, message_id), (now_us, takes_back));
                }
                Given::Audio(carried) => link.audio.send(now_us, carried),
                Given::Message(datagram) => link.out.send(now_us, datagram),
                Given::Applied(message_id) => {
                    far.applied(now_us, message_id);
                    if let Some((decided_us, taken_back)) = decided.remove(&(at, message_id)) {
                        let us = now_us.saturating_sub(decided_us);
                        all.saturating_record(us);
                        if taken_back {
                            stops.saturating_record(us);
                        }
                    }
                }
            }
        }
        let now_us = epoch.now_us();
        let mut due_us = u64::MAX;
        for (at, (far, link)) in nets.iter_mut().enumerate() {
            link.arrive(now_us, far);
            link.send_receipts(now_us, far);
            while let Some(datagram) = link.back.receive(now_us) {
                rings.receipts.push((at, datagram));
                near.bell().ring();
            }
            let next = [link.out.next_due_us(), link.audio.next_due_us(), link.back.next_due_us()];
            due_us = next.into_iter().flatten().fold(due_us, u64::min);
        }
        if rings.far_over.load(Ordering::Acquire) && rings.given.is_empty() {
            return [all, stops];
        }
        if rings.given.is_empty() {
            let wait = Duration::from_micros(due_us.saturating_sub(epoch.now_us())).min(LOOK);
            parker.park_timeout(wait);
        }
    }
}

/// Whether a message takes something back.
fn takes_back(control: &Control) -> bool {
    matches!(control, Control::CancelSpeculation { .. } | Control::RetractEndOfSpeech { .. })
}
