//! What handles stand for: the tables of engines and of sessions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use mynah_engine::edge::{AudioIn, AudioOut, SessionControl};

use crate::gate::Gate;
use crate::host::Host;
use crate::status::{Done, Fault, MYNAH_BAD_HANDLE, MYNAH_BUSY, Status};
use crate::table::{Key, Place, Table};

/// An engine that runs a scene. A handle is a number: nothing lies where it points.
#[derive(Debug)]
pub struct EngineHandle(());

/// A session of an engine. A handle is a number: nothing lies where it points.
#[derive(Debug)]
pub struct SessionHandle(());

pub(crate) static ENGINES: Table<Mutex<Option<Arc<Host>>>> = Table::new(1);
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
    pub(crate) host: Arc<Host>,
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

/// The engine of a handle.
pub(crate) fn host(handle: *const EngineHandle) -> Done<Arc<Host>> {
    let missing = || {
        let what = if handle.is_null() { "null" } else { "closed, or made up" };
        Fault::new(MYNAH_BAD_HANDLE, format!("the engine's handle is {what}"))
    };
    let (key, place) = ENGINES.find(handle.addr()).ok_or_else(missing)?;
    let host = locked(&place.thing).clone();
    host.filter(|_| place.is(key)).ok_or_else(missing)
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
