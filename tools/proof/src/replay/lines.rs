//! The lines of a log, one at a time, with their numbers and the log's own hash.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::Xxh3;

use mynah_files::failure::Failure;
use mynah_files::text::{self, BYTE_ORDER_MARK};
use mynah_sim::answers::{LoggedAnswer, LoggedAnswers, Remembered};
use mynah_sim::events::header::{Header, RUN, SCHEMA};
use mynah_sim::events::log::{END, INTERRUPTED, fold};

/// Longest first line: a scene and the one behind its link, at most 1 MiB each, every byte escaped.
const HEADER_BYTES_MAX: u64 = 16 << 20;
/// Longest other line: an event with a text.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A log being read.
pub struct LogLines {
    reader: BufReader<File>,
    path: PathBuf,
    /// Number of the line read last, from 1.
    number: u64,
    /// The line read last, and whether it has its end.
    line: String,
    whole: bool,
    /// The next line, with its end, if somebody has looked at it.
    ahead: Option<Vec<u8>>,
    /// Of all lines before the last one.
    hash: Xxh3,
}

/// What services outside the process answered, from all lines of a log. What cannot be read is said when it is its turn.
///
/// # Errors
/// The file cannot be read.
pub(super) fn answers(path: &Path) -> Result<LoggedAnswers, Failure> {
    let unreadable = |error: std::io::Error| Failure::unable(format_args!("{}: {error}", path.display()));
    let mut reader = BufReader::with_capacity(1 << 16, text::open(path).map_err(unreadable)?);
    let (mut read, mut line) = (Remembered::new(), Vec::new());
    loop {
        line.clear();
        if (&mut reader).take(HEADER_BYTES_MAX).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            return Ok(LoggedAnswers::new(read));
        }
        if let Ok(line) = std::str::from_utf8(&line) {
            LoggedAnswer::read(line, &mut read);
        }
    }
}

/// What has to be known of a first line before it can be read as one.
#[derive(Deserialize)]
struct Kind {
    event: String,
    schema: Option<u64>,
    version: Option<String>,
}

impl LogLines {
    /// Opens a log.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| {
            Failure::unable(format_args!(
                "{}: {error}; expected an event log, as `--events FILE` writes it",
                path.display()
            ))
        };
        let file = text::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(Failure::unable(format_args!(
                "{}: is a folder; expected an event log, as `--events FILE` writes it",
                path.display()
            )));
        }
        Ok(Self {
            reader: BufReader::with_capacity(1 << 16, file),
            path: path.to_path_buf(),
            number: 0,
            line: String::new(),
            whole: true,
            ahead: None,
            hash: Xxh3::new(),
        })
    }

    /// Number of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The line read last.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// False: the file stopped in the middle of the line read last.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Reads the first line.
    ///
    /// # Errors
    /// It is none, or of a log that cannot be run again.
    pub fn header(&mut self) -> Result<Header, Failure> {
        let path = self.path.display().to_string();
        if !self.read(HEADER_BYTES_MAX)? {
            return Err(Failure::unable(format_args!(
                "{path}: is empty; record it again with --events FILE"
            )));
        }
        let kind: Kind = serde_json::from_str(&self.line).map_err(|error| self.malformed(&error))?;
        let again = "record it again with --events FILE";
        if kind.event != RUN {
            return Err(Failure::unable(format_args!(
                "{path}:1: the event is `{}`; expected `{RUN}`, which says what the run is a function of: is the \
                 first line missing, or the log of an older mynah? {again}",
                kind.event
            )));
        }
        if kind.schema != Some(u64::from(SCHEMA)) {
            let schema = kind.schema.map_or("no schema".into(), |schema| format!("schema {schema}"));
            let version = kind.version.map_or(String::new(), |version| format!(" {version}"));
            return Err(Failure::unable(format_args!(
                "{path}:1: {schema}; this mynah replays schema {SCHEMA}: use the mynah{version} that wrote it, or \
                 {again}"
            )));
        }
        serde_json::from_str(&self.line).map_err(|error| self.malformed(&error))
    }

    /// Reads the next line; false: there is none.
    ///
    /// # Errors
    /// The file cannot be read, the line is no text or too long.
    pub fn advance(&mut self) -> Result<bool, Failure> {
        self.read(LINE_BYTES_MAX)
    }

    /// Whether the next line tells of an interruption at `now_us`.
    pub fn is_interrupted_next(&mut self, now_us: u64) -> bool {
        if self.ahead.is_none() {
            // What cannot be read is said when it is its turn.
            self.ahead = self.next_bytes(LINE_BYTES_MAX).ok();
        }
        let bytes = self.ahead.as_deref().unwrap_or_default();
        // Most lines need not be understood for this.
        let close = now_us.to_string();
        if !bytes.windows(close.len()).any(|part| part == close.as_bytes()) {
            return false;
        }
        let line: Value = serde_json::from_slice(bytes).unwrap_or_default();
        line["event"] == INTERRUPTED && line["t_us"] == now_us
    }

    /// The next line with its end; empty: there is none.
    fn next_bytes(&mut self, bytes_max: u64) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.line.capacity());
        // One more than is allowed, and room for an end of two bytes.
        (&mut self.reader).take(bytes_max + 2).read_until(b'\n', &mut bytes)?;
        if self.number == 0 && bytes.starts_with(BYTE_ORDER_MARK.as_bytes()) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(bytes)
    }

    fn read(&mut self, bytes_max: u64) -> Result<bool, Failure> {
        let bytes = self.ahead.take().map_or_else(|| self.next_bytes(bytes_max), Ok);
        let mut bytes =
            bytes.map_err(|error| Failure::unable(format_args!("{}: {error}", self.path.display())))?;
        if bytes.is_empty() {
            return Ok(false);
        }
        if self.number > 0 {
            fold(&mut self.hash, &self.line);
        }
        self.number += 1;
        let (path, number) = (self.path.display(), self.number);
        self.whole = bytes.last() == Some(&b'\n');
        if self.whole {
            bytes.pop();
            // Some programs end lines with two bytes; the hash is of the line without them.
            bytes.pop_if(|last| *last == b'\r');
        }
        if bytes.len() as u64 > bytes_max {
            return Err(Failure::unable(format_args!(
                "{path}:{number}: the line is longer than {bytes_max} bytes; expected one event a line: is it \
                 another file?"
            )));
        }
        self.line = String::from_utf8(bytes).map_err(|error| {
            let column = error.utf8_error().valid_up_to() + 1;
            Failure::unable(format_args!(
                "{path}:{number}:{column}: not UTF-8; expected JSON, one event a line"
            ))
        })?;
        Ok(true)
    }

    /// The line read last as the object that it is.
    ///
    /// # Errors
    /// It is none, or of no event.
    pub fn object(&self) -> Result<Map<String, Value>, Failure> {
        let object: Map<String, Value> =
            serde_json::from_str(&self.line).map_err(|error| self.malformed(&error))?;
        let missing = [("t_us", Value::is_u64 as fn(&Value) -> bool), ("session", Value::is_string)]
            .into_iter()
            .chain([("turn", Value::is_u64 as fn(&Value) -> bool), ("event", Value::is_string)])
            .find(|(field, fits)| !object.get(*field).is_some_and(fits));
        match missing {
            None => Ok(object),
            Some((field, _)) => Err(Failure::unable(format_args!(
                "{}:{}:1: no event: `{field}` is missing or of another type; expected t_us, session, turn, event",
                self.path.display(),
                self.number
            ))),
        }
    }

    fn malformed(&self, error: &serde_json::Error) -> Failure {
        let text = error.to_string();
        // serde_json counts lines from the start of what it was given, which is one line.
        let what = text.split(" at line ").next().unwrap_or(&text);
        Failure::unable(format_args!(
            "{}:{}:{}: {what}; expected one event a line, as `--events FILE` writes them",
            self.path.display(),
            self.number,
            error.column().max(1)
        ))
    }

    /// Reads what is left, and says whether the log's last line fits the lines before it. A log without its last line
    /// has nothing that could fit.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fits_its_hash(mut self) -> Result<bool, Failure> {
        while self.advance()? {}
        let last: Value = serde_json::from_str(&self.line).unwrap_or_default();
        let digest = format!("{:016x}", self.hash.digest());
        Ok(last["event"] == END && last["log_hash"] == digest.as_str())
    }
}
