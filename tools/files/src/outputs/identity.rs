//! Whether two paths lead to one file, whether or not it is there yet.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::dash::is_dash;

/// Links in a row that are followed; systems give up at 40, too.
const LINKS_MAX: usize = 40;

/// What a path leads to. Equal identities are one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Standard output.
    Stdout,
    /// A file, by device and number.
    #[cfg(unix)]
    File(u64, u64),
    /// A file that is not there yet, or a system that does not number its files: its path without links.
    Path(PathBuf),
    /// A device or a pipe: any number of writers may share it, and nothing that is in it is lost.
    Shared,
}

impl Identity {
    pub(super) fn of(path: &Path) -> Self {
        if is_dash(path) {
            return Self::Stdout;
        }
        match fs::metadata(path) {
            Ok(found) if found.is_file() => Self::file(path, &found),
            Ok(found) if !found.is_dir() => Self::Shared,
            _ => Self::Path(Landing::of(path).path),
        }
    }

    #[cfg(unix)]
    fn file(_: &Path, found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self::File(found.dev(), found.ino())
    }

    #[cfg(not(unix))]
    fn file(path: &Path, _: &Metadata) -> Self {
        Self::Path(Landing::of(path).path)
    }

    /// Whether it may be an output beside something of the same identity.
    pub(super) fn is_shared(&self) -> bool {
        *self == Self::Shared
    }
}

/// Where a path leads.
#[derive(Clone, Debug)]
pub(super) struct Landing {
    /// Without links, in any part of it.
    pub(super) path: PathBuf,
    /// A file that this process has open (`/dev/stdout`, `/dev/fd/3`): it goes on where it is, whatever its name.
    pub(super) is_open: bool,
}

impl Landing {
    /// Follows all links; the file itself, and folders around it, need not be there yet.
    pub(super) fn of(path: &Path) -> Self {
        let mut landing = Self { path: real_folder(path), is_open: false };
        for _ in 0..LINKS_MAX {
            landing.is_open |= ["/proc", "/dev/fd"].iter().any(|folder| landing.path.starts_with(folder));
            let Ok(to) = fs::read_link(&landing.path) else { break };
            let folder = landing.path.parent().unwrap_or(Path::new(""));
            landing.path = real_folder(&folder.join(to));
        }
        landing
    }
}

/// The path with its folder as it really is, as far as that exists.
fn real_folder(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for folder in whole.ancestors().skip(1) {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), whole.strip_prefix(folder)) {
            return real.join(rest);
        }
    }
    whole
}
