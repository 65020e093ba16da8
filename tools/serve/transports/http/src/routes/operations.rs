//! What operators and their machines ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use mynah_host::metrics::Form;
use mynah_host::metrics::http::names_no_other_host;

use crate::app::App;

/// Keeps web pages out that a browser on this machine has open: they must neither read what stands here nor end the server.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match objection(&app, request.method(), request.headers()) {
        Some(objection) => objection.into_response(),
        None => next.run(request).await,
    }
}

fn objection(app: &App, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // A name that leads here may be anybody's (DNS rebinding). Who listens for others has names.
    let for_this_machine = app.server.config().operations.ip().is_loopback();
    if for_this_machine && host.is_some_and(|host| !names_no_other_host(host)) {
        let what = "Host is neither localhost nor an IP address; use http://127.0.0.1, and have a proxy set Host to that\n";
        return Some((StatusCode::MISDIRECTED_REQUEST, what));
    }
    let by_page = *method == Method::POST && headers.contains_key(header::ORIGIN);
    by_page.then_some((StatusCode::FORBIDDEN, "web pages may not do this\n"))
}

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
