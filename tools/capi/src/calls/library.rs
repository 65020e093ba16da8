//! What the library says of itself. Any thread.

use std::ffi::{CStr, c_char};

use mynah_engine::media::Viseme;

use crate::config::MYNAH_ABI;
use crate::status::{self, Status};

/// Any thread: the number of the interface that this library serves. A program compares it with its `MYNAH_ABI`.
#[unsafe(no_mangle)]
pub extern "C" fn mynah_abi() -> u32 {
    MYNAH_ABI
}

/// Any thread: the version of the library, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn mynah_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Any thread: the voice, detector and recogniser that are part of this library, such as "silero flite".
#[unsafe(no_mangle)]
pub extern "C" fn mynah_features() -> *const c_char {
    let features = match (cfg!(feature = "silero"), cfg!(feature = "flite"), cfg!(feature = "moonshine")) {
        (true, true, true) => c"silero flite moonshine",
        (true, true, false) => c"silero flite",
        (true, false, true) => c"silero moonshine",
        (true, false, false) => c"silero",
        (false, true, true) => c"flite moonshine",
        (false, true, false) => c"flite",
        (false, false, true) => c"moonshine",
        (false, false, false) => c"",
    };
    features.as_ptr()
}

/// Any thread: a status in words. Never null.
#[unsafe(no_mangle)]
pub extern "C" fn mynah_status_text(status: Status) -> *const c_char {
    status::text(status).as_ptr()
}

/// Any thread but an audio thread: what the last call of this thread that failed found wrong, with place, value and
/// remedy; a scene with all its errors. Lives until the next call on this thread; empty if none has failed. Calls of audio
/// threads leave no text.
#[unsafe(no_mangle)]
pub extern "C" fn mynah_error() -> *const c_char {
    status::error_text()
}

/// Any thread: the name that blend shapes have for a shape of the mouth, 0 to 14, such as "PP"; empty for other numbers.
#[unsafe(no_mangle)]
pub extern "C" fn mynah_viseme_name(viseme: i32) -> *const c_char {
    const NAMES: [&CStr; Viseme::ALL.len()] = [
        c"sil", c"PP", c"FF", c"TH", c"DD", c"kk", c"CH", c"SS", c"nn", c"RR", c"aa", c"E", c"I", c"O", c"U",
    ];
    let name = usize::try_from(viseme).ok().and_then(|viseme| NAMES.get(viseme));
    name.unwrap_or(&c"").as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visemes_have_the_names_of_the_engine() {
        for viseme in Viseme::ALL {
            // SAFETY: names are static and end with a zero.
            let name = unsafe { CStr::from_ptr(mynah_viseme_name(viseme as i32)) };
            assert_eq!(name.to_str(), Ok(viseme.name()));
        }
    }
}
