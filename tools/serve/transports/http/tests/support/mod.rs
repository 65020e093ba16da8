//! A server in this process, and clients that speak HTTP by hand.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mynah_serve::{Config, Server};
use mynah_serve_http::Sockets;
use serde_json::Value;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) server: Arc<Server>,
    pub(crate) clients: SocketAddr,
    pub(crate) operators: SocketAddr,
    serves: Option<JoinHandle<()>>,
}

impl Running {
    /// Serves these scenes on ports that are free.
    pub(crate) fn of(scenes: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config {
            scenes: scenes.iter().map(ToString::to_string).collect(),
            bind: free,
            operations: free,
            threads: 1,
            drain_grace_s: 0,
            drain_max_s: 10,
            ..Config::default()
        };
        change(&mut config);
        let server = Server::start(config).expect("the scenes are right");
        let sockets = Sockets::open(Arc::clone(&server)).expect("ports are free");
        let (clients, operators) = (sockets.clients(), sockets.operators());
        let serves = std::thread::spawn(move || sockets.run(|_| {}));
        Self { server, clients, operators, serves: Some(serves) }
    }

    /// Waits until the drain is over.
    pub(crate) fn wait(mut self) {
        self.serves.take().expect("it is joined once").join().expect("it does not panic");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(serves) = self.serves.take() {
            self.server.begin_drain("test");
            self.server.drain().hurry(self.server.now_us());
            // A test that has failed says more than a server that has.
            drop(serves.join());
        }
    }
}

/// An answer of HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.split_once(':').is_some_and(|(one, _)| one.eq_ignore_ascii_case(name)))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

/// One request on a connection of its own.
pub(crate) fn ask(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let stream = send(to, method, path, headers, body);
    let mut reader = BufReader::new(stream);
    let (status, head) = head(&mut reader);
    let mut body = Vec::new();
    reader.read_to_end(&mut body).expect("the answer ends");
    Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() }
}

/// Sends a request; the connection is closed behind its answer.
pub(crate) fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> TcpStream {
    let mut stream = TcpStream::connect(to).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("there is such a timeout");
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(text.as_bytes()).expect("the server reads");
    stream.write_all(body).expect("the server reads");
    stream
}

fn head(reader: &mut BufReader<TcpStream>) -> (u16, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("an answer comes") > 0, "no answer: {head}");
    }
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or_else(|| panic!("{head}")), head)
}

/// Server-sent events.
pub(crate) struct Events(BufReader<TcpStream>);

/// One of them.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Sent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }

    /// The type of the control message in it.
    pub(crate) fn kind(&self) -> String {
        match &self.json()["message_type"] {
            Value::Object(tagged) => tagged.keys().next().cloned().unwrap_or_default(),
            _ => self.event.clone(),
        }
    }
}

impl Events {
    pub(crate) fn of(to: SocketAddr, path: &str, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        let stream = send(to, "GET", path, &[("Authorization", &bearer)], &[]);
        let mut reader = BufReader::new(stream);
        let (status, head) = head(&mut reader);
        assert_eq!(status, 200, "{head}");
        assert!(head.contains("text/event-stream"), "{head}");
        Self(reader)
    }

    /// The next one. Lines of chunks' lengths are no fields, and skipped as such.
    pub(crate) fn next(&mut self) -> Option<Sent> {
        let mut sent = Sent::default();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", value)) => sent.event = value.into(),
                Some(("id", value)) => sent.id = value.into(),
                Some(("data", value)) => sent.data = value.into(),
                _ if line.trim_end().is_empty() && !sent.data.is_empty() => return Some(sent),
                _ => {}
            }
        }
    }
}

/// A client behind a WebSocket.
pub(crate) struct Socket(pub(crate) WebSocket<TcpStream>);

/// What comes over it.
#[derive(Debug, PartialEq)]
pub(crate) enum Got {
    Json(Value),
    Sound(Vec<u8>),
    Closed(u16),
}

impl Socket {
    /// Connects; the status of the refusal otherwise.
    pub(crate) fn connect(
        to: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Answer> {
        let mut request = format!("ws://{to}{path}").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let stream = TcpStream::connect(to).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("there is such a timeout");
        stream.set_nodelay(true).expect("there is such an option");
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let head = response.headers().iter();
                let head = head
                    .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap_or("")))
                    .collect();
                let body =
                    String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
                Err(Answer { status: response.status().as_u16(), head, body })
            }
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).expect("the server reads");
    }

    pub(crate) fn sound(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::binary(bytes)).expect("the server reads");
    }

    pub(crate) fn next(&mut self) -> Got {
        loop {
            return match self.0.read() {
                Ok(Message::Text(text)) => Got::Json(serde_json::from_str(&text).expect("messages are JSON")),
                Ok(Message::Binary(bytes)) => Got::Sound(bytes.to_vec()),
                Ok(Message::Close(frame)) => Got::Closed(frame.map_or(1005, |frame| frame.code.into())),
                Ok(_) => continue,
                Err(error) => panic!("{error}"),
            };
        }
    }

    /// The next message with this `type`, or of this message type.
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            match self.next() {
                Got::Json(message)
                    if message["type"] == kind || message["message_type"].get(kind).is_some() =>
                {
                    return message;
                }
                Got::Closed(code) => panic!("closed with {code} before `{kind}`"),
                _ => {}
            }
        }
    }

    /// Everything up to the close: sound, and the code.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, u16) {
        let mut sound = Vec::new();
        loop {
            match self.next() {
                Got::Sound(bytes) => sound.extend(bytes),
                Got::Closed(code) => return (sound, code),
                Got::Json(_) => {}
            }
        }
    }
}

/// Samples as they are sent: a ramp, so that every one is known again.
pub(crate) fn ramp(samples: usize) -> Vec<u8> {
    (0..samples).flat_map(|at| ((at % 30_000) as i16).to_le_bytes()).collect()
}
