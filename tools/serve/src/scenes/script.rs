//! What simulated callers say, as they bring it along: a load simulator at the other end of a socket sends its words as a
//! parameter of the session, and the scene's simulated recogniser finds them there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mynah_engine::Params;
use mynah_systems::service::Script;
use serde::Deserialize;

/// The parameter: `[[from_us, to_us, "words"], ...]` in media time.
pub(crate) const PARAM: &str = "simulated_words";

/// A stretch of media time and what is said in it.
#[derive(Clone, Debug, Deserialize)]
struct Said(u64, u64, String);

/// The words of all sessions that brought some, by name.
#[derive(Debug, Default)]
pub(crate) struct CallersWords(Mutex<BTreeMap<String, Vec<Said>>>);

/// Forgets a session's words when it is dropped.
#[derive(Debug)]
pub(crate) struct Remembered {
    words: Arc<CallersWords>,
    name: String,
}

impl Drop for Remembered {
    fn drop(&mut self) {
        self.words.sessions().remove(&self.name);
    }
}

impl CallersWords {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Said>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what session `name` brings along; `None`: nothing.
    ///
    /// # Errors
    /// The parameter is not what it should be.
    pub(crate) fn remember(
        self: &Arc<Self>,
        name: &str,
        params: &Params,
    ) -> Result<Option<Remembered>, String> {
        let Some(value) = params.get(PARAM) else { return Ok(None) };
        let said: Vec<Said> = serde_json::from_value(value.clone()).map_err(|error| {
            format!("params.{PARAM}: {error}; expected [[from_us, to_us, \"words\"], ...]")
        })?;
        self.sessions().insert(name.into(), said);
        Ok(Some(Remembered { words: Arc::clone(self), name: name.into() }))
    }
}

impl Script for CallersWords {
    fn heard(&self, name: &str, from_us: u64, to_us: u64) -> Option<String> {
        let sessions = self.sessions();
        let said = sessions.get(name)?;
        // As much of a stretch as counts must lie within what was heard.
        let within = |one: &&Said| {
            let (from, to) = (one.0.max(from_us), one.1.min(to_us));
            to.saturating_sub(from) * 2 >= one.1.saturating_sub(one.0)
        };
        let words: Vec<&str> = said.iter().filter(within).map(|one| one.2.as_str()).collect();
        Some(words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_stretch_and_gone_with_the_session() {
        let words = Arc::new(CallersWords::default());
        let value =
            serde_json::json!([[0, 1_000, "good"], [1_000, 2_000, "morning"], [5_000, 6_000, "again"]]);
        let kept = words.remember("a", &Params::new().with(PARAM, value)).expect("it is right");
        assert_eq!(words.heard("a", 0, 2_100).as_deref(), Some("good morning"));
        assert_eq!(words.heard("a", 4_000, 7_000).as_deref(), Some("again"));
        assert_eq!(words.heard("b", 0, 9_000), None);
        drop(kept);
        assert_eq!(words.heard("a", 0, 9_000), None);
        let wrong = words.remember("a", &Params::new().with(PARAM, "words"));
        assert!(wrong.expect_err("no list").contains("params.simulated_words"));
    }
}
