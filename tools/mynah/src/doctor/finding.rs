//! A finding about the machine, and its severity.

use serde::Serialize;

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As it should be, or of no consequence.
    Ok,
    /// Works, with the consequence that the remedy names.
    Warn,
    /// mynah cannot run like this.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// What was found, with its unit.
    pub value: String,
    /// How that is to be taken.
    pub standing: Standing,
    /// What it means, and what helps; empty: nothing need be done.
    pub remedy: String,
}

impl Finding {
    pub(super) fn ok(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), standing: Standing::Ok, remedy: String::new() }
    }

    pub(super) fn warn(name: &'static str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, value: value.into(), standing: Standing::Warn, remedy: remedy.into() }
    }

    pub(super) fn fail(name: &'static str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, value: value.into(), standing: Standing::Fail, remedy: remedy.into() }
    }
}
