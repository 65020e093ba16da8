//! The names of what engine and workers share.

/// Most characters of the name of an engine or a service.
pub const NAME_CHARS_MAX: usize = 40;

/// Whether an engine, a service or a worker may be called so: letters, digits, `_`, `.` and `-`.
pub fn is_link_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(allowed)
}

/// An engine's service, as both sides call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkNames {
    /// The engine.
    pub engine: String,
    /// The service, as the scene calls it.
    pub service: String,
}

impl LinkNames {
    fn root(&self) -> String {
        format!("mynah/{}/{}/{}", crate::wire::PROTOCOL, self.engine, self.service)
    }

    pub(super) fn lobby(&self) -> String {
        format!("{}/control", self.root())
    }

    pub(super) fn bell_up(&self) -> String {
        format!("{}/bell/up", self.root())
    }

    pub(super) fn bell_down(&self, worker: &str) -> String {
        format!("{}/bell/{worker}/down", self.root())
    }

    /// `what`: control, audio or text; `way`: up or down.
    pub(super) fn lane(&self, what: &str, worker: &str, way: &str) -> String {
        format!("{}/{what}/{worker}/{way}", self.root())
    }
}
