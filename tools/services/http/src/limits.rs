//! How long each step of a call may take, and what else a configuration bounds.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Range of all limits, milliseconds.
const MS: RangeInclusive<u32> = 1..=600_000;
/// Range of the calls at once.
const PARALLEL: RangeInclusive<u32> = 1..=1_024;

/// The longest times of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallLimits {
    /// Until there is a connection, with name and TLS.
    pub(crate) connect: Duration,
    /// From then on until the first byte of the answer's body.
    pub(crate) first_byte: Duration,
    /// Between bytes.
    pub(crate) idle: Duration,
    /// All of it, without the time that the host takes for tools.
    pub(crate) call: Duration,
}

impl CallLimits {
    /// # Errors
    /// A limit out of range.
    pub(crate) fn new(
        connect_ms: u32,
        first_byte_ms: u32,
        idle_ms: u32,
        call_ms: u32,
    ) -> Result<Self, String> {
        let ms = |name, value| {
            within(name, value, &MS)?;
            Ok::<_, String>(Duration::from_millis(u64::from(value)))
        };
        Ok(Self {
            connect: ms("connect_ms", connect_ms)?,
            first_byte: ms("first_byte_ms", first_byte_ms)?,
            idle: ms("idle_ms", idle_ms)?,
            call: ms("call_ms", call_ms)?,
        })
    }

    /// What is said when no byte came in time.
    pub(crate) fn no_first_byte(&self) -> String {
        format!("no byte of an answer within `first_byte_ms`, {} ms", self.first_byte.as_millis())
    }
}

/// Checks the number of calls at once.
///
/// # Errors
/// It is out of range.
pub(crate) fn parallel(parallel: u32) -> Result<usize, String> {
    within("parallel", parallel, &PARALLEL)?;
    Ok(parallel as usize)
}

/// # Errors
/// `value` is out of range; NaN is in no range.
pub(crate) fn within<T: PartialOrd + Display>(
    name: &str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("`{name}` is {value}; expected {} to {}", range.start(), range.end()))
}

/// # Errors
/// `value` is empty or longer than `most` characters.
pub(crate) fn named(name: &str, value: &str, most: usize) -> Result<(), String> {
    if value.trim().is_empty() {
        return Err(format!("`{name}` is empty; expected a name that the server knows"));
    }
    match value.chars().count() {
        count if count > most => Err(format!("`{name}` has {count} characters; expected at most {most}")),
        _ => Ok(()),
    }
}

/// Most characters of a name.
pub(crate) const NAME_CHARS_MAX: usize = 500;
/// Most characters of instructions.
pub(crate) const PROMPT_CHARS_MAX: usize = 100_000;
/// Default of `connect_ms`.
pub(crate) fn connect_ms() -> u32 {
    500
}
/// Default of `first_byte_ms`.
pub(crate) fn first_byte_ms() -> u32 {
    2_000
}
/// Default of `idle_ms`.
pub(crate) fn idle_ms() -> u32 {
    5_000
}
/// Default of `call_ms`.
pub(crate) fn call_ms() -> u32 {
    30_000
}
