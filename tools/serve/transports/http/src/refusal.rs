//! Refusals as answers of HTTP.

use axum::Json;
use axum::body::to_bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mynah_dialects::Refusal;
use mynah_serve::Refused;

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Rejection(pub(crate) Refused);

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        Self(refused)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            "not_found" => 404,
            "too_large" => 413,
            _ => 400,
        };
        Self(Refused::new(status, refusal.code, refusal.message))
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let Self(refused) = self;
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(refused.body())).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = refused.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Longest sentence of a refusal that the framework makes, bytes.
const SENTENCE_BYTES_MAX: usize = 1_024;

/// Refusals of the framework in the form of all others: queries and paths that cannot be read, methods that a route has not.
pub(crate) async fn explained(response: Response) -> Response {
    let status = response.status();
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = to_bytes(body, SENTENCE_BYTES_MAX).await.unwrap_or_default();
    let (code, sentence) = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this route takes other methods: see the header Allow")
        }
        _ if status.is_server_error() => ("internal", "the server has made a mistake; its log may say which"),
        _ => ("bad_request", "the request cannot be understood"),
    };
    let said =
        str::from_utf8(&said).ok().filter(|said| status == StatusCode::BAD_REQUEST && !said.is_empty());
    let mut explained =
        Rejection(Refused::new(status.as_u16(), code, said.unwrap_or(sentence))).into_response();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            explained.headers_mut().append(name, value.clone());
        }
    }
    explained
}

/// What a dialect is told of a session that was not opened.
pub(crate) fn to_dialect(refused: Refused) -> Refusal {
    Refusal::new(refused.code, refused.message)
}
