//! The server of the metrics page: one thread that listens, one for each of a few readers. It knows the board and
//! nothing of the engine. Only requests to `localhost` or to an IP address are answered.
#![expect(clippy::disallowed_methods, reason = "readers are given a time, on the machine's clock")]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::board::Board;
use super::http::{HEAD_BYTES_MAX, Request, Resource, Status, parse};
use super::readers::{LOOK_TIME, Place, Readers};

/// The head of a request must have come after this time, however it trickles.
const HEAD_TIME: Duration = Duration::from_secs(2);
/// The answer must have been taken after this time.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// What still comes behind a request is read for this long, so that the answer is not lost with it.
const DRAIN_TIME: Duration = Duration::from_millis(200);
/// What a request for another host is told.
const MISDIRECTED: &str = "421 Misdirected Request: Host is neither localhost nor an IP address; use http://127.0.0.1, \
                           and have a proxy in front of this page set it\n";
/// When no connection can be taken, it is tried again after this time.
const PAUSE: Duration = Duration::from_millis(50);

/// An address for the page: loopback only, as the page has no password.
///
/// # Errors
/// What is wrong with the address, and what helps.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let expected = "expected HOST:PORT, like 127.0.0.1:9464; port 0 takes any that is free";
    let mut found = text.to_socket_addrs().map_err(|_| format!("`{text}` is no address: {expected}"))?;
    found.find(|address| address.ip().is_loopback()).ok_or_else(|| {
        format!(
            "`{text}` can be reached from other machines, and the page has no password: use 127.0.0.1 or [::1], and a \
             proxy in front of it for others"
        )
    })
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stops: Arc<AtomicBool>,
    listens: Option<JoinHandle<()>>,
}

impl Server {
    /// Takes the address and serves `board` there.
    ///
    /// # Errors
    /// The address is in use, or not to be had; what helps.
    pub fn start(address: SocketAddr, board: Arc<Board>) -> Result<Self, String> {
        let refused = |error: io::Error| {
            format!("no metrics at {address}: {error}; use another port, or 0 for any that is free")
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let stops = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stops);
        let listens = thread::Builder::new()
            .name("metrics".into())
            .spawn(move || listen(&listener, &board, &stopped))
            .map_err(refused)?;
        Ok(Self { address, stops, listens: Some(listens) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Release);
        // Whoever waits for a reader gets one.
        let woken = TcpStream::connect_timeout(&self.address, HEAD_TIME).is_ok();
        if let Some(listens) = self.listens.take().filter(|_| woken) {
            drop(listens.join());
        }
    }
}

fn listen(listener: &TcpListener, board: &Arc<Board>, stops: &AtomicBool) {
    let readers = Arc::default();
    while !stops.load(Ordering::Acquire) {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(PAUSE);
            continue;
        };
        // Whoever comes meanwhile waits in the listener's queue, first come, first served.
        let Some(place) = Readers::take(&readers, stops) else { return };
        let board = Arc::clone(board);
        let serve = move || {
            drop(receive(&stream, &place).and_then(|request| serve(&stream, request, &board, &place)));
            drop(place);
        };
        // Without a thread there is no answer: the reader sees the connection close and comes again.
        drop(thread::Builder::new().name("metrics reader".into()).spawn(serve));
    }
}

/// One answer, and the connection is closed.
fn serve(
    stream: &TcpStream,
    request: Result<Request, Status>,
    board: &Board,
    place: &Place,
) -> io::Result<()> {
    send(stream, &answer(request, board), place)?;
    stream.shutdown(Shutdown::Write)?;
    drain(stream, place)
}

/// Reads the head of a request. What it asks for, or what is wrong with it.
fn receive(mut stream: &TcpStream, place: &Place) -> io::Result<Result<Request, Status>> {
    let until = Instant::now() + HEAD_TIME;
    let mut bytes = Vec::with_capacity(1_024);
    let mut piece = [0; 1_024];
    loop {
        match parse(&bytes) {
            Ok(None) => {}
            Ok(Some(request)) => return Ok(Ok(request)),
            Err(status) => return Ok(Err(status)),
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Err(Status::RequestTimeout));
        }
        if place.is_wanted() {
            return Ok(Err(Status::Busy));
        }
        stream.set_read_timeout(Some(left.min(LOOK_TIME)))?;
        let most = piece.len().min(HEAD_BYTES_MAX + 1 - bytes.len());
        match stream.read(&mut piece[..most]) {
            Ok(0) if bytes.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(Err(Status::BadRequest)),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Nothing has happened for a while; that is looked at anew.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn answer(request: Result<Request, Status>, board: &Board) -> Vec<u8> {
    let plain = "text/plain; charset=utf-8";
    let (status, kind, body) = match request.map(|request| request.resource) {
        Ok(Resource::Metrics(form)) => (Status::Ok, form.content_type(), board.page(form)),
        Ok(Resource::Health) => (Status::Ok, plain, "ok\n".into()),
        Err(Status::NotFound) => (Status::NotFound, plain, "there are /metrics and /healthz\n".into()),
        Err(Status::Misdirected) => (Status::Misdirected, plain, MISDIRECTED.into()),
        Err(status) => (status, plain, format!("{}\n", status.line())),
    };
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Cache-Control: no-store\r\nConnection: \
         close\r\n\r\n",
        status.line(),
        body.len()
    );
    let mut bytes = head.into_bytes();
    if !request.is_ok_and(|request| request.head_only) {
        bytes.extend_from_slice(body.as_bytes());
    }
    bytes
}

fn send(mut stream: &TcpStream, mut bytes: &[u8], place: &Place) -> io::Result<()> {
    let until = Instant::now() + ANSWER_TIME;
    while !bytes.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left.min(LOOK_TIME)))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if is_passing(&error) && !place.is_wanted() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A socket that is closed with something unread takes its answer with it.
fn drain(mut stream: &TcpStream, place: &Place) -> io::Result<()> {
    let until = Instant::now() + DRAIN_TIME;
    let mut piece = [0; 4_096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || place.is_wanted() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left.min(LOOK_TIME)))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
}
