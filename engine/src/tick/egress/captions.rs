//! What is being spoken, told to the host as the audio leaves.

use std::sync::Arc;

use crate::media::frame::Caption;
use crate::node::context::NodeContext;
use crate::speech::playout::Playout;

/// The captions of one session's output.
#[derive(Default)]
pub(crate) struct Captions {
    /// Its audio leaves next.
    next: Option<Arc<Caption>>,
    /// The words whose audio leaves at present, and where in the answer it began; its end is not known yet.
    spoken: Option<(Arc<str>, u64)>,
}

impl Captions {
    /// A caption comes before its audio.
    pub(crate) fn comes(&mut self, caption: Arc<Caption>) {
        self.next = Some(caption);
    }

    /// A block of the answer is about to leave.
    pub(crate) fn leaves(&mut self, playout: &Playout, cx: &mut NodeContext<'_>) {
        let Some(caption) = self.next.take() else { return };
        self.ends(playout, cx);
        let from_us = playout.released_us;
        let until_us = caption.us.map(|us| from_us + us);
        cx.caption(playout.turn, Arc::clone(&caption.text), from_us, until_us);
        if until_us.is_none() {
            self.spoken = Some((Arc::clone(&caption.text), from_us));
        }
    }

    /// The audio of what is spoken has left.
    pub(crate) fn ends(&mut self, playout: &Playout, cx: &mut NodeContext<'_>) {
        if let Some((text, from_us)) = self.spoken.take() {
            cx.caption(playout.turn, text, from_us, Some(playout.released_us));
        }
    }

    /// The answer breaks off.
    pub(crate) fn clear(&mut self) {
        (self.next, self.spoken) = (None, None);
    }
}
