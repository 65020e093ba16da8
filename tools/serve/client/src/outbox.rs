//! What waits to be sent, in order and bounded.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Sink;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Most bytes that wait: ten seconds of 48 kHz sound in 16 bits. Who wants to send more is refused.
pub const WAITING_BYTES_MAX: usize = 1 << 20;

/// Messages that wait for the socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Message>,
    bytes: usize,
    /// Something was handed to the socket, and may not have left it.
    unflushed: bool,
}

impl Outbox {
    /// Whether so many bytes more may wait.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes) <= WAITING_BYTES_MAX
    }

    /// Takes a message, whatever its size: who asks for room first knows.
    pub(crate) fn put(&mut self, message: Message) {
        self.bytes += message.len();
        self.waiting.push_back(message);
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The connection is gone: text goes with it, as the peer sends again what matters; audio stays.
    pub(crate) fn keep_audio(&mut self) {
        self.waiting.retain(Message::is_binary);
        self.bytes = self.waiting.iter().map(Message::len).sum();
        self.unflushed = false;
    }

    /// Hands to the socket what it takes; ready when nothing waits.
    pub(crate) fn poll_write<S>(&mut self, socket: &mut S, cx: &mut Context<'_>) -> Poll<Result<(), Error>>
    where
        S: Sink<Message, Error = Error> + Unpin,
    {
        while !self.waiting.is_empty() {
            ready!(Pin::new(&mut *socket).poll_ready(cx))?;
            let Some(message) = self.waiting.pop_front() else { break };
            self.bytes -= message.len();
            self.unflushed = true;
            Pin::new(&mut *socket).start_send(message)?;
        }
        if self.unflushed {
            ready!(Pin::new(socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
