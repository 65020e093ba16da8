//! Remembers the sender's messages about its segments, in whatever order they came: bounded, and never forgetting in
//! a way that would let cancelled audio through.

use std::collections::VecDeque;

use mynah_engine::Control;

/// Most segments with messages before their audio came; beyond that the messages about the oldest segment are
/// forgotten, and it gets no verdict.
pub(super) const KNOWN_MAX: usize = 64;
/// Cancelled segments remembered one by one. An older one counts as settled like all before it.
pub(super) const TOMBSTONES_MAX: usize = 256;

/// The messages about one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) serial: u32,
    pub(super) confirmed: bool,
    /// The last end of speech that was announced and not retracted: revision and media time.
    pub(super) announced: Option<(u32, u64)>,
    /// This revision and those before it are retracted.
    pub(super) retracted: u32,
    /// The final end; revision 0: the segment was split.
    pub(super) ended: Option<(u32, u64)>,
    /// Engine time of the last message.
    pub(super) told_us: u64,
}

impl Known {
    /// True if the segment is speech: an end of speech says so, too, should it come first.
    pub(super) fn is_speech(&self) -> bool {
        self.confirmed || self.announced.is_some() || self.retracted > 0 || self.ended.is_some()
    }

    /// The revision to work on now, and the media time up to which work waits for audio.
    pub(super) fn wanted(&self) -> Option<(u32, u64)> {
        match (self.ended, self.announced) {
            (Some((0, _)), _) => None,
            // Should a sender give two times, work has begun at the first.
            (Some((revision, _)), Some((announced, at_us))) if announced == revision => {
                Some((revision, at_us))
            }
            (Some(ended), _) => Some(ended),
            (None, announced) => announced,
        }
    }

    /// Takes one message; false if it changes nothing.
    fn hear(&mut self, control: &Control) -> bool {
        match *control {
            Control::ConfirmSpeculation { .. } => !std::mem::replace(&mut self.confirmed, true),
            Control::EndOfSpeech { revision, at_us, last: true, .. } => {
                let news = self.ended.is_none() && (revision == 0 || revision > self.retracted);
                if news {
                    self.ended = Some((revision, at_us));
                }
                news
            }
            Control::EndOfSpeech { revision, at_us, .. } => {
                let past = self.retracted.max(self.announced.map_or(0, |(announced, _)| announced));
                // The final end may have come first: this message still says where speech ended.
                let fits = self.ended.is_none_or(|(ended, _)| ended == revision);
                if revision > past && fits {
                    self.announced = Some((revision, at_us));
                }
                revision > past && fits
            }
            Control::RetractEndOfSpeech { revision, .. } => {
                let news = revision > self.retracted && self.ended.is_none_or(|(ended, _)| revision < ended);
                if news {
                    self.retracted = revision;
                    self.announced = self.announced.filter(|(announced, _)| *announced > revision);
                }
                news
            }
            _ => false,
        }
    }
}

/// The messages about the segments of one session.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Ascending by serial.
    known: VecDeque<Known>,
    /// In the order in which they were cancelled.
    cancelled: VecDeque<u32>,
    /// This segment and all before it are settled.
    floor: u32,
}

/// The segment that a message is about; `None`: it is about none.
pub(super) fn about(control: &Control) -> Option<u32> {
    match *control {
        Control::ConfirmSpeculation { segment, .. }
        | Control::CancelSpeculation { segment, .. }
        | Control::EndOfSpeech { segment, .. }
        | Control::RetractEndOfSpeech { segment, .. } => Some(segment).filter(|segment| *segment != 0),
        _ => None,
    }
}

impl Memory {
    /// Takes a message about `serial` that does not cancel it; false if it changes nothing.
    pub(super) fn hear(&mut self, now_us: u64, serial: u32, control: &Control) -> bool {
        if self.is_settled(serial) {
            return false;
        }
        let at = match self.place(serial) {
            Ok(at) => at,
            Err(mut at) => {
                if self.known.len() >= KNOWN_MAX {
                    if at == 0 {
                        return false;
                    }
                    self.known.pop_front();
                    at -= 1;
                }
                self.known.insert(at, Known { serial, ..Known::default() });
                at
            }
        };
        let known = &mut self.known[at];
        let news = known.hear(control);
        if news {
            known.told_us = now_us;
        }
        news
    }

    /// Notes `serial` as cancelled, whether its audio has come or not.
    pub(super) fn cancel(&mut self, serial: u32) {
        self.forget(serial);
        self.cancelled.push_back(serial);
        if self.cancelled.len() > TOMBSTONES_MAX
            && let Some(oldest) = self.cancelled.pop_front()
        {
            self.floor = self.floor.max(oldest);
        }
    }

    /// Notes that `serial` and everything before it is over.
    pub(super) fn settle(&mut self, serial: u32) {
        self.forget(serial);
        self.floor = self.floor.max(serial);
    }

    /// Notes that the audio of `serial` has begun: messages about segments before it are forgotten.
    pub(super) fn begin(&mut self, serial: u32) {
        self.floor = self.floor.max(serial.saturating_sub(1));
        while self.known.front().is_some_and(|known| known.serial < serial) {
            self.known.pop_front();
        }
    }

    pub(super) fn is_cancelled(&self, serial: u32) -> bool {
        self.cancelled.contains(&serial)
    }

    /// True if nothing of `serial` is wanted any more.
    pub(super) fn is_settled(&self, serial: u32) -> bool {
        serial <= self.floor || self.is_cancelled(serial)
    }

    /// The messages about `serial`; empty by default.
    pub(super) fn of(&self, serial: u32) -> Known {
        self.place(serial).map_or(Known { serial, ..Known::default() }, |at| self.known[at])
    }

    fn place(&self, serial: u32) -> Result<usize, usize> {
        self.known.binary_search_by_key(&serial, |known| known.serial)
    }

    fn forget(&mut self, serial: u32) {
        if let Ok(at) = self.place(serial) {
            self.known.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(segment: u32, revision: u32) -> Control {
        Control::EndOfSpeech { segment, revision, at_us: 100, last: false }
    }

    fn held(segment: u32, revision: u32) -> Control {
        Control::EndOfSpeech { segment, revision, at_us: 200, last: true }
    }

    fn retracted(segment: u32, revision: u32) -> Control {
        Control::RetractEndOfSpeech { segment, revision, at_us: 100 }
    }

    #[test]
    fn any_order_of_messages_ends_in_what_the_sender_meant() {
        let confirm = Control::ConfirmSpeculation { segment: 1, turn: 1, from_us: 0, to_us: 1 };
        let told = [confirm, announced(1, 1), retracted(1, 1), announced(1, 2), held(1, 2)];
        let mut orders = 0;
        permute(&told, &mut Vec::new(), &mut |order: &[Control]| {
            let mut memory = Memory::default();
            for control in order {
                memory.hear(7, 1, control);
            }
            let known = memory.of(1);
            assert!(known.is_speech(), "{order:?}");
            assert_eq!((known.ended, known.wanted()), (Some((2, 200)), Some((2, 100))), "{order:?}");
            assert!(
                order.iter().all(|control| !memory.hear(8, 1, control)),
                "nothing takes effect twice: {order:?}"
            );
            orders += 1;
        });
        assert_eq!(orders, 120);
    }

    fn permute(rest: &[Control], order: &mut Vec<Control>, check: &mut impl FnMut(&[Control])) {
        if rest.is_empty() {
            return check(order);
        }
        for at in 0..rest.len() {
            let mut others = rest.to_vec();
            order.push(others.remove(at));
            permute(&others, order, check);
            order.pop();
        }
    }

    #[test]
    fn memory_is_bounded_and_forgets_on_the_safe_side() {
        let mut memory = Memory::default();
        for serial in 1..=10_000 {
            memory.cancel(serial);
            assert!(!memory.hear(0, serial, &held(serial, 1)), "cancelled");
        }
        assert_eq!(memory.cancelled.len(), TOMBSTONES_MAX);
        assert!(
            (1..=10_000).all(|serial| memory.is_settled(serial)),
            "forgotten tombstones are no way back in"
        );
        for serial in 10_001..12_000 {
            assert!(memory.hear(0, serial, &held(serial, 1)));
        }
        assert_eq!(memory.known.len(), KNOWN_MAX);
        assert!(!memory.hear(0, 10_001, &held(10_001, 1)), "too far behind what is known");
        assert_eq!(memory.of(11_999).ended, Some((1, 200)));
        memory.begin(11_999);
        assert_eq!(memory.known.len(), 1);
        assert!(memory.is_settled(11_998) && !memory.is_settled(11_999));
    }
}
