//! Names and tokens that nobody guesses.

use std::fmt::Write as _;

/// `prefix` and 16 hexadecimal digits.
///
/// # Panics
/// The system has no random numbers.
pub fn random_name(prefix: &str) -> String {
    format!("{prefix}{}", hex::<8>())
}

/// 32 hexadecimal digits.
///
/// # Panics
/// The system has no random numbers.
pub fn random_token() -> String {
    hex::<16>()
}

fn hex<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    let mut text = String::with_capacity(2 * BYTES);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}
