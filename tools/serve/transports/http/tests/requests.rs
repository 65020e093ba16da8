//! The native protocol over plain HTTP, as curl speaks it: a session by POST, its events as they happen, receipts that may be
//! repeated, readers that come again.

#![expect(clippy::disallowed_methods, reason = "sockets have a clock")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Events, Running, ask, ramp, send};

/// A session, and the token for it.
fn open(running: &Running, model: &str, wish: &Value) -> (String, String) {
    let path = format!("/v1/sessions?model={model}");
    let answer = ask(running.clients, "POST", &path, &[], wish.to_string().as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}");
    let place = answer.header("location").expect("it says where").to_string();
    assert_eq!(answer.json()["id"], place.rsplit('/').next().expect("it has parts"));
    (place, answer.json()["token"].as_str().expect("there is one").to_string())
}

#[test]
fn sound_goes_up_in_pieces_and_comes_down_as_a_recording() {
    let running = Running::of(&["passthrough"], |_| {});
    let (place, token) = open(&running, "passthrough", &json!({"session": "a \"b\"/c"}));
    let bearer = format!("Bearer {token}");
    let auth = [("Authorization", bearer.as_str())];
    let mut sound = BufReader::new(send(running.clients, "GET", &format!("{place}/audio"), &auth, &[]));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        sound.read_line(&mut head).expect("an answer comes");
    }
    assert!(head.contains("200") && head.contains("audio/wav"), "{head}");
    // An odd number of bytes a piece: samples are put together again.
    let sent = ramp(3_200);
    for piece in [&sent[..333], &sent[333..]] {
        let answer =
            ask(running.clients, "POST", &format!("{place}/audio"), &auth, &piece[..piece.len() / 2 * 2]);
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    let odd = ask(running.clients, "POST", &format!("{place}/audio"), &auth, &[1]);
    assert_eq!((odd.status, odd.json()["error"]["code"].as_str()), (400, Some("bad_audio")));
    assert_eq!(ask(running.clients, "POST", &format!("{place}/finish"), &auth, &[]).status, 204);
    let mut body = Vec::new();
    sound.read_to_end(&mut body).expect("it ends with the session");
    let heard = unchunked(&body);
    assert_eq!(&heard[..4], b"RIFF");
    // One byte of the first piece was left out above.
    assert_eq!(heard[44..].len(), sent.len() - 1 - 1);
    assert_eq!(heard[44..44 + 332], sent[..332]);
}

/// The content of a chunked body.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(at) = body.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&body[..at]).expect("a length");
        let length = usize::from_str_radix(length, 16).expect("a length");
        content.extend_from_slice(&body[at + 2..at + 2 + length]);
        body = &body[at + 2 + length + 2..];
    }
    content
}

#[test]
fn what_is_not_acknowledged_is_told_again_also_to_the_next_reader_and_what_is_never_again() {
    let running = Running::of(&["passthrough"], |_| {});
    let (place, token) = open(&running, "passthrough", &json!({"session": "a"}));
    let bearer = format!("Bearer {token}");
    let auth = [("Authorization", bearer.as_str())];
    let mut events = Events::of(running.clients, &format!("{place}/events"), &token);
    let say = |id: u64, what: Value| {
        let message = json!({"message_id": id, "session_id": "a", "timestamp": 0, "message_type": what});
        let path = format!("{place}/control");
        ask(running.clients, "POST", &path, &auth, message.to_string().as_bytes())
    };
    // The same message twice: two receipts, one effect.
    for _ in 0..2 {
        assert_eq!(say(1, json!({"Discard": {}})).status, 204);
        let receipt = events.next().expect("a receipt");
        assert_eq!((receipt.event.as_str(), receipt.kind().as_str()), ("control_message", "Ack"));
        assert_eq!(receipt.json()["message_type"]["Ack"]["message_id"], 1);
    }
    // A second reader takes over.
    let mut second = Events::of(running.clients, &format!("{place}/events"), &token);
    assert!(std::iter::from_fn(|| events.next()).count() <= 2, "the first one ends");
    assert_eq!(say(2, json!({"EndTurn": {}})).status, 204);
    // A receipt of the first message, that it was applied, may have waited for the second reader.
    let of_second = |sent: &support::Sent| sent.json()["message_type"]["Ack"]["message_id"] == 2;
    assert!(std::iter::from_fn(|| second.next()).any(|sent| of_second(&sent)), "a receipt");
    // Acknowledged once or often, known or not: it is the client's word.
    for _ in 0..2 {
        let path = format!("{place}/ack/1");
        assert_eq!(ask(running.clients, "POST", &path, &auth, &[]).status, 204);
    }
    let wrong = ask(running.clients, "POST", &format!("{place}/control"), &auth, b"{\"message_id\": 3}");
    assert_eq!((wrong.status, wrong.json()["error"]["code"].as_str()), (400, Some("bad_message")));
    let stranger = ask(running.clients, "POST", &format!("{place}/finish?token=guess"), &[], &[]);
    assert_eq!(stranger.status, 404);
    assert_eq!(ask(running.clients, "DELETE", &format!("{place}?token={token}"), &[], &[]).status, 204);
    let last = std::iter::from_fn(|| second.next()).last().expect("the end is told");
    assert_eq!(last.kind(), "Closed");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(ask(running.clients, "DELETE", &place, &auth, &[]).status, 404, "it is over");
}

#[test]
fn a_session_that_nobody_asks_for_ends() {
    let running = Running::of(&["passthrough"], |config| config.resume_ms = 300);
    let (place, token) = open(&running, "passthrough", &json!({}));
    std::thread::sleep(Duration::from_millis(1_500));
    let late = ask(running.clients, "POST", &format!("{place}/finish?token={token}"), &[], &[]);
    assert_eq!(late.status, 404);
    assert_eq!(running.server.admission().taken(), 0);
}
