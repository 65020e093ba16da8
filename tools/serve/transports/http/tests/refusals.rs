//! What is refused, how, and when: bodies that do not end, methods that a route has not, pages that should not, and a
//! WebSocket that is none any more.

#![expect(clippy::disallowed_methods, reason = "sockets have a clock")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mynah_serve::DrainPhase;
use serde_json::json;
use support::{Got, PATIENCE, Running, Socket, ask};

/// Sends a head and the beginning of a body, and reads until the server closes.
fn unfinished(running: &Running, path: &str, length: usize) -> (String, Duration) {
    let mut stream = TcpStream::connect(running.clients).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("there is such a timeout");
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{{", running.clients);
    stream.write_all(head.as_bytes()).expect("the server reads");
    let began = Instant::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text, and ends");
    (answer, began.elapsed())
}

#[test]
fn a_body_has_the_time_of_a_head_and_no_longer() {
    let running = Running::of(&["passthrough"], |config| config.header_timeout_ms = 300);
    for path in ["/v1/sessions", "/v1/realtime/client_secrets"] {
        let (answer, took) = unfinished(&running, path, 100);
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"timeout\""), "{path}: {answer}");
        assert!(took < Duration::from_secs(5), "{path}: {took:?}");
    }
    assert_eq!(running.server.admission().taken(), 0, "whose body does not come has no place");
    let long = vec![b' '; 300 * 1024];
    let answer = ask(running.clients, "POST", "/v1/sessions", &[], &long);
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (413, Some("too_large")));
}

#[test]
fn refusals_of_the_framework_have_the_form_of_all_others() {
    let running = Running::of(&["passthrough"], |_| {});
    let rows = [
        ("PUT", "/v1/sessions", 405, "method_not_allowed"),
        ("GET", "/v1/session?model=a&model=b", 400, "bad_request"),
        ("GET", "/v1/sessions/%ff/events", 400, "bad_request"),
        ("GET", "//v1/session", 404, "not_found"),
        ("GET", "/v1/session", 426, "upgrade"),
    ];
    for (method, path, status, code) in rows {
        let answer = ask(running.clients, method, path, &[], &[]);
        let body = answer.json();
        assert_eq!((answer.status, body["error"]["code"].as_str()), (status, Some(code)), "{method} {path}");
        assert!(body["error"]["message"].as_str().is_some_and(|text| text.len() > 10), "{body}");
    }
    let allowed = ask(running.clients, "PUT", "/v1/sessions", &[], &[]);
    assert_eq!(allowed.header("allow"), Some("POST"));
}

#[test]
fn web_pages_do_not_drain_and_are_not_led_here_by_name() {
    let running = Running::of(&["passthrough"], |_| {});
    let page = [("Origin", "http://evil.example")];
    assert_eq!(ask(running.operators, "POST", "/drain", &page, &[]).status, 403);
    assert_eq!(running.server.phase(), DrainPhase::Serving);
    // A page that was loaded by a name which now leads here: the name is its own, and no key is asked for.
    let mut stream = TcpStream::connect(running.operators).expect("it listens");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer ends");
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    let judge =
        |origin, host| running.server.judge_origin(Some(origin), Some(host)).map_err(|one| one.status);
    assert_eq!(judge("http://evil.example:8080", "evil.example:8080"), Err(403));
    assert_eq!(judge("http://localhost:8080", "localhost:8080"), Ok(()));
    assert_eq!(judge("http://127.0.0.1:8080", "127.0.0.1:8080"), Ok(()));
    assert_eq!(judge("http://127.0.0.1:9999", "127.0.0.1:8080"), Err(403));
}

#[test]
fn a_close_is_answered_and_what_is_no_message_is_told_why() {
    let running = Running::of(&["passthrough"], |_| {});
    let open = || {
        let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
        socket.say(&json!({"type": "open"}));
        socket.until("opened");
        socket
    };
    let mut socket = open();
    socket.0.close(None).expect("the server reads");
    assert!(matches!(socket.next(), Got::Closed(_)), "the close is answered");
    // FIN and text, three bytes under a mask of zeros that are no UTF-8; then three of an opcode that there is not.
    let rows: [(&[u8], u16); 3] = [
        (b"\x81\x83\0\0\0\0\xff\xfe\xfd", 1007),
        (b"\x83\x83\0\0\0\0abc", 1002),
        (b"\x82\xff\0\0\0\0\0\x20\0\0\0\0\0\0some of 2 MiB", 1009),
    ];
    for (bytes, code) in rows {
        let mut socket = open();
        socket.0.get_mut().write_all(bytes).expect("the server reads");
        assert_eq!(socket.rest().1, code);
    }
}
