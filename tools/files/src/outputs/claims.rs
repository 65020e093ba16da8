//! The files that a command reads and writes, claimed before any of them is opened.

use std::path::Path;

use super::dash::is_dash;
use super::identity::Identity;
use crate::failure::Failure;

/// Files that are taken. What is read is told first, then what is written.
#[derive(Debug, Default)]
pub struct Claims {
    taken: Vec<Taken>,
}

#[derive(Debug)]
struct Taken {
    /// `--input a.wav`.
    name: String,
    identity: Identity,
    is_read: bool,
}

impl Claims {
    /// The command prints its result, as `name` says, to standard output.
    pub fn prints(&mut self, name: &str) {
        self.taken.push(Taken { name: name.into(), identity: Identity::Stdout, is_read: false });
    }

    /// The command reads a file. What is not there, or is no file, cannot be lost.
    pub fn reads(&mut self, name: &str, path: &Path) {
        if !is_dash(path) && path.exists() {
            self.take(name, path, Identity::of(path), true);
        }
    }

    /// The command writes a file.
    ///
    /// # Errors
    /// It reads the file, too, or something else is written there: exit code 2, and nothing has been touched.
    pub fn writes(&mut self, name: &str, path: &Path) -> Result<(), Failure> {
        let identity = Identity::of(path);
        let same = self.taken.iter().find(|taken| taken.identity == identity && !identity.is_shared());
        if let Some(taken) = same {
            let (other, here) = (&taken.name, path.display());
            return Err(Failure::unable(match taken.is_read {
                true => format!(
                    "{name} {here}: the same file as {other}, which is read and would be lost; expected another file"
                ),
                false => format!("{name} {here}: the same as {other}; expected a file for each"),
            }));
        }
        self.take(name, path, identity, false);
        Ok(())
    }

    /// The same for a flag that may not be given.
    ///
    /// # Errors
    /// See [`Self::writes`].
    pub fn may_write<P: AsRef<Path>>(&mut self, name: &str, path: Option<P>) -> Result<(), Failure> {
        path.map_or(Ok(()), |path| self.writes(name, path.as_ref()))
    }

    fn take(&mut self, name: &str, path: &Path, identity: Identity, is_read: bool) {
        self.taken.push(Taken { name: format!("{name} {}", path.display()), identity, is_read });
    }
}
