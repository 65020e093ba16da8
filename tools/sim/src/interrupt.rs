//! Ctrl-C and SIGTERM: the first ends a run with what there is so far, the second one the program.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use mynah_files::failure::{Exit, Failure};
use mynah_files::outputs;
use mynah_files::terminal;
use mynah_host::clock::Epoch;

/// Nothing is there yet that is worth keeping.
const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const ASKED: u8 = 2;

/// Time between two looks, microseconds.
const LOOK_US: u64 = 50_000;

static STATE: AtomicU8 = AtomicU8::new(IDLE);
static QUIET: AtomicBool = AtomicBool::new(false);
static LISTENING: Once = Once::new();

/// From now on an interruption leaves old files whole and no temporary behind.
///
/// # Errors
/// The system refuses to tell of interruptions.
pub fn listen() -> Result<(), Failure> {
    let mut refused = None;
    LISTENING.call_once(|| refused = ctrlc::set_handler(strike).err());
    let Some(error) = refused else { return Ok(()) };
    let cause = match error {
        ctrlc::Error::System(cause) => cause.to_string(),
        other => other.to_string(),
    };
    Err(Failure::unable(format_args!(
        "no thread that waits for Ctrl-C: {cause}; raise the limit of processes (`ulimit -u`) or of memory"
    )))
}

/// A run begins: from now on the first interruption ends it with what there is.
pub fn run_begins() {
    STATE.fetch_max(RUNNING, Ordering::AcqRel);
}

/// The run ends within a moment once it is asked to: nothing is said of that, into a picture that is there.
pub fn ends_at_once() {
    QUIET.store(true, Ordering::Release);
}

/// Whether the run is to end.
pub fn is_asked() -> bool {
    STATE.load(Ordering::Acquire) == ASKED
}

/// How a command ends that would end with `exit`.
pub fn exit(exit: Exit) -> Exit {
    if is_asked() { Exit::Interrupted } else { exit }
}

/// Waits so many microseconds, or until it is asked for.
pub fn wait(us: u64) {
    let epoch = Epoch::start();
    while epoch.now_us() < us && !is_asked() {
        epoch.sleep_until(us.min(epoch.now_us() + LOOK_US));
    }
}

fn strike() {
    if STATE.compare_exchange(RUNNING, ASKED, Ordering::AcqRel, Ordering::Acquire).is_err() {
        outputs::leave(Exit::Interrupted.code().into());
    }
    if !QUIET.load(Ordering::Acquire) {
        terminal::notice("interrupted: ends with what there is so far; once more leaves at once");
    }
}
