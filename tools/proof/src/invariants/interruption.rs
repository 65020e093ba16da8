//! Speech that has lasted `interrupt_min_ms` ends the answer it speaks over in the next tick. A law of `taken_back`: what
//! the gate has heard of a segment is judged by the session's own number.

use std::collections::BTreeMap;

use mynah_engine::SessionId;
use mynah_engine::speech::{Answer, Segment, Verdict};

use super::checker::{Checker, Findings, Moment};
use super::taken_back::NAME;

/// In a segment in which nothing was heard for this long nobody speaks.
const STALE_US: u64 = 1_000_000;

/// Speech that lasts long enough.
#[derive(Clone, Copy, Debug)]
struct Speech {
    serial: u32,
    heard_at_us: u64,
    voiced_us: u64,
}

#[derive(Default)]
pub(super) struct Interruption {
    /// How long speech must last, by session, microseconds; where none interrupts there is nothing.
    min_us: BTreeMap<SessionId, u64>,
    /// By session, as the last tick left it.
    due: BTreeMap<SessionId, Speech>,
}

fn is_confirmed(segment: &Segment) -> bool {
    segment.verdict == Verdict::Confirmed
}

impl Checker for Interruption {
    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let engine = moment.engine;
        self.min_us.clear();
        for session in engine.sessions() {
            let us = session.playout().interrupt_min_us;
            self.min_us.extend((us != u32::MAX).then_some((session.id(), u64::from(us))));
        }
        let now_us = engine.now_us();
        let due = std::mem::take(&mut self.due);
        for session in engine.sessions() {
            let Some(speech) = due.get(&session.id()) else { continue };
            let playout = session.playout();
            if !playout.sounds() || playout.order >= speech.serial || now_us >= speech.heard_at_us + STALE_US
            {
                continue;
            }
            let mut known = engine.segments().filter(|segment| segment.session == session.id());
            let speaks = |segment: &Segment| segment.key.serial == speech.serial && is_confirmed(segment);
            let owes = |segment: &Segment| {
                segment.key.serial == playout.segment
                    && is_confirmed(segment)
                    && !segment.is_spoken()
                    && segment.answer == Answer::Pending
            };
            let (mut spoken, mut owed) = (false, false);
            known.by_ref().for_each(|segment| {
                spoken |= speaks(segment);
                owed |= owes(segment);
            });
            if spoken && owed {
                findings.add(NAME, Some(session.id()), || {
                    let Speech { serial, voiced_us, .. } = speech;
                    let answered = playout.segment;
                    format!(
                        "segment {serial} has {voiced_us} us of speech, and the answer to {answered} goes on"
                    )
                });
            }
        }
        let lasts = |segment: &&Segment| {
            is_confirmed(segment)
                && segment.is_spoken()
                && segment.voiced.1 > 0
                && self.min_us.get(&segment.session).is_some_and(|min_us| segment.voiced_us() >= *min_us)
        };
        for segment in engine.segments().filter(lasts) {
            let (serial, heard_at_us) = (segment.key.serial, segment.voiced_at_us);
            let speech = Speech { serial, heard_at_us, voiced_us: segment.voiced_us() };
            self.due.insert(segment.session, speech);
        }
    }
}
