//! The native protocol over a WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Query, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use mynah_dialects::native::{Native, NativeConfig};
use mynah_serve::Refused;

use crate::app::App;
use crate::connection::{Connection, MESSAGE_BYTES_MAX};
use crate::credential::{credential, subprotocols};
use crate::refusal::Rejection;
use crate::routes::Asked;

/// What every native session has.
pub(crate) fn config(app: &App, scene_now_us: u64) -> NativeConfig {
    let epoch_us = app.server.unix_us().saturating_sub(scene_now_us);
    NativeConfig { epoch_us, resume_ms: app.server.config().resume_ms }
}

/// Judges where a page comes from.
pub(crate) fn judge_origin(app: &App, headers: &HeaderMap) -> Result<(), Rejection> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    Ok(app.server.judge_origin(text(header::ORIGIN), text(header::HOST))?)
}

pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Rejection> {
    judge_origin(&app, &headers)?;
    let credential = credential(&headers);
    let (place, scene) = match app.admit(address, &asked.model, &credential) {
        Ok(place) => {
            let scene = Arc::clone(place.scene());
            (Some(place), scene)
        }
        // Whose session waits here has its place. Others have to hear before the upgrade that there is none: a proxy asks
        // another server then, and later it cannot.
        Err(refused) if refused.code == "capacity" && app.lobby.holds(&asked.resume) => {
            (None, app.server.scenes().find(Some(&asked.model))?)
        }
        Err(refused) => return Err(refused.into()),
    };
    // A page that was refused asks again like this, as browsers keep an upgrade's answer to themselves.
    let socket =
        socket.map_err(|_| Rejection(Refused::new(426, "upgrade", "a WebSocket was expected here")))?;
    let now_us = scene.now_us();
    let dialect = Box::new(Native::new(now_us, config(&app, now_us)));
    let connection = Connection { app, scene, place, transport: "websocket" };
    Ok(accept(socket, &headers, "mynah").on_upgrade(|socket| connection.serve(socket, dialect)))
}

/// The upgrade with this server's bounds; `protocol` is answered where the client offers it, and nothing else, for keys
/// stand among the offers.
pub(crate) fn accept(
    socket: WebSocketUpgrade,
    headers: &HeaderMap,
    protocol: &'static str,
) -> WebSocketUpgrade {
    let mut socket = socket
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MESSAGE_BYTES_MAX);
    if subprotocols(headers).contains(&protocol) {
        socket.set_selected_protocol(HeaderValue::from_static(protocol));
    }
    socket
}
