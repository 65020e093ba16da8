//! `-`, which is standard input or output.

use std::path::Path;

/// The path that stands for standard input or output.
pub const DASH: &str = "-";

/// Whether a path stands for standard input or output.
pub fn is_dash(path: &Path) -> bool {
    path.as_os_str() == DASH
}
