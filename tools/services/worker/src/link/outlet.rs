//! The sending end of a lane. What finds no room waits, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use iceoryx2::port::LoanError;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::prelude::*;

use super::place::{Lane, Shared};
use super::{LaneSettings, LinkError};

/// What became of what was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushing {
    /// All of it is on its way.
    Sent,
    /// Some waits: the other side reads too little, or is not there.
    Waits,
}

/// The sending end of a lane.
#[derive(Debug)]
pub struct Outlet {
    publisher: Publisher<Shared, [u8], ()>,
    /// Kept open, to count who listens.
    lane: Lane,
    name: String,
    waiting: VecDeque<Arc<[u8]>>,
}

impl Outlet {
    pub(super) fn new(lane: Lane, settings: LaneSettings, name: &str) -> Result<Self, LinkError> {
        let publisher = lane
            .publisher_builder()
            .initial_max_slice_len(settings.slice)
            .allocation_strategy(AllocationStrategy::PowerOfTwo)
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .create()
            .map_err(|error| LinkError::new(name, error))?;
        Ok(Self { publisher, lane, name: name.to_owned(), waiting: VecDeque::new() })
    }

    /// Sends `bytes` after all that waits.
    ///
    /// # Errors
    /// The lane is broken.
    pub fn push(&mut self, bytes: Arc<[u8]>) -> Result<Pushing, LinkError> {
        self.waiting.push_back(bytes);
        self.flush()
    }

    /// Keeps `bytes` behind all that waits.
    pub fn hold(&mut self, bytes: Arc<[u8]>) {
        self.waiting.push_back(bytes);
    }

    /// Sends `bytes` if they can be sent at once; they do not wait.
    ///
    /// # Errors
    /// The lane is broken.
    pub fn offer(&mut self, bytes: &[u8]) -> Result<Pushing, LinkError> {
        if self.waiting.is_empty() && self.send(bytes)? { Ok(Pushing::Sent) } else { Ok(Pushing::Waits) }
    }

    /// Sends what waits, as far as there is room.
    ///
    /// # Errors
    /// The lane is broken.
    pub fn flush(&mut self) -> Result<Pushing, LinkError> {
        while let Some(bytes) = self.waiting.front() {
            if !self.send(bytes)? {
                return Ok(Pushing::Waits);
            }
            self.waiting.pop_front();
        }
        Ok(Pushing::Sent)
    }

    /// Messages that wait for room.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether somebody could read.
    pub fn is_heard(&self) -> bool {
        self.lane.dynamic_config().number_of_subscribers() > 0
    }

    fn send(&self, bytes: &[u8]) -> Result<bool, LinkError> {
        match self.publisher.loan_slice_uninit(bytes.len()) {
            Ok(slice) => {
                let sent = slice.write_from_slice(bytes).send();
                sent.map(|readers| readers > 0).map_err(|error| LinkError::new(&*self.name, error))
            }
            // All slices are in the other side's hands.
            Err(LoanError::OutOfMemory | LoanError::ExceedsMaxLoans) => Ok(false),
            Err(error) => Err(LinkError::new(&*self.name, error)),
        }
    }
}
