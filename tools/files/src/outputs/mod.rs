//! Every file that a command writes is opened here.
//!
//! `claims` refuses, before anything is opened, an output that is the same file as something that is read or as another
//! output; `identity` says what the same file is. `draft` is a file under a temporary name until it is complete, `output`
//! what commands write to.

mod claims;
mod dash;
mod draft;
mod identity;
mod output;

use std::io::{self, Write as _};
use std::path::Path;

pub use claims::Claims;
pub use dash::{DASH, is_dash};
pub use draft::leave;
pub use output::Output;

/// Whether a path leads to a file that this process has open: `/dev/stdin`, `/dev/fd/3`.
pub fn is_open(path: &Path) -> bool {
    identity::Landing::of(path).is_open
}

/// Writes a file in one go: it is there whole, or as it was.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut output = Output::open(path)?;
    output.write_all(bytes)?;
    output.close()
}
