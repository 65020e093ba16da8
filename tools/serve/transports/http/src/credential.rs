//! What a client shows, wherever its protocol puts it.

use axum::http::{HeaderMap, header};
use mynah_serve::Credential;

/// Before a key among the subprotocols, by the protocol that has it there.
const OF_REALTIME: &str = "openai-insecure-api-key.";
const OF_NATIVE: &str = "mynah-key.";

/// The credential of a request: `Authorization: Bearer` or `Token`, `api-key`, or among the subprotocols of a WebSocket,
/// where browsers have to put it.
pub(crate) fn credential(headers: &HeaderMap) -> Credential {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(value) = text(header::AUTHORIZATION) {
        let (scheme, key) = value.split_once(' ').unwrap_or(("", value));
        let known = ["bearer", "token"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
        return if known { Credential::Key(key.trim().into()) } else { Credential::Key(String::new()) };
    }
    if let Some(key) = headers.get("api-key").and_then(|value| value.to_str().ok()) {
        return Credential::Key(key.into());
    }
    let offered = subprotocols(headers);
    let key =
        offered.iter().find_map(|one| one.strip_prefix(OF_REALTIME).or_else(|| one.strip_prefix(OF_NATIVE)));
    key.map_or(Credential::None, |key| Credential::Key(key.into()))
}

/// The subprotocols that a client offers.
pub(crate) fn subprotocols(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|one| !one.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn keys_are_found_where_clients_put_them() {
        let rows: [(HeaderName, &str, Option<&str>); 7] = [
            (header::AUTHORIZATION, "Bearer abc", Some("abc")),
            (header::AUTHORIZATION, "Token abc", Some("abc")),
            (header::AUTHORIZATION, "Basic abc", Some("")),
            (HeaderName::from_static("api-key"), "abc", Some("abc")),
            (header::SEC_WEBSOCKET_PROTOCOL, "realtime, openai-insecure-api-key.ek_1", Some("ek_1")),
            (header::SEC_WEBSOCKET_PROTOCOL, "mynah,mynah-key.ek_2", Some("ek_2")),
            (header::SEC_WEBSOCKET_PROTOCOL, "realtime", None),
        ];
        for (name, value, expected) in rows {
            let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))]);
            let expected = expected.map_or(Credential::None, |key| Credential::Key(key.into()));
            assert_eq!(credential(&headers), expected, "{name}: {value}");
        }
    }
}
