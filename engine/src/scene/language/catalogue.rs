//! What the scene layer asks of node kinds and services, which it does not know itself.

use std::sync::Arc;

use ron::error::SpannedError;
use serde::de::DeserializeOwned;

use crate::scene::language::formats::{Format, NodeCapabilities, Port};
use crate::scene::language::model::{Buffering, Tick};

/// A function that a host registers under a name to join texts of a reply: gets them in order, returns one text.
pub type JoinTexts = Arc<dyn Fn(&[Arc<str>]) -> Arc<str> + Send + Sync>;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scene cannot run.
    Error,
    /// The scene runs, but probably not as meant.
    Warning,
}

/// A finding of a node kind about its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Error or warning.
    pub severity: Severity,
    /// Path inside the configuration (`threshold`, `merge.separator`); "" = the whole.
    pub field: String,
    /// What is wrong, without the field's name.
    pub message: String,
    /// The values that would be valid: `0.0..=1.0`.
    pub expected: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Issue {
    /// An error about a field.
    pub fn error(field: &str, message: impl Into<String>) -> Self {
        let (field, message) = (field.to_owned(), message.into());
        Self { severity: Severity::Error, field, message, expected: None, help: None }
    }

    /// A warning about a field.
    pub fn warning(field: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(field, message) }
    }

    /// Adds the values that would be valid.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The thresholds of a kind that detects speech by probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hearing {
    /// Probability that opens a segment, 0 to 1.
    pub opens_at: f32,
    /// Probability below which speech pauses, 0 to 1.
    pub closes_below: f32,
    /// Whether the scene has it log every probability: its field `trace` is `true`.
    pub traces: bool,
}

/// Converts audio from one format to another, a stream at a time.
pub trait FormatConverter: Send + Sync {
    /// Converts interleaved samples; appends what comes out to `output`.
    fn push(&mut self, input: &[f32], output: &mut Vec<f32>);
    /// Ends the stream: appends what is left of it. The next push begins a new one.
    fn flush(&mut self, output: &mut Vec<f32>);
    /// Drops what is left of the stream.
    fn reset(&mut self);
}

/// Makes a converter from one format to another.
///
/// The error says why there is none.
pub type BuildConverter = fn(Format, Format) -> Result<Box<dyn FormatConverter>, String>;

/// What the scene layer must know of a configured node.
pub trait NodeSpec: Send + Sync {
    /// The kind's name, as scenes write it.
    fn kind(&self) -> &'static str;
    /// Ports at which frames come in; most kinds have one, sources none.
    fn inputs(&self) -> &[Port];
    /// Ports at which frames leave; sinks have none.
    fn outputs(&self) -> &[Port];
    /// Judges the configuration for the format that arrives (`None`: no audio input), and returns the audio format
    /// that leaves (`None`: no audio output).
    fn check(&self, input: Option<Format>, tick: &Tick, issues: &mut Vec<Issue>) -> Option<Format>;
    /// The kind's capabilities, before the scene's own `capabilities`.
    fn capabilities(&self) -> NodeCapabilities;
    /// How items gather before a service that works on one batch at a time, before the scene's own `buffering`.
    fn buffering(&self) -> Buffering {
        Buffering::default()
    }
    /// Whether it can give cheaper results when a deadline is near.
    fn lowers_quality(&self) -> bool {
        false
    }
    /// Whether it decides what is speech: it opens segments and gives them their serials. A scene has one such node.
    fn decides_speech(&self) -> bool {
        false
    }
    /// Whether it opens and ends its segments as the control messages of another engine's gate say.
    fn follows_sender(&self) -> bool {
        false
    }
    /// The thresholds of its detector, for kinds that can log probabilities of speech and have a field `trace`.
    fn hearing(&self) -> Option<Hearing> {
        None
    }
    /// Engine time without audio after which no segment that it opened is open, microseconds; `None`: no promise.
    fn silence_us(&self) -> Option<u64> {
        None
    }
    /// Whether audio keeps its length: a stream of `n` sample frames leaves as `round(n * rate out / rate in)`.
    fn keeps_length(&self) -> bool {
        false
    }
    /// Whether it mixes the channels of what arrives, and takes a single one where its field `channels` names it.
    fn mixes_channels(&self) -> bool {
        false
    }
    /// Whether its text is what the caller said.
    fn transcribes(&self) -> bool {
        false
    }
    /// Whether its text answers what the caller said.
    fn replies(&self) -> bool {
        false
    }
    /// Whether it plays recordings in place of text.
    fn takes_clips(&self) -> bool {
        false
    }
    /// Most frames of one session that it takes a second; `None`: no limit.
    fn frames_per_s(&self) -> Option<f64> {
        None
    }
    /// The fields of its configuration that are numbers with a range.
    fn numbers(&self) -> &[&'static str] {
        &[]
    }
    /// The effect of its settings in words, for users who check the scene; the first line is the summary.
    fn settled(&self) -> Vec<String> {
        Vec::new()
    }
    /// Most frames sent per frame taken.
    fn max_out(&self, input: Option<Format>) -> u32;
    /// Name of the entry of `services` that the node calls.
    fn service(&self) -> Option<&str> {
        None
    }
}

/// The node kinds and service outputs that scenes can name.
pub trait Catalogue {
    /// A configured node.
    type Node: NodeSpec + ?Sized;
    /// A configured service output.
    type Service: ?Sized + Send + Sync;

    /// All kinds, for suggestions.
    fn kinds(&self) -> Vec<&'static str>;

    /// Reads a configuration, `(...)`, of a kind listed in [`Catalogue::kinds`]; see [`parse_config`].
    ///
    /// # Errors
    /// The error of ron; positions count from the start of `config`.
    fn parse_kind(&self, name: &str, config: &str) -> Result<Arc<Self::Node>, SpannedError>;

    /// All service outputs, for suggestions.
    fn service_outputs(&self) -> Vec<&'static str>;

    /// Reads a configuration, `(...)`, of an output listed in [`Catalogue::service_outputs`]; see [`parse_config`].
    ///
    /// # Errors
    /// The error of ron; positions count from the start of `config`.
    fn parse_service(&self, name: &str, config: &str) -> Result<Arc<Self::Service>, SpannedError>;

    /// Whether a service keeps to the scene's `timing`, which the scene must then give.
    fn keeps_timing(&self, service: &Self::Service) -> bool;

    /// The names of merge strategies that a host has registered, for suggestions.
    fn merges(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The merge strategy registered under a name listed in [`Catalogue::merges`].
    fn merge(&self, _name: &str) -> Option<JoinTexts> {
        None
    }

    /// Makes converters between formats, for sessions that hear in another format than the scene's.
    fn converters(&self) -> Option<BuildConverter> {
        None
    }

    /// The transports that scenes can name; `None`: the host reads the entries of `transports` itself.
    fn transports(&self) -> Option<Vec<&'static str>> {
        None
    }

    /// Reads a configuration, `(...)`, of a transport, to find its errors.
    ///
    /// # Errors
    /// The error of ron; positions count from the start of `config`.
    fn check_transport(&self, _name: &str, _config: &str) -> Result<(), SpannedError> {
        Ok(())
    }
}

/// The dialect of scene files: `capacity: 4` fits an Option, and a variant's struct needs no second parentheses.
pub(crate) fn dialect() -> ron::Options {
    use ron::extensions::Extensions;
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// Reads a configuration in the dialect of scene files; anything after it is an error. `T` should refuse unknown
/// fields (`#[serde(deny_unknown_fields)]`, also on its enums), so that typos are found.
///
/// # Errors
/// The error of ron; positions count from the start of `config`.
pub fn parse_config<T: DeserializeOwned>(config: &str) -> Result<T, SpannedError> {
    dialect().from_str(config)
}
