//! The outputs of a command.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::dash::is_dash;
use super::draft::{self, Draft};
use crate::failure::Failure;
use crate::terminal::Pipe;

/// A file on its way. Regular files get their name when they are complete; devices and pipes are written as they are; `-`
/// is standard output. Dropped before it is finished, a regular file is as it was.
#[derive(Debug)]
pub struct Output {
    // Before the draft, so that the file is closed when the draft goes.
    to: BufWriter<Sink>,
    draft: Option<Draft>,
    name: String,
}

#[derive(Debug)]
enum Sink {
    File(File),
    Stdout(Pipe),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(pipe) => pipe.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(pipe) => pipe.flush(),
        }
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Stdout(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

impl Output {
    /// Opens it, so that a path that cannot be written is known before anything runs.
    ///
    /// # Errors
    /// It cannot be written: exit code 2.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        Self::open(path).map_err(|error| Failure::write(path.display(), &error))
    }

    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if is_dash(path) {
            let to = BufWriter::new(Sink::Stdout(Pipe::stdout()));
            return Ok(Self { to, draft: None, name: "standard output".into() });
        }
        let (file, draft) = draft::open(path)?;
        Ok(Self { to: BufWriter::new(Sink::File(file)), draft, name: path.display().to_string() })
    }

    /// Appends to the output.
    ///
    /// # Errors
    /// It cannot be written: exit code 2.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes).map_err(|error| Failure::write(&self.name, &error))
    }

    /// It is complete.
    ///
    /// # Errors
    /// It cannot be kept: exit code 2.
    pub fn finish(mut self) -> Result<(), Failure> {
        let name = std::mem::take(&mut self.name);
        self.close().map_err(|error| Failure::write(name, &error))
    }

    pub(super) fn close(self) -> io::Result<()> {
        let Self { to, draft, .. } = self;
        let mut sink = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        match (&mut sink, draft) {
            (Sink::File(file), Some(draft)) => draft.commit(file),
            (sink, _) => sink.flush(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// In files only: formats whose header says how long they are.
impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.to.seek(to)
    }
}
