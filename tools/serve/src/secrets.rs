//! Client secrets: short-lived keys that a browser may have. A secret says itself until when it holds and what it was
//! made for, signed by HMAC-SHA256, so that any process behind a proxy with the same key takes it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::refused::Refused;

/// What every secret begins with.
pub(crate) const PREFIX: &str = "ek_";
/// Seconds that a secret may hold, least and most.
pub(crate) const HOLDS_S: std::ops::RangeInclusive<u64> = 10..=7_200;
/// Longest secret, bytes: it travels in a header.
const BYTES_MAX: usize = 12 * 1024;

/// What a secret says. It bounds when a session may open, not how long that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// Seconds since the Unix epoch until which it holds.
    pub expires_at: u64,
    /// The model that it is for; `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Settings of the session, as the protocol that made it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<serde_json::Value>,
}

/// Makes and reads secrets.
#[derive(Clone)]
pub struct Secrets(Hmac<Sha256>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// With this key, which should have 32 random bytes or more.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// Signs what `secret` says.
    ///
    /// # Errors
    /// [`Refused`]: its settings are too long to travel in a header.
    pub fn make(&self, secret: &Secret) -> Result<String, Refused> {
        let said = serde_json::to_vec(secret)
            .map_err(|error| Refused::new(400, "bad_request", format!("session: {error}")))?;
        let signature = self.0.clone().chain_update(&said).finalize().into_bytes();
        let text = format!("{PREFIX}{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(signature));
        if text.len() > BYTES_MAX {
            let what = format!(
                "session: {} bytes as a secret, expected at most {BYTES_MAX}: send it by `session.update`",
                text.len()
            );
            return Err(Refused::new(400, "bad_request", what));
        }
        Ok(text)
    }

    /// Reads a secret at `now_s`, seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refused`] with 401: it is none, was signed by another key, or is too old.
    pub fn read(&self, text: &str, now_s: u64) -> Result<Secret, Refused> {
        let none = || Refused::new(401, "bad_key", "the client secret was not made here");
        let (said, signature) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).ok_or_else(none)?;
        let bytes = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| none());
        let (said, signature) = (bytes(said)?, bytes(signature)?);
        self.0.clone().chain_update(&said).verify_slice(&signature).map_err(|_| none())?;
        let secret: Secret = serde_json::from_slice(&said).map_err(|_| none())?;
        if secret.expires_at <= now_s {
            let late = now_s - secret.expires_at;
            let what = format!("the client secret has expired {late} s ago: make another");
            return Err(Refused::new(401, "expired", what));
        }
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_holds_until_its_time_at_every_process_with_the_key() {
        let session = serde_json::json!({"instructions": "be brief"});
        let secret = Secret { expires_at: 1_000, model: Some("a".into()), session: Some(session) };
        let text = Secrets::new(b"shared").make(&secret).expect("it is short");
        assert!(text.starts_with("ek_"));
        assert_eq!(Secrets::new(b"shared").read(&text, 999), Ok(secret));
        let code = |secrets: &Secrets, text: &str, now_s| secrets.read(text, now_s).expect_err(text).code;
        assert_eq!(code(&Secrets::new(b"shared"), &text, 1_000), "expired");
        assert_eq!(code(&Secrets::new(b"other"), &text, 0), "bad_key");
        let mut forged = text.clone().into_bytes();
        forged[10] ^= 1;
        let forged = String::from_utf8(forged).expect("it was ASCII");
        for wrong in ["", "ek_", "ek_.", "sk-x", "ek_a.b", &forged, &text[..text.len() - 1]] {
            assert_eq!(code(&Secrets::new(b"shared"), wrong, 0), "bad_key", "{wrong}");
        }
    }
}
