//! The incoming side: lets each message take effect once, and acknowledges it each time it comes.

use std::collections::VecDeque;

use crate::wire::message::AckStage;

use super::window::{Seen, Window};

/// Most acknowledgements that may wait to be sent; further ones are dropped and counted, and the other end asks again.
pub const ACKS_MAX: usize = 512;

/// What to do with a message that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The message is new and takes effect now. Its acknowledgement is on the way.
    Process,
    /// The message was seen before: nothing to do. Another acknowledgement is on the way.
    Repeated,
    /// The message is older than the window ([`super::WINDOW_MAX`]): it counts as seen, and is not acknowledged
    /// either, since nobody knows whether it took effect. The same holds for ids out of range, which no decoder lets
    /// through.
    TooOld,
    /// The message is an acknowledgement: nothing to do.
    Ack,
}

/// Counts of the incoming side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncomingFigures {
    /// Messages that took effect.
    pub processed: u64,
    /// Messages that came again.
    pub repeated: u64,
    /// Messages older than the window.
    pub too_old: u64,
    /// Acknowledgements handed out to be sent.
    pub acks_sent: u64,
    /// Acknowledgements dropped because [`ACKS_MAX`] waited.
    pub acks_dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct DueAck {
    message_id: u64,
    stage: AckStage,
    due_us: u64,
}

/// Messages from the other end.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    window: Window,
    acks: VecDeque<DueAck>,
    figures: IncomingFigures,
}

impl Incoming {
    /// Takes the id of a message that has arrived.
    pub fn received(&mut self, now_us: u64, message_id: u64) -> Receipt {
        match self.window.note(message_id) {
            Seen::New => {
                self.figures.processed += 1;
                self.acknowledge(now_us, message_id, AckStage::Delivered);
                Receipt::Process
            }
            Seen::Before { applied } => {
                self.figures.repeated += 1;
                self.acknowledge(now_us, message_id, AckStage::Delivered);
                if applied {
                    self.acknowledge(now_us, message_id, AckStage::Applied);
                }
                Receipt::Repeated
            }
            Seen::TooOld => {
                self.figures.too_old += 1;
                Receipt::TooOld
            }
        }
    }

    /// Takes the id of a message that its sender transmits once: it is recognised like any other, and not acknowledged.
    pub fn received_once(&mut self, message_id: u64) -> Receipt {
        match self.window.note(message_id) {
            Seen::New => {
                self.figures.processed += 1;
                Receipt::Process
            }
            Seen::Before { .. } => {
                self.figures.repeated += 1;
                Receipt::Repeated
            }
            Seen::TooOld => {
                self.figures.too_old += 1;
                Receipt::TooOld
            }
        }
    }

    /// Whether a message with this id counts as seen: it came before, or is older than the window.
    #[must_use]
    pub fn has_seen(&self, message_id: u64) -> bool {
        self.window.has_seen(message_id)
    }

    /// Notes that the work that a processed message stops has stopped. Returns whether that is acknowledged: not a
    /// second time, not for an id that never came, and not while [`ACKS_MAX`] wait (then the caller may try again).
    pub fn applied(&mut self, now_us: u64, message_id: u64) -> bool {
        // Room first: a mark without its acknowledgement would never be sent.
        if self.acks.len() >= ACKS_MAX {
            self.figures.acks_dropped += 1;
            return false;
        }
        let told = self.window.note_applied(message_id);
        if told {
            self.acknowledge(now_us, message_id, AckStage::Applied);
        }
        told
    }

    fn acknowledge(&mut self, now_us: u64, message_id: u64, stage: AckStage) {
        if self.acks.len() >= ACKS_MAX {
            self.figures.acks_dropped += 1;
        } else {
            self.acks.push_back(DueAck { message_id, stage, due_us: now_us });
        }
    }

    /// The next acknowledgement to be sent: the id of the message, and its stage.
    pub fn poll_ack(&mut self) -> Option<(u64, AckStage)> {
        let ack = self.acks.pop_front()?;
        self.figures.acks_sent += 1;
        Some((ack.message_id, ack.stage))
    }

    /// The time from which an acknowledgement waits.
    #[must_use]
    pub fn next_due_us(&self) -> Option<u64> {
        self.acks.front().map(|ack| ack.due_us)
    }

    /// Counts so far.
    #[must_use]
    pub fn figures(&self) -> IncomingFigures {
        self.figures
    }
}
