//! Connections as they come: up to a bound, without delay for small messages, and given up when they say nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Connections that wait to be accepted: a burst of hundreds must not wait for a second attempt.
const BACKLOG: u32 = 4_096;
/// What the system keeps of what a client does not read, bytes: some 700 ms of 24 kHz sound.
const SEND_BUFFER_BYTES: u32 = 32 * 1024;
/// Connections between the system and whoever serves them.
const ACCEPTED_MAX: usize = 16;
/// Pause after the system could not give one: it has no more files, mostly.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes with which every client begins (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;

/// A socket that listens.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections of a listener.
pub(crate) struct Incoming(Receiver<Connection>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Until when its preface has to be there, and how many of its bytes are.
    silent: Option<(Pin<Box<Sleep>>, usize)>,
    _place: OwnedSemaphorePermit,
}

impl Incoming {
    /// Takes at most `connections_max` connections at a time, and more only to close them. Each has to begin within
    /// `within`.
    pub(crate) fn of(listener: TcpListener, connections_max: usize, within: Duration) -> Self {
        let (to, from) = channel(ACCEPTED_MAX);
        let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    biased;
                    () = to.closed() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else {
                    sleep(PAUSE).await;
                    continue;
                };
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                if stream.set_nodelay(true).is_err() {
                    continue;
                }
                let silent = Some((Box::pin(sleep(within)), 0));
                if to.send(Connection { stream, silent, _place: place }).await.is_err() {
                    return;
                }
            }
        });
        Self(from)
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let before = to.filled().len();
        let read = Pin::new(&mut connection.stream).poll_read(cx, to);
        let Some((due, begun)) = &mut connection.silent else { return read };
        match &read {
            Poll::Pending if due.as_mut().poll(cx).is_ready() => {
                let what = "the client has not begun in time";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, what)));
            }
            Poll::Pending => {}
            Poll::Ready(_) => {
                *begun += to.filled().len() - before;
                if *begun >= PREFACE_BYTES {
                    connection.silent = None;
                }
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
