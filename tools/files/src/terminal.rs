//! Standard output for results, standard error for notices. Colours only on a terminal.

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};

use mynah_engine::scene::Rendering;

/// Results. A reader that has gone (`mynah ... | head -1`) has had enough: that is no error, the rest is not written.
#[derive(Debug)]
pub struct Stdout {
    out: Quiet<BufWriter<StdoutLock<'static>>>,
}

impl Stdout {
    /// Takes stdout for the rest of the command.
    pub fn lock() -> Self {
        Self { out: Quiet::new(BufWriter::new(io::stdout().lock())) }
    }

    /// Writes one result with a newline behind it.
    ///
    /// # Errors
    /// Anything but a broken pipe.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes())?;
        self.write_all(b"\n")
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Standard output as a file among others: like [`Stdout`], but it keeps nobody else from it.
#[derive(Debug)]
pub struct Pipe(Quiet<io::Stdout>);

impl Pipe {
    /// Of this process.
    pub fn stdout() -> Self {
        Self(Quiet::new(io::stdout()))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Takes everything, and passes it on as long as somebody reads.
#[derive(Debug)]
struct Quiet<W> {
    inner: W,
    gone: bool,
}

impl<W: Write> Quiet<W> {
    fn new(inner: W) -> Self {
        Self { inner, gone: false }
    }

    fn unless_gone<T>(&mut self, done: io::Result<T>, instead: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(instead)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone {
            return Ok(bytes.len());
        }
        let written = self.inner.write(bytes);
        self.unless_gone(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        let flushed = self.inner.flush();
        self.unless_gone(flushed, ())
    }
}

/// Prints a result to stdout.
///
/// # Errors
/// Anything but a broken pipe.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = Stdout::lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Where a table goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableTo {
    /// Where results go.
    Stdout,
    /// Stdout has an event log or another file in it.
    Stderr,
}

impl TableTo {
    /// Shows what `draw` makes for the look of the place.
    ///
    /// # Errors
    /// Results that could not be written.
    pub fn show(self, draw: impl FnOnce(Rendering) -> String) -> io::Result<()> {
        match self {
            Self::Stdout => print(&draw(stdout_look())),
            Self::Stderr => {
                let mut stderr = io::stderr().lock();
                // As for notices: if nobody can read it, nothing can be done.
                drop(stderr.write_all(draw(stderr_look()).as_bytes()));
                Ok(())
            }
        }
    }
}

/// Writes a notice to stderr, a newline behind it. If nobody can read it, nothing can be done.
pub fn notice(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(writeln!(stderr, "{text}"));
}

/// Whether stderr can be drawn on: a terminal that takes lines back.
pub fn stderr_draws() -> bool {
    draws(io::stderr().is_terminal(), &environment)
}

/// Whether text for stderr may have colours.
pub fn stderr_look() -> Rendering {
    look(io::stderr().is_terminal(), &environment)
}

/// Whether text for stdout may have colours.
pub fn stdout_look() -> Rendering {
    look(io::stdout().is_terminal(), &environment)
}

fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn draws(terminal: bool, environment: &dyn Fn(&str) -> Option<String>) -> bool {
    terminal && environment("TERM").is_none_or(|value| value != "dumb")
}

/// <https://no-color.org>: any value but the empty one asks for no colour.
fn look(terminal: bool, environment: &dyn Fn(&str) -> Option<String>) -> Rendering {
    let refused = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
    if draws(terminal, environment) && !refused { Rendering::Styled } else { Rendering::Plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone(io::ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_broken_pipe_is_success_and_a_full_disk_is_not() {
        let mut gone = Quiet::new(Gone(io::ErrorKind::BrokenPipe));
        gone.write_all(b"more than it wants").unwrap();
        gone.flush().unwrap();
        let mut full = Quiet::new(Gone(io::ErrorKind::StorageFull));
        assert_eq!(full.write_all(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn colours_need_a_terminal_and_nobody_who_minds() {
        let cases = [
            (true, "", "", Rendering::Styled),
            (false, "", "", Rendering::Plain),
            (true, "NO_COLOR", "1", Rendering::Plain),
            (true, "NO_COLOR", "", Rendering::Styled),
            (true, "TERM", "dumb", Rendering::Plain),
        ];
        for (terminal, set, value, want) in cases {
            let environment = |name: &str| (name == set).then(|| value.to_string());
            assert_eq!(look(terminal, &environment), want, "{terminal} {set}={value}");
        }
    }
}
