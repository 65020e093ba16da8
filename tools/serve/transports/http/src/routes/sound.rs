//! Sound over plain HTTP: a body of any length up, an answer of unknown length down.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use mynah_dialects::pcm::Encoding;
use mynah_engine::scene::Format;
use mynah_serve::Refused;
use tokio::time::timeout;

use crate::app::App;
use crate::body::broken;
use crate::refusal::Rejection;
use crate::routes::sessions::{Shown, find, no_store};

/// While a session has no room its sender is not read; it is asked again after this time.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) async fn speak(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Rejection> {
    let held = find(&app, &id, &shown, &headers)?;
    let mut pieces = body.into_data_stream();
    // What is no whole sample frame yet.
    let mut rest: Vec<u8> = Vec::new();
    let idle_s = app.server.config().idle_timeout_s;
    let late =
        |_| Refused::new(408, "timeout", format!("no audio came for {idle_s} s: send it as it is made"));
    loop {
        let piece = timeout(Duration::from_secs(idle_s.into()), pieces.next()).await.map_err(late)?;
        let Some(piece) = piece else { break };
        rest.extend_from_slice(&piece.map_err(|error| broken(&error))?);
        let mut taken = 0;
        loop {
            let more =
                held.with(|session, now_us| (session.audio(now_us, &rest[taken..]), session.has_room()))?;
            taken += more.0?;
            if more.1 && held.with(|session, _| rest.len() - taken < session.frame_bytes())? {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        rest.drain(..taken);
    }
    if !rest.is_empty() {
        let what = format!("{} bytes at the end are no whole sample frame", rest.len());
        return Err(Refused::new(400, "bad_audio", what).into());
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn listen(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let held = find(&app, &id, &shown, &headers)?;
    let (format, encoding) =
        held.with(|session, _| (session.session().output(), session.output_encoding()))?;
    let format = format.ok_or_else(|| Refused::new(404, "not_found", "the scene puts out no audio"))?;
    let raw = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"audio/pcm"));
    let mut sound = held.read_sound()?;
    let head = (!raw).then(|| Bytes::from(wav_head(format, encoding)));
    let mut head = head;
    let stream = poll_fn(move |cx| match head.take() {
        Some(head) => std::task::Poll::Ready(Some(Ok::<_, std::convert::Infallible>(head))),
        None => sound.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Bytes::from(piece)))),
    });
    let mut response = Body::from_stream(stream).into_response();
    let kind = if raw { "audio/pcm" } else { "audio/wav" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(no_store(response))
}

/// The head of a WAV file whose length nobody knows yet.
fn wav_head(format: Format, encoding: Encoding) -> Vec<u8> {
    let width = encoding.sample_bytes() as u16;
    let frame = width * u16::from(format.channels);
    let tag: u16 = if encoding == Encoding::S16 { 1 } else { 3 };
    let mut head = Vec::with_capacity(44);
    head.extend_from_slice(b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0");
    head.extend_from_slice(&tag.to_le_bytes());
    head.extend_from_slice(&u16::from(format.channels).to_le_bytes());
    head.extend_from_slice(&format.rate_hz.to_le_bytes());
    head.extend_from_slice(&(format.rate_hz * u32::from(frame)).to_le_bytes());
    head.extend_from_slice(&frame.to_le_bytes());
    head.extend_from_slice(&(width * 8).to_le_bytes());
    head.extend_from_slice(b"data\xff\xff\xff\xff");
    head
}
