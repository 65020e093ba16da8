//! Reading and writing without harm: texts, outputs that overwrite nobody, failures with their exit code, the terminal.
//!
//! ```
//! use mynah_files::text::{NoText, decode};
//!
//! // What an editor puts in front is not part of the text; what is no text is told as such.
//! assert_eq!(decode(b"\xef\xbb\xbfscene".to_vec()), Ok("scene".to_owned()));
//! assert_eq!(decode(b"caf\xe9".to_vec()), Err(NoText::Byte(3)));
//! ```

pub mod failure;
pub mod outputs;
pub mod terminal;
pub mod text;
