//! The first line of an event log: everything that the run is a function of, so that it can be run again.
//!
//! It has the shape of an event line. Threads and shards are not in it, as they change nothing. Scenes are in it as text: a log outlives the files it was made with.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use mynah_engine::scene::Source;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::report::cpu_features;
use crate::simulate::RunClock;
use mynah_files::text;
use mynah_load::load::schedule::Phase;

/// Version of the log's shape.
pub const SCHEMA: u32 = 1;

/// Of more bytes than this no file is an input.
const INPUT_BYTES_MAX: u64 = 1 << 32;

/// The event's name.
pub const RUN: &str = "run";

/// A scene as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneText {
    /// What it was called: a path, or `scenes/NAME.ron` of one that comes with mynah.
    pub name: String,
    /// RON, without the overrides.
    pub text: String,
}

impl From<&Source> for SceneText {
    fn from(source: &Source) -> Self {
        Self { name: source.name.to_string(), text: source.text.to_string() }
    }
}

impl From<&SceneText> for Source {
    fn from(scene: &SceneText) -> Self {
        Self::new(scene.name.as_str(), scene.text.as_str())
    }
}

/// A file that is input, and what was in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentOf {
    /// As it was given; what is not UTF-8 in it stands as U+FFFD.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Hash of the content, 16 hexadecimal digits; of labels: of theirs and of the recordings they name.
    pub xxh3: String,
}

fn lossy<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

/// Where callers come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LoadInput {
    /// Made from the seed.
    Synthesized,
    /// Labels beside recordings.
    Recordings(ContentOf),
}

/// What `simulate` was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulateInputs {
    /// Number of callers.
    pub sessions: u32,
    /// What each of them sends, microseconds.
    pub duration_us: u64,
    /// `staggered` or `aligned`.
    pub phase: Phase,
    /// Where they come from.
    pub load: LoadInput,
    /// The plan of faults; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<String>,
}

/// One recording of `run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingInput {
    /// What its session is called.
    pub name: String,
    /// The file with its hash.
    #[serde(flatten)]
    pub file: ContentOf,
}

/// What `run` was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInputs {
    /// The recordings, in order.
    pub inputs: Vec<RecordingInput>,
    /// How they arrive, as for `--chunk`.
    pub chunk: String,
}

/// The command, and what only that command is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Inputs {
    /// `mynah simulate`.
    Simulate(SimulateInputs),
    /// `mynah run`.
    Run(RunInputs),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// 0, and `session` empty, and `turn` 0: nothing has happened yet.
    pub t_us: u64,
    /// See `t_us`.
    pub session: String,
    /// See `t_us`.
    pub turn: u32,
    /// [`RUN`].
    pub event: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// The command and what it was asked for.
    #[serde(flatten)]
    pub inputs: Inputs,
    /// Seed of everything drawn.
    pub seed: u64,
    /// The overrides, in order.
    pub set: Vec<String>,
    /// Whose clock it ran on.
    pub clock: RunClock,
    /// Version of the mynah that wrote it.
    pub version: String,
    /// What its kernels could use.
    pub cpu_features: Vec<String>,
    /// The text of the scene.
    pub scene: SceneText,
    /// The scene behind the link that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<SceneText>,
}

impl Header {
    /// Of this program on this machine.
    pub fn new(scene: &Source, set: Vec<String>, seed: u64, clock: RunClock, inputs: Inputs) -> Self {
        Self {
            t_us: 0,
            session: String::new(),
            turn: 0,
            event: RUN.into(),
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            cpu_features: cpu_features().into_iter().map(Into::into).collect(),
            clock,
            scene: scene.into(),
            linked: None,
            set,
            seed,
            inputs,
        }
    }

    /// The line, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("text and numbers are always JSON")
    }
}

impl ContentOf {
    /// Hashes a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn file(path: &Path) -> io::Result<Self> {
        let mut hash = Xxh3::new();
        update(&mut hash, path)?;
        Ok(Self::new(path, &hash))
    }

    /// A file that was hashed while it was read: a pipe cannot be read twice.
    pub fn hashed(path: &Path, xxh3: u64) -> Self {
        Self { path: path.to_path_buf(), xxh3: format!("{xxh3:016x}") }
    }

    /// Hashes labels and the recordings that they name, each once, in the order of the lines. What cannot be
    /// understood is left to whoever loads it.
    ///
    /// # Errors
    /// One of the files cannot be read.
    pub fn labels(path: &Path) -> io::Result<Self> {
        let mut hash = Xxh3::new();
        let text = text::read(path)?;
        hash.update(text.as_bytes());
        let folder = path.parent().unwrap_or(Path::new(""));
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let labelled = line["segments"].as_array().is_some_and(|segments| !segments.is_empty());
            if let Some(file) = line["file"].as_str().filter(|_| labelled) {
                update(&mut hash, &folder.join(file))?;
            }
        }
        Ok(Self::new(path, &hash))
    }

    fn new(path: &Path, hash: &Xxh3) -> Self {
        Self::hashed(path, hash.digest())
    }
}

fn update(hash: &mut Xxh3, path: &Path) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = text::open(path).map_err(named)?.take(INPUT_BYTES_MAX);
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(named)? {
            0 => return Ok(()),
            read => hash.update(&piece[..read]),
        }
    }
}
