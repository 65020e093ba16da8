//! Why a request has no answer, in words, and whether it may be made once more.

use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap, RETRY_AFTER};
use hyper::http::response::Parts;
use serde_json::Value;

use crate::quote::Quoting;

/// Time until a request is made again where the server names none.
const AGAIN: Duration = Duration::from_millis(100);

/// A request without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Why, with what helps.
    pub(crate) reason: String,
    /// It may be made once more, after this time.
    pub(crate) again: Option<Duration>,
}

impl Refusal {
    /// One that is final.
    pub(crate) fn last(reason: String) -> Self {
        Self { reason, again: None }
    }

    /// One that may have been an accident of the moment.
    pub(crate) fn passing(reason: String) -> Self {
        Self { reason, again: Some(AGAIN) }
    }

    /// What an answer with this head and body means that is no success.
    pub(crate) fn of(quoting: &Quoting, head: &Parts, body: &[u8]) -> Self {
        let status = head.status;
        let name = status.canonical_reason().unwrap_or("an unknown status");
        if status.is_redirection() {
            let to = head.headers.get(hyper::header::LOCATION).and_then(|value| value.to_str().ok());
            let to = quoting.quoted(to.unwrap_or("nowhere"));
            return Self::last(format!(
                "{} {name} to {to}, which is not followed: write the address where the server is in `url`",
                status.as_u16()
            ));
        }
        let said = match message(body) {
            Some(said) => format!(": {}", quoting.quoted(&said)),
            None => String::new(),
        };
        let helps = match status.as_u16() {
            401 | 403 => "; see `key_env`",
            404 | 405 => "; see `url` (most end with /v1) and `model`",
            _ => "",
        };
        let reason = format!("{} {name}{said}{helps}", status.as_u16());
        let again =
            wants_again(status.as_u16(), &head.headers).then(|| after(&head.headers, now()).unwrap_or(AGAIN));
        Self { reason, again }
    }
}

#[expect(clippy::disallowed_methods, reason = "a date in an answer is a date on the wall")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Whether a request may be made once more.
fn wants_again(status: u16, headers: &HeaderMap) -> bool {
    match headers.get("x-should-retry").map(|value| value.as_bytes()) {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => matches!(status, 408 | 409 | 429 | 500..=599),
    }
}

/// When it may: `retry-after-ms`, or `retry-after` in seconds or as a date.
fn after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |value: f64| Duration::try_from_secs_f64(value).ok();
    let ms = text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok());
    if let Some(after) = ms.and_then(|ms| seconds(ms / 1e3)) {
        return Some(after);
    }
    let value = text(RETRY_AFTER.as_str())?;
    if let Ok(value) = value.parse::<f64>() {
        // More than a clock can hold is never.
        return Some(seconds(value).unwrap_or(if value > 0.0 { Duration::MAX } else { AGAIN }));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // By the server's clock, if it tells.
    let now = text(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// What a server says in the body of an error: the message that servers of this kind send, or its text.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let said = match serde_json::from_slice::<Value>(body) {
        Ok(value) => error_in(&value).unwrap_or_else(|| value.to_string()),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_string())
}

/// The message of an error in JSON: `{"error": {"message": ..}}` or one of its relatives.
pub(crate) fn error_in(value: &Value) -> Option<String> {
    let error = value.get("error").or_else(|| value.get("detail")).or_else(|| value.get("message"))?;
    let said = match error {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Object(fields) => match fields.get("message").and_then(Value::as_str) {
            Some(text) => text.to_string(),
            None => error.to_string(),
        },
        _ => error.to_string(),
    };
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    type Headers = &'static [(&'static str, &'static str)];

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_time_to_wait_is_read_in_all_its_forms() {
        let now = httpdate::parse_http_date("Tue, 01 Dec 2026 12:00:00 GMT").unwrap();
        let cases: [(Headers, Option<u64>); 9] = [
            (&[], None),
            (&[("retry-after", "2")], Some(2_000)),
            (&[("retry-after", "0.5")], Some(500)),
            (&[("retry-after-ms", "250"), ("retry-after", "2")], Some(250)),
            (&[("retry-after-ms", "soon"), ("retry-after", "2")], Some(2_000)),
            (&[("retry-after", "Tue, 01 Dec 2026 12:00:03 GMT")], Some(3_000)),
            (
                &[
                    ("retry-after", "Tue, 01 Dec 2026 12:00:03 GMT"),
                    ("date", "Tue, 01 Dec 2026 12:00:02 GMT"),
                ],
                Some(1_000),
            ),
            (&[("retry-after", "Tue, 01 Dec 2020 12:00:03 GMT")], Some(0)),
            (&[("retry-after", "later")], None),
        ];
        for (list, wanted) in cases {
            assert_eq!(after(&headers(list), now), wanted.map(Duration::from_millis), "{list:?}");
        }
        assert_eq!(after(&headers(&[("retry-after", "1e300")]), now), Some(Duration::MAX));
    }

    #[test]
    fn the_server_decides_whether_to_ask_again() {
        let cases: [(u16, Headers, bool); 8] = [
            (400, &[], false),
            (401, &[], false),
            (408, &[], true),
            (409, &[], true),
            (429, &[], true),
            (503, &[], true),
            (503, &[("x-should-retry", "false")], false),
            (400, &[("x-should-retry", "true")], true),
        ];
        for (status, list, wanted) in cases {
            assert_eq!(wants_again(status, &headers(list)), wanted, "{status} {list:?}");
        }
    }

    #[test]
    fn messages_of_errors_are_found_in_all_their_forms() {
        let cases = [
            (r#"{"error":{"message":"slow down","type":"x"}}"#, Some("slow down")),
            (r#"{"error":"no model"}"#, Some("no model")),
            (r#"{"detail":[{"loc":1}]}"#, Some(r#"[{"loc":1}]"#)),
            (r#"{"message":"m"}"#, Some("m")),
            ("Bad gateway", Some("Bad gateway")),
            ("  ", None),
        ];
        for (body, wanted) in cases {
            assert_eq!(message(body.as_bytes()).as_deref(), wanted, "{body}");
        }
    }
}
