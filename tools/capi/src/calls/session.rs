//! Sessions: opened, asked and closed. Game thread.

use std::ffi::c_char;

use mynah_engine::scene::Format;
use mynah_engine::speech::{GateOverrides, History, Interruption};
use mynah_engine::{Params, SessionSpec, serde_json};

use crate::arguments;
use crate::calls::settings::{gate_mode, parse_params};
use crate::config::{self, MYNAH_NEVER, MYNAH_SCENE, SayConfig, SessionConfig};
use crate::engines::host;
use crate::opaque::{EngineHandle, SessionHandle};
use crate::sessions::{close_session, ends, with_control};
use crate::status::{Done, Fault, MYNAH_BAD_HANDLE, MYNAH_BAD_SETTING, MYNAH_OK, Status, call};

/// Formats of a session's audio.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Formats {
    /// Rate of the audio to push, Hz.
    pub input_rate_hz: u32,
    /// Its channels.
    pub input_channels: u32,
    /// Rate of the audio that is pulled, Hz; 0: the scene puts out none, and silence of one channel is pulled.
    pub output_rate_hz: u32,
    /// Its channels.
    pub output_channels: u32,
}

/// Fills `config` with the defaults; `size`: its `sizeof`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_session_config_init(config: *mut SessionConfig, size: u32) -> Status {
    // SAFETY: the header's rules.
    call(|| unsafe { config::init(config, size) })
}

/// Fills `config` with the defaults; `size`: its `sizeof`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_say_config_init(config: *mut SayConfig, size: u32) -> Status {
    // SAFETY: the header's rules.
    call(|| unsafe { config::init(config, size) })
}

/// Game thread: opens a session; `session` becomes its handle. It takes audio at once and is admitted by the next tick.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_session_open(
    engine: *mut EngineHandle,
    config: *const SessionConfig,
    session: *mut *mut SessionHandle,
) -> Status {
    call(|| {
        let host = host(engine)?;
        // SAFETY: the header's rules.
        let (config, spec) = unsafe {
            arguments::prepare("session", session, std::ptr::null_mut())?;
            let config = config::read(config)?;
            (config, spec(&config)?)
        };
        let handle = host.open_session(engine.addr(), spec, config.user.expose_provenance())?;
        // SAFETY: as above.
        unsafe { arguments::prepare("session", session, std::ptr::without_provenance_mut(handle)) }
    })
}

/// Game thread: hangs up, if the session is not over, and gives its memory back; no event of it is fetched any more. Waits
/// for a push or a pull under way: devices are stopped before, not killed in a call. Null does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_session_close(session: *mut SessionHandle) -> Status {
    if session.is_null() {
        return MYNAH_OK;
    }
    call(|| {
        let engine = with_control(session, |end| Ok(end.engine))?;
        if !close_session(session.addr()) {
            return Err(Fault::new(MYNAH_BAD_HANDLE, "the session's handle is closed"));
        }
        // An engine that is being closed forgets its sessions by itself.
        if let Ok(host) = host(std::ptr::without_provenance(engine)) {
            host.forget(session.addr());
        }
        Ok(())
    })
}

/// Game thread: ends the input. What was pushed is still answered; then `MYNAH_CLOSED` is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_finish(session: *mut SessionHandle) -> Status {
    call(|| {
        with_control(session, |end| {
            end.control.finish();
            Ok(())
        })
    })
}

/// Game thread: ends the session at the next tick, whatever is under way; then `MYNAH_CLOSED` is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_hang_up(session: *mut SessionHandle) -> Status {
    call(|| {
        with_control(session, |end| {
            end.control.close();
            Ok(())
        })
    })
}

/// Game thread: 1 if the session is over or the handle names none, 0 if not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_is_closed(session: *const SessionHandle) -> i32 {
    let mut closed = 1;
    call(|| {
        closed = with_control(session, |end| Ok(i32::from(end.control.is_closed())))?;
        Ok(())
    });
    closed
}

/// Game thread: the number of the session within its engine, as events have it; `UINT32_MAX`: the handle names none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_session_id(session: *const SessionHandle) -> u32 {
    let mut id = u32::MAX;
    call(|| {
        id = with_control(session, |end| Ok(end.control.id().0))?;
        Ok(())
    });
    id
}

/// Game thread: the formats in which audio is pushed and pulled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_session_formats(
    session: *const SessionHandle,
    formats: *mut Formats,
) -> Status {
    call(|| {
        let found = with_control(session, |end| {
            let (input, output) = (end.control.input(), end.control.output());
            Ok(Formats {
                input_rate_hz: input.rate_hz,
                input_channels: input.channels.into(),
                output_rate_hz: output.map_or(0, |format| format.rate_hz),
                output_channels: output.map_or(0, |format| format.channels.into()),
            })
        })?;
        // SAFETY: the header's rules.
        unsafe { arguments::prepare("formats", formats, found) }
    })
}

/// Game thread: the conversation so far as JSON, to be kept and given to another session. Writes up to `most` bytes, a zero
/// behind them if it fits; `length` becomes the whole length without it. Call with `most` 0 to ask how long it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_history(
    session: *const SessionHandle,
    json: *mut c_char,
    most: usize,
    length: *mut usize,
) -> Status {
    call(|| {
        ends(session)?;
        let history = with_control(session, |end| Ok(end.control.history()))?;
        let text = serde_json::to_string(&*history);
        let text = text.map_err(|error| Fault::new(crate::status::MYNAH_PANIC, error.to_string()))?;
        // SAFETY: the header's rules.
        let room = unsafe { arguments::room(json.cast::<u8>(), most) };
        let room = room.ok_or_else(|| Fault::argument("json is null"))?;
        for (to, from) in room.iter_mut().zip(text.bytes().chain([0])) {
            *to = from;
        }
        // SAFETY: the header's rules.
        unsafe { arguments::prepare("length", length, text.len()) }
    })
}

/// What a configuration asks for.
///
/// # Safety
/// Its texts are null or end with a zero.
unsafe fn spec(config: &SessionConfig) -> Done<SessionSpec> {
    // SAFETY: as the caller promises.
    let (name, params, history) = unsafe {
        (
            arguments::ended_text("mynah_session_config.name", config.name)?,
            arguments::ended_text("mynah_session_config.params", config.params)?,
            arguments::ended_text("mynah_session_config.history", config.history)?,
        )
    };
    let name = name.ok_or_else(|| Fault::argument("mynah_session_config.name is null"))?;
    if config.reserved != 0 {
        return Err(Fault::argument("mynah_session_config.reserved is for what is to come; expected 0"));
    }
    let gate = GateOverrides {
        half_duplex: half_duplex(config.half_duplex)?,
        mode: gate_mode(config.gate)?,
        ..GateOverrides::default()
    };
    Ok(SessionSpec {
        input: format("input", config.input_rate_hz, config.input_channels)?,
        output: format("output", config.output_rate_hz, config.output_channels)?,
        lead_ms: match config.lead_ms {
            MYNAH_SCENE => None,
            ms => Some(milliseconds("lead_ms", ms)?),
        },
        latency_ms: milliseconds("latency_ms", config.latency_ms)?,
        interruption: match config.interrupt_min_ms {
            MYNAH_SCENE => None,
            MYNAH_NEVER => Some(Interruption::Never),
            ms => Some(Interruption::AfterMs(milliseconds("interrupt_min_ms", ms)?)),
        },
        params: params.map_or(Ok(Params::default()), parse_params)?,
        history: history.map_or(Ok(History::default()), parse_history)?,
        gate,
        ..SessionSpec::named(name)
    })
}

fn half_duplex(given: i32) -> Done<Option<bool>> {
    match given {
        MYNAH_SCENE => Ok(None),
        0 | 1 => Ok(Some(given == 1)),
        other => {
            Err(Fault::argument(format!("mynah_session_config.half_duplex is {other}; expected -1, 0 or 1")))
        }
    }
}

fn milliseconds(name: &str, ms: i32) -> Done<u32> {
    let refused =
        || Fault::new(MYNAH_BAD_SETTING, format!("mynah_session_config.{name} is {ms}; expected 0 or more"));
    u32::try_from(ms).map_err(|_| refused())
}

fn format(side: &str, rate_hz: u32, channels: u32) -> Done<Option<Format>> {
    match (rate_hz, u8::try_from(channels)) {
        (0, Ok(0)) => Ok(None),
        (1.., Ok(channels @ 1..)) => Ok(Some(Format { rate_hz, channels })),
        _ => Err(Fault::new(
            MYNAH_BAD_SETTING,
            format!(
                "mynah_session_config.{side}: {rate_hz} Hz, {channels} channels; expected both, or 0 for both"
            ),
        )),
    }
}

fn parse_history(json: &str) -> Done<History> {
    let refused =
        |error| Fault::new(MYNAH_BAD_SETTING, format!("history is none that mynah_history gave: {error}"));
    serde_json::from_str(json).map_err(refused)
}
