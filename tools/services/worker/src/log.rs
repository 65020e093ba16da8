//! What workers and their programs say to people.

use std::io::Write;
use std::sync::{Arc, PoisonError, RwLock};

/// Longest line that is passed on, bytes.
pub(crate) const LINE_BYTES_MAX: usize = 4096;

/// A line about a worker, or of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerLine<'a> {
    /// The service, as the scene calls it.
    pub service: &'a str,
    /// The process that said it; `None`: the service itself.
    pub pid: Option<u32>,
    /// What was said, at most 4096 bytes, without the end of the line.
    pub text: &'a str,
}

type Sink = Arc<dyn Fn(&WorkerLine<'_>) + Send + Sync>;

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

/// Sets where lines go from now on, for all services of this process. Without it they go to the standard error, behind
/// the names of service and process. `sink` is called by threads of this crate, and must not wait.
pub fn set_log(sink: impl Fn(&WorkerLine<'_>) + Send + Sync + 'static) {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(sink));
}

/// Passes a line on.
pub(crate) fn line(service: &str, pid: Option<u32>, text: &str) {
    let line = WorkerLine { service, pid, text };
    let sink = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    match (sink, pid) {
        (Some(sink), _) => sink(&line),
        (None, Some(pid)) => to_stderr(&format!("{service} [{pid}] {text}\n")),
        (None, None) => to_stderr(&format!("{service}: {text}\n")),
    }
}

fn to_stderr(text: &str) {
    // Nobody is left to be told that the standard error is closed.
    let _nobody_reads = std::io::stderr().lock().write_all(text.as_bytes()).is_err();
}
