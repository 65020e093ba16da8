//! Sessions of the native protocol that outlive their connection, or have none: readers come and go.

#[path = "support/connection.rs"]
mod connection;
#[path = "support/native_line.rs"]
mod native_line;

use std::sync::Arc;

use connection::{Connection, Got, TOKEN, Words, bursts, plan, wants_ack};
use mynah_dialects::native::{Listening, Native, NativeOutput, NativeSession, Opening};
use mynah_dialects::pcm::Encoding;
use mynah_dialects::{Dialect, Opened, Refusal};
use mynah_engine::wire::message::AckStage;
use mynah_engine::{Engine, EngineConfig};
use native_line::{CONFIG, TALK, plain};
use serde_json::{Value, json};

/// A session that lost its connection after it was told of speech, which it has not acknowledged.
fn lost() -> (Engine, u64, Box<NativeSession>) {
    let mut line = plain(TALK);
    line.acknowledges = false;
    line.control(r#"{"Set":{"params":{"language":"en"}}}"#);
    line.speak(&bursts(&[200, 200]));
    assert!(!line.of("ConfirmSpeculation").is_empty());
    let parked = Box::new(line.dialect).park(line.now_us).expect("it goes on");
    (line.engine, line.now_us, parked)
}

/// Polls a session that nobody listens to, while its engine goes on.
fn alone(engine: &mut Engine, now_us: &mut u64, session: &mut NativeSession, ticks: usize) {
    for _ in 0..ticks {
        *now_us += connection::TICK_US;
        engine.tick(*now_us);
        match session.poll(*now_us) {
            NativeOutput::Wait { .. } => {}
            other => panic!("nobody listens, and yet: {other:?}"),
        }
    }
}

#[test]
fn a_lost_connection_is_taken_up_within_its_time() {
    let (mut engine, mut now_us, mut session) = lost();
    let silence = vec![0_u8; 640];
    for _ in 0..40 {
        session.audio(now_us, &silence).expect("it takes audio");
        alone(&mut engine, &mut now_us, &mut session, 4);
    }
    assert!(!session.is_over());
    let losses = session.losses();
    assert!(losses.untold > 0, "the answer began: {losses:?}");
    let mut line = Connection::to(engine, now_us, Native::new(now_us, CONFIG));
    line.session = Some(session.session().clone());
    line.sent = 1;
    line.text(&json!({"type": "resume", "session": "caller", "token": TOKEN}).to_string());
    assert!(!line.dialect.has_room());
    line.carry();
    assert_eq!(line.resumption, Some(("caller".to_owned(), TOKEN.to_owned())));
    line.dialect.resumed(line.now_us, Ok(session));
    line.carry();
    assert_eq!(line.texts()[0], &json!({"type": "resumed", "newest_id": 1}));
    let again: Vec<String> = line
        .texts()
        .iter()
        .filter(|message| wants_ack(message))
        .filter_map(|message| message["message_type"].as_object()?.keys().next().cloned())
        .collect();
    assert_eq!(again, ["ConfirmSpeculation", "EndOfSpeech", "EndOfSpeech"], "{:#?}", line.texts());
    assert!(line.of("Transcript").is_empty() && line.of("AnswerStarted").is_empty(), "events are not kept");
    // It goes on as before.
    line.until("the answer ends", |line| !line.of("AnswerEnded").is_empty());
    assert_eq!(line.dialect.figures().failed, 0);
}

#[test]
fn a_new_connection_is_told_whose_audio_goes_on_and_what_was_wrong() {
    // At once, or after a tenth of a second of the answer.
    for ticks in [0, 20] {
        taken_up_after(ticks);
    }
}

fn taken_up_after(ticks: usize) {
    let mut line = plain(TALK);
    line.speak(&bursts(&[200, 600, 240]));
    line.until("the answer sounds", |line| matches!(line.got.last(), Some((_, Got::Audio(_)))));
    let (mut engine, mut now_us) = (line.engine, line.now_us);
    let mut session = Box::new(line.dialect).park(now_us).expect("it goes on");
    session.text(now_us, "rubbish");
    alone(&mut engine, &mut now_us, &mut session, ticks);
    let unheard_us = session.losses().unheard_us;
    assert!(unheard_us.abs_diff(ticks as u64 * 5_000) <= 20_000, "{unheard_us} us");
    let mut line = Connection::to(engine, now_us, Native::new(now_us, CONFIG));
    line.session = Some(session.session().clone());
    line.text(r#"{"type":"resume","session":"caller","token":"t0"}"#);
    line.carry();
    line.dialect.resumed(now_us, Ok(session));
    line.until("it sounds again", |line| line.got.iter().any(|(_, got)| matches!(got, Got::Audio(_))));
    let kinds: Vec<&Value> = line.texts().into_iter().map(|message| &message["type"]).collect();
    assert_eq!(kinds[..2], [&json!("resumed"), &json!("error")]);
    let tag = line.got.iter().position(|(_, got)| matches!(got, Got::Text(told) if told["type"] == "audio"));
    let audio = line.got.iter().position(|(_, got)| matches!(got, Got::Audio(_)));
    assert!(tag.is_some() && tag < audio, "{tag:?} {audio:?}");
}

#[test]
fn a_lost_connection_that_nobody_takes_up_ends_the_session() {
    let (mut engine, mut now_us, mut session) = lost();
    // A request without a connection begins the time anew.
    alone(&mut engine, &mut now_us, &mut session, 150);
    session.audio(now_us, &[0; 640]).expect("it takes audio");
    alone(&mut engine, &mut now_us, &mut session, 199);
    assert!(!session.is_over());
    alone(&mut engine, &mut now_us, &mut session, 3);
    assert!(session.is_over() && session.session().is_closed());
    // Who comes later is told so by the server.
    let mut line = Connection::to(engine, now_us, Native::new(now_us, CONFIG));
    line.text(r#"{"type":"resume","session":"caller","token":"t0"}"#);
    line.carry();
    line.dialect.resumed(line.now_us, Err(Refusal::new("not_found", "no such session: open one")));
    line.carry();
    assert_eq!(line.texts()[0]["error"]["code"], "not_found");
    assert_eq!(line.closing().map(|closing| closing.code), Some(1008));
}

#[test]
fn over_plain_http_messages_and_audio_have_a_reader_each() {
    let config = EngineConfig { shards: Some(1), ..EngineConfig::simulated() };
    let mut engine = Engine::new(plan(TALK, Arc::new(Words("hello there"))), config);
    let opening = Opening::parse(r#"{"session":"caller"}"#).expect("it is right");
    let handle = engine.handle().open(opening.spec.clone()).expect("there is room");
    let open = Opened { session: handle, scene: "talk".into(), token: Some(TOKEN.into()), tap: None };
    let mut session = NativeSession::new(open, &opening, CONFIG).expect("it has a name");
    session.listen(0, Listening { messages: false, audio: true });
    let (mut now_us, mut heard, mut rest) = (0, 0, Vec::new());
    // A body that was cut anywhere.
    let mut bytes = Vec::new();
    Encoding::S16.encode(&bursts(&[200, 500, 1_500]), &mut bytes);
    for piece in bytes.chunks(637) {
        rest.extend_from_slice(piece);
        let taken = session.audio(now_us, &rest).expect("it takes audio");
        rest.drain(..taken);
        for _ in 0..4 {
            now_us += connection::TICK_US;
            engine.tick(now_us);
            loop {
                match session.poll(now_us) {
                    NativeOutput::Audio { bytes, .. } => heard += bytes.len(),
                    NativeOutput::Wait { .. } => break,
                    other => panic!("nobody reads messages, and yet: {other:?}"),
                }
            }
        }
    }
    assert!(heard > 16_000, "{heard} bytes of the answer");
    session.reconnected(now_us);
    let mut ids = Vec::new();
    while let NativeOutput::Event { kind, id, json } = session.poll(now_us) {
        assert_eq!(kind, "control_message", "{json}");
        ids.extend(id);
    }
    assert_eq!(ids.len(), 3, "confirmed, seemed to end, ended");
    for id in &ids {
        for _ in 0..2 {
            session.acknowledge(now_us, *id, AckStage::Delivered).expect("repeating it is fine");
        }
    }
    assert_eq!(session.figures().acked, 3);
    assert!(session.acknowledge(now_us, u64::MAX, AckStage::Delivered).is_err());
    let refused = session.message(now_us, "{}").unwrap_err();
    assert_eq!(refused.code, "bad_message");
    session.message(now_us, r#"{"type":"close"}"#).expect("it is one");
}
