//! The native protocol over plain HTTP: a session is opened, told and heard by requests of their own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::poll_fn;
use mynah_dialects::native::{NativeSession, Opening};
use mynah_dialects::{Opened, Refusal, WantedRecords};
use mynah_engine::wire::message::AckStage;
use mynah_serve::{Credential, Refused, TransportFigures, random_token};
use serde::Deserialize;

use crate::app::App;
use crate::bell::Bell;
use crate::body;
use crate::credential::credential;
use crate::held::Held;
use crate::refusal::Rejection;
use crate::routes::Asked;
use crate::routes::native::{config, judge_origin};

/// The transport's name in metrics.
const TRANSPORT: &str = "sse";

/// What a request shows in its address, where it cannot send a header.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Shown {
    #[serde(default)]
    token: String,
}

/// The session that a request is about.
pub(crate) fn find(app: &App, id: &str, shown: &Shown, headers: &HeaderMap) -> Result<Arc<Held>, Rejection> {
    let token = match credential(headers) {
        Credential::Key(token) => token,
        Credential::None => shown.token.clone(),
    };
    Ok(app.lobby.find(id, &token)?)
}

pub(crate) async fn open(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Rejection> {
    judge_origin(&app, &headers)?;
    let credential = credential(&headers);
    // Whose body is awaited has a key, and no place yet.
    app.server.judge(&credential)?;
    let body = body::text(&app, body).await?;
    let place = app.admit(address, &asked.model, &credential)?;
    let text = if body.trim().is_empty() { "{}" } else { &body };
    let mut opening = Opening::parse(text)?;
    let mut spec = std::mem::take(&mut opening.spec);
    let bell = Bell::default();
    spec.waker = Some(bell.waker());
    let notes = opening.notes;
    let wants = WantedRecords { probability: notes.probability, turns: notes.turns };
    let opened = place.open(spec, wants)?;
    opened.session.wake_on_credit(Some(bell.waker()));
    let now_us = opened.kept.scene().now_us();
    let scene = opened.kept.scene().name().to_string();
    let joined = Opened { session: opened.session, scene, token: Some(random_token()), tap: opened.tap };
    let mut session = Box::new(NativeSession::new(joined, &opening, config(&app, now_us))?);
    session.disconnected(now_us);
    let (name, answer) = (session.session().name().to_string(), session.opened_json());
    let facts: [(&str, &dyn std::fmt::Display); 2] = [("session", &name), ("transport", &TRANSPORT)];
    app.server.log().line("session_opened", &facts);
    let held = Held::new(session, opened.kept, opened.witness, bell, TRANSPORT, TransportFigures::default());
    let id = encoded(&name);
    let place = HeaderValue::try_from(format!("/v1/sessions/{id}"));
    app.lobby.put(&app, name, held);
    // What the client puts into addresses comes first; the rest is an object's.
    let answer = format!("{{\"id\":\"{id}\",{}", answer.trim_start_matches('{'));
    let mut response = (StatusCode::CREATED, answer).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(place) = place {
        headers.insert(header::LOCATION, place);
    }
    Ok(response)
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let held = find(&app, &id, &shown, &headers)?;
    let mut messages = held.read_events()?;
    let stream = poll_fn(move |cx| {
        messages.poll_recv(cx).map(|telling| {
            telling.map(|telling| {
                let event = Event::default().event(telling.kind).data(telling.json);
                let event = match telling.id {
                    Some(id) => event.id(id.to_string()),
                    None => event,
                };
                Ok::<_, Infallible>(event)
            })
        })
    });
    Ok(no_store(stream_of(stream)))
}

fn stream_of(stream: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(stream).keep_alive(alive).into_response()
}

/// Proxies must neither keep nor collect what is told as it happens.
pub(crate) fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

pub(crate) async fn control(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Rejection> {
    let held = find(&app, &id, &shown, &headers)?;
    let body = body::text(&app, body).await?;
    held.with(|session, now_us| session.message(now_us, &body))??;
    Ok(StatusCode::NO_CONTENT)
}

/// How far a message has come at the client.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Reached {
    #[serde(default)]
    stage: Option<AckStage>,
}

pub(crate) async fn acknowledge(
    State(app): State<Arc<App>>,
    Path((id, message)): Path<(String, String)>,
    Query(shown): Query<Shown>,
    Query(reached): Query<Reached>,
    headers: HeaderMap,
) -> Result<StatusCode, Rejection> {
    let held = find(&app, &id, &shown, &headers)?;
    let wrong = || Refused::new(400, "bad_message", "expected the number of a message behind `ack/`");
    let message: u64 = message.parse().map_err(|_| wrong())?;
    let stage = reached.stage.unwrap_or(AckStage::Delivered);
    held.with(|session, now_us| session.acknowledge(now_us, message, stage))??;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn finish(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Result<StatusCode, Rejection> {
    tell(&app, &id, &shown, &headers, r#"{"type": "finish"}"#)
}

pub(crate) async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Result<StatusCode, Rejection> {
    tell(&app, &id, &shown, &headers, r#"{"type": "close"}"#)
}

fn tell(
    app: &App,
    id: &str,
    shown: &Shown,
    headers: &HeaderMap,
    message: &str,
) -> Result<StatusCode, Rejection> {
    let held = find(app, id, shown, headers)?;
    let told: Result<(), Refusal> = held.with(|session, now_us| session.message(now_us, message))?;
    told?;
    Ok(StatusCode::NO_CONTENT)
}
