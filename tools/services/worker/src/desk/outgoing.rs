//! What goes to workers.

use std::sync::Arc;

use super::Desk;
use crate::wire::{Envelope, ToWorker, encode_control};

/// How a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// In order, before all audio.
    Control,
    /// In order, after all control messages that were sent before.
    Audio,
    /// At once or not at all.
    Offer,
}

/// A message to a worker.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) peer: u64,
    pub(crate) way: Way,
    pub(crate) bytes: Arc<[u8]>,
}

impl Desk {
    /// Says something to a worker; its id and bytes. What is too long for a message is not said.
    pub(super) fn say(
        &mut self,
        peer: u64,
        session: &str,
        what: ToWorker,
        way: Way,
    ) -> Option<(u64, Arc<[u8]>)> {
        let timestamp = self.epoch_us + self.beaten_us;
        let worker = self.peers.get_mut(&peer)?;
        let message_id = worker.next_id();
        let envelope = Envelope { message_id, session_id: session.to_owned(), timestamp, message_type: what };
        let bytes: Arc<[u8]> = encode_control(&envelope).ok()?.into();
        self.out.push_back(Outgoing { peer, way, bytes: Arc::clone(&bytes) });
        Some((message_id, bytes))
    }
}
