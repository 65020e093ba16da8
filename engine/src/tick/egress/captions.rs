//! What is being spoken, told to the host as the audio leaves.

use std::sync::Arc;

use crate::media::frame::Caption;
use crate::node::context::NodeContext;
use crate::speech::playout::Playout;

/// The captions of one session's output.
#[derive(Default)]
pub(crate) struct Captions {
    /// Its audio leaves next, as part of the answer to this (segment, revision).
    next: Option<(Arc<Caption>, (u32, u32))>,
    /// The words whose audio leaves at present, the answer, and where in it they began; their end is not known yet.
    spoken: Option<(Arc<str>, (u32, u32), u64)>,
}

/// The answer that leaves at present.
fn origin(playout: &Playout) -> (u32, u32) {
    (playout.segment, playout.revision)
}

impl Captions {
    /// A caption of the answer to a (segment, revision) comes before its audio.
    pub(crate) fn comes(&mut self, caption: Arc<Caption>, origin: (u32, u32)) {
        self.next = Some((caption, origin));
    }

    /// A block of the answer is about to leave.
    pub(crate) fn leaves(&mut self, playout: &Playout, cx: &mut NodeContext<'_>) {
        // What was withdrawn before its audio came is of no answer that leaves.
        let Some((caption, _)) = self.next.take_if(|(_, of)| *of == origin(playout)) else { return };
        self.ends(playout, cx);
        let from_us = playout.released_us;
        let until_us = caption.us.map(|us| from_us + us);
        cx.caption(playout.turn, Arc::clone(&caption.text), from_us, until_us);
        if until_us.is_none() {
            self.spoken = Some((Arc::clone(&caption.text), origin(playout), from_us));
        }
    }

    /// The audio of what is spoken has left.
    pub(crate) fn ends(&mut self, playout: &Playout, cx: &mut NodeContext<'_>) {
        if let Some((text, of, from_us)) = self.spoken.take()
            && of == origin(playout)
        {
            cx.caption(playout.turn, text, from_us, Some(playout.released_us));
        }
    }

    /// The answer breaks off.
    pub(crate) fn clear(&mut self) {
        (self.next, self.spoken) = (None, None);
    }
}
