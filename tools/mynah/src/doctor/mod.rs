//! What this machine is like for real-time voice: each finding with what to do about it.
//!
//! `machine` looks at processor, memory and files, `time` measures the clock and how late sleeping ends, `ports` tries
//! the network of this machine, `show` prints.

mod machine;
mod ports;
mod show;
mod time;

use serde::Serialize;

pub use show::{json, text};

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
    /// What.
    pub name: &'static str,
    /// What was found, with its unit.
    pub value: String,
    /// How that is to be taken.
    pub standing: Standing,
    /// What it means, and what helps; empty: nothing need be done.
    pub remedy: String,
}

impl Finding {
    fn ok(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), standing: Standing::Ok, remedy: String::new() }
    }

    fn warn(name: &'static str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, value: value.into(), standing: Standing::Warn, remedy: remedy.into() }
    }

    fn fail(name: &'static str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, value: value.into(), standing: Standing::Fail, remedy: remedy.into() }
    }
}

/// Looks at everything; takes less than two seconds.
pub fn examine() -> Vec<Finding> {
    vec![
        machine::engine(),
        machine::cores(),
        machine::cpu_features(),
        machine::memory(),
        time::resolution(),
        time::overshoot(),
        machine::shared_memory(),
        machine::temporary(),
        ports::metrics(),
        ports::loopback(),
        machine::python(),
        machine::terminal(),
    ]
}
