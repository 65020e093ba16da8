//! The length law of resampling: `n` frames become `round(n * to / from)` when the stream ends, and until then never
//! more than that, nor fewer than the filter's delay explains.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::node::Node;
use mynah_engine::{NodeId, ScenePlan, SessionId};
use mynah_systems::{Progress, ResampleState};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "resampler";

pub(super) struct Resampler {
    plan: Arc<ScenePlan>,
    /// Those that may have such a state.
    nodes: Vec<u8>,
    /// Streams that were found to have ended wrongly, so that each is reported once.
    reported: BTreeMap<(SessionId, u8), Progress>,
}

impl Resampler {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let keeps = |spec: &dyn Node| spec.keeps_length() && !spec.decides_speech();
        let resamplers = plan.nodes.iter().zip(0u8..).filter(|(node, _)| keeps(&*node.spec));
        let nodes = resamplers.map(|(_, at)| at).collect();
        Self { plan: Arc::clone(plan), nodes, reported: BTreeMap::new() }
    }
}

/// Frames due of `taken`, to the nearest.
fn due(stream: &Progress) -> u64 {
    let (from, to) = (u64::from(stream.from_hz), u64::from(stream.to_hz));
    (stream.taken * to * 2 + from) / (from * 2)
}

/// Whether a stream that goes on has come as far as it must, and no further.
fn keeps_up(stream: &Progress) -> bool {
    let delay = u64::from(stream.delay_us) * u64::from(stream.to_hz) / 1_000_000;
    let due = due(stream);
    stream.given <= due + 1 && stream.given + delay + 1 >= due
}

impl Checker for Resampler {
    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        if self.nodes.is_empty() {
            return;
        }
        for session in moment.engine.sessions() {
            for node in &self.nodes {
                let Some(state) = session.state::<ResampleState>(NodeId(*node)) else { continue };
                let name = || &*self.plan.nodes[usize::from(*node)].id;
                if let Some(stream) = state.under_way().filter(|stream| !keeps_up(stream)) {
                    findings.add(NAME, Some(session.id()), || format!("node {}: {stream:?}", name()));
                }
                let Some(stream) = state.ended().filter(|stream| stream.given != due(stream)) else {
                    continue;
                };
                if self.reported.insert((session.id(), *node), stream) != Some(stream) {
                    findings.add(NAME, Some(session.id()), || {
                        format!("node {}: the stream ended with {stream:?}, {} are due", name(), due(&stream))
                    });
                }
            }
        }
    }
}
