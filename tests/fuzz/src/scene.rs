//! Scene texts: whatever somebody writes ends with a scene that runs or with errors that say where and what helps.

use mynah_engine::scene::{Source, compile};

use crate::accepted;

/// Longest text that is tried: what grows faster than the text shows far below.
const BYTES_MAX: usize = 32 * 1024;

/// The text of a scene, as UTF-8; what is none is cut off.
///
/// # Panics
/// When a text panics the compiler, an error has no place or remedy, or an accepted scene does not run or compiles
/// differently the next time.
pub fn scene(data: &[u8]) {
    let text = text_of(data);
    let registry = mynah_sim::scenes::registry(None);
    let source = Source::new("fuzzed.ron", text);
    match compile(&source, &[], None, &registry) {
        Err(found) => {
            accepted::is_refused_well(&found);
            let lines = text.lines().count();
            assert!(found.0.len() <= 1 + lines + text.len() / 4, "{} findings", found.0.len());
        }
        Ok((plan, warnings)) => {
            // Blanks and comments do not count.
            let again = Source::new("fuzzed.ron", format!("// again\n{text}\n\n"));
            if !text.trim_start().starts_with("#!") && !text.starts_with('\u{feff}') {
                match compile(&again, &[], None, &registry) {
                    Ok((same, _)) => assert_eq!(same.hash, plan.hash, "the same scene has another hash"),
                    Err(found) => panic!("refused behind a comment: {found}"),
                }
            }
            accepted::holds(plan, &warnings);
        }
    }
}

/// As much of `data` as is text.
pub(crate) fn text_of(data: &[u8]) -> &str {
    let data = &data[..data.len().min(BYTES_MAX)];
    match std::str::from_utf8(data) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&data[..error.valid_up_to()]).unwrap_or(""),
    }
}
