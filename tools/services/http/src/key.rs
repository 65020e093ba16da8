//! The key that a server wants, which nothing shows.

use std::fmt;
use std::sync::Arc;

use hyper::header::HeaderValue;

/// A key, from the environment.
#[derive(Clone)]
pub(crate) struct ServiceKey(Arc<str>);

impl ServiceKey {
    /// The key in the environment variable `name`.
    ///
    /// # Errors
    /// There is none, or it cannot stand in a header; what helps.
    pub(crate) fn from_env(name: &str) -> Result<Self, String> {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!("`key_env` is {name:?}; expected the name of an environment variable"));
        }
        let key = std::env::var(name).map_err(|_| {
            format!("`key_env` is {name:?}, and there is no such environment variable; set it, or leave `key_env` out")
        })?;
        let key = key.trim();
        if key.is_empty() || HeaderValue::from_str(key).is_err() {
            return Err(format!(
                "`key_env` is {name:?}, whose value is empty or has characters that no header takes; set it to the key alone"
            ));
        }
        Ok(Self(key.into()))
    }

    /// The header `Authorization`, marked as sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .expect("a key that no header takes is refused when it is read");
        value.set_sensitive(true);
        value
    }

    /// `text` without the key.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        text.replace(&*self.0, "[key]")
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceKey")
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_key() {
        // Cargo sets this one for tests.
        let key = ServiceKey::from_env("CARGO_PKG_NAME").unwrap();
        let shown = format!("{key:?} {key} {:?}", key.header());
        assert!(!shown.contains("mynah-http"), "{shown}");
        assert_eq!(key.hidden_in("wrong key mynah-http!"), "wrong key [key]!");
    }

    #[test]
    fn a_key_that_is_not_there_is_named_with_what_helps() {
        for name in ["NO_SUCH_VARIABLE_OF_MYNAH", "", "A=B"] {
            let wrong = ServiceKey::from_env(name).unwrap_err();
            assert!(wrong.contains("`key_env`") && wrong.contains(&format!("{name:?}")), "{wrong}");
        }
    }
}
