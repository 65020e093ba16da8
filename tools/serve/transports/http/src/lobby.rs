//! Sessions without a connection of their own, by name: served by requests, or waiting for their client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mynah_dialects::Refusal;
use mynah_serve::same_text;

use crate::app::App;
use crate::held::Held;

/// The sessions.
#[derive(Debug, Default)]
pub(crate) struct Lobby(Mutex<HashMap<String, Arc<Held>>>);

impl Lobby {
    fn rows(&self) -> MutexGuard<'_, HashMap<String, Arc<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a session, and polls it until it leaves or is over.
    pub(crate) fn put(&self, app: &Arc<App>, name: String, held: Arc<Held>) {
        self.rows().insert(name.clone(), Arc::clone(&held));
        let app = Arc::clone(app);
        tokio::spawn(async move {
            held.drive(&app).await;
            let mut rows = app.lobby.rows();
            // Another session of that name may be there by now.
            if rows.get(&name).is_some_and(|other| Arc::ptr_eq(other, &held)) {
                rows.remove(&name);
            }
        });
    }

    /// Finds a session by its name and its token.
    ///
    /// # Errors
    /// `not_found`, whichever of the two is wrong.
    pub(crate) fn find(&self, name: &str, token: &str) -> Result<Arc<Held>, Refusal> {
        let held = self.rows().get(name).cloned();
        let held = held.filter(|held| !held.token().is_empty() && same_text(held.token(), token));
        held.ok_or_else(|| Refusal::new("not_found", "no session of that name with that token"))
    }

    /// Takes a session out.
    pub(crate) fn take(&self, name: &str, token: &str) -> Option<Arc<Held>> {
        let held = self.find(name, token).ok()?;
        self.rows().remove(name);
        Some(held)
    }

    /// Whether a session of that name is here.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.rows().contains_key(name)
    }
}
