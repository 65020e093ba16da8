//! The routes.

pub(crate) mod flux;
pub(crate) mod native;
pub(crate) mod operations;
pub(crate) mod page;
pub(crate) mod realtime;
pub(crate) mod sessions;
pub(crate) mod sound;

use axum::extract::Request;
use axum::http::{HeaderValue, Uri, header};
use mynah_serve::Refused;
use serde::Deserialize;

use crate::refusal::Rejection;

/// What a request says of the session it wants.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    pub(crate) model: String,
    /// The name of one that waits for this client.
    #[serde(default)]
    pub(crate) resume: String,
}

/// The host that a request names, where everybody looks for it: HTTP/2 has it in the address alone.
pub(crate) async fn with_host(mut request: Request) -> Request {
    let named = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = named.filter(|_| !request.headers().contains_key(header::HOST)) {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

/// Where nothing is.
pub(crate) async fn nothing(uri: Uri) -> Rejection {
    let path: String = uri.path().chars().take(128).collect();
    let what = format!("nothing is at {path}; docs/protocols.md has the routes");
    Rejection(Refused::new(404, "not_found", what))
}
