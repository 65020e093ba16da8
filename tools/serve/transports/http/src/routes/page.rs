//! The page to talk to a scene, and the module that its sessions are made with.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;

const PAGE: &str = include_str!("../../page/index.html");
const MODULE: &str = include_str!("../../page/session.js");

pub(crate) async fn page(State(app): State<Arc<App>>) -> Response {
    let scenes: Vec<serde_json::Value> = app
        .server
        .scenes()
        .offered()
        .iter()
        .map(|(model, scene)| {
            let plan = scene.plan();
            json!({
                "model": model,
                "scene": scene.name(),
                "description": plan.scene.description,
                "hears": true,
                "speaks": plan.output.audio.is_some(),
                "simulated": scene.simulated(),
                "leaves": scene.leaves(),
            })
        })
        .collect();
    // Within a script no text may end it.
    let scenes = serde_json::Value::from(scenes).to_string().replace('<', "\\u003c");
    let page = PAGE.replacen("/* session.js */", MODULE, 1).replacen("/* scenes */", &scenes, 1);
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; script-src 'self' 'unsafe-inline' blob:; worker-src blob:; style-src 'unsafe-inline'; \
                 connect-src 'self' ws: wss:; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            ),
        ),
    ];
    (headers, page).into_response()
}

pub(crate) async fn module() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], MODULE).into_response()
}
