//! Many sessions at once, for simulations.

use mynah_engine::edge::RING_MS_MAX;
use mynah_engine::scene::Format;

use crate::arguments;
use crate::calls::audio::{pull_into, push_from};
use crate::engines::host;
use crate::opaque::{EngineHandle, SessionHandle};
use crate::sessions::with_control;
use crate::status::{self, Done, Fault, MYNAH_ENDED, MYNAH_OK, Status, call};

/// Game thread: the time from the last step until `until_us`, for `n` sessions at once; time begins with 0, and a step is an
/// hour at most. Ticks at every period of the scene before then, pushes `frames` of input for each session, which was spoken
/// meanwhile, ticks at `until_us`, and pulls `out_frames` of output for each. `pcm` is `[n][frames x channels]`, `out` is
/// `[n][out_frames x channels]`, each in the format of the sessions, which is the same for all; `got[i]` becomes the
/// number of frames of sound of session i. The arrays do not overlap, but that `out` may be `pcm`. A session that has ended
/// gets silence; a handle that is closed fails the step before anything has happened. The first error of a push is
/// returned after the step is done. Sessions whose `lead_ms` is shorter than the step have holes in their answers.
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
        let Formats { input, output } = formats(engine.addr(), sessions)?;
        if frames > (u64::from(input.rate_hz) * u64::from(RING_MS_MAX) / 1_000) as usize {
            let what =
                format!("frames is {frames}; a session takes {RING_MS_MAX} ms at once: take shorter steps");
            return Err(Fault::argument(what));
        }
        let (piece, out_piece) =
            (frames * usize::from(input.channels), out_frames.saturating_mul(usize::from(output.channels)));
        let (arrive, leave) = (n.saturating_mul(piece), n.saturating_mul(out_piece));
        if !(arguments::fits(pcm, arrive) && arguments::fits(out, leave) && arguments::fits(got, n)) {
            return Err(Fault::argument("pcm, out or got is null, misaligned, or more than there can be"));
        }
        let mut first = MYNAH_OK;
        host.step(until_us, || {
            // SAFETY: the header's rules; nothing is written before all was pushed.
            let pcm = unsafe { arguments::samples(pcm, arrive) }.unwrap_or(&[]);
            for (at, session) in sessions.iter().enumerate() {
                let status = push_from(*session, &pcm[at * piece..][..piece]);
                if first == MYNAH_OK {
                    first = status;
                }
            }
        })?;
        // SAFETY: the header's rules; what was pushed is not looked at any more.
        let (out, got) = unsafe { (arguments::room(out, leave), arguments::room(got, n)) };
        let (out, got) = (out.unwrap_or(&mut []), got.unwrap_or(&mut []));
        for (at, (session, got)) in sessions.iter().zip(got).enumerate() {
            let out = &mut out[at * out_piece..][..out_piece];
            *got = match pull_into(*session, out) {
                Ok(read) => read.frames as u32,
                Err(_) => {
                    out.fill(0.0);
                    0
                }
            };
        }
        pushed(first)
    })
}

fn pushed(first: Status) -> Done {
    match first {
        MYNAH_OK | MYNAH_ENDED => Ok(()),
        status => {
            Err(Fault::new(status, format!("a push of the step: {}", status::text(status).to_string_lossy())))
        }
    }
}

/// Formats that all sessions of a step have.
#[derive(Clone, Copy, PartialEq)]
struct Formats {
    input: Format,
    output: Format,
}

/// The formats of sessions, which are the same and of this engine.
fn formats(engine: usize, sessions: &[*mut SessionHandle]) -> Done<Formats> {
    let silence = Format { rate_hz: 0, channels: 1 };
    let mut formats = None;
    for session in sessions {
        let own = with_control(*session, |end| {
            if end.engine != engine {
                return Err(Fault::argument("a session of another engine is among the sessions"));
            }
            Ok(Formats { input: end.control.input(), output: end.control.output().unwrap_or(silence) })
        })?;
        if *formats.get_or_insert(own) != own {
            return Err(Fault::argument("the sessions of a step have different formats"));
        }
    }
    Ok(formats.unwrap_or(Formats { input: silence, output: silence }))
}
