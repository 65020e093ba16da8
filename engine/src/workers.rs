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

/// Starts `threads` threads; none for 1, where the caller's thread does the work.
pub(crate) fn start(threads: usize) -> Result<Option<Arc<ThreadPool>>, NoThreads> {
    if threads <= 1 {
        return Ok(None);
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map(|pool| Some(Arc::new(pool))).map_err(|cause| NoThreads { wanted: threads, cause })
}
