//! The names of answers.

use mynah_engine::service::CallKey;

/// Names an attempt at a call in words that outlive its run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerName {
    /// The service in the scene.
    pub service: String,
    /// The session.
    pub session: String,
    /// Which session of that name, counted from 1.
    pub opening: u32,
    /// The node, by its number in the scene.
    pub node: u8,
    /// Serial of the segment, revision, and which call of it.
    pub call: (u32, u32, u32),
    /// Attempts before it.
    pub attempt: u8,
}

impl AnswerName {
    pub(super) fn new(service: &str, session: &str, key: &CallKey, attempt: u8) -> Self {
        Self {
            service: service.into(),
            session: session.into(),
            opening: key.generation,
            node: key.node.0,
            call: (key.segment.serial, key.revision, key.part),
            attempt,
        }
    }
}
