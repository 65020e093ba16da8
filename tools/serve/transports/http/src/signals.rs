//! What the system tells a server: to end, or to read its scenes anew.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mynah_serve::DrainPhase;

/// What was told so far.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    ends: Arc<AtomicU32>,
    /// Somebody at a terminal told it, where no proxy has to notice.
    by_hand: Arc<AtomicBool>,
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
                        told.end(kind == SignalKind::interrupt());
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
        let one = told.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                one.end(true);
            }
        });
        Ok(told)
    }

    fn end(&self, by_hand: bool) {
        self.by_hand.fetch_or(by_hand, Ordering::AcqRel);
        self.ends.fetch_add(1, Ordering::AcqRel);
    }

    /// How far the server is to be in its drain at least: SIGTERM asks for its beginning, Ctrl-C leaves out the grace, as
    /// no proxy watches a terminal, and a second one of either ends everything at once.
    #[must_use]
    pub fn asks(&self) -> DrainPhase {
        match self.ends.load(Ordering::Acquire) {
            0 => DrainPhase::Serving,
            1 if self.by_hand.load(Ordering::Acquire) => DrainPhase::Ending,
            1 => DrainPhase::Grace,
            _ => DrainPhase::Over,
        }
    }

    /// Whether it was told to read its scenes anew since the last time this was asked.
    #[must_use]
    pub fn takes_reload(&self) -> bool {
        self.reload.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_leaves_out_the_grace_and_a_second_signal_of_either_kind_ends() {
        for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
            let told = Signals::default();
            assert_eq!(told.asks(), DrainPhase::Serving);
            told.end(first);
            assert_eq!(told.asks(), if first { DrainPhase::Ending } else { DrainPhase::Grace });
            told.end(second);
            assert_eq!(told.asks(), DrainPhase::Over, "{first} {second}");
        }
    }
}
