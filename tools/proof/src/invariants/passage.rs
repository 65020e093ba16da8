//! Pushed audio, heard audio and losses in the log add up: a law of `conservation` with no figure of the engine's in
//! it. Where audio passes at one rate from the input to the output, every sample of a session has come out or is in a
//! drop event; the output of all sessions is what the output node counts, and a frame that the counts say a full
//! queue lost is in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::scene::{NodeRef, PortType};
use mynah_engine::session::Phase;
use mynah_engine::{DropReason, Event, NodeId, OutAudio, Record, ScenePlan, SessionId};

use super::checker::{Checker, Findings, Moment, Sessions};
use super::conservation::NAME;

/// What is known of one opening, samples over all channels.
#[derive(Debug, Default)]
struct Way {
    heard: u64,
    dropped: u64,
}

pub(super) struct Passage {
    plan: Arc<ScenePlan>,
    /// The nodes that audio passes on its only way to the output; `None`: it does not just pass.
    way: Option<Vec<NodeId>>,
    sessions: Sessions<Way>,
    /// Sample frames that hosts pushed into sessions whose input has ended, by id and opening.
    fed: BTreeMap<(SessionId, u32), u64>,
    /// Frames that the log says full queues dropped, by node; the output's come last.
    overflown: Vec<u64>,
    /// Where the counts said otherwise before: each is reported when it goes wrong.
    wrong: Vec<bool>,
    /// Samples that came out, and outputs that hosts had not taken when their sessions were over.
    heard: u64,
    unread: u64,
    closed: bool,
}

/// The nodes between input and output, where audio takes one way and nothing on it changes a sample's place.
fn way(plan: &ScenePlan) -> Option<Vec<NodeId>> {
    let passes = |at: u16| {
        let node = &plan.nodes[usize::from(at)];
        let keeps = node.spec.keeps_length() && !node.spec.decides_speech();
        keeps && node.output.is_some() && node.output == node.input
    };
    let sends_audio = |node: &&_| {
        let node: &&mynah_engine::scene::PlanNode<dyn mynah_engine::node::Node> = node;
        node.targets.iter().any(|target| {
            let port = node.spec.outputs().get(usize::from(target.port));
            target.node == NodeRef::Output && port.is_some_and(|port| port.kind == PortType::Audio)
        })
    };
    if plan.nodes.iter().filter(sends_audio).count() != 1 {
        return None;
    }
    plan.input_targets.iter().find_map(|first| {
        let (mut at, mut nodes) = (first.node, Vec::new());
        while let NodeRef::Node(node) = at {
            let [next] = plan.nodes[usize::from(node)].targets[..] else { return None };
            if !passes(node) || nodes.len() > plan.nodes.len() {
                return None;
            }
            nodes.push(NodeId(node as u8));
            at = next.node;
        }
        Some(nodes)
    })
}

impl Passage {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let nodes = plan.nodes.len() + 1;
        Self {
            way: way(plan),
            plan: Arc::clone(plan),
            sessions: Sessions::default(),
            fed: BTreeMap::new(),
            overflown: vec![0; nodes],
            wrong: vec![false; nodes],
            heard: 0,
            unread: 0,
            closed: false,
        }
    }

    /// Sessions that are over: what hosts pushed has been heard or is told to be lost. Who was hung up on, and who has
    /// not listened to the end, is owed nothing.
    fn settle(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        for session in moment.engine.sessions().filter(|session| session.has_ended()) {
            let id = session.id();
            let Some(pushed) = self.fed.remove(&(id, session.generation())) else { continue };
            let Some(Way { heard, dropped }) = self.sessions.at(id).map(|way| &*way) else { continue };
            // Silence in place of lost audio was pushed by nobody.
            let is_heard = session.unread() == 0 && !session.is_split();
            let all_is_known = self.way.is_some() && is_heard && session.concealed() == 0;
            let Some(out) = session.output().filter(|_| all_is_known) else { continue };
            let due = pushed * u64::from(session.input().channels);
            if out == session.input() && due != heard + dropped {
                findings.add(NAME, Some(id), || {
                    format!(
                        "its host pushed {due} samples, {heard} came out and {dropped} are told to be lost"
                    )
                });
            }
        }
    }

    /// What full queues dropped: one frame in each line of the log, but for calls: these took several frames, or none, when
    /// all that is asked about had been asked about before.
    fn compare(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        for (at, (counts, told)) in moment.census.nodes.iter().zip(&self.overflown).enumerate() {
            let node = self.plan.nodes.get(at);
            let counted = counts.dropped[DropReason::Overflow as usize];
            let calls = node.is_some_and(|node| node.service.is_some());
            let differs = if calls { counted > 0 && *told == 0 } else { counted != *told };
            if differs && !self.wrong[at] {
                let name = node.map_or("output", |node| &*node.id);
                findings.add(NAME, None, || {
                    format!("node {name}: {counted} frames dropped by the counts, {told} by the log")
                });
            }
            self.wrong[at] = differs;
        }
    }
}

impl Checker for Passage {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        self.closed |= record.event == Event::SessionClosed;
        let output = self.plan.nodes.len();
        let (at, reason, samples) = match record.event {
            Event::FrameDropped { node, reason, samples } => (node.index(), reason, samples),
            Event::OutputDropped { reason, samples, .. } => (output, reason, samples),
            _ => (0, DropReason::Closed, 0),
        };
        if reason == DropReason::Overflow {
            self.overflown[at] += 1;
        }
        let passes = |way: &Vec<NodeId>| at == output || way.iter().any(|node| node.index() == at);
        let is_on_way = self.way.as_ref().is_some_and(passes);
        if let Some(way) = self.sessions.of(record).filter(|_| is_on_way) {
            way.dropped += samples;
        }
    }

    fn audio(&mut self, session: SessionId, audio: &OutAudio, _: &mut Findings) {
        let samples = audio.block.len() as u64;
        self.heard += samples;
        if let Some(way) = self.sessions.releasing(session, audio) {
            way.heard += samples;
        }
    }

    fn fed(&mut self, session: SessionId, opening: u32, frames: u64) {
        self.fed.insert((session, opening), frames);
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        self.compare(moment, findings);
        // A session that is over is seen so once.
        let over = moment.engine.sessions().filter(|session| session.phase() == Phase::Gone);
        // What went into rings was never seen.
        self.unread +=
            over.map(|session| session.unread() as u64 + u64::from(session.is_split())).sum::<u64>();
        if std::mem::take(&mut self.closed) {
            self.settle(moment, findings);
        }
    }

    fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let Some(output) = moment.census.nodes.last() else { return };
        let (told, heard) = (output.samples_out, self.heard);
        let all_is_heard = self.unread == 0 && moment.sessions_live == 0;
        if told < heard || (all_is_heard && told > heard) {
            findings.add(NAME, None, || format!("{told} samples are told to have left, {heard} came"));
        }
    }
}
