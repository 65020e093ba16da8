//! A server on the loopback that answers as a test says, byte by byte, and remembers what it was asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mynah_host::clock::Epoch;
use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Counts all requests from 0.
    pub(crate) number: u32,
    /// Counts connections from 0.
    pub(crate) connection: u32,
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// `role: content` of each message.
    pub(crate) fn messages(&self) -> Vec<String> {
        let json = self.json();
        let told = |message: &Value| {
            let content = message["content"].as_str().unwrap_or("-");
            format!("{}: {content}", message["role"].as_str().unwrap_or("?"))
        };
        json["messages"].as_array().expect("there are messages").iter().map(told).collect()
    }
}

/// The server's end of a connection, while it answers.
pub(crate) struct Wire {
    stream: TcpStream,
    keeps: bool,
}

impl Wire {
    /// Bytes as they are. A peer that has gone is no matter.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _peer_may_be_gone = self.stream.write_all(bytes.as_ref());
    }

    /// The head of an answer in chunks.
    pub(crate) fn begin(&mut self, content_type: &str) {
        self.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
    }

    /// One chunk.
    pub(crate) fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
    }

    /// The last chunk.
    pub(crate) fn end(&mut self) {
        self.send("0\r\n\r\n");
    }

    /// A whole answer.
    pub(crate) fn answer(&mut self, status: &str, headers: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        self.send([head.as_bytes(), body].concat());
    }

    /// A streamed answer: the first events.
    pub(crate) fn says(&mut self, words: &[&str]) {
        self.begin("text/event-stream");
        for word in words {
            self.word(word);
        }
    }

    pub(crate) fn word(&mut self, word: &str) {
        let word = serde_json::json!({"choices": [{"index": 0, "delta": {"content": word}}]});
        self.chunk(format!("data: {word}\n\n"));
    }

    /// How a streamed answer ends.
    pub(crate) fn stops(&mut self, reason: &str) {
        let last = serde_json::json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
        self.chunk(format!("data: {last}\n\n"));
        self.chunk("data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n");
        self.chunk("data: [DONE]\n\n");
        self.end();
    }

    /// No further request is taken on this connection.
    pub(crate) fn closes(&mut self) {
        self.keeps = false;
    }

    /// Waits until the peer has closed the connection: how long that took, if it was within `longest`.
    pub(crate) fn closed_within(&mut self, longest: Duration) -> Option<Duration> {
        let began = Epoch::start();
        self.stream.set_read_timeout(Some(longest)).expect("a time above 0");
        let mut byte = [0];
        self.keeps = false;
        match self.stream.read(&mut byte) {
            Ok(0) => Some(Duration::from_micros(began.now_us())),
            Err(cause)
                if matches!(cause.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) =>
            {
                Some(Duration::from_micros(began.now_us()))
            }
            _ => None,
        }
    }
}

type Answering = Arc<dyn Fn(&Asked, &mut Wire) + Send + Sync>;

#[derive(Default)]
struct Book {
    asked: Mutex<Vec<Asked>>,
    connections: AtomicU32,
    is_over: AtomicBool,
}

/// The server. Its threads end with it.
pub(crate) struct Mock {
    pub(crate) port: u16,
    book: Arc<Book>,
}

impl Mock {
    /// Answers every request with `answer`, on a thread a connection.
    pub(crate) fn new(answer: impl Fn(&Asked, &mut Wire) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (book, answer): (Arc<Book>, Answering) = (Arc::default(), Arc::new(answer));
        let mock = Self { port, book: Arc::clone(&book) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if book.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let connection = book.connections.fetch_add(1, Ordering::Relaxed);
                let (book, answer) = (Arc::clone(&book), Arc::clone(&answer));
                thread::spawn(move || serve(stream, connection, &book, &answer));
            }
        });
        mock
    }

    /// The fields `url` and `model` of a configuration.
    pub(crate) fn at(&self) -> String {
        format!("url: \"http://127.0.0.1:{}/v1\", model: \"m\"", self.port)
    }

    /// The same, and times that no other work on the machine uses up.
    pub(crate) fn patient(&self) -> String {
        format!("{}, connect_ms: 30000, first_byte_ms: 30000, idle_ms: 30000, call_ms: 60000", self.at())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.book.asked.lock().expect("no test panics with it").clone()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.book.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(stream: TcpStream, connection: u32, book: &Book, answer: &Answering) {
    stream.set_nodelay(true).expect("a socket");
    let mut wire = Wire { stream, keeps: true };
    let mut pending = Vec::new();
    while wire.keeps {
        wire.stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time above 0");
        let Some(mut asked) = read(&mut wire.stream, &mut pending) else { break };
        asked.connection = connection;
        {
            let mut list = book.asked.lock().expect("no test panics with it");
            asked.number = list.len() as u32;
            list.push(asked.clone());
        }
        answer(&asked, &mut wire);
    }
    let _may_be_closed = wire.stream.shutdown(Shutdown::Both);
}

fn read(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(stream, pending)?;
    };
    let head = String::from_utf8_lossy(&pending[..end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next()?.to_string();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a number"));
    while pending.len() < end + 4 + length {
        more(stream, pending)?;
    }
    let body = pending[end + 4..end + 4 + length].to_vec();
    pending.drain(..end + 4 + length);
    Some(Asked { number: 0, connection: 0, line, headers, body })
}

fn more(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 4_096];
    let count = stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
    pending.extend_from_slice(&bytes[..count]);
    Some(())
}

/// Waits, as servers do.
#[expect(clippy::disallowed_methods, reason = "a server takes its time")]
pub(crate) fn rest(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}
