//! The control messages: what the engine tells a worker, and what a worker tells the engine.

use std::sync::Arc;

use mynah_engine::edge::Params;
use mynah_engine::speech::HistoryEntry;
use serde::{Deserialize, Serialize};

use super::MessageNames;

/// What a worker does, which decides the types of what it gets and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WorkerTask {
    /// Audio to text.
    Transcribe,
    /// Text to text.
    Reply,
    /// Text to audio.
    Synthesize,
}

impl WorkerTask {
    /// Its name, as on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transcribe => "Transcribe",
            Self::Reply => "Reply",
            Self::Synthesize => "Synthesize",
        }
    }
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AckStep {
    /// It was received.
    Delivered,
    /// What it stops has stopped.
    Applied,
}

/// The audio that a worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HearsRate {
    /// Sample frames a second.
    pub rate_hz: u32,
    /// Interleaved channels.
    pub channels: u16,
}

/// The audio that a worker gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeaksRate {
    /// Samples a second, mono.
    pub rate_hz: u32,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallWords {
    /// Its number, new for every attempt at every worker.
    pub call: u64,
    /// Attempts before it.
    pub attempt: u32,
    /// What is asked.
    pub task: WorkerTask,
    /// The segment's serial within the session.
    pub segment: u32,
    /// The turn.
    pub turn: u32,
    /// The endpoint revision.
    pub revision: u32,
    /// Text to work on; empty for a recogniser.
    pub text: Arc<str>,
    /// Media time of the first sample heard, microseconds.
    pub from_us: u64,
    /// Media time after the last sample heard, microseconds.
    pub to_us: u64,
    /// Data messages that follow.
    pub parts: u32,
    /// Lower quality will do, if it is faster.
    pub reduced: bool,
    /// When it should be done, microseconds from the asking on; 0: no deadline.
    pub deadline_us: u64,
    /// What the session's host says of the caller.
    pub params: Arc<Params>,
    /// What was said before; empty but for replies.
    pub history: Vec<HistoryEntry>,
    /// The audio of the answer.
    pub speaks: Option<SpeaksRate>,
}

/// What the engine tells a worker.
#[expect(missing_docs, reason = "fields are the words of the protocol: docs/worker-protocol.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The worker belongs to the service from now on.
    Welcome {
        worker: String,
        protocol: u32,
        engine_pid: u32,
        heartbeat_ms: u32,
        hears: Option<HearsRate>,
        speaks: Option<SpeaksRate>,
    },
    /// The worker is not wanted.
    Refused { worker: String, reason: String },
    /// Work.
    Call(Box<CallWords>),
    /// Work that is not wanted any more.
    Cancel { call: u64 },
    /// What came of a tool call.
    ToolResult { call: u64, call_id: Arc<str>, result: Arc<str> },
    /// The engine lives.
    Heartbeat {},
    /// A session is over.
    Close { session: String },
    /// The service ends.
    Goodbye { reason: String },
}

impl MessageNames for ToWorker {
    const NAMES: &'static [&'static str] =
        &["Welcome", "Refused", "Call", "Cancel", "ToolResult", "Heartbeat", "Close", "Goodbye"];
}

/// What a worker tells the engine.
#[expect(missing_docs, reason = "fields are the words of the protocol: docs/worker-protocol.md")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// A worker is there. `serves` is a text, so that one that serves something new can be told so.
    Hello {
        protocol: u32,
        worker: String,
        pid: u32,
        #[serde(default)]
        package: String,
        serves: String,
        #[serde(default)]
        name: String,
        #[serde(default = "one")]
        parallel: u32,
    },
    /// A message has come, or what it stops has stopped.
    Ack { message_id: u64, stage: AckStep },
    /// The answer is complete: so many data messages.
    Done { call: u64, parts: u32, busy_us: u64 },
    /// The answer has failed after so many data messages.
    Failed { call: u64, reason: String, parts: u32 },
    /// What was heard so far, in place of what was told before.
    Partial { call: u64, text: Arc<str> },
    /// The host is asked to do something, after so many data messages.
    ToolCall { call: u64, parts: u32, call_id: Arc<str>, name: Arc<str>, arguments: Arc<str> },
    /// The answer goes on when the host has answered, after so many data messages.
    AwaitHost { call: u64, parts: u32 },
    /// The worker lives, and works on so many calls.
    Heartbeat { busy: u32 },
    /// The worker ends.
    Goodbye { reason: String },
}

impl MessageNames for FromWorker {
    const NAMES: &'static [&'static str] =
        &["Hello", "Ack", "Done", "Failed", "Partial", "ToolCall", "AwaitHost", "Heartbeat", "Goodbye"];
}

fn one() -> u32 {
    1
}
