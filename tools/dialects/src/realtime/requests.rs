//! What clients want beside audio and settings: turns that end, answers that begin or are withdrawn, and items.

use mynah_engine::edge::{LINE_BYTES_MAX, RESULT_BYTES_MAX};
use mynah_engine::speech::InterruptMode;
use mynah_engine::{Control, Params};
use serde_json::{Value, json};

use crate::realtime::dialogue::Dialogue;
use crate::realtime::intake::{Intake, Mark};
use crate::realtime::items::message;
use crate::realtime::link::Link;
use crate::realtime::outbox::Outbox;
use crate::realtime::response::Finish;
use crate::realtime::settings::{KEPT_BYTES_MAX, RATE_HZ, SettingsError, quoted};

/// Least audio of a turn that the client ends itself: 20 ms.
const TURN_SAMPLES_MIN: u64 = RATE_HZ as u64 / 50;
/// Most texts that wait to be answered.
const TYPED_MAX: usize = 64;
/// Longest id of an item, characters.
const ID_CHARS_MAX: usize = 128;

/// What a request needs.
pub(super) struct Desk<'a> {
    pub(super) now_us: u64,
    pub(super) dialogue: &'a mut Dialogue,
    pub(super) link: &'a mut Link,
    pub(super) intake: &'a mut Intake,
    pub(super) out: &'a mut Outbox,
}

type Done = Result<(), SettingsError>;

fn missing(param: &str, expected: &str) -> SettingsError {
    SettingsError::of("missing_required_parameter", param, format!("{param}: expected {expected}"))
}

fn text<'v>(of: &'v Value, field: &str) -> Result<&'v str, SettingsError> {
    of.get(field).and_then(Value::as_str).ok_or_else(|| missing(field, "a text"))
}

fn bounded(param: &str, bytes: usize, most: usize) -> Done {
    let message = format!("{param}: {bytes} bytes; expected at most {most}");
    if bytes > most {
        return Err(SettingsError::of("string_above_max_length", param, message));
    }
    Ok(())
}

fn too_much() -> SettingsError {
    SettingsError::new("rate_limit_exceeded", "too much waits already: send it again when answers have come")
}

impl Desk<'_> {
    /// Does what an event of the client says; `Ok(false)`: the type is not known.
    pub(super) fn take(&mut self, kind: &str, event: &Value) -> Result<bool, SettingsError> {
        match kind {
            "input_audio_buffer.commit" => self.commit()?,
            "input_audio_buffer.clear" => self.clear()?,
            "response.create" => self.respond(event.get("response").unwrap_or(&Value::Null))?,
            "response.cancel" => self.cancel(event.get("response_id").and_then(Value::as_str))?,
            "conversation.item.create" => self.create(event, false)?,
            "conversation.item.truncate" => self.truncate(event)?,
            "conversation.item.retrieve" => {
                let id = text(event, "item_id")?;
                let item = self.dialogue.items.find(id).ok_or_else(|| unknown_item(id))?;
                self.out.event("conversation.item.retrieved", json!({"item": item.body}));
            }
            "conversation.item.delete" => {
                let id = text(event, "item_id")?;
                if !self.dialogue.items.delete(id) {
                    return Err(unknown_item(id));
                }
                self.out.event("conversation.item.deleted", json!({"item_id": id}));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn want(&mut self, control: Control) -> Result<u64, SettingsError> {
        self.link.want(control).ok_or_else(too_much)
    }

    fn commit(&mut self) -> Done {
        let manual = self.dialogue.settings.manual;
        let spoken = self.dialogue.said.is_spoken();
        if self.dialogue.facts.gate.is_none() {
            let message = "the scene has no gate: there are no turns to end";
            return Err(SettingsError::new("input_audio_buffer_commit_unsupported", message));
        }
        if if manual { self.intake.since_end < TURN_SAMPLES_MIN } else { !spoken } {
            let ms = self.intake.since_end * 1_000 / u64::from(RATE_HZ);
            let message = if manual {
                format!("the buffer has {ms} ms of audio; expected at least 20 ms before a commit")
            } else {
                "nobody speaks: there is no turn to end; what was said is committed by `turn_detection`"
                    .into()
            };
            return Err(SettingsError::new("input_audio_buffer_commit_empty", message));
        }
        if !self.intake.mark(if manual { Mark::Release } else { Mark::EndTurn }) {
            return Err(too_much());
        }
        self.dialogue.ends = true;
        Ok(())
    }

    fn clear(&mut self) -> Done {
        self.want(Control::Discard)?;
        self.intake.drop_all();
        self.link.forget_barrier();
        if self.dialogue.settings.manual && self.link.held_open {
            self.link.release();
        }
        self.dialogue.discard(self.out);
        Ok(())
    }

    fn respond(&mut self, wanted: &Value) -> Done {
        let dialogue = &mut *self.dialogue;
        if std::mem::take(&mut dialogue.went_on) {
            return Ok(());
        }
        if dialogue.response.is_some() || dialogue.asked.is_some() {
            let message = "the conversation has an active response: wait for its response.done, or cancel it";
            return Err(SettingsError::new("conversation_already_has_active_response", message));
        }
        if !dialogue.facts.answers {
            let message =
                format!("the scene `{}` answers nothing; choose another `model`", dialogue.facts.name);
            return Err(SettingsError::new("unsupported", message));
        }
        let apart = wanted.get("conversation").is_some_and(|of| of == "none");
        let given = wanted.get("input").and_then(Value::as_array).is_some_and(|input| !input.is_empty());
        if apart || given {
            let message = "a response beside the conversation is not offered: create items and leave out \
                           `conversation` and `input`";
            return Err(SettingsError::of("unsupported_value", "response.input", message));
        }
        let metadata = wanted.get("metadata").cloned().unwrap_or_default();
        bounded("response.metadata", metadata.to_string().len(), KEPT_BYTES_MAX)?;
        self.instruct_once(wanted.get("instructions").unwrap_or(&Value::Null))?;
        let typed = self.dialogue.typed.join("\n");
        let comes = self.dialogue.ends || self.dialogue.resumes || self.dialogue.is_owed(self.now_us);
        let anew = !typed.is_empty() || !comes;
        if !typed.is_empty() {
            self.want(Control::SendText { text: typed.into() })?;
            self.dialogue.typed.clear();
        } else if !comes {
            self.want(Control::Respond)?;
        }
        self.dialogue.ask(self.now_us, metadata, anew);
        Ok(())
    }

    /// Instructions for the next answer alone.
    fn instruct_once(&mut self, instructions: &Value) -> Done {
        if instructions.is_null() {
            return Ok(());
        }
        let instructions = instructions.as_str().ok_or_else(|| missing("response.instructions", "a text"))?;
        bounded("response.instructions", instructions.len(), LINE_BYTES_MAX / 2)?;
        let params = Params::new().with("instructions", instructions);
        self.want(Control::Set { params: params.into() })?;
        self.dialogue.instructed = true;
        Ok(())
    }

    fn cancel(&mut self, id: Option<&str>) -> Done {
        match &self.dialogue.response {
            Some(response) if id.is_none_or(|id| id == response.id()) => {
                if response.cancelled_by.is_some() {
                    return Ok(());
                }
                let cancelling = self.link.want(Control::CancelAnswer { turn: response.turn });
                let cancelling = cancelling.ok_or_else(too_much)?;
                self.dialogue.response.iter_mut().for_each(|r| r.cancelled_by = Some(cancelling));
                Ok(())
            }
            None if id.is_none() && self.dialogue.asked.is_some() => {
                self.want(Control::Interrupt { mode: InterruptMode::Soft })?;
                self.dialogue.end_unbegun(self.now_us, &Finish::ClientCancelled, self.link, self.out);
                Ok(())
            }
            // A client of LiveKit knows this by its first words.
            _ => Err(SettingsError::new(
                "response_cancel_not_active",
                "Cancellation failed: no active response found",
            )),
        }
    }

    fn truncate(&mut self, event: &Value) -> Done {
        let id = text(event, "item_id")?;
        let end_ms = event.get("audio_end_ms").and_then(Value::as_u64);
        let end_ms = end_ms.ok_or_else(|| missing("audio_end_ms", "milliseconds, a whole number"))?;
        let item = self.dialogue.items.find(id).ok_or_else(|| unknown_item(id))?;
        let Some(turn) = item.turn else {
            let message =
                format!("item_id: `{id}` is no answer; expected an item of role `assistant` with audio");
            return Err(SettingsError::of("invalid_value", "item_id", message));
        };
        if !self.dialogue.client_played(turn, end_ms.saturating_mul(1_000), self.link) {
            return Err(too_much());
        }
        let index = event.get("content_index").and_then(Value::as_u64).unwrap_or(0);
        let fields = json!({"item_id": id, "content_index": index, "audio_end_ms": end_ms});
        self.out.event("conversation.item.truncated", fields);
        Ok(())
    }

    /// Adds an item. `past`: it is part of the history that the session was opened with.
    pub(super) fn create(&mut self, event: &Value, past: bool) -> Done {
        let item = event.get("item").filter(|item| item.is_object());
        let item = item.ok_or_else(|| missing("item", "an object"))?;
        let id = match item.get("id") {
            None | Some(Value::Null) => format!("item_{}", self.out.number()),
            Some(Value::String(id)) if is_name(id) && self.dialogue.items.find(id).is_none() => id.clone(),
            Some(_) => {
                let message = format!(
                    "item.id: expected a new one of 1 to {ID_CHARS_MAX} letters, digits, `_` or `-`; or leave it out"
                );
                return Err(SettingsError::of("invalid_value", "item.id", message));
            }
        };
        let body = match item.get("type").and_then(Value::as_str) {
            Some("message") => self.said(&id, item, past)?,
            Some("function_call_output") => self.tool_result(&id, item)?,
            Some("function_call") => {
                let (call_id, name, arguments) =
                    (text(item, "call_id")?, text(item, "name")?, text(item, "arguments")?);
                bounded("item", call_id.len() + name.len() + arguments.len(), RESULT_BYTES_MAX)?;
                json!({"id": id, "object": "realtime.item", "type": "function_call", "status": "completed",
                    "call_id": call_id, "name": name, "arguments": arguments})
            }
            _ => {
                let expected = "\"message\", \"function_call\" or \"function_call_output\"";
                return Err(SettingsError::of(
                    "invalid_value",
                    "item.type",
                    format!("item.type: expected {expected}"),
                ));
            }
        };
        let previous = self.dialogue.items.last().map(String::from);
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.out.event(kind, json!({"previous_item_id": previous, "item": body}));
        }
        self.dialogue.items.put(&id, None, body);
        Ok(())
    }

    fn said(&mut self, id: &str, item: &Value, past: bool) -> Result<Value, SettingsError> {
        let (role, said) = words(item)?;
        match role {
            _ if past => {}
            "user" => {
                let waiting: usize = self.dialogue.typed.iter().map(|text| text.len() + 1).sum();
                if waiting + said.len() > LINE_BYTES_MAX || self.dialogue.typed.len() >= TYPED_MAX {
                    let message = format!(
                        "item.content: the texts that wait for an answer are longer than {LINE_BYTES_MAX} bytes or more than \
                         {TYPED_MAX}; send response.create"
                    );
                    return Err(SettingsError::of("string_above_max_length", "item.content", message));
                }
                self.dialogue.typed.push(said.clone());
            }
            "system" => self.instruct(&said)?,
            _ => {}
        }
        let kind = if role == "assistant" { "output_text" } else { "input_text" };
        Ok(message(id, role, "completed", json!([{"type": kind, "text": said}])))
    }

    /// What the system says is put behind the instructions.
    fn instruct(&mut self, said: &str) -> Done {
        let own = self.dialogue.settings.instructions();
        let whole = if own.is_empty() { said.to_owned() } else { format!("{own}\n\n{said}") };
        let (settings, _) = self.dialogue.settings.changed(&json!({"instructions": whole}))?;
        self.want(Control::Set { params: settings.params_since(&self.dialogue.settings).into() })?;
        self.dialogue.settings = settings;
        Ok(())
    }

    fn tool_result(&mut self, id: &str, item: &Value) -> Result<Value, SettingsError> {
        let (call_id, result) = (text(item, "call_id")?, text(item, "output")?);
        let Some(at) = self.dialogue.calls.iter().position(|call| **call == *call_id) else {
            let message = format!("item.call_id: no call `{}` waits for its output", quoted(call_id));
            return Err(SettingsError::of("invalid_value", "item.call_id", message));
        };
        bounded("item.output", call_id.len() + result.len(), RESULT_BYTES_MAX)?;
        self.want(Control::ToolResult { call_id: call_id.into(), result: result.into() })?;
        self.dialogue.calls.remove(at);
        self.dialogue.resumes = true;
        let open = self.dialogue.response.iter_mut();
        open.for_each(|response| response.calls.retain(|call| call != call_id));
        Ok(json!({"id": id, "object": "realtime.item", "type": "function_call_output",
            "status": "completed", "call_id": call_id, "output": result}))
    }
}

fn unknown_item(id: &str) -> SettingsError {
    let message = format!("item_id: there is no item `{}`, or it was deleted or forgotten", quoted(id));
    SettingsError::of("item_not_found", "item_id", message)
}

fn is_name(id: &str) -> bool {
    let fits = (1..=ID_CHARS_MAX).contains(&id.len());
    fits && id.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
}

/// Who says what in an item: the parts of its content, one after the other.
pub(super) fn words(item: &Value) -> Result<(&str, String), SettingsError> {
    let role = item
        .get("role")
        .and_then(Value::as_str)
        .filter(|role| ["user", "assistant", "system"].contains(role));
    let role = role.ok_or_else(|| missing("item.role", "\"user\", \"assistant\" or \"system\""))?;
    let parts = item.get("content").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut said = String::new();
    for part in parts {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let field = match kind {
            "input_text" | "output_text" | "text" => "text",
            "output_audio" => "transcript",
            _ => {
                let message = format!(
                    "item.content: a part of type `{}` is not offered; expected `input_text` or `output_text`, and \
                     audio by input_audio_buffer.append",
                    quoted(kind)
                );
                return Err(SettingsError::of("unsupported_value", "item.content", message));
            }
        };
        said += text(part, field)?;
    }
    bounded("item.content", said.len(), LINE_BYTES_MAX)?;
    if said.trim().is_empty() {
        return Err(missing("item.content", "a part with text"));
    }
    Ok((role, said))
}
