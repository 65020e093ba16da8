//! Errors that a client is told: one a second at most, with a count of those that were not.

use serde::Serialize;

use crate::terms::Refusal;

/// Shortest time between two errors, microseconds.
const GAP_US: u64 = 1_000_000;

/// Errors on their way to a client: one a second at most.
#[derive(Debug, Default)]
pub struct Complaints {
    told_us: Option<u64>,
    /// With the count of those before it that were not told.
    waiting: Option<(Refusal, u64)>,
    /// Not told since the last one that was.
    silent: u64,
    /// Of all time.
    count: u64,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "is_none")]
    silent: u64,
}

fn is_none(silent: &u64) -> bool {
    *silent == 0
}

/// An error as a message.
pub(super) fn error_json(refusal: &Refusal, silent: u64) -> String {
    // What the client can mend, and what it cannot.
    let kind = match refusal.code {
        "capacity" | "engine_gone" | "unavailable" => "server_error",
        _ => "invalid_request_error",
    };
    let error = Body { kind, code: refusal.code, message: &refusal.message, silent };
    super::messages::json(&Message { kind: "error", error })
}

impl Complaints {
    /// Takes an error at `now_us`; told at once, or only counted.
    pub fn take(&mut self, now_us: u64, refusal: &Refusal) {
        self.count += 1;
        if self.waiting.is_some() || self.told_us.is_some_and(|told_us| now_us.abs_diff(told_us) < GAP_US) {
            self.silent += 1;
            return;
        }
        self.told_us = Some(now_us);
        self.waiting = Some((refusal.clone(), std::mem::take(&mut self.silent)));
    }

    /// Counts an error that nobody is told, as it is none of the client's.
    pub fn pass_over(&mut self) {
        self.count += 1;
    }

    /// The error that is to be told now, and how many before it were not.
    pub fn pop(&mut self) -> Option<(Refusal, u64)> {
        self.waiting.take()
    }

    /// Errors so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}
