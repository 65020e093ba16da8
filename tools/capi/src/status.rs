//! What calls return, and what the last failure was about.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a call returns: `MYNAH_OK`, or an error below zero.
pub type Status = i32;

/// It is done.
pub const MYNAH_OK: Status = 0;
/// An argument is null, out of range or no text.
pub const MYNAH_BAD_ARGUMENT: Status = -1;
/// The program was built against a `mynah.h` that this library does not serve.
pub const MYNAH_BAD_ABI: Status = -2;
/// The scene is wrong; `mynah_error` has the diagnostics.
pub const MYNAH_BAD_SCENE: Status = -3;
/// A setting of the session is out of range, or nothing for this scene.
pub const MYNAH_BAD_SETTING: Status = -4;
/// The handle names nothing: it is null, closed or made up.
pub const MYNAH_BAD_HANDLE: Status = -5;
/// There is no room at present: audio or messages wait for the next tick.
pub const MYNAH_FULL: Status = -6;
/// The session, or its input, has ended.
pub const MYNAH_ENDED: Status = -7;
/// As many sessions are open as may be, or the name is in use.
pub const MYNAH_NO_ROOM: Status = -8;
/// The scene does not speak what is said.
pub const MYNAH_NO_VOICE: Status = -9;
/// The engine has another drive: it ticks by itself, or it does not.
pub const MYNAH_BAD_DRIVE: Status = -10;
/// Another thread is in this call with the same handle.
pub const MYNAH_BUSY: Status = -11;
/// The operating system refuses a thread, or the metrics page of a scene with `MYNAH_DRIVE_THREAD` an address.
pub const MYNAH_UNAVAILABLE: Status = -12;
/// The library has a fault: the call was broken off. Close the engine: what it does from here on is not to be relied on.
pub const MYNAH_PANIC: Status = -13;

/// Why a call fails.
pub(crate) struct Fault {
    pub(crate) status: Status,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn new(status: Status, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::new(MYNAH_BAD_ARGUMENT, text)
    }
}

pub(crate) type Done<T = ()> = Result<T, Fault>;

thread_local! {
    /// The text of the last call of this thread that failed, with a zero behind it.
    static ERROR: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs a call of a game's thread: no panic leaves it, and the text of its failure is kept.
pub(crate) fn call(work: impl FnOnce() -> Done) -> Status {
    let done = catch_unwind(AssertUnwindSafe(work));
    match done {
        Ok(Ok(())) => MYNAH_OK,
        Ok(Err(Fault { status, text })) => {
            note(&text);
            status
        }
        Err(cause) => {
            let said = cause.downcast_ref::<&str>().copied();
            let said =
                said.or_else(|| cause.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
            note(&format!("a fault of the library broke the call off: {said}"));
            MYNAH_PANIC
        }
    }
}

/// Runs a call of an audio thread: nothing is kept, so that nothing is allocated.
pub(crate) fn audio_call(work: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(MYNAH_PANIC)
}

fn note(text: &str) {
    // At the end of a thread its text may be gone already; then nobody asks for it either.
    let _gone = ERROR.try_with(|error| {
        let mut error = error.borrow_mut();
        error.clear();
        error.extend(text.bytes().filter(|byte| *byte != 0));
        error.push(0);
    });
}

/// The text of the last failure on the calling thread, valid until the next call on it; empty if there was none.
pub(crate) fn error_text() -> *const c_char {
    let text = ERROR.try_with(|error| {
        let error = error.borrow();
        if error.is_empty() { c"".as_ptr() } else { error.as_ptr().cast() }
    });
    text.unwrap_or(c"".as_ptr())
}

/// A status in words.
pub(crate) const fn text(status: Status) -> &'static CStr {
    match status {
        MYNAH_OK => c"ok",
        MYNAH_BAD_ARGUMENT => c"an argument is null, out of range or no UTF-8",
        MYNAH_BAD_ABI => c"the program was built against a mynah.h that this library does not serve",
        MYNAH_BAD_SCENE => c"the scene is wrong; mynah_error has the diagnostics",
        MYNAH_BAD_SETTING => c"a setting of the session does not fit; mynah_error says which",
        MYNAH_BAD_HANDLE => c"the handle names nothing: it is null, closed or made up",
        MYNAH_FULL => c"no room at present: try again after the next tick",
        MYNAH_ENDED => c"the session or its input has ended",
        MYNAH_NO_ROOM => c"as many sessions are open as may be, or the name is in use",
        MYNAH_NO_VOICE => c"the scene does not speak what is said: it has no edge from `said`",
        MYNAH_BAD_DRIVE => c"the engine has another drive",
        MYNAH_BUSY => c"another thread is in this call with the same handle",
        MYNAH_UNAVAILABLE => c"the operating system refuses a thread or an address",
        MYNAH_PANIC => c"a fault of the library broke the call off",
        _ => c"no status of this library",
    }
}
