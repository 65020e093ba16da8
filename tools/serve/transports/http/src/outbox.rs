//! What waits for a client's socket: messages, which are never lost, and sound, which is left out when it is late.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::Message;
use futures_util::Sink;

/// Most sound that waits, microseconds, or one piece that is longer; then the oldest is left out.
pub(crate) const SOUND_US_MAX: u64 = 200_000;
/// Most messages that wait; one more, and the client reads too little to be served.
const MESSAGES_MAX: usize = 1_024;

/// Messages wait for too long: the connection is to be closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<(Message, u32)>,
    sound_us: u64,
    /// Sound that was left out, microseconds.
    dropped_us: u64,
    /// Something was handed to the socket that it may not have sent yet.
    unsent: bool,
}

impl Outbox {
    /// Puts a message behind what waits; `sound_us`: how long it sounds, 0 for what must not be lost.
    pub(crate) fn put(&mut self, message: Message, sound_us: u32) -> Result<(), Overflow> {
        if sound_us == 0 && self.waiting.len() >= MESSAGES_MAX {
            return Err(Overflow);
        }
        self.waiting.push_back((message, sound_us));
        self.sound_us += u64::from(sound_us);
        while self.sound_us > SOUND_US_MAX {
            let before = self.waiting.len() - 1;
            let Some(at) = self.waiting.iter().take(before).position(|(_, sound_us)| *sound_us > 0) else {
                break;
            };
            let late = self.waiting.remove(at).map_or(0, |(_, sound_us)| u64::from(sound_us));
            self.sound_us -= late;
            self.dropped_us += late;
        }
        Ok(())
    }

    /// Whether there is anything to write.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.unsent
    }

    /// Whether sound would be left out before long.
    pub(crate) fn has_much_sound(&self) -> bool {
        self.sound_us > SOUND_US_MAX / 2
    }

    /// Sound that was left out so far, microseconds.
    pub(crate) fn dropped_us(&self) -> u64 {
        self.dropped_us
    }

    /// Hands the socket what it takes; ready once everything was sent. Nothing is lost when this is dropped on the way.
    pub(crate) fn poll_write<S>(&mut self, sink: &mut S, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>
    where
        S: Sink<Message> + Unpin,
    {
        let mut sink = Pin::new(sink);
        while !self.waiting.is_empty() {
            ready!(sink.as_mut().poll_ready(cx))?;
            if let Some((message, sound_us)) = self.waiting.pop_front() {
                self.sound_us -= u64::from(sound_us);
                self.unsent = true;
                sink.as_mut().start_send(message)?;
            }
        }
        ready!(sink.as_mut().poll_flush(cx))?;
        self.unsent = false;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_sound_is_left_out_and_messages_stay() {
        let mut outbox = Outbox::default();
        outbox.put(Message::text("a"), 0).expect("there is room");
        for piece in 0..15_u8 {
            outbox.put(Message::binary(vec![piece]), 20_000).expect("sound always has room");
        }
        outbox.put(Message::text("b"), 0).expect("there is room");
        assert_eq!((outbox.sound_us, outbox.dropped_us()), (200_000, 100_000));
        let kept: Vec<Message> = outbox.waiting.iter().map(|(message, _)| message.clone()).collect();
        assert_eq!(kept.len(), 12);
        assert_eq!((&kept[0], &kept[1]), (&Message::text("a"), &Message::binary(vec![5])));
    }

    #[test]
    fn a_piece_that_is_longer_than_the_bound_takes_the_place_of_all_others() {
        let mut outbox = Outbox::default();
        outbox.put(Message::binary(vec![1]), 20_000).expect("sound always has room");
        outbox.put(Message::binary(vec![2]), 1_000_000).expect("sound always has room");
        assert_eq!((outbox.sound_us, outbox.dropped_us()), (1_000_000, 20_000));
        assert!(outbox.has_much_sound());
    }

    #[test]
    fn a_client_that_reads_nothing_is_given_up() {
        let mut outbox = Outbox::default();
        for _ in 0..MESSAGES_MAX {
            outbox.put(Message::text("a"), 0).expect("there is room");
        }
        assert_eq!(outbox.put(Message::text("a"), 0), Err(Overflow));
        assert_eq!(outbox.put(Message::binary(vec![1]), 20_000), Ok(()));
    }
}
