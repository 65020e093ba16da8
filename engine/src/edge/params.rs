//! Parameters of a session: what its services should know of the caller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest set of parameters, as bytes of JSON.
pub const PARAMS_BYTES_MAX: usize = 16 * 1024;

/// Parameters by name, such as `voice`, `language` or `instructions`. Services read those they know, with every call;
/// the engine reads none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Params(BTreeMap<String, Value>);

/// The parameters are more than [`PARAMS_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamsTooLong {
    /// Their length as JSON, bytes.
    pub bytes: usize,
}

impl std::fmt::Display for ParamsTooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bytes } = self;
        write!(
            f,
            "parameters of {bytes} bytes: expected at most {PARAMS_BYTES_MAX} as JSON; shorten the longest text"
        )
    }
}

impl std::error::Error for ParamsTooLong {}

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// These parameters with one more; a parameter of the same name is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A parameter that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A parameter that is a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All parameters, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Takes over the parameters of `changes`; a value of `null` removes the parameter.
    pub fn merge(&mut self, changes: &Self) {
        for (name, value) in &changes.0 {
            if value.is_null() {
                self.0.remove(name);
            } else {
                self.0.insert(name.clone(), value.clone());
            }
        }
    }

    /// Checks the length.
    ///
    /// # Errors
    /// [`ParamsTooLong`] beyond [`PARAMS_BYTES_MAX`].
    pub fn check(&self) -> Result<(), ParamsTooLong> {
        let mut length = Length(0);
        // A map of JSON values can always be written.
        let bytes = serde_json::to_writer(&mut length, &self.0).map_or(usize::MAX, |()| length.0);
        if bytes > PARAMS_BYTES_MAX { Err(ParamsTooLong { bytes }) } else { Ok(()) }
    }
}

/// Counts what is written, and keeps nothing: a check costs no memory.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl FromIterator<(String, Value)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_replace_add_and_remove() {
        let mut params = Params::new().with("voice", "low").with("pitch", 1.5).with("language", "en");
        params.merge(&Params::new().with("voice", "high").with("language", Value::Null).with("rate", 2));
        let all: Vec<_> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["pitch=1.5", "rate=2", "voice=\"high\""]);
        assert_eq!((params.text("voice"), params.number("rate")), (Some("high"), Some(2.0)));
    }

    #[test]
    fn a_set_that_is_too_long_is_refused_with_its_length() {
        let long = Params::new().with("instructions", "x".repeat(PARAMS_BYTES_MAX));
        let error = long.check().unwrap_err();
        assert!(error.bytes > PARAMS_BYTES_MAX && error.to_string().contains("16384"), "{error}");
        assert_eq!(Params::new().with("a", 1).check(), Ok(()));
    }
}
