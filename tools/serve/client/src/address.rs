//! Where a server is, and which of its scenes is meant.

use std::fmt;

use tokio_tungstenite::tungstenite::http::Uri;

use crate::error::ClientError;

/// The route of sessions, where an address names none.
const ROUTE: &str = "/v1/session";
const EXPECTED: &str = "expected ws://HOST:PORT or wss://HOST:PORT, like ws://127.0.0.1:8080";

/// Where a server is, and which of its scenes is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    uri: Uri,
    /// As it was given.
    given: String,
}

impl ServerAddress {
    /// Reads `ws://HOST:PORT` or `wss://HOST:PORT`; without a path it is that of sessions. `model` picks a scene of the
    /// server; `None`: as the address says, or else the first.
    ///
    /// # Errors
    /// [`ClientError::Address`]: it is no such address, or this build has no TLS for it.
    pub fn parse(given: &str, model: Option<&str>) -> Result<Self, ClientError> {
        let bad = |why: String| ClientError::Address { given: given.to_owned(), why };
        let uri: Uri = given.parse().map_err(|error| bad(format!("no address: {error}; {EXPECTED}")))?;
        let scheme = match uri.scheme_str() {
            Some("ws" | "http") => "ws",
            Some("wss" | "https") if cfg!(feature = "tls") => "wss",
            Some("wss" | "https") => {
                let what =
                    "this build has no TLS: build it with `--features serve,tls`, or use a ws:// address";
                return Err(bad(what.into()));
            }
            _ => return Err(bad(format!("no address of a WebSocket; {EXPECTED}"))),
        };
        let host = uri.authority().filter(|authority| !authority.host().is_empty());
        let host = host.ok_or_else(|| bad(format!("no host; {EXPECTED}")))?;
        let path = if uri.path() == "/" { ROUTE } else { uri.path() };
        let query = uri.query().unwrap_or_default();
        let query = model.map_or_else(|| query.to_owned(), |model| with(query, "model", model));
        let mark = if query.is_empty() { "" } else { "?" };
        let whole = format!("{scheme}://{host}{path}{mark}{query}");
        let uri = whole.parse().map_err(|error| bad(format!("no address: {error}; {EXPECTED}")))?;
        Ok(Self { uri, given: given.to_owned() })
    }

    /// The address of the session's WebSocket.
    #[must_use]
    pub fn url(&self) -> String {
        self.uri.to_string()
    }

    pub(crate) fn uri(&self) -> Uri {
        self.uri.clone()
    }

    /// The same for whoever goes on with a session: its place is there, also where the server is full.
    pub(crate) fn resuming(&self, session: &str) -> Self {
        let query = with(self.uri.query().unwrap_or_default(), "resume", session);
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = format!("{}?{query}", self.uri.path()).parse().ok();
        let uri = Uri::from_parts(parts).unwrap_or_else(|_| self.uri.clone());
        Self { uri, given: self.given.clone() }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

/// A query with one more value.
fn with(query: &str, name: &str, value: &str) -> String {
    let mut query = query.to_owned();
    query += if query.is_empty() { "" } else { "&" };
    query += name;
    query.push('=');
    escape_into(value, &mut query);
    query
}

/// Appends a value of a query: everything but letters, digits and `-._~` by its bytes.
fn escape_into(value: &str, query: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_their_route_and_model() {
        let cases = [
            ("ws://127.0.0.1:8080", None, "ws://127.0.0.1:8080/v1/session"),
            ("http://[::1]:80/", Some("a b/c"), "ws://[::1]:80/v1/session?model=a%20b%2Fc"),
            ("ws://voice.example/behind/proxy?x=1", Some("m"), "ws://voice.example/behind/proxy?x=1&model=m"),
        ];
        for (given, model, url) in cases {
            let address = ServerAddress::parse(given, model).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((address.url().as_str(), address.to_string().as_str()), (url, given));
            let mark = if url.contains('?') { '&' } else { '?' };
            assert_eq!(address.resuming("a b").url(), format!("{url}{mark}resume=a%20b"));
        }
    }

    #[test]
    fn what_is_no_address_is_told_with_a_remedy() {
        for given in ["127.0.0.1:8080", "ftp://host", "ws://", "ws:///path", "", "nonsense at all"] {
            let error = ServerAddress::parse(given, None).expect_err(given).to_string();
            assert!(error.starts_with(given) && error.contains("ws://127.0.0.1:8080"), "{error}");
        }
        #[cfg(not(feature = "tls"))]
        {
            let error = ServerAddress::parse("wss://host", None).expect_err("no TLS").to_string();
            assert!(error.contains("serve,tls"), "{error}");
        }
    }
}
