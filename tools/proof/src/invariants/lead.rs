//! No more is released ahead of the ear than the scene's pace says: a block leaves only while less than `lead_ms` of what
//! left before it is unheard. A law of `bounds`, by the released blocks alone.

use std::sync::Arc;

use mynah_engine::base::frames_to_us;
use mynah_engine::scene::{Format, Pace};
use mynah_engine::{Event, OutAudio, Record, ScenePlan, SessionId};

use super::bounds::NAME;
use super::checker::{Checker, Findings, Moment, Sessions, leaves_as};

/// What one listener has before it.
#[derive(Debug, Default)]
struct Ear {
    /// The format of what leaves; unknown until the session's first tick is over.
    format: Option<Format>,
    /// Engine time until which what was released sounds.
    heard_until_us: u64,
    /// Engine time at which the host last had to flush what it had not played.
    flushed_us: Option<u64>,
}

pub(super) struct Lead {
    plan: Arc<ScenePlan>,
    /// `None`: answers leave as fast as they are made.
    lead_us: Option<u64>,
    sessions: Sessions<Ear>,
}

impl Lead {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let lead_us = match plan.scene.session.output.pace {
            Pace::RealTime { lead_ms } => Some(u64::from(lead_ms) * 1_000),
            Pace::Burst => None,
        };
        Self { plan: Arc::clone(plan), lead_us, sessions: Sessions::default() }
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
        let Some(lead_us) = self.lead_us else { return };
        let Some(ear) = self.sessions.releasing(session, audio) else { return };
        let Some(format) = ear.format else { return };
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

    fn tick(&mut self, moment: &Moment<'_>, _: &mut Findings) {
        if self.lead_us.is_none() {
            return;
        }
        for session in moment.engine.sessions() {
            if let Some(ear) = self.sessions.at(session.id()).filter(|ear| ear.format.is_none()) {
                ear.format = leaves_as(&self.plan, &session);
            }
        }
    }
}
