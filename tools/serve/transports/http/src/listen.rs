//! Listeners: a long queue, small buffers, timeouts for heads, certificates.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use hyper_util::rt::TokioTimer;
use mynah_serve::Config;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until};

/// Connections that wait to be accepted: a burst of hundreds must not wait for a second attempt.
const BACKLOG: u32 = 4_096;
/// What the system keeps of what a client does not read, bytes: some 700 ms of 24 kHz sound as base64. More would be heard
/// long after it was said.
const SEND_BUFFER_BYTES: u32 = 32 * 1024;
/// Connections of a burst that are served at once, and the time between those behind them: a crowd of thousands must not
/// be in front of those who talk.
const BURST: u32 = 256;
const APART: Duration = Duration::from_micros(100);
/// Longest head of a request, bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// A socket that listens.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Takes connections up to a bound and at a pace, without delay for small messages.
#[derive(Clone, Debug)]
struct Door {
    handle: Handle<SocketAddr>,
    connections_max: usize,
    /// When the last burst will have been taken at that pace.
    taken: Arc<Mutex<Instant>>,
}

impl Door {
    /// When a connection that has come now is served.
    fn turn(&self) -> Instant {
        let now = Instant::now();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = (*taken).max(now) + APART;
        (*taken).checked_sub(APART * BURST).unwrap_or(now).max(now)
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Door {
    type Stream = TcpStream;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(TcpStream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let full = self.handle.connection_count() > self.connections_max;
        let turn = self.turn();
        Box::pin(async move {
            if full {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            if turn > Instant::now() {
                sleep_until(turn).await;
            }
            stream.set_nodelay(true)?;
            Ok((stream, service))
        })
    }
}

/// Serves `router` until the handle ends it.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    handle: Handle<SocketAddr>,
    config: &Config,
    tls: Option<Certificate>,
) -> io::Result<()> {
    let head = Duration::from_millis(config.header_timeout_ms.into());
    let connections_max = config.max_connections as usize;
    let taken = Arc::new(Mutex::new(Instant::now()));
    let door = Door { handle: handle.clone(), connections_max, taken };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle).first_request_timeout(head);
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(config.idle_timeout_s.into()))
        .max_concurrent_streams(256)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    match tls {
        None => server.acceptor(door).serve(service).await,
        #[cfg(feature = "tls")]
        Some(certificate) => {
            let acceptor = axum_server::tls_rustls::RustlsAcceptor::new(certificate).acceptor(door);
            server.acceptor(acceptor).serve(service).await
        }
        #[cfg(not(feature = "tls"))]
        Some(never) => match never {},
    }
}

/// What a server with certificates has.
#[cfg(feature = "tls")]
pub(crate) type Certificate = axum_server::tls_rustls::RustlsConfig;
/// No server has certificates.
#[cfg(not(feature = "tls"))]
#[derive(Clone, Debug)]
pub(crate) enum Certificate {}

/// Reads the certificate that the configuration names.
///
/// # Errors
/// It cannot be read, or this build has none.
#[cfg(feature = "tls")]
pub(crate) async fn certificate(config: &Config) -> Result<Option<Certificate>, String> {
    let (Some(chain), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return Ok(None) };
    // Whoever came first has installed one that does as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let read = Certificate::from_pem_file(chain, key).await;
    read.map(Some).map_err(|error| format!("tls: {} and {}: {error}", chain.display(), key.display()))
}

/// Reads the certificate that the configuration names.
///
/// # Errors
/// This build has no certificates.
#[cfg(not(feature = "tls"))]
pub(crate) async fn certificate(config: &Config) -> Result<Option<Certificate>, String> {
    if config.tls_certificate.is_some() {
        return Err(
            "tls: this build has no certificates: build it with `cargo build --release --features serve,tls`"
                .into(),
        );
    }
    Ok(None)
}

/// Reads it again, for connections that come from now on.
#[cfg(feature = "tls")]
pub(crate) async fn renew(certificate: &Certificate, config: &Config) -> Result<(), String> {
    let (Some(chain), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return Ok(()) };
    certificate.reload_from_pem_file(chain, key).await.map_err(|error| format!("tls: {error}"))
}

/// There is none.
#[cfg(not(feature = "tls"))]
pub(crate) async fn renew(certificate: &Certificate, _: &Config) -> Result<(), String> {
    match *certificate {}
}
