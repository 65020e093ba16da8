//! Wakes a connection's task from the tick.

use std::sync::Arc;

use mynah_engine::edge::Waker;
use tokio::sync::Notify;

/// Rung by a session and whoever shares its connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<Notify>);

impl Bell {
    pub(crate) fn ring(&self) {
        self.0.notify_one();
    }

    /// The next ring, or one that nobody has heard yet.
    pub(crate) async fn rung(&self) {
        self.0.notified().await;
    }

    pub(crate) fn waker(&self) -> Waker {
        let bell = self.clone();
        Arc::new(move || bell.ring())
    }
}
