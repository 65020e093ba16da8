//! The report's part about a server elsewhere that the scene's output goes to.

use serde::Serialize;

use super::quantiles::Quantiles;

/// What went to the server, and what came back. Times are from the end of the tick that decided.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct AcrossReport {
    pub address: String,
    /// As the server calls it.
    pub scene: String,
    /// Sessions there, and those of them whose stream ended before its time.
    pub sessions: u32,
    pub lost: u32,
    pub sent: u64,
    pub delivered: u64,
    pub applied: u64,
    pub retried: u64,
    pub failed: u64,
    /// Of what was sent: what takes something back.
    pub takes_back: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_delivered_ms: Option<Quantiles>,
    /// Until its work there has stopped, and this end knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_applied_ms: Option<Quantiles>,
    pub sound_sent_s: f64,
    /// Audio that the connections did not take.
    pub sound_unsent_s: f64,
    pub sound_heard_s: f64,
    /// Events that the server told of its sessions.
    pub events: u64,
    /// What must hold and does not, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
}
