//! Each session stays in order: frames of one sender wait in the order of their numbers, and times only go on; of one
//! (segment, revision) media time never goes back at the output.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::base::frames_to_us;
use mynah_engine::media::Queue;
use mynah_engine::observe::SessionView;
use mynah_engine::scene::DeadlinePolicy;
use mynah_engine::{Event, NodeId, OutAudio, Record, ScenePlan, SessionId};

use super::checker::{Checker, Findings, Moment, Sessions, is_line, is_old_line, made_as};

pub(super) const NAME: &str = "order";

/// Block boundaries are whole microseconds, and a resampler between rounds again.
const ROUNDING_US: u64 = 2;

pub(super) struct Order {
    plan: Arc<ScenePlan>,
    /// Nodes whose frames all come from one sender, each once.
    lone: Vec<bool>,
    /// Media time after the last block of each (segment, revision).
    ends: Sessions<BTreeMap<(u32, u32), u64>>,
    /// What has left in this tick.
    left: Vec<(SessionId, Left)>,
}

/// A block that has left.
#[derive(Clone, Copy, Debug)]
struct Left {
    origin: (u32, u32),
    pts_us: u64,
    samples: u64,
}

impl Order {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        // Ways from whoever numbers the frames. A frame that comes on two has its number twice.
        let mut ways = vec![0_u64; plan.nodes.len() + 1];
        let mut senders = vec![0; plan.nodes.len() + 1];
        let skips = |at: usize| {
            plan.nodes[at].deadline.is_some_and(|deadline| deadline.policy == DeadlinePolicy::SkipOptional)
        };
        for target in &plan.input_targets {
            let to = plan.position(target.node).index();
            (senders[to], ways[to]) = (senders[to] + 1, ways[to] + 1);
        }
        // Lines have numbers of their own.
        for target in plan.said_targets.iter().chain(plan.typed_targets()) {
            senders[plan.position(target.node).index()] += 1;
        }
        for (at, node) in plan.nodes.iter().enumerate() {
            for target in &node.targets {
                let to = plan.position(target.node).index();
                // A node that is passed by sends on what it never numbered.
                senders[to] += if skips(at) { 2 } else { 1 };
                ways[to] = ways[to].saturating_add(ways[at]);
            }
        }
        let lone = senders.iter().zip(&ways).map(|(senders, ways)| (*senders, *ways) == (1, 1)).collect();
        Self { plan: Arc::clone(plan), lone, ends: Sessions::default(), left: Vec::new() }
    }

    fn queue(
        &self,
        session: &SessionView<'_>,
        at: usize,
        queue: &Queue,
        now_us: u64,
        findings: &mut Findings,
    ) {
        let mut before: Option<(u32, u64)> = None;
        let name = || self.plan.nodes.get(at).map_or("output", |node| &*node.id);
        for frame in queue.iter().filter(|frame| frame.is_content()) {
            let (seq, queued_us) = (frame.seq, frame.queued_us);
            if queued_us > now_us || frame.arrived_us > queued_us || frame.session != session.id() {
                findings.add(NAME, Some(session.id()), || {
                    format!(
                        "node {}: a frame that arrived at {}, entered at {queued_us}",
                        name(),
                        frame.arrived_us
                    )
                });
            }
            let (last, last_us) = before.replace((seq, queued_us)).unwrap_or((seq.wrapping_sub(1), 0));
            // Numbers wrap.
            let ascends = seq.wrapping_sub(last).cast_signed() > 0;
            if queued_us < last_us || (self.lone[at] && !ascends) {
                findings.add(NAME, Some(session.id()), || {
                    format!("node {}: frame {seq} stands behind {last}", name())
                });
            }
        }
    }

    /// Of one (segment, revision) media time never goes back.
    fn output(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        if self.left.is_empty() {
            return;
        }
        self.left.sort_by_key(|(session, _)| *session);
        for session in moment.engine.sessions() {
            let id = session.id();
            let from = self.left.partition_point(|(of, _)| *of < id);
            let mine = self.left[from..].iter().take_while(|(of, _)| *of == id);
            let mut format = None;
            for (_, Left { origin, pts_us, samples }) in mine {
                let Some(ends) = self.ends.at(id) else { break };
                // A converter gives out later what it was given: its blocks have no times of their own.
                let made = || made_as(&self.plan, &session).filter(|made| session.output() == Some(*made));
                let Some(format) = *format.get_or_insert_with(made) else { break };
                let end_us = pts_us + frames_to_us(samples / u64::from(format.channels), format.rate_hz);
                let before_us = ends.insert(*origin, end_us).unwrap_or(0);
                if pts_us + ROUNDING_US < before_us {
                    findings.add(NAME, Some(id), || {
                        format!("(segment, revision) {origin:?}: {pts_us} us left after {before_us} us")
                    });
                }
            }
        }
        self.left.clear();
    }
}

impl Checker for Order {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        let Some(ends) = self.ends.of(record) else { return };
        if let Event::SegmentEnded { segment, .. } | Event::SegmentCancelled { segment, .. } = record.event {
            // Answers come after the end; those to much older segments are over.
            ends.retain(|(old, _), _| is_line(*old) || *old + 64 > segment || *old == 0);
        }
        if let Event::LineOpened { segment, .. } = record.event {
            ends.retain(|(old, _), _| !is_old_line(*old, segment, 64));
        }
    }

    fn audio(&mut self, session: SessionId, audio: &OutAudio, _: &mut Findings) {
        let OutAudio { pts_us, segment, revision, .. } = *audio;
        let lone = self.lone.last().copied().unwrap_or(false);
        if lone && self.ends.releasing(session, audio).is_some() {
            let samples = audio.block.len() as u64;
            self.left.push((session, Left { origin: (segment, revision), pts_us, samples }));
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let now_us = moment.engine.now_us();
        for session in moment.engine.sessions() {
            for at in 0..=self.plan.nodes.len() {
                let queue = session.queue(NodeId(at as u8)).filter(|queue| !queue.is_empty());
                if let Some(queue) = queue {
                    self.queue(&session, at, queue, now_us, findings);
                }
            }
        }
        self.output(moment, findings);
    }
}
