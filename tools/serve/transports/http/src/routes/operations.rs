//! What operators and their machines ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mynah_host::metrics::Form;

use crate::app::App;

pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    let form = if accept.contains("application/openmetrics-text") { Form::OpenMetrics } else { Form::Text };
    let page = app.server.metrics_page(form);
    ([(header::CONTENT_TYPE, form.content_type()), (header::CACHE_CONTROL, "no-store")], page).into_response()
}

fn word(said: Result<(), String>) -> Response {
    match said {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

pub(crate) async fn live(State(app): State<Arc<App>>) -> Response {
    word(app.server.live())
}

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    word(app.server.ready())
}

pub(crate) async fn capacity(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    Json(app.server.capacity())
}

pub(crate) async fn drain(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    let begun = app.server.begin_drain("request");
    (StatusCode::ACCEPTED, if begun { "drains\n" } else { "drains already\n" })
}

pub(crate) async fn nothing() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "there are /metrics, /livez, /readyz, /capacity and POST /drain\n")
}
