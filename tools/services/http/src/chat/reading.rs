//! What a streamed answer says so far. Data of events in, text and tool calls out; no socket, no time.

use std::sync::Arc;

use crate::chat::chunk::{Chunk, Delta, ToolDelta};
use crate::chat::messages::AskedTool;
use crate::refusal::error_in;

/// Most bytes of the text of one answer.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Most tool calls of one answer.
const CALLS_MAX: usize = 16;
/// Most bytes of the arguments of all tool calls of one answer.
const ARGUMENTS_BYTES_MAX: usize = 64 << 10;

/// Why an answer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// It is complete, or the host is asked for something.
    Complete,
    /// It has as many tokens as it may have.
    Length,
    /// The server lets nobody hear the rest.
    Filtered,
}

/// A tool call in the making.
#[derive(Debug, Default)]
struct Wish {
    index: Option<u32>,
    id: String,
    name: String,
    arguments: String,
}

/// An answer so far.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Why it is over, if it is.
    pub(crate) finish: Option<Finish>,
    /// `[DONE]` has come: nothing follows.
    pub(crate) is_done: bool,
    /// All of its text.
    pub(crate) said: String,
    /// The model has thought.
    has_thought: bool,
    wishes: Vec<Wish>,
}

impl Reading {
    /// Takes the data of the next event, and says what it says.
    ///
    /// # Errors
    /// It is no piece of an answer, reports an error, or there is too much of it.
    pub(crate) fn take(&mut self, data: &str, say: &mut impl FnMut(&str)) -> Result<(), String> {
        let data = data.trim();
        if self.is_done || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.is_done = true;
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|cause| format!("the server sent what is no piece of an answer ({cause}): {data}"))?;
        if let Some(error) = chunk.error {
            let said = error_in(&serde_json::json!({ "error": error })).unwrap_or_default();
            return Err(format!("the server reports an error: {said}"));
        }
        // The last piece, with the usage, has no choice.
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else { return Ok(()) };
        if let Some(delta) = choice.delta {
            self.add(delta, say)?;
        }
        match choice.finish_reason.as_deref() {
            None | Some("") => {}
            Some("length") => self.finish = Some(Finish::Length),
            Some("content_filter") => self.finish = Some(Finish::Filtered),
            Some(_) => self.finish = Some(Finish::Complete),
        }
        Ok(())
    }

    fn add(&mut self, delta: Delta, say: &mut impl FnMut(&str)) -> Result<(), String> {
        self.has_thought |= delta.reasoning_content.is_some_and(|thought| !thought.is_null());
        for text in [delta.content, delta.refusal].into_iter().flatten().filter(|text| !text.is_empty()) {
            self.said.push_str(&text);
            if self.said.len() > TEXT_BYTES_MAX {
                return Err(format!("the answer has more than {TEXT_BYTES_MAX} bytes; lower `max_tokens`"));
            }
            say(&text);
        }
        for wish in delta.tool_calls.into_iter().flatten() {
            self.wish(wish)?;
        }
        let arguments: usize = self.wishes.iter().map(|wish| wish.arguments.len() + wish.name.len()).sum();
        if arguments > ARGUMENTS_BYTES_MAX {
            return Err(format!("the tool calls of the answer have more than {ARGUMENTS_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    fn wish(&mut self, delta: ToolDelta) -> Result<(), String> {
        let id = delta.id.unwrap_or_default();
        let known = match delta.index {
            Some(_) => self.wishes.iter().position(|wish| wish.index == delta.index),
            // Some servers number nothing: a new name for the call begins a new one.
            None if id.is_empty() => self.wishes.len().checked_sub(1),
            None => self.wishes.iter().position(|wish| wish.id == id),
        };
        let at = match known {
            Some(at) => at,
            None if self.wishes.len() == CALLS_MAX => {
                return Err(format!("the answer calls more than {CALLS_MAX} tools"));
            }
            None => {
                self.wishes.push(Wish { index: delta.index, ..Wish::default() });
                self.wishes.len() - 1
            }
        };
        let wish = &mut self.wishes[at];
        if wish.id.is_empty() {
            wish.id = id;
        }
        let function = delta.function.unwrap_or_default();
        if wish.name.is_empty() {
            wish.name = function.name.unwrap_or_default();
        }
        wish.arguments.push_str(&function.arguments.unwrap_or_default());
        Ok(())
    }

    /// Whether it is known what the answer says, whatever follows.
    pub(crate) fn is_over(&self) -> bool {
        self.is_done || self.finish.is_some()
    }

    /// Whether it is known that all was said, and that nothing else is asked for.
    pub(crate) fn has_said_all(&self) -> bool {
        let ends = matches!(self.finish, Some(Finish::Complete | Finish::Length));
        ends && self.wishes.is_empty() && !self.only_thought()
    }

    fn only_thought(&self) -> bool {
        self.said.is_empty() && self.wishes.is_empty() && self.has_thought
    }

    /// The tool calls of an answer that is over; `round` names those that the server has not named.
    ///
    /// # Errors
    /// The answer did not come to its end, or it is none.
    pub(crate) fn end(self, round: u32) -> Result<Vec<AskedTool>, String> {
        if !self.is_over() {
            return Err("the server ended the answer early".into());
        }
        if self.finish == Some(Finish::Filtered) {
            return Err("the server's content filter has stopped the answer".into());
        }
        if self.finish == Some(Finish::Length) && !self.wishes.is_empty() {
            return Err("`max_tokens` ended the answer within a tool call; raise it".into());
        }
        if self.only_thought() {
            return Err(
                "the model has thought and said nothing; raise `max_tokens`, or switch its thinking off"
                    .into(),
            );
        }
        let named = |(at, wish): (usize, Wish)| {
            if wish.name.is_empty() {
                return Err("the server sent a tool call without a name".to_string());
            }
            let id = if wish.id.is_empty() { format!("call_{round}_{at}") } else { wish.id };
            Ok(AskedTool::new(id.into(), wish.name.into(), Arc::from(wish.arguments)))
        };
        self.wishes.into_iter().enumerate().map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &[&str]) -> (String, Result<Vec<AskedTool>, String>) {
        let (mut reading, mut said) = (Reading::default(), String::new());
        for event in events {
            if let Err(why) = reading.take(event, &mut |text| said.push_str(text)) {
                return (said, Err(why));
            }
        }
        (said, reading.end(1))
    }

    #[test]
    fn text_is_said_and_thoughts_are_not() {
        let (said, end) = read(&[
            r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#,
            r#"{"choices":[{"delta":{"reasoning_content":"Hm."}}]}"#,
            r#"{"choices":[{"delta":{"content":"It is "}}]}"#,
            r#"{"choices":[{"delta":{"content":"noon.","tool_calls":null},"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"total_tokens":3}}"#,
            "[DONE]",
            "garbage after the end",
        ]);
        assert_eq!((said.as_str(), end), ("It is noon.", Ok(vec![])));
    }

    #[test]
    fn tool_calls_are_put_together_however_they_are_numbered() {
        let wanted = |id: &str| AskedTool::new(id.into(), "look".into(), r#"{"at":1}"#.into());
        let (_, by_index) = read(&[
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"look","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"name":"look","arguments":"{\"at\""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"at\":1}"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":":1}"}}]},"finish_reason":"tool_calls"}]}"#,
        ]);
        assert_eq!(by_index.unwrap(), [wanted("a"), wanted("call_1_1")]);
        let (_, by_id) = read(&[
            r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"look","arguments":"{\"at\":1}"}},{"id":"b","function":{"name":"look","arguments":"{\"at\":"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"1}"}}]},"finish_reason":"stop"}]}"#,
        ]);
        assert_eq!(by_id.unwrap(), [wanted("a"), wanted("b")]);
    }

    #[test]
    fn what_ends_badly_says_why_and_keeps_what_was_said() {
        let half = r#"{"choices":[{"delta":{"content":"Half"}}]}"#;
        let cases: [(&[&str], &str, &str); 8] = [
            (&[half], "Half", "ended the answer early"),
            (&[], "", "ended the answer early"),
            (&[half, r#"{"error":{"message":"overloaded","code":503}}"#], "Half", "error: overloaded"),
            (&[half, r#"{"choices":[{"del"#], "Half", "no piece of an answer"),
            (&[half, "<html>"], "Half", "no piece of an answer"),
            (&[r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#], "", "content filter"),
            (
                &[r#"{"choices":[{"delta":{"reasoning":"Hm"},"finish_reason":"length"}]}"#],
                "",
                "raise `max_tokens`",
            ),
            (
                &[r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]},"finish_reason":"stop"}]}"#],
                "",
                "without a name",
            ),
        ];
        for (events, said, why) in cases {
            let (heard, end) = read(events);
            assert_eq!(heard, said);
            assert!(end.as_ref().is_err_and(|end| end.contains(why)), "{events:?}: {end:?}");
        }
    }
}
