//! Text waits for the ear only as long as more than the scene's runway of its answer is unplayed. A law of `latency`:
//! what was made is known from the log, what was heard and when from the host.

use std::collections::BTreeMap;

use mynah_engine::base::frames_to_us;
use mynah_engine::media::Payload;
use mynah_engine::observe::SessionView;
use mynah_engine::scene::{Format, parse_config};
use mynah_engine::session::Phase;
use mynah_engine::{Event, NodeId, OutAudio, Record, ScenePlan, SessionId};
use mynah_systems::service::ServiceNode;

use super::checker::{Checker, Findings, Moment, Sessions, is_line, is_old_line};
use super::latency::NAME;

/// Segments of a session that are remembered, counted back from the newest.
const REMEMBERED: u32 = 256;
/// The engine rounds the length of every block.
const ROUNDING_US: u64 = 1_000;

/// The answer to one (segment, revision).
#[derive(Debug, Default)]
struct Answer {
    /// Sample frames made, and media time that has left.
    made: u64,
    left_us: u64,
    /// A call failed or was stopped: nobody says what had come of it.
    broken: bool,
}

/// Text that stands in front although no call is under way.
#[derive(Clone, Copy, Debug)]
struct Waits {
    seq: u32,
    origin: (u32, u32),
    /// Media time that was made and had not left.
    kept_us: u64,
    /// Engine time until which what had left sounds.
    heard_until_us: u64,
}

#[derive(Debug, Default)]
struct Ear {
    format: Option<Format>,
    answers: BTreeMap<(u32, u32), Answer>,
    calls: i64,
    heard_until_us: u64,
    /// As the last tick left it.
    waits: Option<Waits>,
}

pub(super) struct Runway {
    /// The node that speaks, and its runway; `None`: no text waits for the ear, or some may wait for room.
    speaker: Option<(NodeId, u64)>,
    rate_hz: u32,
    sessions: Sessions<Ear>,
}

impl Runway {
    pub(super) fn new(plan: &ScenePlan) -> Self {
        let speaker = plan.scene.nodes.iter().find_map(|said| {
            let node: ServiceNode = parse_config(&said.kind.config).ok()?;
            let at = plan.nodes.iter().position(|node| node.id == said.id)?;
            let waits_for_room = plan.nodes[at + 1..].iter().any(|behind| behind.blocks());
            let speaks = node.runway_ms > 0 && !waits_for_room;
            speaks.then_some((NodeId(at as u8), u64::from(node.runway_ms) * 1_000))
        });
        let output = speaker.and_then(|(node, _)| plan.nodes[node.index()].output);
        let rate_hz = output.map_or(1, |format| format.rate_hz);
        Self { speaker, rate_hz, sessions: Sessions::default() }
    }
}

impl Ear {
    fn record(&mut self, event: &Event, speaker: NodeId) {
        let answers = &mut self.answers;
        match *event {
            Event::SegmentOpened { segment, .. } => {
                let least = segment.saturating_sub(REMEMBERED);
                answers.retain(|(old, _), _| is_line(*old) || *old >= least);
            }
            Event::LineOpened { segment, .. } => {
                answers.retain(|(old, _), _| !is_old_line(*old, segment, REMEMBERED));
            }
            Event::ServiceSubmitted { node, .. } if node == speaker => self.calls += 1,
            Event::ServiceDone { node, segment, revision, samples, .. } if node == speaker => {
                self.calls -= 1;
                answers.entry((segment, revision)).or_default().made += samples;
            }
            Event::ServiceFailed { node, segment, revision, .. }
            | Event::ServiceCancelled { node, segment, revision, .. }
                if node == speaker =>
            {
                self.calls -= 1;
                answers.entry((segment, revision)).or_default().broken = true;
            }
            _ => {}
        }
    }

    /// The text that waits after a tick for nothing but the ear.
    fn waits(
        &self,
        session: &SessionView<'_>,
        moment: &Moment<'_>,
        speaker: NodeId,
        rate_hz: u32,
    ) -> Option<Waits> {
        let front = session.queue(speaker)?.front().filter(|_| self.calls == 0)?;
        let asked = || moment.engine.hub().calls_waiting(speaker).any(|key| key.session == session.id());
        if !matches!(front.payload, Payload::Text(_)) || session.phase() == Phase::Gone || asked() {
            return None;
        }
        let origin = (front.segment.serial, front.revision);
        // Of what was asked for first, nothing has been made.
        let answer = self.answers.get(&origin).filter(|answer| answer.made > 0 && !answer.broken)?;
        let kept_us = frames_to_us(answer.made, rate_hz).saturating_sub(answer.left_us);
        Some(Waits { seq: front.seq, origin, kept_us, heard_until_us: self.heard_until_us })
    }
}

impl Checker for Runway {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        let Some((speaker, _)) = self.speaker else { return };
        let Some(ear) = self.sessions.of(record) else { return };
        ear.record(&record.event, speaker);
    }

    fn audio(&mut self, session: SessionId, audio: &OutAudio, _: &mut Findings) {
        let Some(ear) = self.sessions.releasing(session, audio) else { return };
        let Some(format) = ear.format else { return };
        let us = frames_to_us(audio.block.len() as u64 / u64::from(format.channels), format.rate_hz);
        ear.heard_until_us = ear.heard_until_us.max(audio.released_us) + us;
        ear.answers.entry((audio.segment, audio.revision)).or_default().left_us += us;
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let Some((speaker, runway_us)) = self.speaker else { return };
        let now_us = moment.engine.now_us();
        for session in moment.engine.sessions() {
            let id = session.id();
            let Some(ear) = self.sessions.at(id) else { continue };
            ear.format = ear.format.or_else(|| session.output());
            if session.is_split() {
                // Of what went into a ring nothing was seen.
                continue;
            }
            let waits = ear.waits(&session, moment, speaker, self.rate_hz);
            let before = std::mem::replace(&mut ear.waits, waits);
            let Some((before, waits)) = before.zip(waits) else { continue };
            let unplayed_us = before.kept_us + before.heard_until_us.saturating_sub(now_us);
            let stays = (before.seq, before.origin) == (waits.seq, waits.origin);
            if stays && unplayed_us + ROUNDING_US <= runway_us {
                findings.add(NAME, Some(id), || {
                    let origin = before.origin;
                    format!(
                        "text of {origin:?} waits for the ear, {unplayed_us} us are unplayed of {runway_us}"
                    )
                });
            }
        }
    }
}
