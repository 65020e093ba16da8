//! How answers leave a scene, and how often their ends arrive at its output.

use crate::node::plan::ScenePlan;
use crate::scene::{NodeRef, PlanTarget, Release};

/// Output policy of a scene.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) release: Release,
    /// Ends of one answer that arrive at the output: the answer is over only with the last. 0: the output is the
    /// callers' own audio.
    pub(crate) branches: u32,
    /// The same for lines that the host has a session say, and for texts that it sends.
    pub(crate) said: u32,
    /// See `said`.
    pub(crate) typed: u32,
    /// More than one branch leads to the output, possibly of unequal length.
    pub(crate) several: bool,
}

/// Whether more than one edge ends at the scene's output.
pub(crate) fn has_several(plan: &ScenePlan) -> bool {
    let targets = plan.nodes.iter().flat_map(|node| &node.targets).chain(&plan.input_targets);
    targets.filter(|target| target.node == NodeRef::Output).count() > 1
}

/// The number of ends of one answer that arrive at the scene's output: one for each path on which a service turns an
/// end of speech into the end of its answer, wherever the paths meet.
pub(crate) fn answering_branches(plan: &ScenePlan) -> u32 {
    // For each node and the output: ends of speech that arrive for each that the gate sees, and ends of answers.
    let mut come = vec![(0_u32, 0_u32); plan.nodes.len() + 1];
    for target in &plan.input_targets {
        // A node that decides on speech without declaring so stands somewhere behind the input.
        come[plan.position(target.node).index()].0 += 1;
    }
    for (at, node) in plan.nodes.iter().enumerate() {
        let (spoken, answered) = come[at];
        let gone = match node.service {
            _ if node.spec.decides_speech() => (1, 0),
            Some(_) => (0, spoken.saturating_add(answered)),
            None => (spoken, answered),
        };
        for target in &node.targets {
            let to = &mut come[plan.position(target.node).index()];
            *to = (to.0.saturating_add(gone.0), to.1.saturating_add(gone.1));
        }
    }
    come.last().map_or(0, |(_, answered)| *answered)
}

/// The number of ends of one line that arrive at the scene's output, where lines enter at `targets`.
pub(crate) fn line_branches(plan: &ScenePlan, targets: &[PlanTarget]) -> u32 {
    let mut come = vec![0_u32; plan.nodes.len() + 1];
    for target in targets {
        come[plan.position(target.node).index()] += 1;
    }
    for (at, node) in plan.nodes.iter().enumerate() {
        for target in &node.targets {
            let to = plan.position(target.node).index();
            come[to] = come[to].saturating_add(come[at]);
        }
    }
    come.last().copied().unwrap_or(0)
}
