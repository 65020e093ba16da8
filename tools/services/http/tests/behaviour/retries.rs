//! What is asked a second time and what is not, and what an error says.

use std::net::TcpListener;

use mynah_engine::service::{Rehearsal, ReplyPart};

use crate::desk::{Desk, call};
use crate::mock::{Mock, Wire, rest};

fn fine(wire: &mut Wire) {
    wire.says(&["Fine."]);
    wire.stops("stop");
}

/// First answer, how often is asked, and what the end says.
type Case = (&'static str, &'static str, &'static str, usize, &'static str);

#[test]
fn what_may_be_an_accident_is_asked_once_more_and_nothing_else() {
    let slow = r#"{"error":{"message":"slow down"}}"#;
    let cases: [Case; 13] = [
        ("429 Too Many Requests", "", slow, 2, "done"),
        ("429 Too Many Requests", "Retry-After: 0\r\n", slow, 2, "done"),
        ("429 Too Many Requests", "retry-after-ms: 30\r\nRetry-After: 90\r\n", slow, 2, "done"),
        (
            "429 Too Many Requests",
            "Retry-After: 90\r\n",
            slow,
            1,
            "429 Too Many Requests: slow down; it may be asked again after 90000 ms",
        ),
        (
            "429 Too Many Requests",
            "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n",
            slow,
            1,
            "slow down; it may be",
        ),
        ("429 Too Many Requests", "x-should-retry: false\r\n", slow, 1, "429 Too Many Requests: slow down"),
        ("503 Service Unavailable", "", "Loading model", 2, "done"),
        ("500 Internal Server Error", "", "", 2, "done"),
        ("400 Bad Request", "", r#"{"error":"bad"}"#, 1, "400 Bad Request: bad"),
        ("400 Bad Request", "x-should-retry: true\r\n", "", 2, "done"),
        (
            "401 Unauthorized",
            "",
            r#"{"error":{"message":"no such key: mynah-http"}}"#,
            1,
            "401 Unauthorized: no such key: [key]; see `key_env`",
        ),
        ("404 Not Found", "", "", 1, "see `url` (most end with /v1)"),
        (
            "307 Temporary Redirect",
            "Location: http://else.example/v1\r\n",
            "",
            1,
            "redirect to http://else.example/v1, which is not followed",
        ),
    ];
    for (status, headers, body, times, end) in cases {
        let mock = Mock::new(move |asked, wire| match asked.number {
            0 => wire.answer(status, headers, body),
            _ => fine(wire),
        });
        // Cargo sets this variable for tests.
        let mut desk = Desk::new("Chat", &format!("({}, key_env: \"CARGO_PKG_NAME\")", mock.patient()));
        let told = desk.ask(call("Hello.", 0));
        assert!(told.end().contains(end.trim_start_matches("redirect ")), "{status} {headers}: {told:?}");
        assert!(!told.end().contains("mynah-http"), "{told:?}");
        let asked = mock.asked();
        assert_eq!(asked.len(), times, "{status} {headers}");
        assert!(asked.iter().all(|asked| asked.header("authorization") == Some("Bearer mynah-http")));
    }
}

#[test]
fn a_server_that_is_always_busy_is_asked_twice() {
    let mock = Mock::new(|_, wire| wire.answer("503 Service Unavailable", "", "busy ".repeat(100)));
    let told = Desk::new("Chat", &format!("({})", mock.patient())).ask(call("Hello.", 0));
    assert_eq!(mock.asked().len(), 2);
    assert!(told.end().contains("/v1/chat/completions: 503 Service Unavailable: busy"), "{told:?}");
    assert!(told.end().chars().count() < 700, "what a server says is cut");
}

#[test]
fn a_wait_that_the_deadline_does_not_allow_is_not_waited() {
    let mock = Mock::new(|asked, wire| match asked.number {
        0 => wire.answer("429 Too Many Requests", "Retry-After: 2\r\n", ""),
        _ => fine(wire),
    });
    let mut desk = Desk::new("Chat", &format!("({})", mock.patient()));
    let mut hasty = call("Hello.", 0);
    (hasty.queued_us, hasty.deadline_us) = (1_000_000, 2_500_000);
    let told = desk.ask(hasty);
    assert!(told.end().contains("the call has less time"), "{told:?}");
}

#[test]
fn a_connection_that_died_while_nobody_looked_is_replaced() {
    let mock = Mock::new(|asked, wire| {
        // The second request on the first connection finds nobody.
        if asked.number == 1 {
            return wire.closes();
        }
        fine(wire);
    });
    let mut desk = Desk::new("Chat", &format!("({})", mock.patient()));
    for part in 0..2 {
        assert_eq!(desk.ask(call("Hello.", part)).end(), "done");
        // The end of the stream follows that of the answer.
        rest(300);
    }
    let asked: Vec<u32> = mock.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(asked, [0, 0, 1]);
}

#[test]
fn a_new_connection_that_breaks_off_is_not_tried_again() {
    let mock = Mock::new(|_, wire| wire.closes());
    let told = Desk::new("Chat", &format!("({})", mock.patient())).ask(call("Hello.", 0));
    assert!(told.end().contains("the connection broke off before an answer"), "{told:?}");
    assert_eq!(mock.asked().len(), 1);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let told = Desk::new("Chat", &format!("(url: \"http://127.0.0.1:{port}/v1\", model: \"m\")"))
        .ask(call("Hello.", 0));
    let named = format!("http://127.0.0.1:{port}/v1/chat/completions: no connection");
    assert!(told.end().contains(&named) && told.end().contains("is the server running"), "{told:?}");
    assert!(told.end().contains("asked again"), "{told:?}");
}

#[test]
fn as_many_calls_as_the_scene_allows_are_under_way_at_once() {
    let mock = Mock::new(|_, wire| {
        rest(500);
        fine(wire);
    });
    let mut desk = Desk::new("Chat", &format!("({}, parallel: 3)", mock.patient()));
    assert_eq!(desk.rehearsal.service().room(), 3);
    (0..3).for_each(|part| desk.start(call("Hello.", part)));
    assert_eq!(desk.rehearsal.service().room(), 0);
    let mut told = crate::desk::Told::default();
    desk.until(&mut told, |_| false);
    let most = mock.asked().iter().map(|asked| asked.connection).max();
    assert_eq!(most, Some(2), "each has a connection of its own");
}

#[test]
fn a_scene_in_virtual_time_asks_for_no_more_at_once_either() {
    let mock = Mock::new(|_, wire| {
        rest(30);
        fine(wire);
    });
    let kind = crate::desk::kind("Chat", &format!("({}, parallel: 2)", mock.patient()));
    let mut rehearsal = Rehearsal::new(&*kind, None, 1);
    (0..6).for_each(|part| rehearsal.start(vec![call("Hello.", part)], 0));
    // It waits for all of them.
    let replies = rehearsal.poll(60_000_000);
    let done = replies.iter().filter(|reply| matches!(reply.part, ReplyPart::Done { .. })).count();
    assert_eq!((done, rehearsal.under_way()), (6, 0));
    let most = mock.asked().iter().map(|asked| asked.connection).max();
    assert_eq!((mock.asked().len(), most), (6, Some(1)), "two connections, one after the other");
}
