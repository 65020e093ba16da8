//! Refusals as answers of HTTP.

use axum::Json;
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

/// What a dialect is told of a session that was not opened.
pub(crate) fn to_dialect(refused: Refused) -> Refusal {
    Refusal::new(refused.code, refused.message)
}
