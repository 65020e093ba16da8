//! A node of the shared memory: where everything of one side is opened.

use std::time::Duration;

use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::event::PortFactory as AnyBell;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory as AnyLane;

use super::{LaneSettings, LinkError, bell};

/// The services of shared memory, whose ports may go from thread to thread.
pub(super) type Shared = ipc_threadsafe::Service;
pub(super) type Lane = AnyLane<Shared, [u8], ()>;
pub(super) type Bell = AnyBell<Shared>;

/// The environment variable with the prefix of all names on the machine.
pub const PREFIX_VARIABLE: &str = "MYNAH_IPC_PREFIX";

/// A node in shared memory.
#[derive(Debug)]
pub struct LinkPlace {
    node: Node<Shared>,
}

impl LinkPlace {
    /// A node. `prefix`: of the names of all files, so that installations on one machine do not meet; `None`: that of
    /// [`PREFIX_VARIABLE`], or else iceoryx2's own.
    ///
    /// # Errors
    /// No shared memory, or no right to use it; a prefix that is no file name.
    pub fn new(prefix: Option<&str>) -> Result<Self, LinkError> {
        let mut config = Config::global_config().clone();
        let variable = std::env::var(PREFIX_VARIABLE).ok().filter(|text| !text.is_empty());
        if let Some(prefix) = prefix.map(str::to_owned).or(variable) {
            config.global.prefix =
                FileName::new(prefix.as_bytes()).map_err(|error| LinkError::new(prefix, error))?;
        }
        let node = NodeBuilder::new()
            // Signals are the host's.
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .config(&config)
            .create::<Shared>()
            .map_err(|error| LinkError::new("node", error))?;
        Ok(Self { node })
    }

    /// Takes away what dead processes have left. True if there was one.
    pub fn clean_up(&self) -> bool {
        self.node.try_cleanup_dead_nodes().cleanups > 0
    }

    /// The same until nothing dead is left, for a second at the longest: at the end nobody comes later.
    pub fn clean_up_all(&self) {
        for _ in 0..10 {
            let state = self.node.blocking_cleanup_dead_nodes(Duration::from_millis(100));
            if state.cleanups == 0 && state.failed_cleanups == 0 {
                return;
            }
        }
    }

    pub(super) fn lane(&self, name: &str, settings: LaneSettings) -> Result<Lane, LinkError> {
        let service = ServiceName::new(name).map_err(|error| LinkError::new(name, error))?;
        let LaneSettings { buffer, overflows, ends, nodes, .. } = settings;
        self.node
            .service_builder(&service)
            .publish_subscribe::<[u8]>()
            .subscriber_max_buffer_size(buffer)
            .subscriber_max_borrowed_samples(2)
            .history_size(0)
            .enable_safe_overflow(overflows)
            .max_publishers(ends)
            .max_subscribers(ends)
            .max_nodes(nodes)
            .open_or_create()
            .map_err(|error| LinkError::new(name, error))
    }

    pub(super) fn bell(&self, name: &str, notifiers: usize) -> Result<Bell, LinkError> {
        let service = ServiceName::new(name).map_err(|error| LinkError::new(name, error))?;
        self.node
            .service_builder(&service)
            .event()
            .event_id_max_value(bell::ID_MAX)
            .notifier_dead_event(EventId::new(bell::DEAD))
            .disable_notifier_created_event()
            .disable_notifier_dropped_event()
            .disable_deadline()
            .max_notifiers(notifiers)
            .max_listeners(1)
            .max_nodes(notifiers.max(4))
            .open_or_create()
            .map_err(|error| LinkError::new(name, error))
    }
}
