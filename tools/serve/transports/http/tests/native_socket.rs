//! The native protocol over a WebSocket, by a client in the same process: sound both ways, refusals before the upgrade,
//! connections that are lost, a drain.

#![expect(clippy::disallowed_methods, reason = "sockets have a clock")]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Got, Running, Socket, ramp};

#[test]
fn every_sample_comes_back_behind_a_tag_and_the_session_ends_as_it_was_asked_to() {
    let running = Running::of(&["passthrough"], |_| {});
    let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    socket.say(&json!({"type": "open", "session": "a"}));
    let opened = socket.until("opened");
    assert_eq!((&opened["session"], &opened["scene"]), (&json!("a"), &json!("passthrough")));
    assert_eq!(opened["output"], json!({"rate_hz": 16_000, "channels": 1, "encoding": "s16"}));
    let sent = ramp(16_000);
    for piece in sent.chunks(640) {
        socket.sound(piece.to_vec());
        std::thread::sleep(Duration::from_millis(10));
    }
    socket.say(&json!({"type": "finish"}));
    let Got::Json(tag) = socket.next() else { panic!("the tag comes before the sound") };
    assert_eq!((&tag["type"], &tag["revision"]), (&json!("audio"), &json!(0)));
    let (heard, code) = socket.rest();
    assert!(heard == sent, "{} of {} bytes came back, or others", heard.len(), sent.len());
    assert_eq!(code, 1_000);
}

#[test]
fn who_may_not_come_in_is_told_before_the_upgrade() {
    // sha256 of "open sesame".
    let hash = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";
    let keys = std::env::temp_dir().join(format!("mynah-keys-{}", std::process::id()));
    std::fs::write(&keys, hash).expect("there is room");
    let file = keys.clone();
    let running = Running::of(&["passthrough"], |config| {
        config.keys_file = Some(file);
        config.max_sessions = 1;
        config.models = [("pass".to_string(), "passthrough".to_string())].into();
    });
    std::fs::remove_file(&keys).expect("it is there");
    let good = ("authorization", "Bearer open sesame");
    let refused = |path: &str, headers: &[(&'static str, &str)]| {
        let answer = Socket::connect(running.clients, path, headers).err().expect("it is refused");
        let retry = answer.header("retry-after").map(str::to_string);
        (answer.status, answer.json()["error"]["code"].as_str().unwrap_or("").to_string(), retry)
    };
    type Row<'a> = (&'a str, &'a [(&'static str, &'a str)], (u16, &'a str));
    let rows: [Row<'_>; 5] = [
        ("/v1/session", &[], (401, "no_key")),
        ("/v1/session", &[("authorization", "Bearer open barley")], (401, "bad_key")),
        ("/v1/session", &[("authorization", "Bearer ek_x.y")], (401, "bad_key")),
        ("/v1/session?model=other", &[good], (404, "unknown_model")),
        ("/v1/session", &[good, ("origin", "https://elsewhere.example")], (403, "origin")),
    ];
    for (path, headers, (status, code)) in rows {
        let (found, word, _) = refused(path, headers);
        assert_eq!((found, word.as_str()), (status, code), "{path} {headers:?}");
    }
    let mut first =
        Socket::connect(running.clients, "/v1/session?model=pass", &[good]).expect("it has a key");
    first.say(&json!({"type": "open"}));
    first.until("opened");
    let full = refused("/v1/session?model=pass", &[good]);
    assert_eq!(full, (503, "capacity".into(), Some("1".into())));
    first.say(&json!({"type": "close"}));
    assert_eq!(first.rest().1, 1_000);
    let until = Instant::now() + support::PATIENCE;
    while running.server.admission().taken() > 0 {
        assert!(Instant::now() < until, "the place comes back");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Socket::connect(running.clients, "/v1/session?model=pass", &[good]).is_ok());
}

#[test]
fn a_session_that_is_asked_for_wrongly_is_refused_with_the_field() {
    let running = Running::of(&["passthrough"], |_| {});
    let rows = [
        (json!({"type": "open", "sesion": "a"}), "sesion"),
        (json!({"type": "open", "input": {"rate_hz": 7}}), "rate_hz"),
        (json!({"type": "hello"}), "open"),
    ];
    for (wrong, part) in rows {
        let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
        socket.say(&wrong);
        let error = socket.until("error");
        let message = error["error"]["message"].as_str().unwrap_or("");
        assert!(message.contains(part) || part == "rate_hz" && message.contains("7 Hz"), "{wrong}: {error}");
        assert_eq!(socket.rest().1, 1_008, "{wrong}");
    }
}

#[test]
fn a_lost_connection_goes_on_over_another_one_with_the_token_and_in_time() {
    let running = Running::of(&["passthrough"], |config| config.resume_ms = 1_000);
    let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    socket.say(&json!({"type": "open", "session": "a"}));
    let token = socket.until("opened")["token"].as_str().expect("there is a token").to_string();
    let resume = |token: &str| {
        let mut again = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
        again.say(&json!({"type": "resume", "session": "a", "token": token}));
        again
    };
    // Without a word of farewell.
    drop(socket.0.get_mut().shutdown(std::net::Shutdown::Both));
    drop(socket);
    std::thread::sleep(Duration::from_millis(200));
    let mut wrong = resume("another");
    assert_eq!(wrong.until("error")["error"]["code"], "not_found");
    let mut again = resume(&token);
    assert_eq!(again.until("resumed")["newest_id"], 0);
    again.sound(ramp(320));
    again.say(&json!({"type": "finish"}));
    assert_eq!(again.rest(), (ramp(320), 1_000));
    // What nobody comes back for ends.
    let mut lost = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    lost.say(&json!({"type": "open", "session": "b"}));
    lost.until("opened");
    drop(lost);
    let until = Instant::now() + support::PATIENCE;
    while running.server.admission().taken() > 0 {
        assert!(Instant::now() < until, "its place is given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_drain_ends_sessions_between_turns_and_refuses_the_next() {
    let running = Running::of(&["passthrough"], |_| {});
    let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    socket.say(&json!({"type": "open"}));
    socket.until("opened");
    let ready = support::ask(running.operators, "GET", "/readyz", &[], &[]);
    assert_eq!((ready.status, ready.body.as_str()), (200, "ok\n"));
    let drained = support::ask(running.operators, "POST", "/drain", &[], &[]);
    assert_eq!(drained.status, 202);
    assert_eq!(socket.rest().1, 1_001);
    running.wait();
}

#[test]
fn a_full_server_lets_in_whose_session_waits_and_tells_others_before_the_upgrade() {
    let running = Running::of(&["passthrough"], |config| config.max_sessions = 1);
    let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    socket.say(&json!({"type": "open", "session": "a"}));
    let token = socket.until("opened")["token"].as_str().expect("there is a token").to_string();
    drop(socket.0.get_mut().shutdown(std::net::Shutdown::Both));
    drop(socket);
    std::thread::sleep(Duration::from_millis(200));
    for path in ["/v1/session", "/v1/session?resume=b", "/v1/session?resume="] {
        let refused = Socket::connect(running.clients, path, &[]).map(drop).expect_err("there is no place");
        assert_eq!(refused.status, 503, "{path}");
    }
    let mut again = Socket::connect(running.clients, "/v1/session?resume=a", &[]).expect("it waits there");
    again.say(&json!({"type": "resume", "session": "a", "token": token}));
    again.until("resumed");
}

#[test]
fn sound_that_comes_at_once_is_not_late() {
    let running = Running::of(&["passthrough"], |_| {});
    let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    socket.say(&json!({"type": "open"}));
    socket.until("opened");
    // A second in one message, and half a second in pieces that come faster than anybody speaks.
    let sent = ramp(24_000);
    socket.sound(sent[..32_000].to_vec());
    for piece in sent[32_000..].chunks(640) {
        socket.sound(piece.to_vec());
    }
    socket.say(&json!({"type": "finish"}));
    let (heard, code) = socket.rest();
    assert_eq!((heard.len(), code), (sent.len(), 1000));
    assert!(heard == sent, "the same sound, in its order");
}
