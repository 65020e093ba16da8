//! Bodies of requests that are read whole: bounded in length and in time, so that nobody holds a connection by a body that
//! never ends.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use mynah_serve::Refused;

use crate::app::App;

/// Longest body, bytes. Audio is not read whole, and has no such bound.
const BYTES_MAX: usize = 256 * 1024;

/// Reads a body as text, in the time that a head may take.
///
/// # Errors
/// [`Refused`]: 408 it took too long, 413 it is longer than 256 KiB, 400 it broke off or is no UTF-8.
pub(crate) async fn text(app: &App, body: Body) -> Result<String, Refused> {
    let most_ms = app.server.config().header_timeout_ms;
    let whole = tokio::time::timeout(Duration::from_millis(most_ms.into()), whole(body)).await;
    let late = |_| {
        let what = format!("the body was not there after {most_ms} ms: send it at once, or in smaller parts");
        Refused::new(408, "timeout", what)
    };
    let bytes = whole.map_err(late)??;
    let wrong = |error| Refused::new(400, "bad_request", format!("the body is no UTF-8: {error}"));
    String::from_utf8(bytes).map_err(|error| wrong(error.utf8_error()))
}

async fn whole(body: Body) -> Result<Vec<u8>, Refused> {
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broken(&error))?;
        if bytes.len() + piece.len() > BYTES_MAX {
            let what = format!("the body has more than {BYTES_MAX} bytes, which is the most");
            return Err(Refused::new(413, "too_large", what));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A body that broke off.
pub(crate) fn broken(error: &axum::Error) -> Refused {
    Refused::new(400, "bad_request", format!("the body ended before its time: {error}"))
}
