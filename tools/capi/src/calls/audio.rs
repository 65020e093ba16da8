//! Audio. The threads of the devices: one pushes, one pulls.

use mynah_engine::PushError;
use mynah_engine::edge::Read;

use crate::arguments;
use crate::opaque::SessionHandle;
use crate::sessions::SESSIONS;
use crate::status::{
    MYNAH_BAD_ARGUMENT, MYNAH_BAD_HANDLE, MYNAH_BUSY, MYNAH_ENDED, MYNAH_FULL, MYNAH_OK, Status, audio_call,
};

/// Of `mynah_pulled.flags`: an answer began among the frames.
pub const MYNAH_BEGAN: u32 = 1;
/// Of `mynah_pulled.flags`: an answer ended among the frames.
pub const MYNAH_ENDED_HERE: u32 = 2;
/// Of `mynah_pulled.flags`: what sounded before was withdrawn: it breaks off.
pub const MYNAH_CUT: u32 = 4;

/// What `mynah_pull` gave.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Pulled {
    /// Frames of sound; they come first, and silence fills the rest.
    pub frames: u32,
    /// Frames that were withdrawn and are skipped.
    pub skipped: u32,
    /// The turn that the last of them answers; 0: none.
    pub turn: u32,
    /// `MYNAH_BEGAN`, `MYNAH_ENDED_HERE`, `MYNAH_CUT`.
    pub flags: u32,
    /// Root mean square of the sound, 0 to 1.
    pub level: f32,
    /// For what is to come: 0.
    pub reserved: u32,
}

/// Audio thread: takes `frames` interleaved sample frames in, all or none. No lock, no heap, no system call.
/// `MYNAH_FULL`: there is no room, 1.1 s in all; more than that at once is `MYNAH_BAD_ARGUMENT`. `MYNAH_BUSY`: another
/// thread pushes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_push(
    session: *mut SessionHandle,
    samples: *const f32,
    frames: usize,
) -> Status {
    audio_call(|| {
        // SAFETY: the header's rules.
        with_input(session, frames, |input, count| match unsafe { arguments::samples(samples, count) } {
            Some(samples) => input.push(samples),
            None => Err(PushError::BadLength { samples: count }),
        })
    })
}

/// Audio thread: `mynah_push` for 16-bit samples.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_push_i16(
    session: *mut SessionHandle,
    samples: *const i16,
    frames: usize,
) -> Status {
    audio_call(|| {
        // SAFETY: the header's rules.
        with_input(session, frames, |input, count| match unsafe { arguments::samples(samples, count) } {
            Some(samples) => input.push_i16(samples),
            None => Err(PushError::BadLength { samples: count }),
        })
    })
}

/// Audio thread: fills `frames` interleaved sample frames: sound as far as there is any, then silence. `pulled`, if not
/// null, becomes what there was. No lock, no heap, no system call. On an error the first `frames` samples are silent, for of
/// a handle that names nothing the channels are not known: a host with several clears its buffer before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_pull(
    session: *mut SessionHandle,
    samples: *mut f32,
    frames: usize,
    pulled: *mut Pulled,
) -> Status {
    audio_call(|| {
        let (status, read) = match pull(session, samples, frames) {
            Ok(read) => (MYNAH_OK, read),
            Err(status) => {
                // Room that cannot be is left alone.
                if status != MYNAH_BAD_ARGUMENT {
                    silence(samples, frames);
                }
                (status, Pulled::default())
            }
        };
        // SAFETY: the header's rules.
        unsafe { arguments::put_if_wanted(pulled, read) };
        status
    })
}

/// The thread that pushes: sample frames for which there is room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_room(session: *const SessionHandle) -> usize {
    let mut room = 0;
    audio_call(|| {
        with_input(session, 0, |input, _| {
            room = input.room();
            Ok(())
        })
    });
    room
}

/// The thread that pulls: sample frames of sound that are there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_available(session: *const SessionHandle) -> usize {
    let mut available = 0;
    audio_call(|| {
        let Some((key, place)) = SESSIONS.find(session.addr()) else { return MYNAH_BAD_HANDLE };
        place.thing.output.with(|output| {
            if let Some(output) = output.as_ref().filter(|_| place.is(key)) {
                available = output.available();
            }
        });
        MYNAH_OK
    });
    available
}

/// Does something with the input of a session; `work` gets it and the number of samples in `frames`.
fn with_input(
    session: *const SessionHandle,
    frames: usize,
    work: impl FnOnce(&mut mynah_engine::edge::AudioIn, usize) -> Result<(), PushError>,
) -> Status {
    let Some((key, place)) = SESSIONS.find(session.addr()) else { return MYNAH_BAD_HANDLE };
    let done = place.thing.input.with(|input| {
        let Some(input) = input.as_mut().filter(|_| place.is(key)) else { return MYNAH_BAD_HANDLE };
        let Some(count) = frames.checked_mul(usize::from(input.format().channels)) else {
            return MYNAH_BAD_ARGUMENT;
        };
        match work(input, count) {
            Ok(()) => MYNAH_OK,
            Err(PushError::Full) => MYNAH_FULL,
            Err(PushError::Ended) => MYNAH_ENDED,
            Err(PushError::BadLength { .. }) => MYNAH_BAD_ARGUMENT,
        }
    });
    done.unwrap_or(MYNAH_BUSY)
}

/// Pulls into the host's room; where that fails, nothing is written there.
fn pull(session: *const SessionHandle, samples: *mut f32, frames: usize) -> Result<Pulled, Status> {
    let (key, place) = SESSIONS.find(session.addr()).ok_or(MYNAH_BAD_HANDLE)?;
    let read = place.thing.output.with(|output| {
        let output = output.as_mut().filter(|_| place.is(key)).ok_or(MYNAH_BAD_HANDLE)?;
        let count = frames.checked_mul(usize::from(output.format().channels)).ok_or(MYNAH_BAD_ARGUMENT)?;
        // SAFETY: the header's rules.
        let out = unsafe { arguments::room(samples, count) }.ok_or(MYNAH_BAD_ARGUMENT)?;
        Ok(pulled(output.read(out)))
    });
    read.unwrap_or(Err(MYNAH_BUSY))
}

/// Silence for who has no session: its channels are not known, so one is filled.
#[cold]
fn silence(samples: *mut f32, frames: usize) {
    // SAFETY: the header's rules; every format has at least one channel.
    if let Some(out) = unsafe { arguments::room(samples, frames) } {
        out.fill(0.0);
    }
}

fn pulled(read: Read) -> Pulled {
    let flag = |is: bool, flag: u32| if is { flag } else { 0 };
    Pulled {
        frames: read.frames as u32,
        skipped: read.skipped as u32,
        turn: read.turn,
        flags: flag(read.began, MYNAH_BEGAN) | flag(read.ended, MYNAH_ENDED_HERE) | flag(read.cut, MYNAH_CUT),
        level: read.level,
        reserved: 0,
    }
}

/// Pushes for a step.
pub(super) fn push_from(session: *const SessionHandle, samples: &[f32]) -> Status {
    with_input(session, 0, |input, _| input.push(samples))
}

/// Pulls for a step; what there is none of is silent.
pub(super) fn pull_into(session: *const SessionHandle, out: &mut [f32]) -> Result<Read, Status> {
    let (key, place) = SESSIONS.find(session.addr()).ok_or(MYNAH_BAD_HANDLE)?;
    let read = place.thing.output.with(|output| {
        let output = output.as_mut().filter(|_| place.is(key)).ok_or(MYNAH_BAD_HANDLE)?;
        Ok(output.read(out))
    });
    read.unwrap_or(Err(MYNAH_BUSY))
}
