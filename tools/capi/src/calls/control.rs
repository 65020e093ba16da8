//! What a host wants of a session. Game thread. Each call sends a message and returns at once; `MYNAH_APPLIED` with the
//! message's number tells that it has taken effect.

use std::ffi::c_char;
use std::sync::Arc;

use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::speech::InterruptMode;
use mynah_engine::{ControlError, Say};

use crate::arguments;
use crate::calls::settings::{gate_mode, parse_params};
use crate::config::{self, MYNAH_INTERRUPT_NOW, MYNAH_INTERRUPT_SOFT, SayConfig};
use crate::opaque::SessionHandle;
use crate::sessions::{ControlEnd, with_control};
use crate::status::{
    Done, Fault, MYNAH_BAD_ARGUMENT, MYNAH_BAD_SETTING, MYNAH_ENDED, MYNAH_FULL, MYNAH_NO_VOICE, Status, call,
};

/// Game thread: speaks `text` of `length` bytes, a turn of its own, by the scene's voice. `config` null: it waits for its
/// turn and may be interrupted. `number`, if not null, becomes that of the line.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_say(
    session: *mut SessionHandle,
    text: *const c_char,
    length: usize,
    config: *const SayConfig,
    number: *mut u64,
) -> Status {
    // SAFETY: the header's rules.
    message(session, number, |end| unsafe {
        let text = arguments::text("text", text, length)?;
        end.control.say(text, say(config)?).map_err(refused)
    })
}

/// Game thread: plays a recording of `frames` interleaved sample frames, at most 30 s, as a line; `subtitle` ends with a
/// zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_say_clip(
    session: *mut SessionHandle,
    samples: *const f32,
    frames: usize,
    rate_hz: u32,
    channels: u32,
    subtitle: *const c_char,
    config: *const SayConfig,
    number: *mut u64,
) -> Status {
    // SAFETY: the header's rules.
    message(session, number, |end| unsafe {
        let subtitle = arguments::ended_text("subtitle", subtitle)?.unwrap_or("").into();
        let channels = u8::try_from(channels);
        let channels = channels.map_err(|_| Fault::argument("channels are more than 8"))?;
        let count = frames.checked_mul(channels.into());
        let samples = count.and_then(|count| arguments::samples(samples, count));
        let samples: Arc<[f32]> = samples.ok_or_else(|| Fault::argument("samples is null"))?.into();
        let clip = Clip { subtitle, format: Format { rate_hz, channels }, samples };
        end.control.say(clip, say(config)?).map_err(refused)
    })
}

/// Game thread: answers a `MYNAH_REPLY_REQUESTED` with its `number`, in one part or in many; `last`: 1 if nothing follows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_reply(
    session: *mut SessionHandle,
    request: u64,
    text: *const c_char,
    length: usize,
    last: i32,
) -> Status {
    // SAFETY: the header's rules.
    message(session, std::ptr::null_mut(), |end| unsafe {
        let text = arguments::text("text", text, length)?;
        end.control.reply_to(request, text, last != 0).map_err(refused)
    })
}

/// Game thread: withdraws what sounds or is to be answered: `MYNAH_INTERRUPT_SOFT` or `_NOW`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_interrupt(session: *mut SessionHandle, mode: i32) -> Status {
    message(session, std::ptr::null_mut(), |end| {
        let mode = match mode {
            MYNAH_INTERRUPT_SOFT => InterruptMode::Soft,
            MYNAH_INTERRUPT_NOW => InterruptMode::Now,
            other => return Err(Fault::argument(format!("mode is {other}; expected 0 or 1"))),
        };
        end.control.interrupt(mode).map_err(refused)
    })
}

/// Game thread: sets who decides what is speech: `MYNAH_GATE_AUTO`, `_OPEN` or `_SHUT`, for push to talk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_gate(session: *mut SessionHandle, mode: i32) -> Status {
    message(session, std::ptr::null_mut(), |end| end.control.gate(gate_mode(mode)?).map_err(refused))
}

/// Game thread: the user's turn ends here, without waiting for silence.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_end_turn(session: *mut SessionHandle) -> Status {
    message(session, std::ptr::null_mut(), |end| end.control.end_turn().map_err(refused))
}

/// Game thread: forgets what the user has said and was not answered yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_discard(session: *mut SessionHandle) -> Status {
    message(session, std::ptr::null_mut(), |end| end.control.discard().map_err(refused))
}

/// Game thread: has the scene answer now, whether anything was said or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_respond(session: *mut SessionHandle) -> Status {
    message(session, std::ptr::null_mut(), |end| end.control.respond().map_err(refused))
}

/// Game thread: the listener has heard `us` microseconds of the answer of `turn`; from then on reports count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_heard(session: *mut SessionHandle, turn: u32, us: u64) -> Status {
    message(session, std::ptr::null_mut(), |end| end.control.heard(turn, us).map_err(refused))
}

/// Game thread: sends what the user typed, answered like speech.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_send_text(
    session: *mut SessionHandle,
    text: *const c_char,
    length: usize,
) -> Status {
    // SAFETY: the header's rules.
    message(session, std::ptr::null_mut(), |end| unsafe {
        let text = arguments::text("text", text, length)?;
        end.control.send_text(text).map_err(refused)
    })
}

/// Game thread: changes parameters that services see from the next call on; `params` is a JSON object that ends with a
/// zero, and a value of `null` removes a parameter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_set(session: *mut SessionHandle, params: *const c_char) -> Status {
    // SAFETY: the header's rules.
    message(session, std::ptr::null_mut(), |end| unsafe {
        let params = arguments::ended_text("params", params)?;
        let params = params.ok_or_else(|| Fault::argument("params is null"))?;
        end.control.set(parse_params(params)?).map_err(refused)
    })
}

/// Game thread: answers a `MYNAH_TOOL_CALL` with its `id`, which ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mynah_tool_result(
    session: *mut SessionHandle,
    id: *const c_char,
    result: *const c_char,
    length: usize,
) -> Status {
    // SAFETY: the header's rules.
    message(session, std::ptr::null_mut(), |end| unsafe {
        let id = arguments::ended_text("id", id)?.ok_or_else(|| Fault::argument("id is null"))?;
        end.control.tool_result(id, arguments::text("result", result, length)?).map_err(refused)
    })
}

/// Sends a message, and writes its number where one is wanted.
fn message(
    session: *const SessionHandle,
    number: *mut u64,
    send: impl FnOnce(&mut ControlEnd) -> Done<u64>,
) -> Status {
    call(|| {
        let sent = with_control(session, send)?;
        // SAFETY: the header's rules.
        unsafe { arguments::put_if_wanted(number, sent) };
        Ok(())
    })
}

/// # Safety
/// `config` is null or as long as it says.
unsafe fn say(config: *const SayConfig) -> Done<Say> {
    if config.is_null() {
        return Ok(Say::default());
    }
    // SAFETY: as the caller promises.
    let config = unsafe { config::read(config)? };
    if config.reserved != 0 {
        return Err(Fault::argument("mynah_say_config.reserved is for what is to come; expected 0"));
    }
    let priority = i8::try_from(config.priority).map_err(|_| {
        let text = format!("mynah_say_config.priority is {}; expected -128 to 127", config.priority);
        Fault::new(MYNAH_BAD_SETTING, text)
    })?;
    Ok(Say { interruptible: config.interruptible != 0, priority, wait: config.wait != 0 })
}

fn refused(error: ControlError) -> Fault {
    let status = match error {
        ControlError::Overflow => MYNAH_FULL,
        ControlError::Ended => MYNAH_ENDED,
        ControlError::NoVoice => MYNAH_NO_VOICE,
        ControlError::TooLong { .. } | ControlError::BadClip { .. } => MYNAH_BAD_ARGUMENT,
    };
    Fault::new(status, error.to_string())
}
