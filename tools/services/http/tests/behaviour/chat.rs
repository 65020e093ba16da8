//! `Chat`: conversations, cancelling, tools, and answers that go wrong.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use mynah_engine::base::SessionId;
use mynah_engine::service::CallScope;
use mynah_engine::speech::{HistoryEntry, Speaker};

use crate::desk::{Desk, Told, call};
use crate::mock::{Mock, rest};

fn said(by: Speaker, text: &str, interrupted: bool) -> HistoryEntry {
    HistoryEntry::Said { by, turn: 1, text: text.into(), interrupted }
}

#[test]
fn a_conversation_of_three_turns_is_sent_as_it_was_heard() {
    let mock = Mock::new(|asked, wire| {
        wire.says(&["Answer ", &format!("{}.", asked.number + 1)]);
        wire.stops("stop");
    });
    let config = format!("({}, system: \"Be brief.\", temperature: 0.5, max_tokens: 40)", mock.patient());
    let mut desk = Desk::new("Chat", &config);
    let turns = [
        vec![],
        vec![said(Speaker::User, "one", false), said(Speaker::Assistant, "Answer 1.", false)],
        vec![
            said(Speaker::User, "one", false),
            said(Speaker::Assistant, "Answer 1.", false),
            said(Speaker::User, "two", false),
            said(Speaker::Assistant, "Answer", true),
        ],
    ];
    for (at, history) in turns.into_iter().enumerate() {
        let mut call = call(["one", "two", "three"][at], at as u32);
        call.history = Arc::new(history.into_iter().collect());
        let told = desk.ask(call);
        assert_eq!(told.lines, [format!("\"Answer {}.\"", at + 1), "done".into()]);
        // The end of the stream follows that of the answer.
        rest(300);
    }
    let asked = mock.asked();
    let third = [
        "system: Be brief.",
        "user: one",
        "assistant: Answer 1.",
        "user: two",
        "assistant: Answer…",
        "user: three",
    ];
    assert_eq!(asked[2].messages(), third);
    let json = asked[0].json();
    assert_eq!(asked[0].line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!((&json["stream"], &json["stream_options"]["include_usage"]), (&true.into(), &true.into()));
    assert_eq!(
        (&json["model"], &json["max_tokens"], &json["temperature"]),
        (&"m".into(), &40.into(), &0.5.into())
    );
    assert_eq!(asked[0].header("user-agent"), Some(concat!("mynah/", env!("CARGO_PKG_VERSION"))));
    assert!(asked.iter().all(|asked| asked.header("x-conversation-id").is_none()));
    assert!(asked.iter().all(|asked| asked.connection == 0), "one connection serves all turns");
}

#[test]
fn a_cancel_closes_the_connection_and_only_then_the_work_has_stopped() {
    let (sender, closed) = channel();
    let mock = Mock::new(move |_, wire| {
        wire.says(&["Once ", "upon "]);
        sender.send(wire.closed_within(Duration::from_secs(20))).expect("the test waits");
    });
    let mut desk = Desk::new("Chat", &format!("({})", mock.patient()));
    desk.start(call("a story", 0));
    let mut told = Told::default();
    desk.until(&mut told, |told| told.lines.iter().any(|line| line.contains("upon")));
    desk.cancel(CallScope::Call(call("", 0).key));
    desk.until(&mut told, |_| false);
    assert_eq!(told.end(), "stopped");
    let after = closed.recv_timeout(Duration::from_secs(20)).expect("the server sees it");
    // Far from any limit: nobody waits for a timeout.
    assert!(after.is_some_and(|after| after < Duration::from_secs(10)), "{after:?}");
}

#[test]
fn a_cancel_before_the_first_byte_closes_the_connection() {
    let (sender, closed) = channel();
    let mock = Mock::new(move |_, wire| {
        sender.send(None).expect("the test waits");
        sender.send(wire.closed_within(Duration::from_secs(20))).expect("the test waits");
    });
    let mut desk = Desk::new("Chat", &format!("({})", mock.patient()));
    desk.start(call("a story", 0));
    let patience = Duration::from_secs(20);
    assert_eq!(closed.recv_timeout(patience).expect("it asks"), None);
    desk.cancel(CallScope::Session(call("", 0).key.of()));
    let mut told = Told::default();
    desk.until(&mut told, |_| false);
    assert_eq!(told.lines, ["stopped"]);
    assert!(closed.recv_timeout(patience).expect("the server sees it").is_some());
}

#[test]
fn a_service_that_goes_stops_what_it_asked_for() {
    let (sender, closed) = channel();
    let mock = Mock::new(move |_, wire| {
        wire.says(&["Once "]);
        sender.send(wire.closed_within(Duration::from_secs(20))).expect("the test waits");
    });
    let mut desk = Desk::new("Chat", &format!("({})", mock.patient()));
    desk.start(call("a story", 0));
    desk.until(&mut Told::default(), |told| !told.lines.is_empty());
    drop(desk);
    assert!(closed.recv_timeout(Duration::from_secs(20)).expect("the server sees it").is_some());
}

#[test]
fn tools_are_asked_for_and_the_answer_goes_on_with_what_they_found() {
    let mock = Mock::new(|asked, wire| {
        if asked.number > 0 {
            wire.says(&["It is noon."]);
            return wire.stops("stop");
        }
        wire.says(&["One moment. "]);
        wire.chunk("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"clock\",\"arguments\":\"{\\\"zo\"}}]}}]}\n\n");
        wire.chunk("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"clock\",\"arguments\":\"\"}},{\"index\":0,\"function\":{\"arguments\":\"ne\\\":1}\"}}]}}]}\n\n");
        wire.stops("tool_calls");
    });
    let tool = r#"(name: "clock", description: "Tells the time.")"#;
    let mut desk = Desk::new("Chat", &format!("({}, tools: [{tool}])", mock.patient()));
    desk.start(call("What time is it?", 0));
    let mut told = Told::default();
    desk.until(&mut told, |told| told.lines.len() == 3);
    assert_eq!(told.lines, ["\"One moment. \"", "a: clock({\"zone\":1})", "b: clock({})"]);
    // The host takes its time, and its answers come in any order.
    for (id, result) in [("b", "twelve"), ("unknown", "x"), ("a", "noon")] {
        let now_us = desk.now_us();
        desk.rehearsal.service().tool_result(SessionId(1), id, result, now_us);
        rest(20);
    }
    desk.until(&mut told, |_| false);
    assert_eq!(told.lines[3..], ["\"It is noon.\"".to_string(), "done".into()]);
    let asked = mock.asked();
    assert_eq!(asked[0].json()["tools"][0]["function"]["name"], "clock");
    let messages = asked[1].json()["messages"].clone();
    assert_eq!(messages[1]["content"], "One moment. ");
    assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], "{\"zone\":1}");
    let results: Vec<_> =
        (2..4).map(|at| (messages[at]["tool_call_id"].clone(), messages[at]["content"].clone())).collect();
    assert_eq!(results, [("a".into(), "noon".into()), ("b".into(), "twelve".into())]);
}

#[test]
fn a_model_that_only_asks_for_tools_comes_to_an_end() {
    let mock = Mock::new(|_, wire| {
        wire.begin("text/event-stream");
        wire.chunk("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"clock\"}}]}}]}\n\n");
        wire.stops("tool_calls");
    });
    let mut desk = Desk::new("Chat", &format!("({}, tool_rounds: 2)", mock.patient()));
    desk.start(call("What time is it?", 0));
    let mut told = Told::default();
    for round in 1..=2 {
        desk.until(&mut told, |told| told.lines.len() == round);
        let now_us = desk.now_us();
        desk.rehearsal.service().tool_result(SessionId(1), "a", "noon", now_us);
    }
    desk.until(&mut told, |_| false);
    assert!(told.end().contains("raise `tool_rounds`"), "{told:?}");
    assert_eq!(mock.asked().len(), 3);
}

#[test]
fn a_cancel_while_the_host_is_asked_stops_at_once() {
    let mock = Mock::new(|_, wire| {
        wire.begin("text/event-stream");
        wire.chunk("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"clock\"}}]}}]}\n\n");
        wire.stops("tool_calls");
    });
    let mut desk = Desk::new("Chat", &format!("({})", mock.patient()));
    desk.start(call("What time is it?", 0));
    let mut told = Told::default();
    desk.until(&mut told, |told| told.lines.len() == 1);
    desk.cancel(CallScope::Call(call("", 0).key));
    desk.until(&mut told, |_| false);
    assert_eq!((told.end(), mock.asked().len()), ("stopped", 1));
}

/// What a server does after it was asked, what of it is heard, and what the end says.
type Case = (&'static str, fn(&mut crate::mock::Wire), &'static [&'static str], &'static str);

fn holds(cases: &[Case]) {
    for (name, act, heard, end) in cases.iter().copied() {
        let mock = Mock::new(move |_, wire| act(wire));
        let told = Desk::new("Chat", &format!("({})", mock.patient())).ask(call("Hello.", 0));
        let (last, before) = told.lines.split_last().expect("there is an end");
        assert_eq!(before, heard, "{name}");
        assert!(last.contains(end), "{name}: {last}");
        assert_eq!(mock.asked().len(), 1, "{name}: nothing is asked twice once an answer has begun");
    }
}

#[test]
fn an_answer_that_breaks_off_keeps_what_was_said_and_says_why() {
    let cases: [Case; 3] = [
        ("no [DONE]", |wire| (wire.says(&["Half"]), wire.end()).1, &["\"Half\""], "ended the answer early"),
        (
            "disconnect",
            |wire| (wire.says(&["Half"]), wire.closes()).1,
            &["\"Half\""],
            "ended the answer early",
        ),
        (
            "disconnect before the first word",
            |wire| (wire.begin("text/event-stream"), wire.closes()).1,
            &[],
            "ended the answer early",
        ),
    ];
    holds(&cases);
}

#[test]
fn what_is_no_answer_says_why() {
    let cases: [Case; 6] = [
        (
            "error",
            |wire| {
                wire.says(&["Half"]);
                wire.chunk("data: {\"error\":{\"message\":\"overloaded\"}}\n\n");
                wire.end();
            },
            &["\"Half\""],
            "the server reports an error: overloaded",
        ),
        (
            "garbage",
            |wire| {
                wire.says(&["Half"]);
                wire.chunk("data: <html>\n\n");
                wire.end();
            },
            &["\"Half\""],
            "no piece of an answer",
        ),
        (
            "half JSON",
            |wire| {
                wire.says(&["Half"]);
                wire.chunk("data: {\"choices\":[{\"del");
                wire.end();
            },
            &["\"Half\""],
            "no piece of an answer",
        ),
        (
            "a huge line",
            |wire| {
                wire.says(&["Half"]);
                (0..300).for_each(|_| wire.chunk("x".repeat(4_096)));
                wire.end();
            },
            &["\"Half\""],
            "a line of more than 1048576 bytes",
        ),
        (
            "an error that is no stream",
            |wire| {
                wire.answer(
                    "200 OK",
                    "Content-Type: application/json\r\n",
                    r#"{"error":{"message":"no such model"}}"#,
                );
            },
            &[],
            "no such model",
        ),
        (
            "a page",
            |wire| wire.answer("200 OK", "Content-Type: text/html\r\n", "<html>Welcome</html>"),
            &[],
            "see `url`",
        ),
    ];
    holds(&cases);
}

#[test]
fn odd_streams_are_heard_whole() {
    let cases: [Case; 3] = [
        (
            "finish_reason without [DONE]",
            |wire| {
                wire.says(&["All."]);
                wire.chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
                wire.end();
            },
            &["\"All.\""],
            "done",
        ),
        (
            "half a letter",
            |wire| {
                wire.begin("text/event-stream");
                let event = "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße 𝄞 €\"}}]}\r\n\r\n: ping\n\n";
                event.as_bytes().iter().for_each(|byte| wire.chunk([*byte]));
                wire.stops("stop");
            },
            &["\"Grüße 𝄞 €\""],
            "done",
        ),
        (
            "thoughts",
            |wire| {
                wire.begin("text/event-stream");
                wire.chunk("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"They want\"}}]}\n\n");
                wire.word("Hi.");
                wire.stops("stop");
            },
            &["\"Hi.\""],
            "done",
        ),
    ];
    holds(&cases);
}

#[test]
fn silence_has_a_limit_before_the_first_byte_and_between_bytes() {
    let mock = Mock::new(|_, wire| {
        wire.says(&["Half"]);
        rest(20_000);
    });
    let config = format!("({}, connect_ms: 20000, first_byte_ms: 20000, idle_ms: 600)", mock.at());
    let told = Desk::new("Chat", &config).ask(call("Hello.", 0));
    assert_eq!(told.lines[0], "\"Half\"");
    assert!(told.end().contains("silent for `idle_ms`, 600 ms"), "{told:?}");
    for sends_head in [true, false] {
        let mock = Mock::new(move |_, wire| {
            if sends_head {
                wire.begin("text/event-stream");
            }
            rest(20_000);
        });
        let config = format!("({}, connect_ms: 20000, first_byte_ms: 600)", mock.at());
        let told = Desk::new("Chat", &config).ask(call("Hello.", 0));
        assert_eq!(told.lines.len(), 1);
        assert!(told.end().contains("no byte of an answer within `first_byte_ms`, 600 ms"), "{told:?}");
        assert_eq!(mock.asked().len(), 1, "who is slow is not asked to do it twice");
    }
}

#[test]
fn the_whole_call_has_a_time() {
    let mock = Mock::new(|_, wire| {
        wire.says(&[]);
        for _ in 0..400 {
            wire.word("again ");
            rest(50);
        }
    });
    let mut desk =
        Desk::new("Chat", &format!("({}, connect_ms: 2500, first_byte_ms: 2500, call_ms: 2500)", mock.at()));
    let told = desk.ask(call("Hello.", 0));
    assert!(told.end().contains("longer than `call_ms`, 2500 ms"), "{told:?}");
    assert!(told.lines[0].starts_with("\"again "), "{told:?}");
}

#[test]
fn an_answer_is_over_when_all_was_said_whatever_follows() {
    let mock = Mock::new(|_, wire| {
        wire.says(&["All."]);
        wire.chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
        rest(20_000);
    });
    let mut desk = Desk::new("Chat", &format!("({})", mock.patient()));
    let told = desk.ask(call("Hello.", 0));
    assert_eq!(told.lines, ["\"All.\"", "done"]);
    assert!(desk.now_us() < 15_000_000, "nobody waits for [DONE]");
}
