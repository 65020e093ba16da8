//! How a command ends, and the message of a failure.

use std::fmt;
use std::process::ExitCode;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, and all is well.
    Done,
    /// 1: the scene is invalid, or a limit was missed.
    Refused,
    /// 2: a bad flag, a missing file; nothing could be said about the scene.
    Unable,
    /// 130: Ctrl-C or SIGTERM ended it; what it says is of the time until then.
    Interrupted,
}

impl Exit {
    /// 0, 1, 2 or 130.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Unable => 2,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// [`Exit::Refused`] or [`Exit::Unable`].
    pub exit: Exit,
    /// For stderr: what was found, what is expected, what helps. May have several lines.
    pub message: String,
}

impl Failure {
    /// The scene is invalid: exit code 1. The message is complete, as the scene compiler renders it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into() }
    }

    /// A bad flag, a missing file, something that could not run: exit code 2.
    pub fn unable(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Unable, message: format!("error: {message}") }
    }

    /// Results or files that could not be written: exit code 2.
    pub fn write(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::unable(format_args!("{what}: {error}; check the path, its permissions and its disk"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    /// What remains of errors on stdout: a broken pipe is none, see [`crate::terminal::Stdout`].
    fn from(error: std::io::Error) -> Self {
        Self::unable(format_args!("results could not be written: {error}"))
    }
}
