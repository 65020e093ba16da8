//! A file under a temporary name beside its target until it is complete.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::identity::Landing;

/// Names that are tried before it is taken for hopeless.
const NAMES_MAX: u32 = 1_000;

/// Every temporary file of this process.
static TEMPORARIES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn temporaries() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file and ends the process. Nothing takes its final name behind this call.
pub fn leave(code: i32) -> ! {
    let temporaries = temporaries();
    temporaries.iter().for_each(|path| drop(fs::remove_file(path)));
    std::process::exit(code)
}

/// A file that is not complete. Dropped without [`Self::commit`], it goes, and what was there before stays.
#[derive(Debug)]
pub(super) struct Draft {
    temporary: PathBuf,
    target: PathBuf,
    /// The content is copied into the file that is there, which stays the file it is.
    is_copied: bool,
}

/// Opens what is to be written to a path: a draft of a regular file, or the device, pipe or open file itself.
///
/// # Errors
/// It may not be written, or its folder may not.
pub(super) fn open(path: &Path) -> io::Result<(File, Option<Draft>)> {
    let landing = Landing::of(path);
    let names_a_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if landing.is_open || names_a_folder {
        return as_it_is(path);
    }
    match fs::metadata(path) {
        Ok(old) if !old.is_file() => as_it_is(path),
        Ok(old) => {
            // Whoever may write the folder could replace a file that may not be written.
            OpenOptions::new().write(true).open(path)?;
            match Draft::beside(&landing.path) {
                Ok((file, draft)) => Ok((file, Some(draft.in_place_of(&old)?))),
                // Only the file itself may be written.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => as_it_is(path),
                Err(error) => Err(error),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Draft::beside(&landing.path).map(|(file, draft)| (file, Some(draft)))
        }
        Err(error) => Err(error),
    }
}

fn as_it_is(path: &Path) -> io::Result<(File, Option<Draft>)> {
    Ok((File::create(path)?, None))
}

/// Whether a file must stay the one it is: it has other names, or the new one would be somebody else's.
#[cfg(unix)]
fn must_stay(old: &Metadata, new: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    old.nlink() > 1 || (old.uid(), old.gid()) != (new.uid(), new.gid())
}

#[cfg(not(unix))]
fn must_stay(_: &Metadata, _: &Metadata) -> bool {
    false
}

impl Draft {
    fn beside(target: &Path) -> io::Result<(File, Self)> {
        let folder = target.parent().unwrap_or(Path::new(""));
        let process = std::process::id();
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 0..NAMES_MAX {
            let temporary = folder.join(format!(".mynah-{process}-{number}.part"));
            let mut known = temporaries();
            match File::create_new(&temporary) {
                Ok(file) => {
                    known.insert(temporary.clone());
                    return Ok((file, Self { temporary, target: target.to_path_buf(), is_copied: false }));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// The draft of what replaces a file, with its permissions.
    fn in_place_of(mut self, old: &Metadata) -> io::Result<Self> {
        self.is_copied = must_stay(old, &fs::metadata(&self.temporary)?);
        if !self.is_copied {
            fs::set_permissions(&self.temporary, old.permissions())?;
        }
        Ok(self)
    }

    /// The file is complete: it takes its name.
    ///
    /// # Errors
    /// It cannot be kept; what was there before stays.
    pub(super) fn commit(self, file: &File) -> io::Result<()> {
        if self.is_copied {
            let mut whole = File::open(&self.temporary)?;
            return io::copy(&mut whole, &mut File::create(&self.target)?).map(drop);
        }
        // Without this a power cut could leave the new name with nothing behind it.
        file.sync_all()?;
        let mut known = temporaries();
        fs::rename(&self.temporary, &self.target)?;
        known.remove(&self.temporary);
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if temporaries().remove(&self.temporary) {
            drop(fs::remove_file(&self.temporary));
        }
    }
}
