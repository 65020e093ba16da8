//! Connections whose end can be waited for: a server knows that an answer is not wanted any more once its connection is
//! closed.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use tokio::sync::watch;
use tower_service::Service;

/// What the sockets are made of.
#[cfg(feature = "tls")]
type Dialer = hyper_rustls::HttpsConnector<HttpConnector>;
/// What the sockets are made of.
#[cfg(not(feature = "tls"))]
type Dialer = HttpConnector;

/// The life of one connection, as whoever uses it sees it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLife {
    /// Its other end goes with the socket.
    open: watch::Receiver<()>,
    served: Arc<AtomicU32>,
}

impl ConnectionLife {
    /// Returns once the socket is closed.
    pub(crate) async fn over(mut self) {
        while self.open.changed().await.is_ok() {}
    }

    /// Counts an answer that has begun.
    pub(crate) fn has_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether an answer has ever begun on it.
    pub(crate) fn is_used(&self) -> bool {
        self.served.load(Ordering::Relaxed) > 0
    }
}

/// Makes connections, each within a time.
#[derive(Clone)]
pub(crate) struct Connector {
    dialer: Dialer,
    longest: Duration,
}

impl Connector {
    /// Connections that are there within `longest`, with name and TLS, or fail. `secure`: all of them are to be.
    ///
    /// # Errors
    /// TLS has no roots to trust; what helps.
    pub(crate) fn new(longest: Duration, secure: bool) -> Result<Self, String> {
        let mut plain = HttpConnector::new();
        // Requests are small, and nobody gains by waiting for more.
        plain.set_nodelay(true);
        plain.enforce_http(!secure);
        Ok(Self { dialer: dialer(plain, secure)?, longest })
    }
}

#[cfg(feature = "tls")]
fn dialer(plain: HttpConnector, secure: bool) -> Result<Dialer, String> {
    // Named, as a program may have another provider beside it.
    let provider = rustls::crypto::ring::default_provider();
    let builder = hyper_rustls::HttpsConnectorBuilder::new();
    if secure {
        let builder = builder.with_provider_and_native_roots(provider).map_err(|cause| {
            format!(
                "no certificates of authorities are found: {cause}; install those of the system (`ca-certificates`), \
                 or name a file of them in SSL_CERT_FILE"
            )
        })?;
        return Ok(builder.https_only().enable_http1().wrap_connector(plain));
    }
    // Plain connections trust nobody, and need nobody's certificates.
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|cause| format!("TLS cannot be set up: {cause}"))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(builder.with_tls_config(config).https_or_http().enable_http1().wrap_connector(plain))
}

#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, reason = "with TLS it can fail")]
fn dialer(plain: HttpConnector, _secure: bool) -> Result<Dialer, String> {
    Ok(plain)
}

/// No connection within the time.
#[derive(Debug)]
struct TooSlow(Duration);

impl std::fmt::Display for TooSlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "none within `connect_ms`, {} ms", self.0.as_millis())
    }
}

impl std::error::Error for TooSlow {}

type Stream = <Dialer as Service<Uri>>::Response;
type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = Watched<Stream>;
    type Error = Cause;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Cause>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        self.dialer.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (dialing, longest) = (self.dialer.call(uri), self.longest);
        Box::pin(async move {
            let stream = tokio::time::timeout(longest, dialing).await.map_err(|_| TooSlow(longest))??;
            let (closed, open) = watch::channel(());
            Ok(Watched { stream, life: ConnectionLife { open, served: Arc::default() }, _closed: closed })
        })
    }
}

/// A socket; `_closed` goes after it.
pub(crate) struct Watched<S> {
    stream: S,
    life: ConnectionLife,
    _closed: watch::Sender<()>,
}

impl<S: Connection> Connection for Watched<S> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.life.clone())
    }
}

impl<S: Read + Unpin> Read for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: Write + Unpin> Write for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
