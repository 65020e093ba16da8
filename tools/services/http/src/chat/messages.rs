//! A conversation as a server of chat completions takes it.

use std::sync::Arc;

use mynah_engine::speech::{History, HistoryEntry, Speaker};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::chat::request::ChatRequest;

/// Stands where an answer was cut off.
const CUT: &str = "…";
/// Stands where a tool has not answered.
const NO_RESULT: &str = "(no result)";

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(crate) enum ChatMessage {
    /// How to answer.
    System {
        /// The words.
        content: Arc<str>,
    },
    /// What the user said.
    User {
        /// The words.
        content: Arc<str>,
    },
    /// What was answered, or asked of the host.
    Assistant {
        /// The words.
        content: Option<Arc<str>>,
        /// Tools that were called.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<AskedTool>,
    },
    /// What came of a tool call.
    Tool {
        /// Names the call.
        tool_call_id: Arc<str>,
        /// What came.
        content: Arc<str>,
    },
}

/// A tool call within a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AskedTool {
    pub(crate) id: Arc<str>,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) function: AskedFunction,
}

/// The function of a tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AskedFunction {
    pub(crate) name: Arc<str>,
    pub(crate) arguments: Arc<str>,
}

impl AskedTool {
    pub(crate) fn new(id: Arc<str>, name: Arc<str>, arguments: Arc<str>) -> Self {
        // Servers parse them, and no arguments are no JSON.
        let arguments = if arguments.trim().is_empty() { "{}".into() } else { arguments };
        Self { id, kind: "function", function: AskedFunction { name, arguments } }
    }
}

/// The messages of a call: how to answer, what was said before, and what is said now. What one speaker said in a row is one
/// message, as the templates of many models want speakers to alternate.
pub(crate) fn conversation(system: Option<&str>, history: &History, text: &str) -> Vec<ChatMessage> {
    let mut messages: Vec<ChatMessage> =
        system.map(|content| ChatMessage::System { content: content.into() }).into_iter().collect();
    let entries = history.entries();
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            HistoryEntry::Said { by: Speaker::User, text, .. } => said_by_user(&mut messages, text),
            HistoryEntry::Said { by: Speaker::Assistant, text, interrupted, .. } => {
                answered(&mut messages, &as_heard(text, *interrupted));
            }
            // The first of a row brings all of them, and their results, which must follow at once.
            HistoryEntry::ToolCall { .. } if !follows_call(entries, at) => asked(&mut messages, entries, at),
            HistoryEntry::ToolCall { .. } | HistoryEntry::ToolResult { .. } => {}
        }
    }
    said_by_user(&mut messages, text);
    messages
}

fn follows_call(entries: &[HistoryEntry], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| matches!(entries[before], HistoryEntry::ToolCall { .. }))
}

/// An answer as far as it was heard, with a sign that there was more.
fn as_heard(text: &str, interrupted: bool) -> Arc<str> {
    let text = text.trim();
    if interrupted && !text.ends_with(CUT) { format!("{text}{CUT}").into() } else { text.into() }
}

fn said_by_user(messages: &mut Vec<ChatMessage>, text: &str) {
    let text = text.trim();
    match messages.last_mut() {
        _ if text.is_empty() => {}
        Some(ChatMessage::User { content }) => *content = format!("{content}\n{text}").into(),
        _ => messages.push(ChatMessage::User { content: text.into() }),
    }
}

fn answered(messages: &mut Vec<ChatMessage>, text: &str) {
    match messages.last_mut() {
        _ if text.is_empty() => {}
        Some(ChatMessage::Assistant { content: Some(content), tool_calls }) if tool_calls.is_empty() => {
            *content = format!("{content}\n{text}").into();
        }
        _ => messages.push(ChatMessage::Assistant { content: Some(text.into()), tool_calls: Vec::new() }),
    }
}

fn asked(messages: &mut Vec<ChatMessage>, entries: &[HistoryEntry], from: usize) {
    let calls = entries[from..].iter().map_while(|entry| match entry {
        HistoryEntry::ToolCall { call_id, name, arguments, .. } => {
            Some(AskedTool::new(Arc::clone(call_id), Arc::clone(name), Arc::clone(arguments)))
        }
        _ => None,
    });
    let tool_calls: Vec<AskedTool> = calls.collect();
    let results: Vec<ChatMessage> = tool_calls
        .iter()
        .map(|call| {
            let result = entries[from..].iter().find_map(|entry| match entry {
                HistoryEntry::ToolResult { call_id, result, .. } if *call_id == call.id => Some(result),
                _ => None,
            });
            let content = result.map_or_else(|| NO_RESULT.into(), Arc::clone);
            ChatMessage::Tool { tool_call_id: Arc::clone(&call.id), content }
        })
        .collect();
    messages.push(ChatMessage::Assistant { content: None, tool_calls });
    messages.extend(results);
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [ChatMessage],
    stream: bool,
    stream_options: StreamOptions,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OfferedTool<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct OfferedTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: OfferedFunction<'a>,
}

#[derive(Serialize)]
struct OfferedFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a RawValue,
}

/// The body of a request, as JSON.
///
/// # Errors
/// It is no JSON, which is not to be expected.
pub(crate) fn body(request: &ChatRequest, messages: &[ChatMessage]) -> Result<Vec<u8>, String> {
    let tools = request.tools.iter().map(|tool| OfferedTool {
        kind: "function",
        function: OfferedFunction {
            name: tool.name(),
            description: tool.description(),
            parameters: tool.parameters(),
        },
    });
    let body = Body {
        model: &request.model,
        messages,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        tools: tools.collect(),
    };
    serde_json::to_vec(&body).map_err(|cause| format!("the request cannot be written: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(by: Speaker, text: &str, interrupted: bool) -> HistoryEntry {
        HistoryEntry::Said { by, turn: 1, text: text.into(), interrupted }
    }

    fn call(id: &str) -> HistoryEntry {
        HistoryEntry::ToolCall { turn: 1, call_id: id.into(), name: "look".into(), arguments: "".into() }
    }

    fn result(id: &str) -> HistoryEntry {
        HistoryEntry::ToolResult { turn: 1, call_id: id.into(), result: "seen".into() }
    }

    fn told(history: Vec<HistoryEntry>) -> String {
        let history: History = history.into_iter().collect();
        let mut lines = serde_json::to_string(&conversation(Some("Be brief."), &history, "now")).unwrap();
        for (long, short) in [
            (r#"{"role":"system","content":"Be brief."},"#, ""),
            (r#","content":"now"}]"#, "]"),
            (r#"[{"role":"user"]"#, "[]"),
        ] {
            lines = lines.replace(long, short);
        }
        lines
    }

    #[test]
    fn an_interrupted_answer_ends_where_it_was_heard() {
        let (user, assistant) = (Speaker::User, Speaker::Assistant);
        let lines = told(vec![said(user, "a", false), said(assistant, "I was going", true)]);
        assert!(lines.contains(r#"{"role":"assistant","content":"I was going…"}"#), "{lines}");
        let lines = told(vec![said(user, "a", false), said(assistant, "", true)]);
        assert!(lines.contains(r#"{"role":"assistant","content":"…"}"#), "{lines}");
    }

    #[test]
    fn what_one_says_in_a_row_is_one_message() {
        let history: History =
            vec![said(Speaker::User, "one", false), said(Speaker::User, "two", false)].into_iter().collect();
        let messages = conversation(None, &history, "three");
        assert_eq!(messages, [ChatMessage::User { content: "one\ntwo\nthree".into() }]);
    }

    #[test]
    fn results_follow_their_calls_whenever_they_came() {
        let lines = told(vec![
            said(Speaker::User, "look", false),
            call("a"),
            call("b"),
            said(Speaker::Assistant, "I look.", false),
            result("a"),
        ]);
        let asked = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"look","arguments":"{}"}},{"id":"b""#;
        let (at, results) = (lines.find(asked), lines.find(r#"{"role":"tool","tool_call_id":"a","content":"seen"},{"role":"tool","tool_call_id":"b","content":"(no result)"}"#));
        assert!(at.is_some() && at < results && results < lines.find("I look."), "{lines}");
    }
}
