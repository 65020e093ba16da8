//! Engines. One game thread; `mynah_close_all` any.

use std::ffi::c_char;
use std::mem::MaybeUninit;

use crate::arguments;
use crate::calls::audio::{pull_into, push_from};
use crate::config::{self, Config};
use crate::engines::{ENGINES, host};
use crate::event::Event;
use crate::host::Host;
use crate::opaque::{EngineHandle, SessionHandle};
use crate::sessions::{locked, with_control};
use crate::status::{Done, Fault, MYNAH_NO_ROOM, MYNAH_OK, Status, call};

/// Fills `config` with the defaults; `size`: its `sizeof`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_config_init(config: *mut Config, size: u32) -> Status {
    // SAFETY: the header's rules.
    call(|| unsafe { config::init(config, size) })
}

/// Game thread: compiles a scene, RON of `scene_len` bytes, and starts it; `engine` becomes its handle. Takes some
/// milliseconds. A wrong scene is `MYNAH_BAD_SCENE`, and `mynah_error` has what `mynah check` would print.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_open(
    config: *const Config,
    scene: *const c_char,
    scene_len: usize,
    engine: *mut *mut EngineHandle,
) -> Status {
    call(|| {
        // SAFETY: the header's rules.
        let (config, scene) = unsafe { (config::read(config)?, arguments::text("scene", scene, scene_len)?) };
        if engine.is_null() {
            return Err(Fault::argument("engine is null"));
        }
        // SAFETY: the header's rules.
        let (name, settings) = unsafe {
            let name = arguments::ended_text("mynah_config.scene_name", config.scene_name)?;
            (name, arguments::ended_text("mynah_config.settings", config.settings)?)
        };
        let host = Host::open(&config, name.unwrap_or("scene.ron"), scene, settings.unwrap_or(""))?;
        let full = || Fault::new(MYNAH_NO_ROOM, "the process has as many engines as the library can name");
        let (key, place) = ENGINES.take().ok_or_else(full)?;
        *locked(&place.thing) = Some(host);
        // SAFETY: the header's rules.
        unsafe { arguments::put("engine", engine, std::ptr::without_provenance_mut(ENGINES.handle(key))) }
    })
}

/// Game thread: ends the engine, its sessions and its thread; waits for a tick under way. Null does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_close(engine: *mut EngineHandle) -> Status {
    if engine.is_null() {
        return MYNAH_OK;
    }
    call(|| {
        host(engine)?;
        close(engine.addr());
        Ok(())
    })
}

/// Any thread: ends all engines of the process, as before a library is unloaded or a game reloads its scripts.
#[unsafe(no_mangle)]
pub extern "C" fn mynah_close_all() -> Status {
    call(|| {
        ENGINES.handles().into_iter().for_each(close);
        Ok(())
    })
}

fn close(engine: usize) {
    let Some((key, place)) = ENGINES.find(engine) else { return };
    if !place.close(key) {
        return;
    }
    let host = locked(&place.thing).take();
    ENGINES.release(key);
    if let Some(host) = host {
        host.shut();
    }
}

/// Game thread, not with `MYNAH_DRIVE_THREAD`: one tick at engine time `now_us`. Times ascend.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_tick(engine: *mut EngineHandle, now_us: u64) -> Status {
    call(|| host(engine)?.tick(now_us))
}

/// Game thread: engine time in microseconds, of the last tick, or of now with `MYNAH_DRIVE_THREAD`; 0 without an engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_now_us(engine: *const EngineHandle) -> u64 {
    let mut now_us = 0;
    call(|| {
        now_us = host(engine)?.now_us();
        Ok(())
    });
    now_us
}

/// Game thread: fetches up to `most` events, oldest first, of all sessions; `count` becomes their number. Their texts live
/// until the next call for this engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_events(
    engine: *mut EngineHandle,
    events: *mut Event,
    most: usize,
    count: *mut usize,
) -> Status {
    call(|| {
        let host = host(engine)?;
        // SAFETY: the header's rules; room that was never written is room for values that may be unset.
        let room = unsafe { arguments::room(events.cast::<MaybeUninit<Event>>(), most) };
        let room = room.ok_or_else(|| Fault::argument("events is null, or more than there can be"))?;
        if count.is_null() {
            return Err(Fault::argument("count is null"));
        }
        let fetched = host.events(room)?;
        // SAFETY: the header's rules.
        unsafe { arguments::put("count", count, fetched) }
    })
}

/// Game thread, for simulations: the time from the last step until `until_us`, for `n` sessions at once. Ticks at every
/// period of the scene before then, pushes `frames` of input for each session, which was spoken meanwhile, ticks at
/// `until_us`, and pulls `out_frames` of output for each. `pcm` is `[n][frames x channels]`, `out` is
/// `[n][out_frames x channels]`, each in the formats of the sessions, which are all the same; `got[i]` becomes the
/// number of frames of sound of session i. A session that has ended gets silence. The first error of a push is returned
/// after the step is done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_step(
    engine: *mut EngineHandle,
    sessions: *const *mut SessionHandle,
    n: usize,
    pcm: *const f32,
    frames: usize,
    out: *mut f32,
    out_frames: usize,
    got: *mut u32,
    until_us: u64,
) -> Status {
    call(|| {
        let host = host(engine)?;
        // SAFETY: the header's rules.
        let sessions = unsafe { arguments::samples(sessions, n) };
        let sessions = sessions.ok_or_else(|| Fault::argument("sessions is null"))?;
        let (input, output) = widths(engine.addr(), sessions)?;
        let many = |frames: usize, channels: usize| n.checked_mul(frames)?.checked_mul(channels);
        let (arrive, leave) = (many(frames, input), many(out_frames, output));
        let (Some(arrive), Some(leave)) = (arrive, leave) else {
            return Err(Fault::argument(format!(
                "{n} sessions of {frames} and {out_frames} frames are too many"
            )));
        };
        // SAFETY: the header's rules.
        let (pcm, out, got) = unsafe {
            (arguments::samples(pcm, arrive), arguments::room(out, leave), arguments::room(got, n))
        };
        let (Some(pcm), Some(out), Some(got)) = (pcm, out, got) else {
            return Err(Fault::argument("pcm, out or got is null"));
        };
        let mut first = MYNAH_OK;
        host.step(until_us, || {
            for (at, session) in sessions.iter().enumerate() {
                let status = push_from(*session, &pcm[at * frames * input..][..frames * input]);
                if first == MYNAH_OK {
                    first = status;
                }
            }
        })?;
        for (at, (session, got)) in sessions.iter().zip(got).enumerate() {
            let out = &mut out[at * out_frames * output..][..out_frames * output];
            *got = match pull_into(*session, out) {
                Ok(read) => read.frames as u32,
                Err(_) => {
                    out.fill(0.0);
                    0
                }
            };
        }
        step_result(first)
    })
}

fn step_result(first: Status) -> Done {
    match first {
        MYNAH_OK | crate::status::MYNAH_ENDED => Ok(()),
        status => Err(Fault::new(
            status,
            format!("a push of the step: {}", crate::status::text(status).to_string_lossy()),
        )),
    }
}

/// Channels of the input and of the output of sessions, which are all the same and of this engine.
fn widths(engine: usize, sessions: &[*mut SessionHandle]) -> Done<(usize, usize)> {
    let mut widths = None;
    for session in sessions {
        let own = with_control(*session, |end| {
            if end.engine != engine {
                return Err(Fault::argument("a session of another engine is among the sessions"));
            }
            let output = end.control.output().map_or(1, |format| usize::from(format.channels));
            Ok((usize::from(end.control.input().channels), output))
        })?;
        if *widths.get_or_insert(own) != own {
            return Err(Fault::argument("the sessions of a step have different numbers of channels"));
        }
    }
    Ok(widths.unwrap_or((1, 1)))
}
