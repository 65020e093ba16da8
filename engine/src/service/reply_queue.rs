//! Answers on their way from the threads of a service to the tick.
//!
//! ```
//! use mynah_engine::service::{ReplyQueue, ReplySender, ServiceSite};
//!
//! fn queue(site: &ServiceSite<'_>) -> (ReplySender, ReplyQueue) {
//!     ReplyQueue::new(site.waker.clone())
//! }
//! ```

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use crate::base::sync::SegQueue;
use crate::media::block::Block;
use crate::service::api::ServiceWaker;
use crate::service::call::{CallKey, CallScope, SegmentRef};
use crate::service::reply::{Replies, ReplyPart};

/// Most parts of one answer that wait: ten minutes of audio. A call that makes more fails.
pub const PARTS_WAITING_MAX: usize = 30_000;

/// Something that a thread of a service says.
#[derive(Debug)]
enum Said {
    Part(CallKey, ReplyPart),
    Partial(SegmentRef, Arc<str>),
}

/// The end of a [`ReplyQueue`] for the threads of a service. Sending wakes the driver of the engine.
#[derive(Clone, Debug)]
pub struct ReplySender {
    queue: Arc<SegQueue<Said>>,
    waker: ServiceWaker,
}

impl ReplySender {
    /// Sends a part of the answer to `call`, or its end. Audio longer than 20 ms is sent with
    /// [`audio`](Self::audio).
    pub fn send(&self, call: CallKey, part: ReplyPart) {
        self.queue.push(Said::Part(call, part));
        self.waker.wake();
    }

    /// Sends audio of any length: interleaved samples with `block` of them in 20 ms, which go out as blocks of that
    /// length.
    pub fn audio(&self, call: CallKey, samples: &[f32], block: usize) {
        for piece in samples.chunks(block.max(1)) {
            let mut audio = Block::zeroed(piece.len());
            audio.fill_from(piece);
            self.queue.push(Said::Part(call, ReplyPart::Audio(audio)));
        }
        self.waker.wake();
    }

    /// Sends what was heard of a segment so far, in place of what was sent before.
    pub fn partial(&self, segment: SegmentRef, text: impl Into<Arc<str>>) {
        self.queue.push(Said::Partial(segment, text.into()));
        self.waker.wake();
    }
}

/// Parts of answers that are ready, in order within each call, until the hub takes them.
#[derive(Debug)]
pub struct ReplyQueue {
    incoming: Arc<SegQueue<Said>>,
    /// Calls with parts that wait, in the order of their first ones.
    calls: VecDeque<CallKey>,
    parts: HashMap<CallKey, VecDeque<ReplyPart>, BuildHasherDefault<DefaultHasher>>,
    /// Something was added since the last time that any was handed out.
    is_fresh: bool,
}

impl Default for ReplyQueue {
    /// A queue to which no thread sends.
    fn default() -> Self {
        Self {
            incoming: Arc::new(SegQueue::new()),
            calls: VecDeque::new(),
            parts: HashMap::default(),
            is_fresh: false,
        }
    }
}

impl ReplyQueue {
    /// A queue, and the end of it that threads send to.
    pub fn new(waker: ServiceWaker) -> (ReplySender, Self) {
        let queue = Self::default();
        (ReplySender { queue: Arc::clone(&queue.incoming), waker }, queue)
    }

    /// Adds a part from within the service.
    pub fn push(&mut self, call: CallKey, part: ReplyPart) {
        self.is_fresh = true;
        let parts = self.parts.entry(call).or_default();
        if parts.is_empty() {
            self.calls.push_back(call);
        }
        match parts.len() {
            0..PARTS_WAITING_MAX => parts.push_back(part),
            PARTS_WAITING_MAX => parts.push_back(ReplyPart::Failed("the answer is too long".into())),
            _ => {}
        }
    }

    /// Hands out what has room; the rest waits. For [`Service::poll`](super::Service::poll).
    pub fn hand_out(&mut self, replies: &mut Replies<'_>) {
        for _ in 0..self.incoming.len() {
            match self.incoming.pop() {
                Some(Said::Part(call, part)) => self.push(call, part),
                Some(Said::Partial(segment, text)) => replies.partial(segment, text),
                None => break,
            }
        }
        self.is_fresh = false;
        for _ in 0..self.calls.len() {
            let Some(call) = self.calls.pop_front() else { break };
            let Some(parts) = self.parts.get_mut(&call) else { continue };
            while let Some(part) = parts.pop_front() {
                if let Err(refused) = replies.give(call, part) {
                    parts.push_front(refused);
                    break;
                }
            }
            if parts.is_empty() {
                self.parts.remove(&call);
            } else {
                self.calls.push_back(call);
            }
        }
    }

    /// Whether something was [added](Self::push) since any was handed out.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Drops what waits of calls that were taken back. For [`Service::cancel`](super::Service::cancel); what threads
    /// send of these calls after that is dropped by the hub.
    pub fn cancel(&mut self, scope: CallScope) {
        for call in &self.calls {
            if !scope.covers(call) {
                continue;
            }
            if let Some(parts) = self.parts.get_mut(call) {
                let end = parts.pop_back().filter(|part| !part.goes_on());
                parts.clear();
                // The work was done before anybody took it back.
                parts.extend(end);
            }
        }
    }
}
