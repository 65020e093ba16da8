//! Opens sessions from any thread: gives them names, ids and shards.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, Weak};

use crate::base::ids::{NAME_BYTES_MAX, SessionId};
use crate::base::placement::Placement;
use crate::base::sync::{Mutex, MutexGuard, SegQueue};
use crate::edge::opening::Terms;
use crate::edge::session_handle::SessionHandle;
use crate::edge::session_port::SessionPort;
use crate::edge::session_spec::SessionSpec;
use crate::edge::shard_inbox::{Bell, ShardPort};
use crate::scene::Format;

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The name is empty or longer than [`NAME_BYTES_MAX`].
    BadName {
        /// Its length in bytes.
        bytes: usize,
    },
    /// An open session has this name.
    NameInUse(String),
    /// The engine has as many sessions as it was made for.
    EngineFull {
        /// The most sessions the engine takes.
        sessions_max: u32,
    },
    /// The engine, or the world it lived in, was dropped.
    EngineGone,
    /// The scene cannot take audio in this format.
    Format {
        /// The format asked for.
        format: Format,
        /// The node and its reason.
        reason: String,
    },
    /// A setting of the session is out of its range, or nothing for this scene.
    Setting {
        /// The setting, its value and what would do.
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
            Self::Setting { reason } => write!(f, "the session cannot be opened like this: {reason}"),
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

/// One id: its latest generation, and that session's port.
#[derive(Default)]
struct Slot {
    generation: u32,
    port: Weak<SessionPort>,
}

/// The generation that follows this one, from 1; after the greatest number it is 1 again.
pub(crate) fn next_generation(generation: u32) -> u32 {
    generation.checked_add(1).unwrap_or(1)
}

/// The open sessions by name and id, and the rings of their shards: what handles share with the engine.
pub(crate) struct OpenSessions {
    ids: Mutex<Ids>,
    admissions: SegQueue<Arc<SessionPort>>,
    pub(crate) ports: Vec<Arc<ShardPort>>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) sessions_max: u32,
    pub(crate) placement: Placement,
}

impl OpenSessions {
    pub(crate) fn new(placement: Placement, sessions_max: u32) -> Arc<Self> {
        let per_shard = placement.per_shard(sessions_max);
        Arc::new(Self {
            ids: Mutex::default(),
            admissions: SegQueue::new(),
            ports: (0..placement.shards()).map(|_| Arc::new(ShardPort::new(per_shard))).collect(),
            bell: Arc::default(),
            sessions_max,
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

    /// Frees the name and the id of a session that is over.
    pub(crate) fn release(&self, name: &str, id: SessionId) {
        let mut ids = self.ids();
        if ids.names.get(name) == Some(&id) {
            ids.names.remove(name);
            ids.free.insert(id.0);
            ids.slots[id.0 as usize].port = Weak::new();
        }
    }

    /// Opens no session from now on: the engine is gone.
    pub(crate) fn shut(&self) {
        self.ids().ended = true;
        // No session is admitted after these. A waker may own a handle of the engine: a port that stayed here would keep itself alive.
        while self.admissions.pop().is_some() {}
    }

    /// The sessions of one shard that a host may still look at, in id order, admitted or not.
    pub(crate) fn ports_of(&self, shard: usize) -> Vec<Arc<SessionPort>> {
        let ids = self.ids();
        let open = ids.slots.iter().filter_map(|slot| slot.port.upgrade());
        open.filter(|port| self.placement.shard(port.id) == shard).collect()
    }

    /// The names and ids. A panic of another thread leaves them valid, since each change is one step.
    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session on these terms.
    pub(crate) fn open(&self, spec: &SessionSpec, terms: Terms) -> Result<SessionHandle, OpenError> {
        let mut ids = self.ids();
        if ids.ended {
            return Err(OpenError::EngineGone);
        }
        if ids.names.contains_key(spec.name.as_str()) {
            return Err(OpenError::NameInUse(spec.name.clone()));
        }
        let id = match ids.free.pop_first() {
            Some(id) => id,
            None if (ids.slots.len() as u32) < self.sessions_max => {
                ids.slots.push(Slot::default());
                ids.slots.len() as u32 - 1
            }
            None => return Err(OpenError::EngineFull { sessions_max: self.sessions_max }),
        };
        let slot = &mut ids.slots[id as usize];
        slot.generation = next_generation(slot.generation);
        let (id, generation) = (SessionId(id), slot.generation);
        let shard = Arc::clone(&self.ports[self.placement.shard(id)]);
        let handle = SessionHandle::new(id, generation, spec, terms, shard, Arc::clone(&self.bell));
        let port = handle.port();
        slot.port = Arc::downgrade(&port);
        ids.names.insert(Arc::clone(&port.name), id);
        // The names are still locked, so `shut` finds every session that was opened before it.
        self.admissions.push(port);
        drop(ids);
        self.bell.ring();
        Ok(handle)
    }
}

impl std::fmt::Debug for OpenSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSessions").field("sessions_max", &self.sessions_max).finish_non_exhaustive()
    }
}
