//! Frames that will leave, in order, a few at a time.

use std::collections::VecDeque;

use mynah_engine::media::Payload;
use mynah_engine::node::NodeContext;
use mynah_engine::speech::Cancellation;
use mynah_engine::{Event, Frame};

use super::batch::Batch;

/// A frame, and the number of taken frames that it is made of.
#[derive(Debug)]
struct Leaving {
    frame: Frame,
    taken: u32,
}

/// Frames on their way out.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    frames: VecDeque<Leaving>,
    seq: u32,
}

impl Outgoing {
    /// True if everything has left.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames that have not left.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Appends the sentences of `batch` as one text, and empties the batch.
    pub(super) fn release(&mut self, batch: &mut Batch, now_us: u64) {
        if let Some(origin) = batch.origin() {
            self.seq = self.seq.wrapping_add(1);
            let frame = origin.frame(Payload::Text(batch.text().into()), now_us, self.seq);
            self.frames.push_back(Leaving { frame, taken: batch.clear() });
        }
    }

    /// Appends a mark unchanged.
    pub(super) fn pass(&mut self, mark: Frame) {
        self.frames.push_back(Leaving { frame: mark, taken: 0 });
    }

    /// Sends up to `frames_max` frames.
    pub(super) fn send(&mut self, frames_max: u32, cx: &mut NodeContext<'_>) {
        for _ in 0..frames_max {
            let Some(Leaving { frame, .. }) = self.frames.pop_front() else { return };
            if let Payload::Text(text) = &frame.payload {
                let (segment, revision) = (frame.segment.serial, frame.revision);
                let event = Event::Text { node: cx.node, segment, revision, text: text.clone() };
                cx.event(frame.turn, event);
            }
            cx.send(0, frame);
        }
    }

    /// Counts one frame less for the last text that has not left, if it used up any.
    pub(super) fn give_up(&mut self) {
        if let Some(last) = self.frames.iter_mut().rev().find(|leaving| leaving.taken > 0) {
            last.taken -= 1;
        }
    }

    /// Removes all texts.
    #[cfg(test)]
    pub(super) fn texts(&mut self) -> Vec<std::sync::Arc<str>> {
        let texts = self.frames.drain(..).map(|leaving| match leaving.frame.payload {
            Payload::Text(text) => text,
            payload => panic!("no text: {payload:?}"),
        });
        texts.collect()
    }

    /// Removes what `cancellation` covers, and returns the number of taken frames it was made of.
    pub(super) fn scope(&mut self, cancellation: &Cancellation) -> u32 {
        let mut taken = 0;
        self.frames.retain(|leaving| {
            let scope = cancellation.covers_frame(&leaving.frame);
            taken += if scope { leaving.taken } else { 0 };
            !scope
        });
        taken
    }
}
