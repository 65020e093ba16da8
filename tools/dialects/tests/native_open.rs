//! How a session of the native protocol is opened, and what is refused.

#[path = "support/connection.rs"]
mod connection;
#[path = "support/native_line.rs"]
mod native_line;

use mynah_dialects::native::{Native, NativeConfig, Notes, Opening};
use mynah_dialects::pcm::Encoding;
use mynah_dialects::{Dialect as _, Output, Refusal, WantedRecords};
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, Interruption};
use native_line::{TALK, connect};

#[test]
fn every_field_of_open_reaches_the_session() {
    let opening = Opening::parse(
        r#"{"type":"open","session":"caller-7","input":{"rate_hz":24000,"channels":2,"encoding":"f32"},
            "output":{"rate_hz":48000},"params":{"language":"en"},"lead_ms":120,"latency_ms":30,
            "gate":{"threshold":0.8,"release_threshold":0.6,"min_speech_ms":80,"min_silence_ms":300,"lookahead_ms":20,
            "pad_ms":100,"half_duplex":true,"echo_tail_ms":150,"raise_threshold_while_speaking":0.95,"mode":"Shut"},
            "interruption":400,"history":{"schema":1,"entries":[
            {"entry":"said","by":"user","turn":1,"text":"Hi.","interrupted":false}]},
            "notes":["speech","probability","partial","words","turns"]}"#,
    );
    let opening = opening.expect("it is right");
    let spec = &opening.spec;
    assert_eq!(spec.name, "caller-7");
    assert_eq!(spec.input, Some(Format { rate_hz: 24_000, channels: 2 }));
    assert_eq!(spec.output, Some(Format { rate_hz: 48_000, channels: 1 }));
    assert_eq!((opening.input, opening.output), (Encoding::F32, Encoding::S16));
    assert_eq!(spec.params.text("language"), Some("en"));
    assert_eq!((spec.lead_ms, spec.latency_ms), (Some(120), 30));
    let gate = &spec.gate;
    let numbers = [
        gate.threshold,
        gate.release_threshold,
        gate.min_speech_ms,
        gate.min_silence_ms,
        gate.lookahead_ms,
        gate.pad_ms,
        gate.echo_tail_ms,
        gate.raise_threshold_while_speaking,
    ];
    assert_eq!(numbers, [0.8, 0.6, 80.0, 300.0, 20.0, 100.0, 150.0, 0.95].map(Some));
    assert_eq!((gate.half_duplex, gate.mode), (Some(true), GateMode::Shut));
    assert_eq!(spec.interruption, Some(Interruption::AfterMs(400)));
    assert_eq!(spec.history.entries().len(), 1);
    assert_eq!(
        opening.notes,
        Notes { speech: true, probability: true, partial: true, words: true, turns: true }
    );
    assert!(spec.events && spec.traced);
    let never = Opening::parse(r#"{"interruption":"never"}"#).expect("its type may be left out");
    assert_eq!(never.spec.interruption, Some(Interruption::Never));
    assert!(never.spec.name.is_empty() && !never.spec.traced && never.spec.input.is_none());
}

#[test]
fn a_wrong_field_is_named_with_what_would_do() {
    let cases: [(&str, &[&str]); 14] = [
        (r#"{"sesion":"a"}"#, &["sesion", "session"]),
        (r#"{"session":""}"#, &["session", "1 to 128"]),
        (r#"{"session":7}"#, &["session", "string"]),
        (r#"{"type":"opn"}"#, &["type", "open"]),
        (r#"{"input":{"rate":8000}}"#, &["input", "rate_hz"]),
        (r#"{"input":{"channels":2}}"#, &["input", "rate_hz"]),
        (r#"{"output":{"rate_hz":8000,"encoding":"mp3"}}"#, &["output", "s16", "f32"]),
        (r#"{"params":[1]}"#, &["params", "map"]),
        (r#"{"lead_ms":-1}"#, &["lead_ms", "u32"]),
        (r#"{"gate":{"treshold":0.5}}"#, &["gate", "treshold", "threshold"]),
        (r#"{"gate":{"mode":"auto"}}"#, &["gate", "Auto", "Open", "Shut"]),
        (r#"{"interruption":true}"#, &["interruption", "never", "milliseconds"]),
        (r#"{"history":{"schema":2,"entries":[]}}"#, &["history", "schema 2", "expected 1"]),
        (r#"{"notes":["speech","prob"]}"#, &["notes", "prob", "probability"]),
    ];
    let mut wrong = Vec::new();
    for (text, parts) in cases {
        match Opening::parse(text) {
            Ok(_) => wrong.push(format!("{text}: taken")),
            Err(Refusal { code, message }) => {
                let lacks = parts.iter().filter(|part| !message.contains(**part)).collect::<Vec<_>>();
                if code != "bad_request" || !lacks.is_empty() {
                    wrong.push(format!("{text}: {code}: {message}: lacks {lacks:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What only the engine knows is judged when the session is opened.
    for (open, part) in [
        (r#"{"type":"open","input":{"rate_hz":7000}}"#, "8000 to 192000"),
        (r#"{"type":"open","gate":{"threshold":2}}"#, "threshold"),
        (r#"{"type":"open","interruption":50}"#, "100 to 5000"),
        (r#"{"type":"open","lead_ms":99999}"#, "lead_ms"),
    ] {
        let mut line = connect(TALK);
        line.text(open);
        line.carry();
        let message = line.texts()[0]["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(part), "{open}: {:?}", line.got);
        assert_eq!(line.closing().map(|closing| closing.code), Some(1008), "{open}");
        assert!(line.session.is_none());
    }
}

#[test]
fn a_connection_that_opens_nothing_is_closed_after_ten_seconds() {
    let mut line = connect(TALK);
    line.ticks(1_999);
    assert!(line.got.is_empty());
    line.ticks(2);
    assert_eq!(line.texts()[0]["error"]["code"], "timeout");
    assert_eq!(line.closing().map(|closing| closing.code), Some(1008));
    for first in
        [r#"{"type":"finish"}"#, r#"{"message_type":{"EndTurn":{}}}"#, "{", "[]", r#"{"type":"resume"}"#]
    {
        let mut line = connect(TALK);
        line.text(first);
        line.carry();
        assert_eq!(
            (line.got.len(), line.closing().map(|c| c.code)),
            (2, Some(1008)),
            "{first}: {:?}",
            line.got
        );
    }
}

#[test]
fn what_notes_want_is_known_when_the_session_is_asked_for() {
    let mut native = Native::new(0, NativeConfig { epoch_us: 0, resume_ms: 5_000 });
    assert_eq!(native.wants(), WantedRecords::default());
    native.text(0, r#"{"type": "open", "notes": ["probability", "turns"]}"#);
    assert!(matches!(native.poll(0), Output::Open(_)));
    assert_eq!(native.wants(), WantedRecords { probability: true, turns: true });
}
