//! Who may come in: keys as hashes, compared in constant time.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::refused::Refused;

/// What a client shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    #[default]
    None,
    /// A key, or a client secret (`ek_...`).
    Key(String),
}

/// Who a client turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No keys are configured, and the server is for this machine alone.
    Local,
    /// It has a key.
    Key,
}

/// The SHA-256 hashes of keys, as they stand in a file.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<[u8; 32]>);

impl Keys {
    /// Reads `text`: a hash of 64 hexadecimal digits a line; what is behind it on the line is a note, and lines that are
    /// empty or begin with `#` are none.
    ///
    /// # Errors
    /// The number of the line, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            let hash = hash(word).ok_or_else(|| {
                format!(
                    "line {}: no SHA-256 hash of 64 hexadecimal digits; `printf %s KEY | sha256sum` makes one of a key",
                    at + 1
                )
            })?;
            keys.push(hash);
        }
        Ok(Self(keys))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, has a line that is none, or has no key.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let keys = Self::parse(&text).map_err(|what| format!("{}, {what}", path.display()))?;
        if keys.is_empty() {
            return Err(format!(
                "{}: no key in it; leave `keys_file` out to serve this machine alone",
                path.display()
            ));
        }
        Ok(keys)
    }

    /// The keys themselves, hashed here: for what comes from an environment variable.
    #[must_use]
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Sha256::digest(key.as_bytes()).into()).collect())
    }

    /// Whether there is none: everybody on this machine may come in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Judges what a client shows. Takes the same time whichever key it is, and whether it is one.
    ///
    /// # Errors
    /// [`Refused`] with 401.
    pub fn judge(&self, credential: &Credential) -> Result<Standing, Refused> {
        if self.is_empty() {
            return Ok(Standing::Local);
        }
        let Credential::Key(key) = credential else {
            return Err(Refused::new(
                401,
                "no_key",
                "this server asks for a key: send `Authorization: Bearer KEY`",
            ));
        };
        let shown: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let known = self.0.iter().fold(Choice::from(0), |found, hash| found | hash.ct_eq(&shown));
        if bool::from(known) {
            return Ok(Standing::Key);
        }
        Err(Refused::new(401, "bad_key", "the key is not known here"))
    }
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
#[must_use]
pub fn same_text(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn hash(word: &str) -> Option<[u8; 32]> {
    let digits = word.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, two) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Credential {
        Credential::Key(text.into())
    }

    #[test]
    fn keys_stand_in_a_file_as_hashes() {
        // sha256 of "open sesame".
        let text = "# keys\n\n41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb  the cave\n";
        let keys = Keys::parse(text).expect("it is a file of keys");
        assert_eq!(keys.judge(&key("open sesame")), Ok(Standing::Key));
        assert_eq!(keys.judge(&key("open barley")).expect_err("not known").code, "bad_key");
        assert_eq!(keys.judge(&Credential::None).expect_err("none shown").code, "no_key");
        assert!(Keys::parse("# none\nabc\n").expect_err("no hash").starts_with("line 2: "));
    }

    #[test]
    fn without_keys_everybody_on_this_machine_may_come() {
        assert_eq!(Keys::default().judge(&Credential::None), Ok(Standing::Local));
        assert_eq!(Keys::default().judge(&key("whatever")), Ok(Standing::Local));
    }
}
