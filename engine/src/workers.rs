//! The threads that share the work of ticks.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// The operating system refuses threads.
#[derive(Debug)]
pub struct NoThreads {
    /// Number of threads asked for.
    pub wanted: usize,
    cause: ThreadPoolBuildError,
}

impl fmt::Display for NoThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, cause } = self;
        let s = if *wanted == 1 { "" } else { "s" };
        write!(
            f,
            "{wanted} thread{s} cannot be started: {cause}; raise the limit of processes (`ulimit -u`) or of memory, or \
             ask for fewer threads"
        )
    }
}

impl Error for NoThreads {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// Threads that share the work of ticks: those of one engine, or of several that take turns or tick at once. A clone is
/// the same threads. They end with the last clone and the last engine on them.
///
/// Engines (scenes) of one process should share them: pools of their own would be more threads than the machine has
/// cores. Which engine a thread works for never changes a result.
#[derive(Clone, Debug)]
pub struct Workers {
    pool: Option<Arc<ThreadPool>>,
    threads: usize,
}

impl Workers {
    /// Starts `threads` threads; none for 0 and 1, where the thread that ticks an engine does its work.
    ///
    /// # Errors
    /// [`NoThreads`] if the operating system refuses them.
    pub fn start(threads: usize) -> Result<Self, NoThreads> {
        if threads <= 1 {
            return Ok(Self { pool: None, threads: 1 });
        }
        let name = |n| format!("mynah worker {n}");
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        pool.map(|pool| Self { pool: Some(Arc::new(pool)), threads })
            .map_err(|cause| NoThreads { wanted: threads, cause })
    }

    /// Number of threads that work on a tick, at least 1.
    pub fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn pool(&self) -> Option<&Arc<ThreadPool>> {
        self.pool.as_ref()
    }
}
