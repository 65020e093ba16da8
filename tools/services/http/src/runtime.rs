//! The one thread on which all requests of the process are made.

use std::future::pending;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread;

use tokio::runtime::{Builder, Handle};

/// Threads that look up names at once.
const LOOKUPS_MAX: usize = 4;

/// The runtime. It begins with the first request, and lives as long as the process: a connection may serve the next
/// engine, too.
///
/// # Errors
/// The operating system refuses the thread; what helps.
pub(crate) fn runtime() -> Result<&'static Handle, &'static str> {
    static RUNTIME: OnceLock<Result<Handle, String>> = OnceLock::new();
    RUNTIME.get_or_init(begin).as_ref().map_err(String::as_str)
}

fn begin() -> Result<Handle, String> {
    let refused = |cause: std::io::Error| {
        format!(
            "the thread for requests cannot be started: {cause}; raise the limits of processes (`ulimit -u`) and \
             files (`ulimit -n`)"
        )
    };
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(LOOKUPS_MAX)
        .thread_name("mynah names")
        .build()
        .map_err(refused)?;
    let (sender, receiver) = sync_channel(1);
    let run = move || {
        let _nobody_waits = sender.send(runtime.handle().clone());
        runtime.block_on(pending::<()>());
    };
    thread::Builder::new().name("mynah http".into()).spawn(run).map_err(refused)?;
    receiver.recv().map_err(|_| "the thread for requests has ended at once".into())
}
