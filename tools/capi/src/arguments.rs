//! Arguments as a host gives them: every pointer is followed here, and nowhere else but where results are written.

use std::ffi::c_char;
use std::slice;

use crate::status::{Done, Fault};

/// The text of `length` bytes at `text`.
///
/// # Safety
/// `text` is null or has `length` readable bytes for as long as the result lives.
pub(crate) unsafe fn text<'a>(what: &str, text: *const c_char, length: usize) -> Done<&'a str> {
    if text.is_null() {
        return if length == 0 { Ok("") } else { Err(Fault::argument(format!("{what} is null"))) };
    }
    if length > isize::MAX as usize {
        return Err(Fault::argument(format!("{what}: {length} bytes are more than there can be")));
    }
    // SAFETY: not null, and as long as the caller promises.
    let bytes = unsafe { slice::from_raw_parts(text.cast::<u8>(), length) };
    std::str::from_utf8(bytes).map_err(|error| Fault::argument(format!("{what} is no UTF-8: {error}")))
}

/// The text at `text` up to its zero; `None`: null.
///
/// # Safety
/// `text` is null or ends with a zero, and lives as long as the result.
pub(crate) unsafe fn ended_text<'a>(what: &str, text: *const c_char) -> Done<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and a zero follows, as the caller promises.
    let text = unsafe { std::ffi::CStr::from_ptr(text) };
    let text = text.to_str().map_err(|error| Fault::argument(format!("{what} is no UTF-8: {error}")))?;
    Ok(Some(text))
}

/// Samples to read; `None`: there cannot be so many, or they are null.
///
/// # Safety
/// `samples` is null or has `count` readable samples for as long as the result lives.
pub(crate) unsafe fn samples<'a, T>(samples: *const T, count: usize) -> Option<&'a [T]> {
    if count == 0 {
        return Some(&[]);
    }
    // SAFETY: not null, aligned, and as many as the caller promises.
    fits(samples, count).then(|| unsafe { slice::from_raw_parts(samples, count) })
}

/// Room to write; `None`: there cannot be so much, or it is null.
///
/// # Safety
/// `room` is null or has `count` writable places, which nobody else uses for as long as the result lives.
pub(crate) unsafe fn room<'a, T>(room: *mut T, count: usize) -> Option<&'a mut [T]> {
    if count == 0 {
        return Some(&mut []);
    }
    // SAFETY: not null, aligned, and as many as the caller promises.
    fits(room, count).then(|| unsafe { slice::from_raw_parts_mut(room, count) })
}

/// Whether there can be so many at the place.
pub(crate) fn fits<T>(pointer: *const T, count: usize) -> bool {
    count == 0
        || !pointer.is_null() && pointer.is_aligned() && count <= isize::MAX as usize / size_of::<T>().max(1)
}

/// Checks that a result can be written, and writes `nothing` there in the meantime.
///
/// # Safety
/// `to` is null or may be written.
pub(crate) unsafe fn prepare<T>(what: &str, to: *mut T, nothing: T) -> Done {
    if to.is_null() || !to.is_aligned() {
        return Err(Fault::argument(format!("{what} is null or misaligned")));
    }
    // SAFETY: not null, aligned, and may be written, as the caller promises.
    unsafe { to.write(nothing) };
    Ok(())
}

/// Writes a result where the host wants one.
///
/// # Safety
/// `to` is null or may be written.
pub(crate) unsafe fn put_if_wanted<T>(to: *mut T, value: T) {
    if !to.is_null() && to.is_aligned() {
        // SAFETY: not null, aligned, and may be written, as the caller promises.
        unsafe { to.write(value) };
    }
}
