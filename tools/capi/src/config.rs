//! Configurations as a host gives them. Each begins with its size and the ABI number, so that a library finds out what the
//! program knows; structs only grow at the end.

use std::ffi::{c_char, c_void};
use std::mem::offset_of;

use crate::status::{Done, Fault, MYNAH_BAD_ABI};

/// Number of this interface: programs pass theirs in every configuration.
pub const MYNAH_ABI: u32 = 1;

/// The game calls `mynah_tick` on the wall clock; voices and models work beside it.
pub const MYNAH_DRIVE_REAL: u32 = 0;
/// The game calls `mynah_tick`, and time is what it says: everything repeats exactly, as fast as it can be computed.
pub const MYNAH_DRIVE_VIRTUAL: u32 = 1;
/// The library ticks on a thread of its own, by the scene's driver; the game never calls `mynah_tick`.
pub const MYNAH_DRIVE_THREAD: u32 = 2;

/// The scene's own value.
pub const MYNAH_SCENE: i32 = -1;
/// Of `interrupt_min_ms`: no speech interrupts.
pub const MYNAH_NEVER: i32 = -2;

/// The detector decides what is speech.
pub const MYNAH_GATE_AUTO: i32 = 0;
/// Everything is speech: the key is down.
pub const MYNAH_GATE_OPEN: i32 = 1;
/// Nothing is speech: the key is up.
pub const MYNAH_GATE_SHUT: i32 = 2;

/// As the user's speech would: lines that must not be interrupted go on.
pub const MYNAH_INTERRUPT_SOFT: i32 = 0;
/// Everything that sounds or is to be answered, and the lines that wait.
pub const MYNAH_INTERRUPT_NOW: i32 = 1;

/// Of `mynah_log_fn`: something to look after.
pub const MYNAH_LOG_WARNING: i32 = 1;
/// Of `mynah_log_fn`: something ended that should not have.
pub const MYNAH_LOG_ERROR: i32 = 2;

/// Told what an engine has to say beside its events, such as warnings about its scene: on the thread that opens or closes
/// it. `text` lives until the function returns. It calls nothing of this library, and it returns: no exception leaves it,
/// and no jump.
pub type LogFn = Option<unsafe extern "C" fn(user: *mut c_void, level: i32, text: *const c_char)>;

/// An engine to open. `mynah_config_init` fills it in.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Config {
    /// `sizeof(mynah_config)`.
    pub size: u32,
    /// `MYNAH_ABI`.
    pub abi: u32,
    /// Who ticks: `MYNAH_DRIVE_REAL`, `_VIRTUAL` or `_THREAD`.
    pub drive: u32,
    /// Most sessions open at once, 1 to 1,000,000; 64 by default. Each costs some hundred bytes before it is opened.
    pub sessions_max: u32,
    /// Threads that share the work of a tick, 1 to 256; 1 by default. Never changes a result.
    pub threads: u32,
    /// Most events that wait to be fetched, 64 to 1,048,576; 4,096 by default. More wait with their sessions, and a
    /// session of which 256 wait is closed.
    pub events_max: u32,
    /// Seed of all random numbers; 1 by default.
    pub seed: u64,
    /// Name of the scene in diagnostics, usually its file; null: `scene.ron`. Ends with a zero.
    pub scene_name: *const c_char,
    /// Settings that replace the scene's, one a line, such as `gate.threshold=0.8`; null: none. Ends with a zero.
    pub settings: *const c_char,
    /// Told of warnings; null: nobody is.
    pub log: LogFn,
    /// Passed to `log`.
    pub log_user: *mut c_void,
}

/// A session to open. `mynah_session_config_init` fills it in.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SessionConfig {
    /// `sizeof(mynah_session_config)`.
    pub size: u32,
    /// `MYNAH_ABI`.
    pub abi: u32,
    /// Its name, 1 to 128 bytes of UTF-8, not in use by an open session; that of one that was closed is free at the next
    /// tick. Ends with a zero.
    pub name: *const c_char,
    /// Comes back with each of its events.
    pub user: *mut c_void,
    /// Rate of the audio that arrives, 8,000 to 192,000 Hz; 0, with 0 channels: the scene's.
    pub input_rate_hz: u32,
    /// Channels of the audio that arrives, interleaved, 1 to 8; 0, with a rate of 0: the scene's.
    pub input_channels: u32,
    /// Rate of the audio that leaves; 0, with 0 channels: as the scene makes it.
    pub output_rate_hz: u32,
    /// Channels of the audio that leaves; 0, with a rate of 0: as the scene makes it.
    pub output_channels: u32,
    /// How far ahead of the ear answers leave, 0 to 10,000 ms: twice the callback with `MYNAH_DRIVE_THREAD`, two frames more
    /// where the game ticks. `MYNAH_SCENE` by default.
    pub lead_ms: i32,
    /// Time from a sample's leaving until its sound, 0 to 10,000 ms: that of the device. 0 by default.
    pub latency_ms: i32,
    /// Speech of this length withdraws an answer, 100 to 5,000 ms; `MYNAH_NEVER`: none does. `MYNAH_SCENE` by default.
    pub interrupt_min_ms: i32,
    /// Whether nothing counts as speech while an answer sounds: 1 over loudspeakers, 0 with headphones. `MYNAH_SCENE` by
    /// default.
    pub half_duplex: i32,
    /// The mode in which its gate begins: `MYNAH_GATE_AUTO`, `_OPEN` or `_SHUT`.
    pub gate: i32,
    /// For what is to come: 0.
    pub reserved: i32,
    /// What services should know of the caller, such as `{"pitch": 1.2}`: a JSON object; null: nothing. Ends with a zero.
    pub params: *const c_char,
    /// The conversation that goes on, as `mynah_history` gave it; null: none. Ends with a zero.
    pub history: *const c_char,
}

/// How a line is spoken. `mynah_say_config_init` fills it in.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SayConfig {
    /// `sizeof(mynah_say_config)`.
    pub size: u32,
    /// `MYNAH_ABI`.
    pub abi: u32,
    /// Whether the user's speech may pause and withdraw the line; 1 by default.
    pub interruptible: i32,
    /// Rank among lines, -128 to 127; answers of the scene have 0. 0 by default.
    pub priority: i32,
    /// Whether the line waits until nobody speaks; 1 by default. 0: at once, or not at all.
    pub wait: i32,
    /// For what is to come: 0.
    pub reserved: i32,
}

/// A configuration that begins with its size and the ABI number.
///
/// # Safety
/// The type is `repr(C)`, its first two fields are a `u32` each, and every pattern of bits is a value of it.
pub(crate) unsafe trait Sized32: Copy {
    /// Its name in the header.
    const NAME: &'static str;
    /// Bytes of its first version: less is no such struct.
    const LEAST: usize;
    fn default_of() -> Self;
}

// SAFETY: `repr(C)`, begins with `size` and `abi`; numbers, pointers and a nullable function.
unsafe impl Sized32 for Config {
    const NAME: &'static str = "mynah_config";
    const LEAST: usize = offset_of!(Self, log_user) + size_of::<*mut c_void>();
    fn default_of() -> Self {
        Self {
            size: size_of::<Self>() as u32,
            abi: MYNAH_ABI,
            drive: MYNAH_DRIVE_REAL,
            sessions_max: 64,
            threads: 1,
            events_max: 4_096,
            seed: 1,
            scene_name: std::ptr::null(),
            settings: std::ptr::null(),
            log: None,
            log_user: std::ptr::null_mut(),
        }
    }
}

// SAFETY: `repr(C)`, begins with `size` and `abi`; numbers and pointers.
unsafe impl Sized32 for SessionConfig {
    const NAME: &'static str = "mynah_session_config";
    const LEAST: usize = offset_of!(Self, history) + size_of::<*const c_char>();
    fn default_of() -> Self {
        Self {
            size: size_of::<Self>() as u32,
            abi: MYNAH_ABI,
            name: std::ptr::null(),
            user: std::ptr::null_mut(),
            input_rate_hz: 0,
            input_channels: 0,
            output_rate_hz: 0,
            output_channels: 0,
            lead_ms: MYNAH_SCENE,
            latency_ms: 0,
            interrupt_min_ms: MYNAH_SCENE,
            half_duplex: MYNAH_SCENE,
            gate: MYNAH_GATE_AUTO,
            reserved: 0,
            params: std::ptr::null(),
            history: std::ptr::null(),
        }
    }
}

// SAFETY: `repr(C)`, begins with `size` and `abi`; numbers.
unsafe impl Sized32 for SayConfig {
    const NAME: &'static str = "mynah_say_config";
    const LEAST: usize = offset_of!(Self, reserved) + size_of::<i32>();
    fn default_of() -> Self {
        let size = size_of::<Self>() as u32;
        Self { size, abi: MYNAH_ABI, interruptible: 1, priority: 0, wait: 1, reserved: 0 }
    }
}

/// Takes over what the program knows of a configuration; what it does not know has its default.
///
/// # Safety
/// `config` is null or has as many readable bytes as its first field says, at least 8.
pub(crate) unsafe fn read<C: Sized32>(config: *const C) -> Done<C> {
    let name = C::NAME;
    if config.is_null() || !config.is_aligned() {
        return Err(Fault::argument(format!("{name} is null or misaligned")));
    }
    // SAFETY: eight bytes are readable, and aligned as their struct is.
    let [size, abi] = unsafe { config.cast::<[u32; 2]>().read() };
    if abi != MYNAH_ABI {
        return Err(Fault::new(
            MYNAH_BAD_ABI,
            format!(
                "{name}.abi is {abi}; this library serves {MYNAH_ABI}: use the mynah.h and the library of one version"
            ),
        ));
    }
    let size = size as usize;
    if size < C::LEAST {
        return Err(Fault::argument(format!("{name}.size is {size}; expected {} or more", C::LEAST)));
    }
    let mut read = C::default_of();
    // SAFETY: both have as many bytes, do not overlap, and any bits are a value.
    unsafe {
        let known = size.min(size_of::<C>());
        std::ptr::copy_nonoverlapping(config.cast::<u8>(), (&raw mut read).cast::<u8>(), known);
    }
    Ok(read)
}

/// Fills a configuration of `size` bytes with the defaults.
///
/// # Safety
/// `config` is null or has `size` writable bytes.
pub(crate) unsafe fn init<C: Sized32>(config: *mut C, size: u32) -> Done {
    let (name, bytes) = (C::NAME, size as usize);
    if config.is_null() || !config.is_aligned() {
        return Err(Fault::argument(format!("{name} is null or misaligned")));
    }
    if bytes < C::LEAST {
        return Err(Fault::argument(format!("a {name} of {size} bytes; expected {} or more", C::LEAST)));
    }
    let defaults = C::default_of();
    let known = bytes.min(size_of::<C>());
    // SAFETY: so many bytes are writable; what this library does not know becomes zero, its size the program's.
    unsafe {
        let to = config.cast::<u8>();
        std::ptr::copy_nonoverlapping((&raw const defaults).cast::<u8>(), to, known);
        to.add(known).write_bytes(0, bytes - known);
        config.cast::<u32>().write(size);
    }
    Ok(())
}
