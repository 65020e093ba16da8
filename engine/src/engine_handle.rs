//! The way in: names, ids and shards of sessions that hosts open, from any thread.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use crossbeam::queue::SegQueue;

use crate::base::ids::{NAME_BYTES_MAX, SessionId};
use crate::base::placement::Placement;
use crate::config::EngineConfig;
use crate::edge::session_handle::{SessionHandle, SessionSpec};
use crate::edge::session_port::SessionPort;
use crate::edge::shard_inbox::{Bell, ShardPort};
use crate::node::plan::ScenePlan;
use crate::scene::{CHANNELS, Format};

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Empty or longer than [`NAME_BYTES_MAX`].
    BadName {
        /// Its length in bytes.
        bytes: usize,
    },
    /// An open session has this name.
    NameInUse(String),
    /// The engine carries as many sessions as it was made for.
    EngineFull {
        /// How many that is.
        sessions_max: u32,
    },
    /// The scene cannot take audio in this format.
    Format {
        /// The format asked for.
        format: Format,
        /// The node and its reason.
        reason: String,
    },
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadName { bytes } => {
                write!(f, "session name of {bytes} bytes: expected 1 to {NAME_BYTES_MAX} bytes of UTF-8")
            }
            Self::NameInUse(name) => {
                write!(f, "session `{name}` is open already: close it first or pick another name")
            }
            Self::EngineFull { sessions_max } => {
                write!(f, "{sessions_max} sessions are open: raise sessions_max or close one")
            }
            Self::Format { format, reason } => {
                write!(
                    f,
                    "audio of {} Hz, {} channel(s) does not fit: {reason}",
                    format.rate_hz, format.channels
                )
            }
        }
    }
}

impl std::error::Error for OpenError {}

#[derive(Default)]
struct Ids {
    names: HashMap<Arc<str>, SessionId>,
    free: BTreeSet<u32>,
    openings: Vec<u32>,
}

/// What handles share with the engine.
pub(crate) struct Shared {
    pub(crate) plan: Arc<ScenePlan>,
    ids: Mutex<Ids>,
    admissions: SegQueue<Arc<SessionPort>>,
    pub(crate) ports: Vec<Arc<ShardPort>>,
    bell: Arc<Bell>,
    pub(crate) sessions_max: u32,
    pub(crate) placement: Placement,
}

impl Shared {
    pub(crate) fn new(plan: Arc<ScenePlan>, config: &EngineConfig) -> Arc<Self> {
        let placement = config.placement();
        let per_shard = placement.per_shard(config.sessions_max);
        Arc::new(Self {
            plan,
            ids: Mutex::default(),
            admissions: SegQueue::new(),
            ports: (0..placement.shards()).map(|_| Arc::new(ShardPort::new(per_shard))).collect(),
            bell: Arc::default(),
            sessions_max: config.sessions_max,
            placement,
        })
    }

    /// Sessions admitted since the last call, in id order, each with its shard.
    pub(crate) fn admissions(&self) -> Vec<Arc<SessionPort>> {
        if self.admissions.is_empty() {
            return Vec::new();
        }
        let mut admitted: Vec<_> = std::iter::from_fn(|| self.admissions.pop()).collect();
        admitted.sort_by_key(|port| port.id);
        admitted
    }

    pub(crate) fn release(&self, name: &str, id: SessionId) {
        let mut ids = self.ids.lock().expect("opening a session does not panic while it holds the names");
        if ids.names.get(name) == Some(&id) {
            ids.names.remove(name);
            ids.free.insert(id.0);
        }
    }
}

/// Opens sessions; may be cloned and sent to any thread.
#[derive(Clone)]
pub struct EngineHandle {
    pub(crate) shared: Arc<Shared>,
}

impl EngineHandle {
    /// Opens a session; it takes audio at once and lives from the next tick on.
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
        let mut ids = shared.ids.lock().expect("opening a session does not panic while it holds the names");
        if ids.names.contains_key(spec.name.as_str()) {
            return Err(OpenError::NameInUse(spec.name));
        }
        let id = match ids.free.pop_first() {
            Some(id) => id,
            None if (ids.openings.len() as u32) < shared.sessions_max => {
                ids.openings.push(0);
                ids.openings.len() as u32 - 1
            }
            None => return Err(OpenError::EngineFull { sessions_max: shared.sessions_max }),
        };
        ids.openings[id as usize] += 1;
        let opening = ids.openings[id as usize];
        let id = SessionId(id);
        ids.names.insert(spec.name.as_str().into(), id);
        let shard = Arc::clone(&shared.ports[shared.placement.shard(id)]);
        let handle = SessionHandle::new(id, opening, &spec, format, shard, Arc::clone(&shared.bell));
        shared.admissions.push(handle.port());
        shared.bell.ring();
        Ok(handle)
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
        &self.shared.bell
    }
}
