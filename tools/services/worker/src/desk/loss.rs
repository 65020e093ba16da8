//! Workers hang, die and leave: their calls go to another worker once, or fail with the reason.

use std::sync::Arc;

use super::peer::Pulse;
use super::{BIRTH_US, Desk, Flight, Outgoing, QUIET_US, STUCK_US, Way};
use crate::wire::ToWorker;

impl Desk {
    /// A worker is gone.
    pub(crate) fn dies(&mut self, peer: u64, how: &str, now_us: u64) {
        let Some(worker) = self.peers.get(&peer) else { return };
        let reason = format!("{} {how}", worker.title());
        self.take_calls(peer, &reason, now_us);
        self.peers.remove(&peer);
        self.board.locked().died += 1;
        self.last_reason = Some(reason);
        self.assign(now_us);
    }

    /// Looks after messages that are not acknowledged, workers that are silent, and calls that wait too long.
    pub(super) fn watch(&mut self, now_us: u64) {
        let peers: Vec<u64> = self.peers.keys().copied().collect();
        for peer in peers {
            let Some(worker) = self.peers.get_mut(&peer) else { continue };
            let checked = worker.check(now_us);
            let hangs = worker.pulse == Pulse::Beats && worker.silent_us(now_us) > self.rules.hung_us;
            let title = worker.title();
            self.out.extend(checked.again.into_iter().map(|bytes| Outgoing {
                peer,
                way: Way::Control,
                bytes,
            }));
            let mut figures = self.board.locked();
            figures.resent += checked.resent;
            figures.lost += checked.lost;
            figures.hung += u64::from(hangs);
            drop(figures);
            if hangs {
                worker_hangs(self, peer, &title, now_us);
            }
        }
        self.watch_waiting(now_us);
        let silent = |(call, flight): (&u64, &Flight)| {
            (flight.cancelled.is_none() && now_us.saturating_sub(flight.heard_us) > QUIET_US).then_some(*call)
        };
        let silent: Vec<u64> = self.flights.iter().filter_map(silent).collect();
        for call in silent {
            let reason = format!("the worker gave nothing for {} s", QUIET_US / 1_000_000);
            self.give_up(call, reason.into(), now_us);
        }
    }

    /// Processes that are of no use: they live, and none of their calls has stopped for long, though all were cancelled.
    pub(crate) fn stuck(&self, now_us: u64) -> Vec<u32> {
        let is_over = |call: &u64| {
            let cancelled_us = self.flights.get(call).and_then(|flight| flight.cancelled);
            cancelled_us.is_some_and(|us| now_us.saturating_sub(us) > STUCK_US)
        };
        let is_stuck =
            |worker: &&super::WorkerPeer| !worker.calls.is_empty() && worker.calls.iter().all(is_over);
        self.peers.values().filter(is_stuck).map(|worker| worker.pid).collect()
    }

    fn watch_waiting(&mut self, now_us: u64) {
        let wait_us = if self.unborn > 0 { BIRTH_US.max(self.rules.wait_us) } else { self.rules.wait_us };
        let mut at = 0;
        while at < self.waiting.len() {
            let (since_us, task) = (self.waiting[at].since_us, self.waiting[at].words.task);
            // One that waits for its turn at workers that work is bounded as they are.
            let works = self.peers.values().any(|peer| peer.pulse == Pulse::Beats && peer.serves == task);
            let most_us = if works { QUIET_US.max(wait_us) } else { wait_us };
            if now_us.saturating_sub(since_us) <= most_us {
                at += 1;
            } else if let Some(asked) = self.waiting.remove(at) {
                let reason = self.why_nobody(works, now_us.saturating_sub(since_us));
                self.fail(&asked, reason);
            }
        }
    }

    fn why_nobody(&self, works: bool, waited_us: u64) -> String {
        let waited_ms = waited_us / 1_000;
        if works {
            return format!("all workers were busy for {waited_ms} ms");
        }
        match (&self.last_reason, self.unborn) {
            (Some(reason), _) => format!("no worker for {waited_ms} ms: {reason}"),
            (None, 0) => format!("no worker for {waited_ms} ms: none has come; start one, or give `command`"),
            (None, _) => format!("no worker for {waited_ms} ms: its program has not said hello yet"),
        }
    }

    /// Takes all calls from a worker.
    pub(super) fn take_calls(&mut self, peer: u64, reason: &str, now_us: u64) {
        let Some(worker) = self.peers.get_mut(&peer) else { return };
        let calls: Vec<u64> = worker.calls.iter().copied().collect();
        let lost = worker.forget();
        worker.cancels.clear();
        self.board.locked().lost += lost;
        for call in calls {
            self.take(call, reason, now_us);
        }
    }

    /// Takes a call from its worker: it is tried elsewhere, or fails.
    fn take(&mut self, call: u64, reason: &str, now_us: u64) {
        let Some(flight) = self.flights.get(&call) else { return };
        let (peer, is_cancelled, has_given) = (flight.peer, flight.cancelled.is_some(), flight.has_given());
        let Some(mut asked) = self.land(call) else { return };
        if is_cancelled {
            self.board.locked().forsaken += 1;
            return;
        }
        let task = asked.words.task;
        let is_other = |(key, worker): (&u64, &super::WorkerPeer)| {
            *key != peer && worker.pulse == Pulse::Beats && worker.serves == task
        };
        if has_given || asked.tries >= self.rules.retries || !self.peers.iter().any(is_other) {
            self.fail(&asked, reason);
            return;
        }
        asked.tries += 1;
        asked.since_us = now_us;
        asked.taken = Some((peer, reason.to_owned()));
        self.board.locked().retried += 1;
        self.waiting.push_front(asked);
    }

    /// A call has failed here; its worker is told to stop, and has a place less until it has.
    pub(super) fn give_up(&mut self, call: u64, reason: Arc<str>, now_us: u64) {
        let Some(flight) = self.flights.get(&call) else { return };
        self.fail(&flight.asked, reason);
        self.cancel(call, now_us);
    }

    /// Tells the worker of a call to stop, once.
    pub(super) fn cancel(&mut self, call: u64, now_us: u64) {
        let Some(flight) = self.flights.get(&call).filter(|flight| flight.cancelled.is_none()) else {
            return;
        };
        let (peer, session) = (flight.peer, Arc::clone(&flight.asked.session));
        self.board.locked().cancels += 1;
        let message = self.tell(peer, &session, ToWorker::Cancel { call }, now_us);
        if let (Some(flight), Some(worker)) = (self.flights.get_mut(&call), self.peers.get_mut(&peer)) {
            flight.cancelled = Some(now_us);
            worker.cancels.insert(message, call);
        }
    }
}

/// A worker is silent: its calls are taken away, and it is told to stop should it hear that.
fn worker_hangs(desk: &mut Desk, peer: u64, title: &str, now_us: u64) {
    let Some(worker) = desk.peers.get_mut(&peer) else { return };
    worker.pulse = Pulse::Hangs;
    let sessions: Vec<(u64, Arc<str>)> = worker
        .calls
        .iter()
        .filter_map(|call| desk.flights.get(call).map(|flight| (*call, Arc::clone(&flight.asked.session))))
        .collect();
    let reason = format!("{title} hung: nothing was heard of it for {} ms", desk.rules.hung_us / 1_000);
    desk.last_reason = Some(reason.clone());
    desk.take_calls(peer, &reason, now_us);
    for (call, session) in sessions {
        desk.say(peer, &session, ToWorker::Cancel { call }, Way::Control);
    }
}
