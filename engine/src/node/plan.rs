//! The compiled scene of an engine: node kinds and services in their places.

use crate::base::ids::NodeId;
use crate::node::kind::Node;
use crate::scene::{Deadline, DeadlinePolicy, Format, NodeRef, Plan, PlanTarget};
use crate::service::api::ServiceKind;
use crate::service::batch::{DeadlineRule, Gives};

/// A compiled scene whose nodes the engine can run.
pub type ScenePlan = Plan<dyn Node, dyn ServiceKind>;

impl ScenePlan {
    /// Format of the audio that enters and leaves each node (the last entry: the output) for a session whose own
    /// audio arrives as `input`.
    pub fn formats(&self, input: Format) -> Vec<(Option<Format>, Option<Format>)> {
        let mut arriving: Vec<Option<Format>> = vec![None; self.nodes.len() + 1];
        for target in &self.input_targets {
            arriving[self.position(target.node).index()] = Some(input);
        }
        let mut formats = Vec::with_capacity(arriving.len());
        for (at, node) in self.nodes.iter().enumerate() {
            let leaving = node.spec.check(arriving[at], &self.scene.tick, &mut Vec::new());
            for target in &node.targets {
                let to = self.position(target.node).index();
                let audio = node.spec.outputs().get(usize::from(target.port));
                if audio.is_some_and(|port| port.kind == crate::scene::PortType::Audio) {
                    arriving[to] = leaving;
                }
            }
            formats.push((arriving[at], leaving));
        }
        formats.push((arriving[self.nodes.len()], None));
        formats
    }

    /// Format of the audio that leaves the scene for a session whose own audio arrives as `input`; `None`: no audio.
    pub fn delivered(&self, input: Format) -> Option<Format> {
        if input == self.input {
            return self.output.audio;
        }
        self.formats(input).last().and_then(|(arriving, _)| *arriving)
    }

    /// The nodes that take what the caller said: the targets of the first recogniser.
    pub fn typed_targets(&self) -> &[PlanTarget] {
        let recogniser = self.nodes.iter().find(|node| node.spec.transcribes());
        recogniser.map_or(&[], |node| &node.targets)
    }

    /// Whether the conversations of sessions are remembered: some node answers.
    pub fn remembers(&self) -> bool {
        self.nodes.iter().any(|node| node.spec.replies())
    }

    /// Whether answers are spoken, and do not only leave as text.
    pub(crate) fn speaks(&self) -> bool {
        self.nodes.iter().any(|node| node.spec.takes_clips())
    }

    /// Format of the clips that the node behind `said` plays; `None`: it plays none, or there is no such node.
    pub(crate) fn clip_format(&self) -> Option<Format> {
        let nodes = self.said_targets.iter().filter_map(|target| match target.node {
            NodeRef::Node(at) => Some(&self.nodes[usize::from(at)]),
            NodeRef::Output => None,
        });
        nodes.filter(|node| node.spec.takes_clips()).find_map(|node| node.output)
    }

    /// Place of a target in per-node tables; the output comes after the last node.
    pub fn position(&self, node: NodeRef) -> NodeId {
        match node {
            NodeRef::Node(n) => NodeId(n as u8),
            NodeRef::Output => NodeId(self.nodes.len() as u8),
        }
    }
}

/// A node's deadline as the systems need it.
pub(crate) fn deadline_rule(deadline: &Deadline) -> DeadlineRule {
    let gives = match deadline.policy {
        DeadlinePolicy::FlushEarly => Gives::FlushEarly,
        DeadlinePolicy::GrowBatch { max } => Gives::GrowBatch { max },
        DeadlinePolicy::LowerQuality => Gives::LowerQuality,
        DeadlinePolicy::Warn | DeadlinePolicy::SkipOptional => Gives::Nothing,
    };
    DeadlineRule { margin_us: (deadline.margin_ms * 1_000.0) as u64, gives }
}
