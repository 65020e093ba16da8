//! The routes.

pub(crate) mod flux;
pub(crate) mod native;
pub(crate) mod operations;
pub(crate) mod page;
pub(crate) mod realtime;
pub(crate) mod sessions;
pub(crate) mod sound;

use axum::http::Uri;
use mynah_serve::Refused;
use serde::Deserialize;

use crate::refusal::Rejection;

/// What a request says of the model.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    pub(crate) model: String,
}

/// Where nothing is.
pub(crate) async fn nothing(uri: Uri) -> Rejection {
    let path: String = uri.path().chars().take(128).collect();
    let what = format!("nothing is at {path}; docs/protocols.md has the routes");
    Rejection(Refused::new(404, "not_found", what))
}
