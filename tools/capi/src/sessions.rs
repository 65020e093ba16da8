//! What the handles of sessions stand for.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use mynah_engine::edge::{AudioIn, AudioOut, SessionControl};

use crate::gate::Gate;
use crate::opaque::SessionHandle;
use crate::status::{Done, Fault, MYNAH_BAD_HANDLE, MYNAH_BUSY, Status};
use crate::table::{Key, Place, Table};

pub(crate) static SESSIONS: Table<Ends> = Table::new(2);

/// The ends of a session, each for one thread at a time. Nobody waits for those of audio threads: who finds one taken is
/// the second of two threads in one call.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) input: Gate<Option<AudioIn>>,
    pub(crate) output: Gate<Option<AudioOut>>,
    pub(crate) control: Mutex<Option<ControlEnd>>,
}

/// The end of a session for everybody but audio threads.
pub(crate) struct ControlEnd {
    pub(crate) control: SessionControl,
    /// What the host wants back with each event.
    pub(crate) user: usize,
    /// The handle of its engine.
    pub(crate) engine: usize,
}

/// A lock of which panics are no reason to give up: they are caught at every call.
pub(crate) fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock, if nobody has it.
pub(crate) fn taken<T>(lock: &Mutex<T>) -> Result<MutexGuard<'_, T>, Status> {
    match lock.try_lock() {
        Ok(guard) => Ok(guard),
        Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => Err(MYNAH_BUSY),
    }
}

pub(crate) fn busy(what: &str) -> Fault {
    Fault::new(MYNAH_BUSY, format!("another thread is in this call with the same {what}"))
}

/// The ends of a session's handle.
pub(crate) fn ends(handle: *const SessionHandle) -> Done<(Key, &'static Place<Ends>)> {
    SESSIONS.find(handle.addr()).ok_or_else(|| {
        let what = if handle.is_null() { "null" } else { "closed, or made up" };
        Fault::new(MYNAH_BAD_HANDLE, format!("the session's handle is {what}"))
    })
}

/// Does something with the control end of a session.
pub(crate) fn with_control<T>(
    handle: *const SessionHandle,
    work: impl FnOnce(&mut ControlEnd) -> Done<T>,
) -> Done<T> {
    let (key, place) = ends(handle)?;
    let mut control = locked(&place.thing.control);
    let closed = || Fault::new(MYNAH_BAD_HANDLE, "the session's handle is closed");
    let end = control.as_mut().filter(|_| place.is(key)).ok_or_else(closed)?;
    work(end)
}

/// Takes a session apart and gives its place back; false: it was closed already.
pub(crate) fn close_session(handle: usize) -> bool {
    let Some((key, place)) = SESSIONS.find(handle) else { return false };
    if !place.close(key) {
        return false;
    }
    let Ends { input, output, control } = &place.thing;
    // A call of an audio thread that is under way is over in a moment; none begins any more.
    drop(input.with_soon(Option::take));
    drop(output.with_soon(Option::take));
    let end = locked(control).take();
    drop(end);
    SESSIONS.release(key);
    true
}
