//! The order that clients of OpenAI Realtime rely on, watched over event by event.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// `response.output_item.added`.
    Added,
    /// `response.content_part.added`, and deltas behind it.
    Open,
    /// `response.content_part.done`.
    Closed,
    /// `response.output_item.done`.
    Done,
}

/// What has been sent to one client.
#[derive(Default)]
pub(crate) struct Law {
    ids: BTreeSet<String>,
    created: bool,
    /// Items of the conversation, in order, and those among them that are done.
    chain: Vec<String>,
    done: BTreeSet<String>,
    /// Started and not stopped; stopped and not committed.
    speaking: BTreeSet<String>,
    stopped: BTreeSet<String>,
    transcribed: BTreeSet<String>,
    /// The response that is not done, with its items.
    response: Option<(String, BTreeMap<String, Part>)>,
    responses: BTreeSet<String>,
}

fn at<'a>(event: &'a Value, path: &str) -> Result<&'a str, String> {
    event.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("no {path} in {event}"))
}

fn that(holds: bool, law: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(law.into()) }
}

impl Law {
    /// Takes the next event, or says what is wrong with it.
    pub(crate) fn check(&mut self, event: &Value) -> Result<(), String> {
        let kind = at(event, "/type")?;
        self.judge(kind, event).map_err(|law| format!("{kind}: {law}"))
    }

    /// What is still open at the end.
    pub(crate) fn open_response(&self) -> Option<&str> {
        self.response.as_ref().map(|(id, _)| id.as_str())
    }

    fn judge(&mut self, kind: &str, event: &Value) -> Result<(), String> {
        that(self.ids.insert(at(event, "/event_id")?.into()), "its id came before")?;
        that(self.created != (kind == "session.created"), "session.created is the first, and once")?;
        match kind {
            "session.created" => self.created = true,
            "input_audio_buffer.speech_started" => {
                let new = self.speaking.insert(at(event, "/item_id")?.into());
                that(new, "it had started")?;
            }
            "input_audio_buffer.speech_stopped" => {
                let id = at(event, "/item_id")?;
                that(self.speaking.remove(id), "it had not started")?;
                self.stopped.insert(id.into());
            }
            "input_audio_buffer.committed" => {
                let id = at(event, "/item_id")?;
                that(!self.speaking.contains(id), "it has not stopped")?;
                that(event["previous_item_id"].as_str() == self.last(), "the chain is broken")?;
            }
            "conversation.item.added" => {
                let id = at(event, "/item/id")?;
                that(event["previous_item_id"].as_str() == self.last(), "the chain is broken")?;
                that(!self.chain.iter().any(|item| item == id), "it was added before")?;
                self.chain.push(id.into());
            }
            "conversation.item.done" => {
                let id = at(event, "/item/id")?;
                that(self.done.insert(id.into()), "it was done before")?;
                let place = self.chain.iter().position(|item| item == id).ok_or("it was not added")?;
                let before = place.checked_sub(1).map(|place| self.chain[place].as_str());
                that(event["previous_item_id"].as_str() == before, "another item is before it")?;
            }
            "conversation.item.deleted" => {
                let id = at(event, "/item_id")?;
                let place = self.chain.iter().position(|item| item == id).ok_or("it was not added")?;
                self.chain.remove(place);
            }
            _ if kind.starts_with("conversation.item.input_audio_transcription.") => {
                let id = at(event, "/item_id")?;
                that(self.done.contains(id), "its item is not done")?;
                that(!self.transcribed.contains(id), "its transcript was complete")?;
                if !kind.ends_with("delta") {
                    self.transcribed.insert(id.into());
                }
            }
            _ if kind.starts_with("response.") => self.respond(kind, event)?,
            _ => {}
        }
        Ok(())
    }

    fn last(&self) -> Option<&str> {
        self.chain.last().map(String::as_str)
    }

    fn respond(&mut self, kind: &str, event: &Value) -> Result<(), String> {
        if kind == "response.created" {
            let id = at(event, "/response/id")?;
            that(self.response.is_none(), "another response is not done")?;
            that(self.responses.insert(id.into()), "it was created before")?;
            self.response = Some((id.into(), BTreeMap::new()));
            return Ok(());
        }
        let id = at(event, if kind == "response.done" { "/response/id" } else { "/response_id" })?;
        let (open, items) = self.response.as_mut().ok_or("no response is active")?;
        that(open == id, "another response is active")?;
        if kind == "response.done" {
            that(items.values().all(|part| *part == Part::Done), "an item is not done")?;
            let output = event.pointer("/response/output").and_then(Value::as_array).map_or(0, Vec::len);
            that(output == items.len(), "its output has not each item once")?;
            self.response = None;
            return Ok(());
        }
        let path = if kind.starts_with("response.output_item.") { "/item/id" } else { "/item_id" };
        let item = at(event, path)?.to_owned();
        let part = items.get(&item).copied();
        let function = kind.starts_with("response.function_call_arguments.");
        let next = match (kind, part) {
            ("response.output_item.added", None) => Part::Added,
            ("response.content_part.added", Some(Part::Added)) => Part::Open,
            ("response.content_part.done", Some(Part::Open)) => Part::Closed,
            ("response.output_item.done", Some(Part::Closed | Part::Added)) => Part::Done,
            (_, Some(Part::Added)) if function => Part::Added,
            (_, Some(Part::Open)) if kind.ends_with(".delta") || kind.ends_with(".done") => Part::Open,
            _ => return Err(format!("its item is {part:?}")),
        };
        items.insert(item, next);
        Ok(())
    }
}
