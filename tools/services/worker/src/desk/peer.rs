//! A worker, as its service sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::wire::WorkerTask;

/// Time without a word of a message's coming after which it is sent again.
const RESEND_US: u64 = 50_000;
/// Times that it is sent again.
const RESENDS_MAX: u8 = 3;

/// A message of which the worker has not said that it has come.
pub(crate) struct Unacked {
    bytes: Arc<[u8]>,
    first_us: u64,
    sent_us: u64,
    resends: u8,
}

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// It works.
    Beats,
    /// Nothing was heard of it for long.
    Hangs,
    /// It has said that it ends.
    Leaves,
}

/// What a look at a worker's messages has shown.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) again: Vec<Arc<[u8]>>,
    pub(crate) resent: u64,
    pub(crate) lost: u64,
}

/// A worker.
pub(crate) struct WorkerPeer {
    /// What it calls itself.
    pub(crate) id: String,
    pub(crate) pid: u32,
    pub(crate) serves: WorkerTask,
    /// Calls that it gets at once.
    pub(crate) parallel: usize,
    pub(crate) pulse: Pulse,
    /// The calls that it has.
    pub(crate) calls: BTreeSet<u64>,
    /// Cancels of which it has not said that the work has stopped: the message and its call.
    pub(crate) cancels: BTreeMap<u64, u64>,
    unacked: BTreeMap<u64, Unacked>,
    /// A message was lost: it gets no calls while others do.
    pub(crate) is_doubtful: bool,
    /// When something was last heard of it.
    pub(crate) heard_us: u64,
    next_id: u64,
    /// The greatest id of its own messages.
    said_id: u64,
}

impl WorkerPeer {
    pub(crate) fn new(id: String, pid: u32, serves: WorkerTask, parallel: usize, now_us: u64) -> Self {
        Self {
            id,
            pid,
            serves,
            parallel,
            pulse: Pulse::Beats,
            calls: BTreeSet::new(),
            cancels: BTreeMap::new(),
            unacked: BTreeMap::new(),
            is_doubtful: false,
            heard_us: now_us,
            next_id: 0,
            said_id: 0,
        }
    }

    /// The id of the next message to it.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A message of its own came: whether for the first time.
    pub(crate) fn is_new(&mut self, message_id: u64) -> bool {
        let is_new = message_id > self.said_id;
        self.said_id = self.said_id.max(message_id);
        is_new
    }

    /// The worker is to say that this message has come.
    pub(crate) fn expects(&mut self, message_id: u64, bytes: Arc<[u8]>, now_us: u64) {
        let unacked = Unacked { bytes, first_us: now_us, sent_us: now_us, resends: 0 };
        self.unacked.insert(message_id, unacked);
    }

    /// The worker says that a message has come. True if that was not known.
    pub(crate) fn delivered(&mut self, message_id: u64) -> bool {
        let known = self.unacked.remove(&message_id).is_some();
        if known {
            self.is_doubtful = false;
        }
        known
    }

    /// Nothing is expected any more; how many messages are not known to have come.
    pub(crate) fn forget(&mut self) -> u64 {
        let lost = self.unacked.values().filter(|unacked| unacked.resends < RESENDS_MAX).count();
        self.unacked.clear();
        lost as u64
    }

    /// Looks for messages that are to be sent again, and that are lost.
    pub(crate) fn check(&mut self, now_us: u64) -> Checked {
        let mut checked = Checked::default();
        for unacked in self.unacked.values_mut() {
            if now_us.saturating_sub(unacked.sent_us) < RESEND_US || unacked.resends > RESENDS_MAX {
                continue;
            }
            unacked.resends += 1;
            unacked.sent_us = now_us;
            if unacked.resends > RESENDS_MAX {
                checked.lost += 1;
                self.is_doubtful = true;
            } else {
                checked.resent += 1;
                checked.again.push(Arc::clone(&unacked.bytes));
            }
        }
        checked
    }

    /// How long nothing was heard of it, or of its oldest message.
    pub(crate) fn silent_us(&self, now_us: u64) -> u64 {
        let oldest = self.unacked.values().map(|unacked| unacked.first_us).min();
        let since_us = oldest.map_or(self.heard_us, |oldest_us| oldest_us.min(self.heard_us));
        // A message that has waited for long counts even where heartbeats go on.
        now_us.saturating_sub(since_us)
    }

    /// When it is to be looked at again.
    pub(crate) fn due_us(&self) -> Option<u64> {
        let open = self.unacked.values().filter(|unacked| unacked.resends <= RESENDS_MAX);
        open.map(|unacked| unacked.sent_us + RESEND_US).min()
    }

    /// Whether it takes a call of this task now.
    pub(crate) fn takes(&self, task: WorkerTask, parallel: usize) -> bool {
        self.pulse == Pulse::Beats && self.serves == task && self.calls.len() < parallel.min(self.parallel)
    }

    /// What it is called where people read.
    pub(crate) fn title(&self) -> String {
        format!("worker {}", self.pid)
    }
}
