//! The receiving end of a lane.

use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::PortFactory;

use super::LinkError;
use super::place::{Lane, Shared};

/// Most messages that are read at once, so that no lane keeps the others waiting.
const AT_ONCE: usize = 64;

/// The receiving end of a lane.
#[derive(Debug)]
pub struct Inlet {
    subscriber: Subscriber<Shared, [u8], ()>,
    lane: Lane,
    name: String,
}

impl Inlet {
    pub(super) fn new(lane: Lane, name: &str) -> Result<Self, LinkError> {
        let subscriber = lane.subscriber_builder().create().map_err(|error| LinkError::new(name, error))?;
        Ok(Self { subscriber, lane, name: name.to_owned() })
    }

    /// Reads what is there, 64 messages at most. True if there may be more.
    ///
    /// # Errors
    /// The lane is broken.
    pub fn read(&self, mut each: impl FnMut(&[u8])) -> Result<bool, LinkError> {
        for _ in 0..AT_ONCE {
            match self.subscriber.receive() {
                Ok(Some(sample)) => each(sample.payload()),
                Ok(None) => return Ok(false),
                Err(error) => return Err(LinkError::new(&*self.name, error)),
            }
        }
        Ok(true)
    }

    /// Whether somebody could write.
    pub fn is_fed(&self) -> bool {
        self.lane.dynamic_config().number_of_publishers() > 0
    }
}
