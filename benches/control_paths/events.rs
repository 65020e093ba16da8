//! Clients of plain HTTP, as curl speaks it: audio in one long request, messages and receipts in short ones, and what the
//! server says as server-sent events. Every client has three connections.

use std::net::SocketAddr;

use mynah_client::Encoding;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};

use crate::rhythm::{PIECE, PIECE_TIME, Rhythm, Told};
use crate::served::all;

pub(crate) fn measured() -> Told {
    all(|served, number| talk(served.http, number))
}

async fn connected(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).await.expect("it listens");
    stream.set_nodelay(true).expect("there is such an option");
    stream
}

/// The head of a request that shows `token`.
fn head(method: &str, path: &str, token: &str, length: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n{length}\r\n\r\n")
}

/// Reads the head of an answer: its status, and how long its body is.
async fn answered(reader: &mut BufReader<TcpStream>) -> (u16, usize) {
    let (mut status, mut length, mut line) = (0, 0, String::new());
    loop {
        line.clear();
        assert!(reader.read_line(&mut line).await.expect("it answers") > 0, "the connection has ended");
        let text = line.trim_end();
        if text.is_empty() {
            return (status, length);
        }
        if status == 0 {
            status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
}

/// A session: its place, and the token for it.
async fn opened(to: SocketAddr, name: &str) -> (String, String) {
    let mut stream = BufReader::new(connected(to).await);
    let wish = json!({"session": name}).to_string();
    let text =
        format!("POST /v1/sessions HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n{wish}", wish.len());
    stream.write_all(text.as_bytes()).await.expect("it reads");
    let (status, length) = answered(&mut stream).await;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("the answer is whole");
    let answer: Value = serde_json::from_slice(&body).expect("it is JSON");
    assert_eq!(status, 201, "{answer}");
    let of = |name: &str| answer[name].as_str().expect("it is there").to_owned();
    (format!("/v1/sessions/{}", of("id")), of("token"))
}

/// Sends short requests one by one.
async fn asks(to: SocketAddr, mut requests: mpsc::UnboundedReceiver<String>) {
    let mut stream = BufReader::new(connected(to).await);
    while let Some(request) = requests.recv().await {
        stream.write_all(request.as_bytes()).await.expect("it reads");
        assert_eq!(answered(&mut stream).await.0, 204, "{request}");
    }
}

async fn send_piece(audio: &mut OwnedWriteHalf, samples: &[f32], bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.extend(format!("{:x}\r\n", 2 * PIECE).bytes());
    Encoding::S16.encode(samples, bytes);
    bytes.extend(*b"\r\n");
    audio.write_all(bytes).await.expect("it reads");
}

async fn talk(to: SocketAddr, number: usize) -> Told {
    let name = format!("c{number}");
    let (place, token) = opened(to, &name).await;
    let (requests, wanted) = mpsc::unbounded_channel();
    let asking = tokio::spawn(asks(to, wanted));
    let mut events = BufReader::new(connected(to).await);
    events.write_all(head("GET", &format!("{place}/events"), &token, "").as_bytes()).await.expect("it reads");
    assert_eq!(answered(&mut events).await.0, 200);
    let (_answer, mut audio) = connected(to).await.into_split();
    let long = head("POST", &format!("{place}/audio"), &token, "Transfer-Encoding: chunked");
    audio.write_all(long.as_bytes()).await.expect("it reads");
    let (mut rhythm, mut told, mut line, mut bytes) =
        (Rhythm::of(number), Told::default(), Vec::new(), Vec::new());
    sleep(Rhythm::offset(number)).await;
    let mut clock = interval(PIECE_TIME);
    loop {
        tokio::select! {
            biased;
            // What was read of a line stays in it when this is dropped.
            read = events.read_until(b'\n', &mut line) => {
                if read.expect("it is readable") == 0 {
                    break;
                }
                if let Some(id) = correction(&line, &mut told) {
                    requests.send(head("POST", &format!("{place}/ack/{id}"), &token, "Content-Length: 0")).ok();
                }
                line.clear();
            }
            _ = clock.tick() => match rhythm.next() {
                Some((samples, asked)) => {
                    if asked {
                        told.ask();
                        let message = json!({"message_id": told.asked, "session_id": name, "timestamp": 0,
                            "message_type": {"EndTurn": {}}}).to_string();
                        let length = format!("Content-Length: {}", message.len());
                        let request = head("POST", &format!("{place}/control"), &token, &length) + &message;
                        requests.send(request).ok();
                    }
                    send_piece(&mut audio, samples, &mut bytes).await;
                }
                None => break,
            },
        }
    }
    requests.send(head("DELETE", &place, &token, "Content-Length: 0")).ok();
    drop(requests);
    asking.await.expect("every request is answered");
    told
}

/// The message that is to be acknowledged in a line of events.
fn correction(line: &[u8], told: &mut Told) -> Option<u64> {
    let message: Value = serde_json::from_slice(line.strip_prefix(b"data: ")?).ok()?;
    let kind = message["message_type"].as_object()?.keys().next()?;
    if kind == "CancelSpeculation" {
        told.tell();
    }
    (kind != "Ack").then(|| message["message_id"].as_u64())?
}
