//! A host that calls anything at any time, for the fuzzer: with handles that are open, closed or made up, arguments of any
//! value, and memory that is exactly as long as it says, so that an address sanitizer sees what reaches beyond.

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut, without_provenance_mut};

use crate::calls::*;
use crate::config::*;
use crate::event::Event;
use crate::opaque::{EngineHandle, SessionHandle};
use crate::status::{self, MYNAH_OK, MYNAH_PANIC, Status};

/// Everything loud is speech, and a modelled voice answers.
const TALKS: &str = include_str!("../scenes/talks.ron");
const WIRE: &str = include_str!("../scenes/wire.ron");
/// Most calls of one input.
const CALLS_MAX: usize = 256;
/// Most frames of one push.
const FRAMES_MAX: u16 = 4_000;

/// What is left of an input. Behind its end everything is 0.
struct Draws<'a>(&'a [u8]);

impl Draws<'_> {
    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    fn u64(&mut self) -> u64 {
        u64::from(self.u32()) | u64::from(self.u32()) << 32
    }

    /// One of several, mostly; else any number.
    fn odd(&mut self, usual: &[i32]) -> i32 {
        let choice = usize::from(self.u8());
        if choice >= 240 { self.u32() as i32 } else { usual[choice % usual.len()] }
    }

    fn text(&mut self) -> Vec<u8> {
        let length = usize::from(self.u8() % 64).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        text.to_vec()
    }

    /// A text that ends with a zero; `None`: null.
    fn ended(&mut self) -> Option<CString> {
        let text = self.text();
        let text: Vec<u8> = text.into_iter().filter(|byte| *byte != 0).collect();
        if text.is_empty() { None } else { CString::new(text).ok() }
    }
}

/// What such a host has.
#[derive(Default)]
struct Stranger {
    engines: Vec<usize>,
    sessions: Vec<usize>,
    now_us: u64,
}

/// Makes the calls that `data` stands for.
///
/// # Panics
/// When a call panics inside, returns a status that there is none of, or fails without saying why.
pub fn strange_calls(data: &[u8]) {
    let (mut draws, mut stranger) = (Draws(data), Stranger::default());
    for _ in 0..CALLS_MAX {
        if draws.0.is_empty() {
            break;
        }
        let status = stranger.call(&mut draws);
        assert_ne!(status, MYNAH_PANIC, "{}", error());
        assert!((MYNAH_PANIC..=MYNAH_OK).contains(&status), "no status: {status}");
        assert!(!status::text(status).is_empty());
    }
    for engine in stranger.engines {
        // SAFETY: the handle is a number.
        unsafe { mynah_close(without_provenance_mut(engine)) };
    }
}

fn error() -> String {
    // SAFETY: the text lives until the next call of this thread.
    unsafe { std::ffi::CStr::from_ptr(mynah_error()) }.to_string_lossy().into_owned()
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(null(), |text| text.as_ptr())
}

impl Stranger {
    fn engine(&self, draws: &mut Draws<'_>) -> *mut EngineHandle {
        without_provenance_mut(pick(&self.engines, draws))
    }

    fn session(&self, draws: &mut Draws<'_>) -> *mut SessionHandle {
        without_provenance_mut(pick(&self.sessions, draws))
    }

    fn call(&mut self, draws: &mut Draws<'_>) -> Status {
        match draws.u8() % 16 {
            0 => self.open(draws),
            1 | 2 => self.open_session(draws),
            3 | 4 => self.push(draws),
            5 | 6 => self.pull(draws),
            7 | 8 => self.tick(draws),
            9 => self.events(draws),
            10 => self.say(draws),
            11 => self.ask(draws),
            12 => self.step(draws),
            13 => self.end(draws),
            14 => self.tell(draws),
            _ => self.look(draws),
        }
    }

    fn open(&mut self, draws: &mut Draws<'_>) -> Status {
        if self.engines.len() >= 4 {
            return MYNAH_OK;
        }
        let mut config = Config::default_of();
        config.size = draws.odd(&[size_of::<Config>() as i32]) as u32;
        config.abi = draws.odd(&[1]) as u32;
        // What is longer than the struct would be read where nothing is.
        config.size = config.size.min(size_of::<Config>() as u32);
        config.drive = draws.odd(&[1, 1, 1, 1, 0, 2]) as u32;
        config.sessions_max = draws.odd(&[1, 4, 64, 0]).clamp(-1, 4_096) as u32;
        config.threads = draws.odd(&[1, 2, 0]).clamp(-1, 4) as u32;
        config.events_max = draws.odd(&[64, 128]) as u32;
        let (name, settings) = (draws.ended(), draws.ended());
        (config.scene_name, config.settings) = (pointer(&name), pointer(&settings));
        let broken = draws.text();
        let scene = match draws.u8() % 4 {
            0 => &broken[..],
            1 => WIRE.as_bytes(),
            _ => TALKS.as_bytes(),
        };
        let mut engine = null_mut();
        // SAFETY: everything lives through the call, and is as long as it says.
        let status = unsafe { mynah_open(&config, scene.as_ptr().cast(), scene.len(), &mut engine) };
        if status == MYNAH_OK {
            self.engines.push(engine.addr());
        } else {
            assert!(!error().is_empty(), "{status} without a reason");
        }
        status
    }

    fn open_session(&mut self, draws: &mut Draws<'_>) -> Status {
        let engine = self.engine(draws);
        let mut config = SessionConfig::default_of();
        config.size =
            (draws.odd(&[size_of::<SessionConfig>() as i32]) as u32).min(size_of::<SessionConfig>() as u32);
        let name = draws.ended().or_else(|| CString::new(format!("s{}", self.sessions.len())).ok());
        config.name = pointer(&name);
        config.input_rate_hz = draws.odd(&[0, 16_000, 48_000, 44_100]) as u32;
        config.input_channels = draws.odd(&[0, 1, 2]) as u32;
        config.output_rate_hz = draws.odd(&[0, 0, 48_000]) as u32;
        config.output_channels = draws.odd(&[0, 0, 2]) as u32;
        config.lead_ms = draws.odd(&[MYNAH_SCENE, 0, 40]);
        config.latency_ms = draws.odd(&[0, 20]);
        config.interrupt_min_ms = draws.odd(&[MYNAH_SCENE, MYNAH_NEVER, 200]);
        config.half_duplex = draws.odd(&[MYNAH_SCENE, 0, 1]);
        config.gate = draws.odd(&[0, 1, 2]);
        let (params, history) = (draws.ended(), draws.ended());
        (config.params, config.history) = (pointer(&params), pointer(&history));
        let mut session = null_mut();
        // SAFETY: everything lives through the call, and is as long as it says.
        let status = unsafe { mynah_session_open(engine, &config, &mut session) };
        if status == MYNAH_OK {
            self.sessions.push(session.addr());
        }
        status
    }

    fn push(&mut self, draws: &mut Draws<'_>) -> Status {
        let (session, formats) = self.formats(draws);
        let frames = (draws.u32() % u32::from(FRAMES_MAX)) as usize;
        let bits = draws.u32();
        let loud = draws.u8() % 4;
        let count = frames * formats.input_channels.max(1) as usize;
        if loud == 0 {
            let samples = vec![bits as i16; count];
            // SAFETY: as many samples as frames and channels say.
            return unsafe { mynah_push_i16(session, samples.as_ptr(), frames) };
        }
        let sample =
            |at: usize| if loud == 1 { f32::from_bits(bits) } else { ((at % 37) as f32 / 18.0 - 1.0) * 0.5 };
        let samples: Vec<f32> = (0..count).map(sample).collect();
        // SAFETY: as many samples as frames and channels say.
        unsafe { mynah_push(session, samples.as_ptr(), frames) }
    }

    fn pull(&mut self, draws: &mut Draws<'_>) -> Status {
        let (session, formats) = self.formats(draws);
        let frames = (draws.u32() % u32::from(FRAMES_MAX)) as usize;
        let mut room = vec![0.5; frames * formats.output_channels.max(1) as usize];
        let mut pulled = Pulled::default();
        let wanted = if draws.u8().is_multiple_of(2) { &raw mut pulled } else { null_mut() };
        // SAFETY: as much room as frames and channels say.
        let status = unsafe { mynah_pull(session, room.as_mut_ptr(), frames, wanted) };
        assert!(pulled.frames as usize <= frames, "{} of {frames} frames", pulled.frames);
        status
    }

    fn formats(&mut self, draws: &mut Draws<'_>) -> (*mut SessionHandle, Formats) {
        let session = self.session(draws);
        let mut formats =
            Formats { input_rate_hz: 0, input_channels: 0, output_rate_hz: 0, output_channels: 0 };
        // SAFETY: room for one.
        unsafe { mynah_session_formats(session, &mut formats) };
        (session, formats)
    }

    fn tick(&mut self, draws: &mut Draws<'_>) -> Status {
        self.now_us += match draws.u8() % 8 {
            0 => 0,
            1 => u64::from(draws.u32()) % 2_000_000,
            _ => 5_000,
        };
        // SAFETY: the handle is a number.
        unsafe { mynah_tick(self.engine(draws), self.now_us) }
    }

    fn events(&mut self, draws: &mut Draws<'_>) -> Status {
        let mut room = vec![MaybeUninit::<Event>::uninit(); usize::from(draws.u8() % 80)];
        let mut count = 0;
        // SAFETY: as much room as it says.
        let status =
            unsafe { mynah_events(self.engine(draws), room.as_mut_ptr().cast(), room.len(), &mut count) };
        assert!(count <= room.len(), "{count} events in room for {}", room.len());
        for event in &room[..count] {
            // SAFETY: the first `count` were written; their pointers live until the next call.
            unsafe { read(event.assume_init_ref()) };
        }
        status
    }

    fn say(&mut self, draws: &mut Draws<'_>) -> Status {
        let session = self.session(draws);
        let mut config = SayConfig::default_of();
        (config.interruptible, config.priority, config.wait) =
            (draws.odd(&[0, 1]), draws.odd(&[0, 1]), draws.odd(&[0, 1]));
        let text = draws.text();
        let wanted = if draws.u8().is_multiple_of(2) { &raw const config } else { null() };
        let mut number = 0;
        if draws.u8().is_multiple_of(4) {
            let (rate_hz, channels) = (draws.odd(&[16_000, 48_000]) as u32, draws.odd(&[1, 2]) as u32);
            let frames = usize::from(draws.u8());
            let samples = vec![0.25; frames * (channels.min(255) as usize)];
            let subtitle = draws.ended();
            // SAFETY: as many samples as frames and channels say; more than 255 channels are refused unread.
            return unsafe {
                let subtitle = pointer(&subtitle);
                mynah_say_clip(
                    session,
                    samples.as_ptr(),
                    frames,
                    rate_hz,
                    channels,
                    subtitle,
                    wanted,
                    &mut number,
                )
            };
        }
        // SAFETY: everything lives through the call.
        unsafe { mynah_say(session, text.as_ptr().cast(), text.len(), wanted, &mut number) }
    }

    fn ask(&mut self, draws: &mut Draws<'_>) -> Status {
        let session = self.session(draws);
        // SAFETY: handles are numbers.
        unsafe {
            match draws.u8() % 6 {
                0 => mynah_interrupt(session, draws.odd(&[0, 1])),
                1 => mynah_gate(session, draws.odd(&[0, 1, 2])),
                2 => mynah_end_turn(session),
                3 => mynah_discard(session),
                4 => mynah_respond(session),
                _ => mynah_heard(session, draws.u32(), draws.u64()),
            }
        }
    }

    fn tell(&mut self, draws: &mut Draws<'_>) -> Status {
        let (session, text, ended) = (self.session(draws), draws.text(), draws.ended());
        let (start, length) = (text.as_ptr().cast(), text.len());
        // SAFETY: texts are as long as they say, or end with a zero.
        unsafe {
            match draws.u8() % 4 {
                0 => mynah_send_text(session, start, length),
                1 => mynah_set(session, pointer(&ended)),
                2 => mynah_reply(session, draws.u64(), start, length, draws.odd(&[0, 1])),
                _ => mynah_tool_result(session, pointer(&ended), start, length),
            }
        }
    }

    fn step(&mut self, draws: &mut Draws<'_>) -> Status {
        let n = usize::from(draws.u8() % 4);
        let sessions: Vec<*mut SessionHandle> = (0..n).map(|_| self.session(draws)).collect();
        let (frames, out_frames) = (usize::from(draws.u8()) * 4, usize::from(draws.u8()) * 4);
        // Room for the most channels.
        let (pcm, mut out) = (vec![0.3; n * frames * 8], vec![0.0; n * out_frames * 8]);
        let mut got = vec![0; n];
        self.now_us += 20_000;
        // SAFETY: the arrays are as long as they must be for sessions of any format.
        unsafe {
            mynah_step(
                self.engine(draws),
                sessions.as_ptr(),
                n,
                pcm.as_ptr(),
                frames,
                out.as_mut_ptr(),
                out_frames,
                got.as_mut_ptr(),
                self.now_us,
            )
        }
    }

    fn end(&mut self, draws: &mut Draws<'_>) -> Status {
        // SAFETY: handles are numbers.
        unsafe {
            match draws.u8() % 16 {
                0 => mynah_close_all(),
                1 => mynah_close(self.engine(draws)),
                2..6 => mynah_finish(self.session(draws)),
                6..9 => mynah_hang_up(self.session(draws)),
                _ => mynah_session_close(self.session(draws)),
            }
        }
    }

    fn look(&mut self, draws: &mut Draws<'_>) -> Status {
        let session = self.session(draws);
        let mut room = vec![0_u8; usize::from(draws.u8())];
        let mut length = 0;
        // SAFETY: as much room as it says.
        unsafe {
            mynah_now_us(self.engine(draws));
            mynah_is_closed(session);
            mynah_session_id(session);
            mynah_room(session);
            mynah_available(session);
            mynah_viseme_name(draws.odd(&[0, 14, -1]));
            mynah_history(session, room.as_mut_ptr().cast(), room.len(), &mut length)
        }
    }
}

/// One that was given, or one that never was.
fn pick(of: &[usize], draws: &mut Draws<'_>) -> usize {
    let choice = usize::from(draws.u8());
    if choice >= 248 || of.is_empty() { draws.u64() as usize } else { of[choice % of.len()] }
}

/// Reads all that an event leads to.
///
/// # Safety
/// Its pointers are alive.
unsafe fn read(event: &Event) {
    // SAFETY: as the caller promises.
    unsafe {
        for text in [event.text, event.detail, event.id] {
            if !text.is_null() {
                assert!(std::ffi::CStr::from_ptr(text).to_str().is_ok(), "an event's text is no UTF-8");
            }
        }
        if !event.text.is_null() {
            assert_eq!(*event.text.add(event.text_len), 0, "the zero is not behind the text");
        }
        if event.spoken_len > 0 {
            let parts = std::slice::from_raw_parts(event.spoken, event.spoken_len);
            assert!(parts.iter().all(|part| part.from_us <= part.until_us), "a part ends before it begins");
        }
    }
}
