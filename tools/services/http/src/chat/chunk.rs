//! One piece of a streamed chat completion. What is not needed is not read; nearly everything may be missing or null.

use serde::Deserialize;
use serde_json::Value;

/// A piece.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chunk {
    pub(crate) choices: Option<Vec<Choice>>,
    /// Something went wrong in the middle.
    pub(crate) error: Option<Value>,
}

/// One of the answers; only one is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    pub(crate) delta: Option<Delta>,
    pub(crate) finish_reason: Option<String>,
}

/// What is new.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Delta {
    pub(crate) content: Option<String>,
    /// What the model thinks, under the names that servers give it. It is not said.
    #[serde(alias = "reasoning")]
    pub(crate) reasoning_content: Option<Value>,
    pub(crate) refusal: Option<String>,
    pub(crate) tool_calls: Option<Vec<ToolDelta>>,
}

/// More of a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ToolDelta {
    pub(crate) index: Option<u32>,
    pub(crate) id: Option<String>,
    pub(crate) function: Option<FunctionDelta>,
}

/// More of its function.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FunctionDelta {
    pub(crate) name: Option<String>,
    pub(crate) arguments: Option<String>,
}
