//! Finds a segment's serial by its UUID. A UUIDv5 cannot be inverted, so the names near the newest known segment are
//! computed and compared.

use std::collections::VecDeque;
use std::sync::Arc;

use uuid::Uuid;

use super::segment_id;

/// Names remembered: a segment this far before the newest was settled long ago.
pub const NAMES_MAX: usize = 256;
/// How far a message may be ahead of the newest known segment.
const AHEAD: usize = 64;

/// The names of one session's segments: [`NAMES_MAX`] of them, up to some ahead of the newest known segment.
#[derive(Clone, Debug)]
pub struct SegmentNames {
    session: Arc<str>,
    generation: u32,
    /// Names of the serials from `first` on.
    names: VecDeque<Uuid>,
    first: u32,
}

impl SegmentNames {
    /// The names of the segments of the sender's `generation`-th session with that name.
    #[must_use]
    pub fn new(session: Arc<str>, generation: u32) -> Self {
        Self { session, generation, names: VecDeque::new(), first: 1 }
    }

    /// The serial of a segment; `None`: the segment is not of this session, or too far from the known ones.
    pub fn serial(&mut self, id: Uuid) -> Option<u32> {
        if self.names.is_empty() {
            self.heard_of(0);
        }
        // Most messages are about new segments.
        let at = self.names.iter().rposition(|name| *name == id)?;
        let serial = self.first + at as u32;
        self.heard_of(serial);
        Some(serial)
    }

    /// Notes that segment `serial` is known: later ones are to be expected.
    pub fn heard_of(&mut self, serial: u32) {
        let wanted = serial.saturating_add(AHEAD as u32);
        let next = self.first.saturating_add(self.names.len() as u32);
        // Names that would be pushed out again at once are not computed.
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
