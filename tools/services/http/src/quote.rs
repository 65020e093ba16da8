//! What a server said, as it may stand in an error: short, on one line, without the key.

use std::error::Error;

use crate::key::ServiceKey;

/// Most characters of what a server says in an error.
const CHARS_MAX: usize = 200;

/// Quotes what a server said.
#[derive(Clone, Debug)]
pub(crate) struct Quoting(Option<ServiceKey>);

impl Quoting {
    /// Nothing that is quoted shows `key`.
    pub(crate) fn without(key: Option<ServiceKey>) -> Self {
        Self(key)
    }

    /// The first characters of `text`.
    pub(crate) fn quoted(&self, text: &str) -> String {
        match &self.0 {
            Some(key) => cut(&key.hidden_in(text)),
            None => cut(text),
        }
    }

    /// What is behind an error, from the outside in; without the words that say nothing.
    pub(crate) fn causes(&self, error: &(dyn Error + 'static)) -> String {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        self.quoted(&if causes.is_empty() { error.to_string() } else { causes.join(": ") })
    }
}

fn cut(text: &str) -> String {
    let mut shown: String =
        text.chars().take(CHARS_MAX).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_short_on_one_line_and_without_the_key() {
        // Cargo sets this one for tests.
        let quoting = Quoting::without(Some(ServiceKey::from_env("CARGO_PKG_NAME").unwrap()));
        let long = format!("{}mynah-http", "ä\n".repeat(99));
        let shown = quoting.quoted(&long);
        assert!(shown.ends_with("[k…") && !shown.contains('\n'), "{shown}");
        assert_eq!(shown.chars().count(), CHARS_MAX + 1);
        assert_eq!(quoting.quoted("mynah-http"), "[key]");
    }
}
