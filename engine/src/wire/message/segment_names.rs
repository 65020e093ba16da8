//! From a segment's UUID back to its serial. A UUIDv5 cannot be undone, so the names around those that were last heard
//! of are computed and compared.

use std::collections::VecDeque;
use std::sync::Arc;

use uuid::Uuid;

use super::segment_id;

/// Names remembered: a message about a segment so many before the newest is about something long settled.
pub const NAMES_MAX: usize = 256;
/// How far ahead of the newest segment heard of a message may be.
const AHEAD: usize = 64;

/// The names of one session's segments: knows [`NAMES_MAX`] of them, the newest heard of with room ahead.
#[derive(Clone, Debug)]
pub struct SegmentNames {
    session: Arc<str>,
    generation: u32,
    /// Names of the serials from `first` on.
    names: VecDeque<Uuid>,
    first: u32,
}

impl SegmentNames {
    /// For the segments of the `generation`-th session of that name at the sender.
    #[must_use]
    pub fn new(session: Arc<str>, generation: u32) -> Self {
        Self { session, generation, names: VecDeque::new(), first: 1 }
    }

    /// The serial of a segment; `None`: it is none of this session's, or too far from those heard of.
    pub fn serial(&mut self, id: Uuid) -> Option<u32> {
        if self.names.is_empty() {
            self.heard_of(0);
        }
        // What messages are about is mostly new.
        let at = self.names.iter().rposition(|name| *name == id)?;
        let serial = self.first + at as u32;
        self.heard_of(serial);
        Some(serial)
    }

    /// Something of segment `serial` has arrived: later ones are to be expected.
    pub fn heard_of(&mut self, serial: u32) {
        let wanted = serial.saturating_add(AHEAD as u32);
        let next = self.first.saturating_add(self.names.len() as u32);
        // What would be pushed out again at once need not be computed.
        let from = next.max(wanted.saturating_sub(NAMES_MAX as u32 - 1));
        if from > next {
            self.names.clear();
            self.first = from;
        }
        for serial in from..=wanted {
            if self.names.len() >= NAMES_MAX {
                self.names.pop_front();
                self.first += 1;
            }
            self.names.push_back(segment_id(&self.session, self.generation, serial));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_come_back_from_names_near_the_newest() {
        let session: Arc<str> = "caller".into();
        let id = |generation, serial| segment_id("caller", generation, serial);
        let mut names = SegmentNames::new(Arc::clone(&session), 2);
        assert_eq!(names.serial(id(2, 1)), Some(1));
        assert_eq!(names.serial(id(2, 60)), Some(60), "ahead of all that was heard of");
        assert_eq!(names.serial(id(2, 3)), Some(3), "and back");
        assert_eq!(
            (names.serial(id(1, 3)), names.serial(id(2, 500))),
            (None, None),
            "another opening; too far"
        );
        names.heard_of(500);
        assert_eq!(
            (names.serial(id(2, 500)), names.serial(id(2, 1))),
            (Some(500), None),
            "1 is long settled"
        );
        names.heard_of(1);
        assert_eq!(names.serial(id(2, 564)), Some(564), "what is heard late takes nothing away");
        names.heard_of(u32::MAX - 10);
        assert_eq!(names.serial(id(2, u32::MAX - 20)), Some(u32::MAX - 20));
        assert!(names.names.len() <= NAMES_MAX);
    }

    #[test]
    fn every_serial_is_found_when_its_turn_comes() {
        let mut names = SegmentNames::new("caller".into(), 1);
        for serial in 1..2_000 {
            assert_eq!(names.serial(segment_id("caller", 1, serial)), Some(serial));
        }
        assert_eq!(names.names.len(), NAMES_MAX);
    }
}
