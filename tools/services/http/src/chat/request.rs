//! What all calls of a chat service ask for.

use crate::chat::tool::ChatTool;

/// It, as the scene says.
#[derive(Debug)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    pub(crate) system: Option<String>,
    pub(crate) max_tokens: u32,
    pub(crate) temperature: Option<f32>,
    pub(crate) tools: Vec<ChatTool>,
    pub(crate) tool_rounds: u32,
}
