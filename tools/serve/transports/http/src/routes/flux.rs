//! Deepgram Flux over a WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, RawQuery, State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use mynah_dialects::flux::Flux;
use mynah_serve::Refused;

use crate::app::App;
use crate::connection::Connection;
use crate::credential::credential;
use crate::refusal::Rejection;
use crate::routes::native::{accept, judge_origin};

pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Rejection> {
    judge_origin(&app, &headers)?;
    let dialect = Box::new(Flux::new(&query.unwrap_or_default())?);
    let place = app.admit(address, dialect.model(), &credential(&headers))?;
    let socket = socket.map_err(|_| Refused::new(426, "upgrade", "a WebSocket was expected here"))?;
    let scene = Arc::clone(place.scene());
    let connection = Connection { app, scene, place: Some(place), transport: "flux" };
    Ok(accept(socket, &headers, "token").on_upgrade(|socket| connection.serve(socket, dialect)))
}
