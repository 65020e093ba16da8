//! Workers come.

use super::peer::WorkerPeer;
use super::{Desk, WORKERS_MAX};
use crate::link::is_link_name;
use crate::wire::{FromWorker, PROTOCOL, ToWorker, WorkerTask};

/// What a worker that says hello is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hail {
    /// It may come: its ports are to be opened.
    Comes(WorkerTask),
    /// It has come before; the answer did not reach it.
    Again,
    /// It is not wanted, for this reason.
    Refused(String),
    /// Nobody that could be answered.
    Nobody,
}

/// The task of this name.
fn task(name: &str) -> Option<WorkerTask> {
    [WorkerTask::Transcribe, WorkerTask::Reply, WorkerTask::Synthesize]
        .into_iter()
        .find(|task| task.name() == name)
}

impl Desk {
    /// A worker says hello.
    pub(crate) fn hail(&self, hello: &FromWorker) -> Hail {
        let FromWorker::Hello { protocol, worker, package, serves, .. } = hello else { return Hail::Nobody };
        if !is_link_name(worker) {
            return Hail::Nobody;
        }
        if self.peers.values().any(|peer| peer.id == *worker) {
            return Hail::Again;
        }
        if *protocol != PROTOCOL {
            let ours = env!("CARGO_PKG_VERSION");
            let package = super::bounded(package);
            return Hail::Refused(format!(
                "the worker ({package}) speaks protocol {protocol} and the engine (mynah {ours}) speaks {PROTOCOL}: install \
                 the package `mynah` {ours} for the worker (`pip install mynah=={ours}`)"
            ));
        }
        let Some(serves) = task(serves) else {
            let serves = super::bounded(serves);
            return Hail::Refused(format!("`{serves}` is no task: serve Transcribe, Reply or Synthesize"));
        };
        if let Some(reason) = self.unwanted(serves) {
            return Hail::Refused(reason);
        }
        if self.peers.len() >= WORKERS_MAX {
            return Hail::Refused(format!("the service has {WORKERS_MAX} workers, which is the most"));
        }
        Hail::Comes(serves)
    }

    /// Why a worker of this task is of no use, if it is known.
    fn unwanted(&self, serves: WorkerTask) -> Option<String> {
        if self.tasks.is_empty() || self.tasks.contains(&serves) {
            return None;
        }
        let asked: Vec<&str> = self.tasks.iter().map(|task| task.name()).collect();
        let (serves, asked) = (serves.name(), asked.join(" and "));
        Some(format!(
            "the worker serves {serves}, and the scene's node asks for {asked}: serve(..., task=\"{asked}\")"
        ))
    }

    /// A worker whose ports are open belongs to the service; its number.
    pub(crate) fn arrives(&mut self, hello: &FromWorker, serves: WorkerTask, now_us: u64) -> Option<u64> {
        let FromWorker::Hello { worker, pid, parallel, .. } = hello else { return None };
        self.next_peer += 1;
        let parallel = usize::try_from(*parallel).unwrap_or(usize::MAX).max(1);
        let peer = WorkerPeer::new(worker.clone(), *pid, serves, parallel, now_us);
        self.peers.insert(self.next_peer, peer);
        self.last_reason = None;
        self.board.locked().welcomed += 1;
        self.assign(now_us);
        Some(self.next_peer)
    }

    /// A session begins that asks for this; workers that do something else are told so.
    pub(crate) fn opens(&mut self, task: WorkerTask) {
        if !self.tasks.insert(task) {
            return;
        }
        let others: Vec<(u64, String, WorkerTask)> =
            self.peers.iter().map(|(key, peer)| (*key, peer.id.clone(), peer.serves)).collect();
        for (peer, worker, serves) in others {
            if let Some(reason) = self.unwanted(serves) {
                self.last_reason = Some(reason.clone());
                self.board.locked().refused += 1;
                self.say(peer, "", ToWorker::Refused { worker, reason }, super::Way::Control);
            }
        }
    }

    /// Programs that were started and have not said hello, and why others have ended.
    pub(crate) fn expects(&mut self, unborn: usize, reason: Option<String>) {
        self.unborn = unborn;
        if reason.is_some() {
            self.last_reason = reason;
        }
    }

    /// The number of the worker with this process, or this name.
    pub(crate) fn peer_of(&self, pid: u32) -> Option<u64> {
        self.peers.iter().find(|(_, peer)| peer.pid == pid).map(|(key, _)| *key)
    }
}
