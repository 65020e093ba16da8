//! No more is released ahead of the ear than the session's pace says: a block leaves only while less than its lead of
//! what left before it is unheard. A law of `bounds`, by the released blocks alone; where an audio callback reads from
//! a ring, by what it has not read after a tick.

use mynah_engine::base::frames_to_us;
use mynah_engine::edge::BLOCK_MS_MAX;
use mynah_engine::observe::SessionView;
use mynah_engine::scene::Format;
use mynah_engine::{Event, OutAudio, Record, ScenePlan, SessionId};

use super::bounds::NAME;
use super::checker::{Checker, Findings, Moment, Sessions, made_as};

/// What one listener has before it.
#[derive(Debug, Default)]
struct Ear {
    /// The format of what leaves, and the session's lead (`None`: as fast as it is made); unknown until the session's
    /// first tick is over.
    terms: Option<(Format, Option<u64>)>,
    /// Engine time until which what was released sounds.
    heard_until_us: u64,
    /// Engine time at which the host last had to flush what it had not played.
    flushed_us: Option<u64>,
}

#[derive(Default)]
pub(super) struct Lead {
    sessions: Sessions<Ear>,
}

/// The format of what leaves, and the lead, microseconds.
fn terms(session: &SessionView<'_>) -> Option<(Format, Option<u64>)> {
    let lead_us = session.playout().lead_us;
    Some((session.output()?, (lead_us != u32::MAX).then_some(u64::from(lead_us))))
}

/// What stands in a ring: less than the lead, and one block.
fn ring(session: &SessionView<'_>, plan: &ScenePlan, findings: &mut Findings) {
    let Some((format, Some(lead_us))) = terms(session).filter(|_| session.is_split()) else { return };
    if made_as(plan, session) != Some(format) {
        // A converter holds audio back, and gives it out at the end of an answer.
        return;
    }
    let unread = session.unread_samples() / u64::from(format.channels);
    let (unread_us, most_us) =
        (frames_to_us(unread, format.rate_hz), lead_us + u64::from(BLOCK_MS_MAX) * 1_000);
    if unread_us > most_us {
        findings.add(NAME, Some(session.id()), || {
            format!("{unread_us} us are in the ring, the lead and a block are {most_us} us")
        });
    }
}

impl Checker for Lead {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        let Some(ear) = self.sessions.of(record) else { return };
        if matches!(
            record.event,
            Event::SegmentCancelled { .. }
                | Event::EndpointRetracted { .. }
                | Event::AnswerWithdrawn { .. }
                | Event::AnswerInterrupted { .. }
                | Event::SessionClosed
        ) {
            (ear.flushed_us, ear.heard_until_us) = (Some(record.t_us), 0);
        }
    }

    fn audio(&mut self, session: SessionId, audio: &OutAudio, findings: &mut Findings) {
        let Some(ear) = self.sessions.releasing(session, audio) else { return };
        let Some((format, Some(lead_us))) = ear.terms else { return };
        // Of what left in the tick of a flush nobody can tell on which side of it.
        if ear.flushed_us.is_some_and(|flushed_us| audio.released_us <= flushed_us) {
            return;
        }
        let ahead_us = ear.heard_until_us.saturating_sub(audio.released_us);
        if ahead_us >= lead_us && ahead_us > 0 {
            findings.add(NAME, Some(session), || {
                format!("a block left while {ahead_us} us were unheard, the lead is {lead_us} us")
            });
        }
        let frames = audio.block.len() as u64 / u64::from(format.channels);
        let us = frames_to_us(frames, format.rate_hz);
        ear.heard_until_us = ear.heard_until_us.max(audio.released_us) + us;
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        for session in moment.engine.sessions() {
            ring(&session, moment.engine.plan(), findings);
            if let Some(ear) = self.sessions.at(session.id()).filter(|ear| ear.terms.is_none()) {
                ear.terms = terms(&session);
            }
        }
    }
}
