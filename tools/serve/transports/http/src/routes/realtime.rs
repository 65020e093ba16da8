//! OpenAI Realtime over a WebSocket, and the client secrets that browsers connect with.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Query, State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use mynah_dialects::SceneFacts;
use mynah_dialects::realtime::{Realtime, RealtimeConfig, session_object};
use mynah_serve::{Credential, Refused};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::body;
use crate::connection::Connection;
use crate::credential::credential;
use crate::refusal::Rejection;
use crate::routes::Asked;
use crate::routes::native::{accept, judge_origin};

/// Seconds that a secret holds where nobody says.
const HOLDS_S: u64 = 600;

pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Rejection> {
    judge_origin(&app, &headers)?;
    if headers.get("openai-beta").is_some_and(|beta| beta.as_bytes().starts_with(b"realtime")) {
        let what = "the beta of the Realtime interface is over: leave out the header OpenAI-Beta";
        return Err(Refused::new(400, "beta_api_shape_disabled", what).into());
    }
    let place = app.admit(address, &asked.model, &credential(&headers))?;
    let socket = socket.map_err(|_| Refused::new(426, "upgrade", "a WebSocket was expected here"))?;
    let scene = Arc::clone(place.scene());
    let config = RealtimeConfig {
        model: if asked.model.is_empty() { scene.name().into() } else { asked.model },
        session_name: String::new(),
        scene: SceneFacts::of(scene.plan()),
        session: place.secret().and_then(|secret| secret.session.clone()),
    };
    let dialect = Box::new(Realtime::new(config));
    let connection = Connection { app, scene, place: Some(place), transport: "realtime" };
    Ok(accept(socket, &headers, "realtime").on_upgrade(|socket| connection.serve(socket, dialect)))
}

/// What a secret is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    expires_after: Option<After>,
    #[serde(default)]
    session: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    seconds: Option<u64>,
}

pub(crate) async fn secret(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Rejection> {
    let shown = credential(&headers);
    let (_, secret) = app.server.judge(&shown)?;
    if secret.is_some() {
        let what = "a client secret makes no other: show a key";
        return Err(app.server.admission().refuse(Refused::new(401, "bad_key", what)).into());
    }
    // Without keys a secret would open nothing that is shut.
    if shown == Credential::None {
        judge_origin(&app, &headers)?;
    }
    let body = body::text(&app, body).await?;
    let text = if body.trim().is_empty() { "{}" } else { &body };
    let wish: Wish = serde_json::from_str(text)
        .map_err(|error| Refused::new(400, "bad_request", format!("body: {error}")))?;
    let model = wish.session.as_ref().and_then(|session| session.get("model")?.as_str()).unwrap_or("");
    let scene =
        app.server.scenes().find(Some(model)).map_err(|refused| app.server.admission().refuse(refused))?;
    let facts = SceneFacts::of(scene.plan());
    let named = if model.is_empty() { scene.name() } else { model };
    let session = session_object(&facts, named, wish.session.as_ref())
        .map_err(|error| Refused::new(400, "bad_request", error.to_string()))?;
    let holds_s = wish.expires_after.and_then(|after| after.seconds).unwrap_or(HOLDS_S);
    let asked = (!model.is_empty()).then(|| model.to_string());
    let (value, expires_at) = app.server.make_secret(holds_s, asked, wish.session)?;
    Ok(Json(json!({"value": value, "expires_at": expires_at, "session": session})))
}
