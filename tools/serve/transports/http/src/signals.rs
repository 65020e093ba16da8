//! What the system tells a server: to end, or to read its scenes anew.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What was told so far.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    ends: Arc<AtomicU32>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from now on, on the runtime of the caller: SIGTERM and SIGINT (Ctrl-C) end, SIGHUP reloads.
    ///
    /// # Errors
    /// The system refuses to tell.
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let told = Self::default();
        for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
            let (mut stream, told) = (signal(kind)?, told.clone());
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if kind == SignalKind::hangup() {
                        told.reload.store(true, Ordering::Release);
                    } else {
                        told.ends.fetch_add(1, Ordering::AcqRel);
                    }
                }
            });
        }
        Ok(told)
    }

    /// Listens from now on, on the runtime of the caller: Ctrl-C ends.
    ///
    /// # Errors
    /// The system refuses to tell.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> io::Result<Self> {
        let told = Self::default();
        let ends = Arc::clone(&told.ends);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                ends.fetch_add(1, Ordering::AcqRel);
            }
        });
        Ok(told)
    }

    /// How often the server was told to end.
    #[must_use]
    pub fn ends(&self) -> u32 {
        self.ends.load(Ordering::Acquire)
    }

    /// Whether it was told to read its scenes anew since the last time this was asked.
    #[must_use]
    pub fn takes_reload(&self) -> bool {
        self.reload.swap(false, Ordering::AcqRel)
    }
}
