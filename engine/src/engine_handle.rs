//! The handle through which hosts reach an engine.

use std::sync::Arc;

use crate::base::ids::NAME_BYTES_MAX;
use crate::config::EngineConfig;
use crate::edge::open_sessions::{OpenError, OpenSessions};
use crate::edge::session_handle::{SessionHandle, SessionSpec};
use crate::edge::shard_inbox::Bell;
use crate::node::plan::ScenePlan;
use crate::scene::{CHANNELS, Format};

/// The part of an engine that its handles share.
pub(crate) struct Shared {
    pub(crate) plan: Arc<ScenePlan>,
    pub(crate) open: Arc<OpenSessions>,
}

impl Shared {
    pub(crate) fn new(plan: Arc<ScenePlan>, config: &EngineConfig) -> Arc<Self> {
        Arc::new(Self { plan, open: OpenSessions::new(config.placement(), config.sessions_max) })
    }
}

/// Opens sessions; may be cloned and sent to any thread.
#[derive(Clone)]
pub struct EngineHandle {
    pub(crate) shared: Arc<Shared>,
}

impl EngineHandle {
    /// Opens a session, which takes audio at once and is admitted by the next tick.
    ///
    /// # Errors
    /// [`OpenError`] names what is wrong and what to do.
    pub fn open(&self, spec: SessionSpec) -> Result<SessionHandle, OpenError> {
        let shared = &*self.shared;
        if spec.name.is_empty() || spec.name.len() > NAME_BYTES_MAX {
            return Err(OpenError::BadName { bytes: spec.name.len() });
        }
        let format = spec.input.unwrap_or(shared.plan.input);
        self.judge(format)?;
        shared.open.open(&spec, format)
    }

    fn judge(&self, format: Format) -> Result<(), OpenError> {
        let plan = &*self.shared.plan;
        let bad = |reason: String| OpenError::Format { format, reason };
        if !(8_000..=192_000).contains(&format.rate_hz) || !CHANNELS.contains(&format.channels) {
            return Err(bad("expected 8000 to 192000 Hz, 1 to 8 channels".into()));
        }
        for (node, (input, _)) in plan.nodes.iter().zip(plan.formats(format)) {
            let mut issues = Vec::new();
            node.spec.check(input, &plan.scene.tick, &mut issues);
            if let Some(issue) = issues.iter().find(|i| i.severity == crate::scene::Severity::Error) {
                let expected = issue.expected.as_ref().map(|would| format!("; expected {would}"));
                let expected = expected.unwrap_or_default();
                return Err(bad(format!("node `{}`: {}{expected}", node.id, issue.message)));
            }
        }
        Ok(())
    }

    /// The bell that rings when something arrives, for hosts with a loop of their own.
    pub fn bell(&self) -> &Bell {
        &self.shared.open.bell
    }
}
