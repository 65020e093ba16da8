//! A whole event log: its header, the events, digests of the output, and its last line.
//!
//! Beside the events there is an `output` line a session and second of engine time in which it put something out: a
//! run whose events agree and whose samples do not differs there. Whoever takes the lines writes them, or compares
//! them with those of an earlier run.

use std::path::Path;
use std::sync::Arc;

use mynah_engine::{Event, OutAudio, Record, ScenePlan};
use serde::{Serialize, Serializer};
use xxhash_rust::xxh3::Xxh3;

use super::{Line, node_names, write_json};
use crate::answers::{AnswerBook, book_of};
use crate::events::header::Header;
use crate::observer::{Observer, TickView};
use mynah_files::failure::Failure;
use mynah_files::outputs::Output;

/// Released samples are told of once in this much engine time.
const OUTPUT_US: u64 = 1_000_000;

/// Where the lines of a log go.
pub trait LineSink: Send {
    /// Takes one line, without its end.
    ///
    /// # Errors
    /// It cannot be kept.
    fn take(&mut self, line: &str) -> Result<(), Failure>;

    /// There are no more.
    ///
    /// # Errors
    /// What was taken cannot be kept.
    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// False: no later line changes anything any more.
    fn wants_more(&self) -> bool {
        true
    }

    /// Whether the next line is that of an interruption at this time: then the run is to be interrupted there.
    fn awaits_interruption(&mut self, now_us: u64) -> bool {
        let _unused = now_us;
        false
    }
}

/// Writes the lines to a file.
#[derive(Debug)]
pub struct LogFile {
    /// `None`: it is complete.
    file: Option<Output>,
}

impl LogFile {
    /// Creates the file.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        Ok(Self { file: Some(Output::create(path)?) })
    }
}

impl LineSink for LogFile {
    fn take(&mut self, line: &str) -> Result<(), Failure> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.put(line.as_bytes())?;
        file.put(b"\n")
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.file.take().map_or(Ok(()), Output::finish)
    }
}

/// What a session has released.
#[derive(Default)]
struct Released {
    samples: u64,
    hash: Xxh3,
}

impl Released {
    fn add(&mut self, audio: &OutAudio) {
        self.samples += audio.block.len() as u64;
        for number in [audio.pts_us, audio.released_us, u64::from(audio.segment), u64::from(audio.revision)] {
            self.hash.update(&number.to_le_bytes());
        }
        for piece in audio.block.samples().chunks(256) {
            let mut bytes = [0; 1024];
            for (to, sample) in bytes.chunks_exact_mut(4).zip(piece) {
                to.copy_from_slice(&sample.to_le_bytes());
            }
            self.hash.update(&bytes[..piece.len() * 4]);
        }
    }
}

/// The sessions of one engine.
struct Side {
    names: Vec<String>,
    nodes: Vec<String>,
    released: Vec<Released>,
}

impl Side {
    fn new(names: Vec<String>, plan: &ScenePlan) -> Self {
        let released = names.iter().map(|_| Released::default()).collect();
        Self { names, nodes: node_names(plan), released }
    }

    /// Writes into `line` what `record` says; false: of nobody here.
    fn tell(&self, line: &mut Vec<u8>, record: &Record) -> bool {
        let Record { t_us, turn, event, .. } = record;
        let Some(session) = self.names.get(record.session.0 as usize) else { return false };
        write_json(line, &Line { t_us: *t_us, session, turn: *turn, event }, &self.nodes);
        true
    }

    /// Writes into `line` what session number `at` has released since the last time; false: nothing.
    fn tell_released(&mut self, line: &mut Vec<u8>, t_us: u64, at: usize) -> bool {
        let released = &mut self.released[at];
        if released.samples == 0 {
            return false;
        }
        let event = Beside::Output { samples: released.samples, digest: Digest(released.hash.digest()) };
        write_json(line, &Line { t_us, session: &self.names[at], turn: 0, event }, &[]);
        released.samples = 0;
        true
    }
}

/// What a log tells beside the events of an engine.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Beside<'a> {
    /// What a session has put out since the last such line: interleaved samples, and a hash of all it ever put out.
    Output { samples: u64, digest: Digest },
    /// See [`INTERRUPTED`].
    Interrupted,
    /// See [`END`].
    End {
        /// All lines, this one included.
        lines: u64,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        interrupted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        event_hash: Option<&'a str>,
        log_hash: Digest,
    },
}

/// A hash, as 16 hexadecimal digits.
struct Digest(u64);

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:016x}", self.0))
    }
}

/// Turns what happens into lines. Sessions are known by their number, in the order in which they were opened.
pub struct EventLog<'a> {
    sink: Box<dyn LineSink + 'a>,
    near: Side,
    /// What services outside answer.
    answers: Option<Arc<AnswerBook>>,
    far: Option<Side>,
    line: Vec<u8>,
    lines: u64,
    hash: Xxh3,
    now_us: u64,
    is_interrupted: bool,
    tells_probabilities: bool,
    /// What could not be kept; then nothing else is.
    failure: Option<Failure>,
}

impl<'a> EventLog<'a> {
    /// A log whose first line, `header`, goes to `sink`. `names`: of the sessions.
    ///
    /// # Errors
    /// The first line cannot be kept.
    pub fn new(
        mut sink: Box<dyn LineSink + 'a>,
        header: &str,
        plan: &ScenePlan,
        names: Vec<String>,
    ) -> Result<Self, Failure> {
        let near = Side::new(names, plan);
        let answers = book_of(plan);
        if let Some(answers) = &answers {
            answers.open();
        }
        sink.take(header)?;
        let (mut hash, line) = (Xxh3::new(), Vec::new());
        fold(&mut hash, header);
        Ok(Self {
            sink,
            near,
            answers,
            far: None,
            line,
            lines: 1,
            hash,
            now_us: 0,
            is_interrupted: false,
            tells_probabilities: true,
            failure: None,
        })
    }

    /// Writes to a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn to_file(
        path: &Path,
        header: &Header,
        plan: &ScenePlan,
        names: Vec<String>,
    ) -> Result<Self, Failure> {
        Self::new(Box::new(LogFile::create(path)?), &header.line(), plan, names)
    }

    /// From now on it also takes what happens in an engine that runs `plan` behind a link; its lines say
    /// `SESSION@SCENE`.
    pub fn with_far(mut self, plan: &ScenePlan) -> Self {
        let scene = &plan.scene.name;
        let names = self.near.names.iter().map(|name| format!("{name}@{scene}")).collect();
        self.far = Some(Side::new(names, plan));
        self
    }

    /// Probabilities are in no line: whoever asked for them wants them elsewhere.
    pub fn without_probabilities(mut self) -> Self {
        self.tells_probabilities = false;
        self
    }

    fn tell_released(&mut self) {
        for at in 0..self.near.names.len() {
            if self.near.tell_released(&mut self.line, self.now_us, at) {
                self.pass();
            }
        }
        for at in 0..self.far.as_ref().map_or(0, |far| far.names.len()) {
            let far = self.far.as_mut().expect("there are sessions of it");
            if far.tell_released(&mut self.line, self.now_us, at) {
                self.pass();
            }
        }
    }

    /// Tells what services outside have answered. `all`: to calls that are not over, too.
    fn tell_answers(&mut self, all: bool) {
        let Some(answers) = self.answers.clone() else { return };
        answers.read(all, |said| {
            let (session, turn) = (&*said.session, said.turn);
            write_json(&mut self.line, &Line { t_us: self.now_us, session, turn, event: said }, &[]);
            self.pass();
        });
    }

    fn pass(&mut self) {
        self.lines += 1;
        let line = text(&self.line);
        fold(&mut self.hash, line);
        if self.failure.is_none() {
            self.failure = self.sink.take(line).err();
        }
    }

    /// Ends the log. `event_hash`: the report's, if there is one.
    ///
    /// # Errors
    /// A line cannot be kept, this or an earlier one.
    pub fn finish(mut self, event_hash: Option<&str>) -> Result<(), Failure> {
        self.tell_answers(true);
        self.tell_released();
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let event = Beside::End {
            lines: self.lines + 1,
            interrupted: self.is_interrupted,
            event_hash,
            log_hash: Digest(self.hash.digest()),
        };
        write_json(&mut self.line, &Line { t_us: self.now_us, session: "", turn: 0, event }, &[]);
        self.sink.take(text(&self.line))?;
        self.sink.finish()
    }
}

fn text(line: &[u8]) -> &str {
    std::str::from_utf8(line).expect("JSON is text")
}

impl Observer for EventLog<'_> {
    fn records(&mut self, records: &[Record]) {
        for record in records {
            let told = self.tells_probabilities || !matches!(record.event, Event::Probability { .. });
            if told && self.near.tell(&mut self.line, record) {
                self.pass();
            }
        }
    }

    fn far_records(&mut self, records: &[Record]) {
        for record in records {
            if self.far.as_ref().is_some_and(|far| far.tell(&mut self.line, record)) {
                self.pass();
            }
        }
    }

    fn audio(&mut self, session: usize, audio: &OutAudio) {
        if let Some(released) = self.near.released.get_mut(session) {
            released.add(audio);
        }
    }

    fn far_audio(&mut self, session: usize, audio: &OutAudio) {
        if let Some(released) = self.far.as_mut().and_then(|far| far.released.get_mut(session)) {
            released.add(audio);
        }
    }

    fn tick(&mut self, view: TickView<'_>) {
        let now_us = view.engine.now_us();
        let over = now_us / OUTPUT_US > self.now_us / OUTPUT_US;
        self.now_us = now_us;
        self.tell_answers(false);
        if over {
            self.tell_released();
        }
    }

    fn wants_more(&self) -> bool {
        self.failure.is_none() && self.sink.wants_more()
    }

    fn interrupts(&mut self) -> bool {
        self.sink.awaits_interruption(self.now_us)
    }

    fn interrupted(&mut self, now_us: u64) {
        self.is_interrupted = true;
        let event = Beside::Interrupted;
        write_json(&mut self.line, &Line { t_us: now_us, session: "", turn: 0, event }, &[]);
        self.pass();
    }
}

/// The event of a line between two ticks: the input ended there before its time.
pub const INTERRUPTED: &str = "interrupted";

/// The last line's event.
pub const END: &str = "end";

/// Folds a line into a log's own hash, which goes over all lines before the last, each with its newline.
pub fn fold(hash: &mut Xxh3, line: &str) {
    hash.update(line.as_bytes());
    hash.update(b"\n");
}
