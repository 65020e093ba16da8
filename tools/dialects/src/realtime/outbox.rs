//! What is to be sent, in order, each message with an id of its own.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::realtime::settings::SettingsError;

/// With so many messages unsent, nothing more of the client is read and nothing of the session is taken.
pub(super) const UNSENT_ROOM: usize = 64;
/// Most messages unsent: a connection that hands in more all the same is closed.
pub(super) const UNSENT_MAX: usize = 512;

/// Messages that wait to be sent.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<String>,
    ids: u64,
    overflown: bool,
}

impl Outbox {
    /// The next number: ids of one connection never repeat.
    pub(super) fn number(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Adds an event; `fields` is an object.
    pub(super) fn event(&mut self, kind: &str, fields: Value) {
        if self.queue.len() >= UNSENT_MAX {
            self.overflown = true;
            return;
        }
        let Value::Object(fields) = fields else { return };
        let mut event = Map::with_capacity(fields.len() + 2);
        event.insert("type".into(), kind.into());
        event.insert("event_id".into(), format!("event_{}", self.number()).into());
        event.extend(fields);
        self.queue.push_back(Value::Object(event).to_string());
    }

    /// Adds an `error` about a message of the client, which named it `event_id` if at all.
    pub(super) fn refuse(&mut self, error: &SettingsError, event_id: Option<&str>) {
        self.error("invalid_request_error", error, event_id);
    }

    /// Adds an `error` that no message of the client is the reason for.
    pub(super) fn fail(&mut self, code: &str, message: &str) {
        self.error("server_error", &SettingsError::new(code, message), None);
    }

    fn error(&mut self, kind: &str, error: &SettingsError, event_id: Option<&str>) {
        let SettingsError { code, message, param } = error;
        let error = serde_json::json!({
            "type": kind, "code": code, "message": message, "param": param, "event_id": event_id,
        });
        self.event("error", serde_json::json!({ "error": error }));
    }

    pub(super) fn next(&mut self) -> Option<String> {
        self.queue.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < UNSENT_ROOM
    }

    /// Whether a message was lost because nothing is sent.
    pub(super) fn has_overflown(&self) -> bool {
        self.overflown
    }
}
