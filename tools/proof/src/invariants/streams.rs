//! Audio is conserved in samples, stream by stream: audio that was forwarded of a segment, or made in answer to it,
//! leaves whole if it may leave at all, and the log agrees with what came out. Judged when a session is over, by its
//! log and its audio alone; the same pass makes the session's digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::observe::SessionView;
use mynah_engine::{DropReason, Event, OutAudio, Record, ScenePlan, SessionId};

use super::checker::{Findings, Moment};
use super::digests::Digests;
use mynah_sim::simulate::balance::{StreamLaw, converted, is_plain};
use mynah_sim::simulate::measure::{Measurement, SessionMeasurement};

pub(super) const NAME: &str = "streams";

/// What is known of one opening beside what is measured.
#[derive(Debug, Default)]
struct Story {
    opened_us: u64,
    /// Something was dropped or failed: less may come out than was put in.
    lossy: bool,
    closing: bool,
    /// Samples that came out, by (segment, revision), and those that the log says did.
    came: BTreeMap<(u32, u32), u64>,
    told: BTreeMap<(u32, u32), u64>,
}

pub(super) struct Streams {
    plan: Arc<ScenePlan>,
    law: StreamLaw,
    run: Measurement,
    stories: BTreeMap<SessionId, Story>,
    digests: Digests,
    closing: bool,
}

impl Streams {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let run = Measurement {
            output_rate_hz: plan.output.audio.map_or(0, |f| f.rate_hz),
            output_channels: plan.output.audio.map_or(1, |f| f.channels),
            ..Measurement::default()
        };
        Self {
            plan: Arc::clone(plan),
            law: StreamLaw::of(plan),
            run,
            stories: BTreeMap::new(),
            digests: Digests::new(),
            closing: false,
        }
    }

    pub(super) fn digests(&self) -> &Digests {
        &self.digests
    }

    pub(super) fn record(&mut self, record: &Record, findings: &mut Findings) {
        let at = record.session.0 as usize;
        if record.event == Event::SessionOpened {
            if self.run.sessions.len() <= at {
                self.run.sessions.resize_with(at + 1, || SessionMeasurement::new(0));
            }
            self.run.sessions[at] = SessionMeasurement::new(0);
            let story = Story { opened_us: record.t_us, ..Story::default() };
            self.stories.insert(record.session, story);
        }
        let Some(story) = self.stories.get_mut(&record.session) else { return };
        if story.closing {
            let event = &record.event;
            // What carries messages goes on for a while.
            let carried = matches!(
                event,
                Event::ControlSent { .. } | Event::ControlAcked { .. } | Event::ControlFailed { .. }
            );
            if !carried {
                findings.add(NAME, Some(record.session), || format!("{event:?} of a session that is over"));
            }
            return;
        }
        self.run.event(record);
        match record.event {
            Event::FrameDropped { reason, .. } | Event::OutputDropped { reason, .. } => {
                let corrected =
                    matches!(reason, DropReason::Cancelled | DropReason::Retracted | DropReason::Interrupted);
                story.lossy |= !corrected;
            }
            Event::ServiceFailed { .. } => story.lossy = true,
            Event::OutputEnded { segment, revision, samples } => {
                story.told.insert((segment, revision), samples);
            }
            Event::SessionClosed => {
                story.closing = true;
                self.closing = true;
            }
            _ => {}
        }
    }

    pub(super) fn audio(&mut self, session: SessionId, audio: &OutAudio, findings: &mut Findings) {
        let Some(story) = self.stories.get_mut(&session) else {
            return findings.add(NAME, Some(session), || "a block of a session that nobody opened".into());
        };
        if audio.released_us < story.opened_us {
            return;
        }
        *story.came.entry((audio.segment, audio.revision)).or_default() += audio.block.len() as u64;
        self.run.audio(session.0 as usize, audio);
    }

    pub(super) fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        if !std::mem::take(&mut self.closing) {
            return;
        }
        for session in moment.engine.sessions() {
            let key = (session.id().0, session.generation());
            let closing = self.stories.get(&session.id()).is_some_and(|story| story.closing);
            if closing && !self.digests.contains_key(&key) {
                let digest = self.run.sessions[session.id().0 as usize].digest();
                self.digests.insert(key, digest);
                self.conclude(&session, findings);
            }
        }
    }

    pub(super) fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        self.closing = true;
        self.tick(moment, findings);
    }

    /// A session is over.
    fn conclude(&self, session: &SessionView<'_>, findings: &mut Findings) {
        let Some(story) = self.stories.get(&session.id()) else { return };
        let observer = &self.run.sessions[session.id().0 as usize];
        // A host that has not taken everything has not seen everything.
        let seen = session.unread() == 0 && !session.is_split();
        let intact = session.has_ended() && !story.lossy && seen;
        let out = session.output();
        let law = self.law.leaving_as(out);
        let mut wrong = Vec::new();
        for (serial, segment) in &observer.segments {
            law.check(&format!("segment {serial}"), segment, intact, &mut wrong);
        }
        for (origin, told) in story.told.iter().filter(|_| seen) {
            let came = story.came.get(origin).copied().unwrap_or(0);
            if came != *told {
                wrong.push(format!("(segment, revision) {origin:?}: {told} samples left, {came} came"));
            }
        }
        if let (true, true, Some(out)) = (intact, is_plain(&self.plan), out) {
            let due = converted(session.frames_in(), session.input().rate_hz, out.rate_hz);
            let due = due * u64::from(out.channels);
            if observer.released != due {
                wrong.push(format!("{due} samples due at the output, {} came", observer.released));
            }
        }
        for what in wrong {
            findings.add(NAME, Some(session.id()), || what);
        }
    }
}
