//! A response: an answer of the session as clients are told of it, from `response.created` to `response.done`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_engine::edge::ToolCall;
use serde_json::{Value, json};

use crate::pcm::Encoding;
use crate::realtime::items::{Conversation, message};
use crate::realtime::outbox::Outbox;

/// Longest transcript of a response that is kept, bytes; of a longer one the rest is sent, and left out at the end.
const TRANSCRIPT_BYTES_MAX: usize = 64 * 1024;
/// Most items of one response; then the next one begins.
const OUTPUT_MAX: usize = 64;

/// How a response ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Completed,
    /// The user has spoken into it.
    TurnDetected,
    ClientCancelled,
    /// For this reason.
    Failed(String),
}

/// The message of a response while it is being said.
struct Message {
    id: String,
    index: usize,
    previous: Option<String>,
    text: String,
}

/// A response that is not done.
pub(super) struct Response {
    id: String,
    pub(super) turn: u32,
    /// Segment and revision that are answered, once they are known.
    pub(super) origin: Option<(u32, u32)>,
    metadata: Value,
    output: Vec<Value>,
    message: Option<Message>,
    /// Whether audio leaves, or text.
    speaks: bool,
    /// Where the newest line begins in the answer, microseconds.
    line_us: Option<u64>,
    /// The number of the message that cancels it.
    pub(super) cancelled_by: Option<u64>,
    /// Calls that the client has not answered.
    pub(super) calls: Vec<String>,
    /// Whether it has called a tool.
    pub(super) called: bool,
    /// When something of it was last sent.
    pub(super) active_us: u64,
}

impl Response {
    /// Begins a response.
    pub(super) fn begin(now_us: u64, turn: u32, speaks: bool, metadata: Value, out: &mut Outbox) -> Self {
        let response = Self {
            id: format!("resp_{}", out.number()),
            turn,
            origin: None,
            metadata,
            output: Vec::new(),
            message: None,
            speaks,
            line_us: None,
            cancelled_by: None,
            calls: Vec::new(),
            called: false,
            active_us: now_us,
        };
        let fields = json!({"response": response.object("in_progress", Value::Null, Value::Null)});
        out.event("response.created", fields);
        response
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn object(&self, status: &str, details: Value, usage: Value) -> Value {
        json!({
            "object": "realtime.response", "id": self.id, "status": status, "status_details": details,
            "output": self.output, "conversation_id": "conv_1",
            "output_modalities": [if self.speaks { "audio" } else { "text" }], "max_output_tokens": "inf",
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "mynah"}},
            "usage": usage, "metadata": self.metadata,
        })
    }

    fn place(&self, item_id: &str, index: usize) -> Value {
        json!({"response_id": self.id, "item_id": item_id, "output_index": index, "content_index": 0})
    }

    /// Begins the message that is said, unless that has begun.
    pub(super) fn open(&mut self, items: &mut Conversation, out: &mut Outbox) {
        if self.message.is_some() {
            return;
        }
        let (id, index) = (format!("item_{}", out.number()), self.output.len());
        let previous = items.last().map(String::from);
        let item = message(&id, "assistant", "in_progress", json!([]));
        let added = json!({"response_id": self.id, "output_index": index, "item": item});
        out.event("response.output_item.added", added);
        out.event("conversation.item.added", json!({"previous_item_id": previous, "item": item}));
        items.put(&id, Some(self.turn), item);
        let part = if self.speaks {
            json!({"type": "audio", "transcript": ""})
        } else {
            json!({"type": "text", "text": ""})
        };
        out.event("response.content_part.added", with(self.place(&id, index), "part", part));
        self.message = Some(Message { id, index, previous, text: String::new() });
    }

    /// A line of the answer that begins `from_us` after its first sample; it is told again once its length is known.
    pub(super) fn line(&mut self, text: &str, from_us: u64, items: &mut Conversation, out: &mut Outbox) {
        if self.line_us != Some(from_us) {
            self.line_us = Some(from_us);
            self.words(text.trim(), items, out);
        }
    }

    /// Words of the answer: the transcript of what is spoken, or the answer itself where nothing is.
    pub(super) fn words(&mut self, text: &str, items: &mut Conversation, out: &mut Outbox) {
        if text.is_empty() {
            return;
        }
        self.open(items, out);
        let Some(said) = &mut self.message else { return };
        let space = if self.speaks && !said.text.is_empty() { " " } else { "" };
        let delta = format!("{space}{text}");
        if said.text.len() + delta.len() <= TRANSCRIPT_BYTES_MAX {
            said.text += &delta;
        }
        let (id, index) = (said.id.clone(), said.index);
        let kind =
            if self.speaks { "response.output_audio_transcript.delta" } else { "response.output_text.delta" };
        out.event(kind, with(self.place(&id, index), "delta", delta.into()));
    }

    /// Writes the message with these samples into `wire`, which is overwritten; `bytes` is scratch. Only behind
    /// [`open`](Self::open).
    pub(super) fn sound(&self, samples: &[f32], event: u64, bytes: &mut Vec<u8>, wire: &mut String) {
        let Some(said) = &self.message else { return };
        bytes.clear();
        Encoding::S16.encode(samples, bytes);
        wire.clear();
        // Ids are letters, digits and `_`: nothing is to be escaped. Writing to a text cannot fail.
        let head = write!(
            wire,
            r#"{{"type":"response.output_audio.delta","event_id":"event_{event}","response_id":"{}","item_id":"{}","output_index":{},"content_index":0,"delta":""#,
            self.id, said.id, said.index
        );
        debug_assert!(head.is_ok());
        STANDARD.encode_string(&bytes, wire);
        wire.push_str(r#""}"#);
    }

    /// A tool is called.
    pub(super) fn call(&mut self, call: &ToolCall, items: &mut Conversation, out: &mut Outbox) {
        self.close_message("completed", items, out);
        let (id, index) = (format!("item_{}", out.number()), self.output.len());
        let ToolCall { call_id, name, arguments, .. } = call;
        let item = |status: &str, arguments: &str| {
            json!({"id": id, "object": "realtime.item", "type": "function_call", "status": status,
                "call_id": **call_id, "name": **name, "arguments": arguments})
        };
        let previous = items.last().map(String::from);
        let begun = item("in_progress", "");
        let added = json!({"response_id": self.id, "output_index": index, "item": begun});
        out.event("response.output_item.added", added);
        out.event("conversation.item.added", json!({"previous_item_id": previous, "item": begun}));
        let place =
            json!({"response_id": self.id, "item_id": id, "output_index": index, "call_id": **call_id});
        let delta = with(place.clone(), "delta", (&**arguments).into());
        out.event("response.function_call_arguments.delta", delta);
        let done = with(with(place, "name", (&**name).into()), "arguments", (&**arguments).into());
        out.event("response.function_call_arguments.done", done);
        let whole = item("completed", arguments);
        items.put(&id, None, whole.clone());
        let over = json!({"response_id": self.id, "output_index": index, "item": whole});
        out.event("response.output_item.done", over);
        out.event("conversation.item.done", json!({"previous_item_id": previous, "item": whole}));
        self.output.push(whole);
        self.called = true;
        self.calls.push(call_id.to_string());
    }

    /// Whether it has as many items as it may.
    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= OUTPUT_MAX
    }

    fn close_message(&mut self, status: &str, items: &mut Conversation, out: &mut Outbox) {
        let Some(Message { id, index, previous, text }) = self.message.take() else { return };
        let place = self.place(&id, index);
        let (content, part) = if self.speaks {
            out.event("response.output_audio.done", place.clone());
            let done = with(place.clone(), "transcript", text.as_str().into());
            out.event("response.output_audio_transcript.done", done);
            (
                json!([{"type": "output_audio", "transcript": text}]),
                json!({"type": "audio", "transcript": text}),
            )
        } else {
            out.event("response.output_text.done", with(place.clone(), "text", text.as_str().into()));
            (json!([{"type": "output_text", "text": text}]), json!({"type": "text", "text": text}))
        };
        out.event("response.content_part.done", with(place, "part", part));
        let item = message(&id, "assistant", status, content);
        let done = json!({"response_id": self.id, "output_index": index, "item": item});
        out.event("response.output_item.done", done);
        // One that the client has deleted meanwhile is no item of the conversation.
        if items.find(&id).is_some() {
            out.event("conversation.item.done", json!({"previous_item_id": previous, "item": item}));
            items.put(&id, Some(self.turn), item.clone());
        }
        self.output.push(item);
    }

    /// Ends the response.
    pub(super) fn finish(mut self, how: &Finish, items: &mut Conversation, out: &mut Outbox) {
        let (status, details) = match how {
            Finish::Completed => ("completed", Value::Null),
            Finish::TurnDetected => ("cancelled", json!({"type": "cancelled", "reason": "turn_detected"})),
            Finish::ClientCancelled => {
                ("cancelled", json!({"type": "cancelled", "reason": "client_cancelled"}))
            }
            Finish::Failed(reason) => {
                let error = json!({"type": "server_error", "code": "service_failed", "message": reason});
                ("failed", json!({"type": "failed", "error": error}))
            }
        };
        let said = if *how == Finish::Completed { "completed" } else { "incomplete" };
        self.close_message(said, items, out);
        // Nobody counts tokens here; clients add these up.
        let usage = json!({"total_tokens": 0, "input_tokens": 0, "output_tokens": 0});
        out.event("response.done", json!({"response": self.object(status, details, usage)}));
    }
}

/// An object with a field more.
fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}
