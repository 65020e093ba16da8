//! The way to a server: a socket, its upgrade, and the first message with its answer.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::address::ServerAddress;
use crate::error::{ClientError, ServerRefusal};
use crate::messages;

/// Longest wait for the upgrade, and for the answer behind it.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read at once, bytes; each connection has as much.
const READ_BYTES: usize = 16 * 1024;
/// Longest message of a server, bytes: a scene that does not pace its audio sends seconds at once.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A connection.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects, sends the first message and waits for its answer, which is returned.
///
/// # Errors
/// [`ClientError::Unreachable`] and [`ClientError::Refused`], with the address.
pub(crate) async fn connect(
    address: &ServerAddress,
    key: Option<&str>,
    first: String,
) -> Result<(Socket, String), ClientError> {
    let unreachable = |why: String| ClientError::Unreachable { address: address.to_string(), why };
    let mut socket = timeout(PATIENCE, upgrade(address, key))
        .await
        .map_err(|_| unreachable(format!("no answer within {} s", PATIENCE.as_secs())))??;
    let asked = async {
        socket.send(Message::text(first)).await.map_err(|error| unreachable(error.to_string()))?;
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => {
                    return Err(unreachable(format!("no answer to the first message but {other}")));
                }
                Some(Err(error)) => return Err(unreachable(error.to_string())),
                None => return Err(unreachable("the connection was closed without an answer".into())),
            }
        }
    };
    let answer = timeout(PATIENCE, asked).await;
    let answer = answer.map_err(|_| unreachable(format!("no session within {} s", PATIENCE.as_secs())))??;
    match messages::refusal(&answer) {
        Some(refusal) => Err(ClientError::Refused { address: address.to_string(), refusal }),
        None => Ok((socket, answer)),
    }
}

async fn upgrade(address: &ServerAddress, key: Option<&str>) -> Result<Socket, ClientError> {
    let bad = |why: String| ClientError::Address { given: address.to_string(), why };
    let mut request = address.uri().into_client_request().map_err(|error| bad(error.to_string()))?;
    if let Some(key) = key {
        let value = HeaderValue::try_from(format!("Bearer {key}"));
        let mut value = value.map_err(|_| bad("the key has characters that no header may have".into()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    // Whoever came first has installed one that does as well.
    #[cfg(feature = "tls")]
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    match connect_async_with_config(request, Some(config), true).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            Err(ClientError::Refused { address: address.to_string(), refusal: refusal(&response) })
        }
        Err(error) => Err(ClientError::Unreachable { address: address.to_string(), why: error.to_string() }),
    }
}

/// What an answer of HTTP says in place of the upgrade.
fn refusal(response: &Response<Option<Vec<u8>>>) -> ServerRefusal {
    let body = response.body().as_deref().and_then(|body| std::str::from_utf8(body).ok());
    let said = body.and_then(messages::refusal);
    let said = said.unwrap_or_else(|| ServerRefusal {
        status: None,
        code: String::new(),
        message: response.status().canonical_reason().unwrap_or_default().to_owned(),
        retry_after_s: None,
    });
    let seconds =
        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    ServerRefusal { status: Some(response.status().as_u16()), retry_after_s: seconds, ..said }
}
