//! The way in: names, ids and shards of sessions that hosts open, from any thread.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, Weak};

use crate::engine::{EngineConfig, ScenePlan};
use crate::handle::{SessionHandle, SessionPort, SessionSpec};
use crate::ids::SessionId;
use crate::placement::Placement;
use crate::port::{Bell, ShardPort};
use crate::scene::{CHANNELS, Format};
use crate::sync::{Mutex, MutexGuard, SegQueue};

/// Longest session name in bytes.
pub const NAME_BYTES_MAX: usize = 128;

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
    /// The engine was dropped, or the world it lived in.
    EngineGone,
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
            Self::EngineGone => {
                write!(f, "the engine is gone, and its sessions with it: open sessions at one that runs")
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
    slots: Vec<Slot>,
    /// The engine is gone.
    ended: bool,
}

/// One id: how often it was given out, and to whom the last time.
#[derive(Default)]
struct Slot {
    opening: u32,
    port: Weak<SessionPort>,
}

/// The opening of an id that follows this one, from 1; after all numbers it begins anew.
pub(crate) fn next_opening(opening: u32) -> u32 {
    opening.checked_add(1).unwrap_or(1)
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

    /// Name and id of a session that is over are free for others.
    pub(crate) fn release(&self, name: &str, id: SessionId) {
        let mut ids = self.ids();
        if ids.names.get(name) == Some(&id) {
            ids.names.remove(name);
            ids.free.insert(id.0);
            ids.slots[id.0 as usize].port = Weak::new();
        }
    }

    /// The engine is gone: no session is opened any more.
    pub(crate) fn shut(&self) {
        self.ids().ended = true;
        // Nothing comes behind these. A port may hold what its host's waker holds, this door among it.
        while self.admissions.pop().is_some() {}
    }

    /// The sessions of one shard whose hosts may still look at them, in id order, admitted or not.
    pub(crate) fn ports_of(&self, shard: usize) -> Vec<Arc<SessionPort>> {
        let ids = self.ids();
        let open = ids.slots.iter().filter_map(|slot| slot.port.upgrade());
        open.filter(|port| self.placement.shard(port.id) == shard).collect()
    }

    /// What stands in there holds whatever happened to who had it: each change of it is one step.
    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("sessions_max", &self.sessions_max).finish_non_exhaustive()
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
        let mut ids = shared.ids();
        if ids.ended {
            return Err(OpenError::EngineGone);
        }
        if ids.names.contains_key(spec.name.as_str()) {
            return Err(OpenError::NameInUse(spec.name));
        }
        let id = match ids.free.pop_first() {
            Some(id) => id,
            None if (ids.slots.len() as u32) < shared.sessions_max => {
                ids.slots.push(Slot::default());
                ids.slots.len() as u32 - 1
            }
            None => return Err(OpenError::EngineFull { sessions_max: shared.sessions_max }),
        };
        let slot = &mut ids.slots[id as usize];
        slot.opening = next_opening(slot.opening);
        let (id, opening) = (SessionId(id), slot.opening);
        let shard = Arc::clone(&shared.ports[shared.placement.shard(id)]);
        let handle = SessionHandle::new(id, opening, &spec, format, shard, Arc::clone(&shared.bell));
        let port = handle.port();
        slot.port = Arc::downgrade(&port);
        ids.names.insert(Arc::clone(&port.name), id);
        // Before others see the names: whoever shuts the door finds it here.
        shared.admissions.push(port);
        drop(ids);
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
