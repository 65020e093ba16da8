//! Engines. One game thread; `mynah_close_all` any.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::Mutex;

use crate::arguments;
use crate::config::{self, Config};
use crate::engines::{ENGINES, host};
use crate::event::Event;
use crate::host::Host;
use crate::opaque::EngineHandle;
use crate::sessions::locked;
use crate::status::{Fault, MYNAH_BAD_HANDLE, MYNAH_NO_ROOM, MYNAH_OK, Status, call};

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
        // SAFETY: the header's rules.
        let (name, settings) = unsafe {
            arguments::prepare("engine", engine, null_mut())?;
            let name = arguments::ended_text("mynah_config.scene_name", config.scene_name)?;
            (name, arguments::ended_text("mynah_config.settings", config.settings)?)
        };
        let full = || Fault::new(MYNAH_NO_ROOM, "the process has as many engines as the library can name");
        let (key, place) = ENGINES.take().ok_or_else(full)?;
        let opened = Host::open(&config, name.unwrap_or("scene.ron"), scene, settings.unwrap_or(""));
        match opened {
            Ok(host) => *locked(&place.thing) = Some(host),
            Err(fault) => {
                ENGINES.release(key);
                return Err(fault);
            }
        }
        place.publish(key);
        // SAFETY: as above.
        unsafe { arguments::prepare("engine", engine, without_provenance_mut(ENGINES.handle(key))) }
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
        if close(engine.addr()) { Ok(()) } else { Err(closed_before()) }
    })
}

/// Any thread: ends all engines that are open, as before a game reloads its scripts, and returns when all have ended, those
/// that another thread is closing, too. The library stays loaded: threads of its voice live as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn mynah_close_all() -> Status {
    call(|| {
        for engine in ENGINES.handles() {
            // Another thread may have been first.
            let _first = close(engine);
        }
        drop(locked(&CLOSING));
        Ok(())
    })
}

/// Held while an engine ends, so that others can wait for that.
static CLOSING: Mutex<()> = Mutex::new(());

/// Ends an engine; false: it was closed before.
fn close(engine: usize) -> bool {
    let _closing = locked(&CLOSING);
    let Some((key, place)) = ENGINES.find(engine) else { return false };
    if !place.close(key) {
        return false;
    }
    let host = locked(&place.thing).take();
    ENGINES.release(key);
    if let Some(host) = host {
        host.shut();
    }
    true
}

fn closed_before() -> Fault {
    Fault::new(MYNAH_BAD_HANDLE, "the engine's handle is closed")
}

/// Game thread, not with `MYNAH_DRIVE_THREAD`: one tick at engine time `now_us`, microseconds since any start. A time
/// before the last tick counts as that tick's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_tick(engine: *mut EngineHandle, now_us: u64) -> Status {
    call(|| host(engine)?.tick(now_us))
}

/// Any thread: engine time of the last tick, microseconds; 0 without an engine.
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
/// until the next call for this engine, or until it is closed.
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
        unsafe {
            arguments::prepare("count", count, 0)?;
            let room = arguments::room(events.cast::<MaybeUninit<Event>>(), most);
            let room = room.ok_or_else(|| Fault::argument("events is null, or more than there can be"))?;
            arguments::prepare("count", count, host.events(room)?)
        }
    })
}
