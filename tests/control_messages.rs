//! Control messages in both forms: the vectors of tests/vectors/control byte for byte, limits, what is counted, and
//! that no bytes whatever make a decoder panic.

#[path = "control_messages/arbitrary.rs"]
mod arbitrary;
#[path = "control_messages/known.rs"]
mod known;
#[path = "control_messages/refused.rs"]
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::{
    AckStage, Arrival, ControlMessage, MESSAGE_BYTES_MAX, MESSAGE_ID_MAX, MessageError, MessageIntake,
    MessageType, SEGMENT_NAMESPACE, STALE_US, Taken, binary, json, segment_id,
};
use serde_json::{Value, json as value};

use known::known;

const SESSION: &str = "sess_abc123";
const TIMESTAMP_US: u64 = 1_700_000_000_000_000;

fn vectors() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/control");
    let files = fs::read_dir(folder).expect("the vectors are part of the checkout").flatten();
    let read = |path: &Path| fs::read_to_string(path).expect("a vector is a text");
    files.map(|file| (file.file_name().to_string_lossy().into_owned(), read(&file.path()))).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn binary_of(message: &ControlMessage) -> Vec<u8> {
    let mut out = Vec::new();
    binary::encode_into(message, &mut out).expect("the message is valid");
    out
}

fn json_of(message: &ControlMessage) -> String {
    let mut out = Vec::new();
    json::encode_into(message, &mut out).expect("the message is valid");
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn message_of(arrival: Arrival) -> ControlMessage {
    match arrival {
        Arrival::Message { message, .. } => message,
        Arrival::UnknownType(name) => panic!("{name} is unknown"),
    }
}

#[test]
fn every_vector_reads_and_writes_byte_for_byte() {
    let mut files = vectors();
    for (name, message) in known() {
        let text = files.remove(&format!("{name}.json")).unwrap_or_else(|| panic!("{name}.json is missing"));
        let hex = files.remove(&format!("{name}.hex")).unwrap_or_else(|| panic!("{name}.hex is missing"));
        let (text, bytes) = (text.trim_end_matches('\n'), bytes_of(&hex));
        assert_eq!(json_of(&message), text, "{name}.json");
        assert_eq!(binary_of(&message), bytes, "{name}.hex");
        assert_eq!(message_of(json::decode(text.as_bytes()).unwrap()), message, "{name}.json");
        let (arrival, used) = binary::decode(&bytes).unwrap();
        assert!(matches!(arrival, Arrival::Message { overruled, .. } if !overruled.any()), "{name}.hex");
        assert_eq!((message_of(arrival), used), (message, bytes.len()), "{name}.hex");
        assert_eq!(binary::length(&bytes), Ok(bytes.len()), "{name}.hex");
    }
    let rest: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(rest, ["README.md", "segment_ids.json", "verdicts.json"], "vectors that nothing reads");
}

#[test]
fn the_header_is_the_one_of_the_contract() {
    let header = bytes_of("05 0B00 73 65 73 73 5F 61 62 63 31 32 33 00 40 1E 18 24 0A 06 00");
    for (name, message) in known().into_iter().filter(|(_, message)| *message.session_id == *SESSION) {
        let bytes = binary_of(&message);
        assert_eq!(bytes[..header.len()], header, "{name}");
        let payload = &bytes[header.len() + 4..];
        assert_eq!(bytes[header.len()..][..4], (payload.len() as u32).to_le_bytes(), "{name}");
        assert_eq!(payload, json_of(&message).as_bytes(), "{name}");
    }
}

#[test]
fn verdicts_are_as_written() {
    let cases: Vec<Value> = serde_json::from_str(&vectors()["verdicts.json"]).unwrap();
    let known = known();
    let (mut failed, mut errors) = (Vec::new(), BTreeSet::new());
    for case in &cases {
        let (bytes, result) = match (case["json"].as_str(), case["hex"].as_str()) {
            (Some(text), None) => {
                (text.len(), json::decode(text.as_bytes()).map(|arrival| (arrival, text.len())))
            }
            (None, Some(hex)) => (bytes_of(hex).len(), binary::decode(&bytes_of(hex))),
            _ => panic!("{case} needs one of json and hex"),
        };
        let found = match result {
            Ok((Arrival::Message { message, overruled }, used)) => {
                let like = known.iter().find(|(_, other)| **other == message).map(|(name, _)| *name);
                let mut found = value!({"verdict": "processed", "like": like});
                if overruled.any() {
                    found["warning"] = value!("overruled");
                }
                if used < bytes {
                    found["rest"] = value!(bytes - used);
                }
                found
            }
            Ok((Arrival::UnknownType(name), _)) => {
                assert!(["RaiseHand", "Judge"].contains(&&*name), "{name}");
                value!({"verdict": "ignored"})
            }
            Err(error) => {
                errors.insert(error.name());
                value!({"verdict": "rejected", "error": error.name()})
            }
        };
        let mut want = case.clone();
        for key in ["name", "json", "hex"] {
            want.as_object_mut().expect("a case is an object").remove(key);
        }
        if found != want {
            failed.push(format!("{}: {found}, expected {want}", case["name"]));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(
        errors.into_iter().collect::<Vec<_>>(),
        ["field", "json", "limit", "short", "type_byte", "utf8"]
    );
}

#[test]
fn errors_name_field_value_and_remedy() {
    let base = json_of(&known()["cancel_speculation"]);
    let cases = [
        ("\"message_id\":1", "\"message_id\":9007199254740992", "message_id is 9007199254740992: ids are"),
        ("\"message_id\":1", "\"message_id\":\"x\"", "message_id: invalid type: string \"x\", expected u64"),
        ("sess_abc123", "", "session_id is 0 bytes: name the session in 1 to 128 bytes"),
        ("\"from_timestamp\":1000000", "\"from_timestamp\":1160000", "from_timestamp is 1160000 with to_"),
        (
            "\"from_timestamp\":1000000",
            "\"from_timestamp\":-1",
            "from_timestamp: invalid value: integer `-1`",
        ),
        ("\"revision\":null", "\"revision\":[]", "revision: invalid type: sequence, expected u32"),
        ("bdcc9b9e", "zzcc9b9e", "target_segment_id: invalid value: string \"zzcc9b9e-6448"),
        ("\"late\":false", "\"late\":0", "late: invalid type: integer `0`, expected a boolean"),
        ("}}}", "}}", "line 1 column 2"),
    ];
    let mut failed = Vec::new();
    for (from, to, want) in cases {
        let text = base.replace(from, to);
        assert_ne!(text, base, "{from} is not in the message");
        let error = json::decode(text.as_bytes()).expect_err(to).to_string();
        if !error.contains(want) {
            failed.push(format!("{to}: {error}; expected {want}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // Somebody else's text in an error is cut, and stays on its line.
    let receipt = json_of(&known()["ack_applied"]);
    for (text, from) in [(&base, "bdcc9b9e"), (&receipt, "Applied")] {
        let long = text.replace(from, &format!("\\u0000\\n{}", "a".repeat(10_000)));
        let error = json::decode(long.as_bytes()).expect_err(from).to_string();
        assert!(error.len() < 500 && !error.contains(char::is_control), "{error}");
    }
}

#[test]
fn a_message_is_at_most_64_kib_of_json() {
    let mut message = known()["cancel_answer"].clone();
    message.metadata.insert("pad", "");
    let pad = MESSAGE_BYTES_MAX - json_of(&message).len();
    message.metadata.insert("pad", "x".repeat(pad));
    let (text, bytes) = (json_of(&message), binary_of(&message));
    assert_eq!(text.len(), MESSAGE_BYTES_MAX);
    assert_eq!(message_of(json::decode(text.as_bytes()).unwrap()), message);
    assert_eq!(message_of(binary::decode(&bytes).unwrap().0), message);
    assert!(bytes.len() <= binary::BINARY_BYTES_MAX);

    message.metadata.insert("pad", "x".repeat(pad + 1));
    let mut out = b"before".to_vec();
    let limit = MessageError::Limit { part: "payload", found: MESSAGE_BYTES_MAX + 1, max: MESSAGE_BYTES_MAX };
    assert_eq!(json::encode_into(&message, &mut out), Err(limit.clone()));
    assert_eq!(binary::encode_into(&message, &mut out), Err(limit.clone()));
    assert_eq!(out, b"before", "what cannot be sent leaves nothing behind");
    assert_eq!(json::decode(&text.replace("xx", "xxx").into_bytes()).unwrap_err().name(), "limit");
}

#[test]
fn what_is_out_of_range_is_not_sent_either() {
    type Spoil = fn(&mut ControlMessage);
    let cases: [(&str, Spoil); 13] = [
        ("message_id", |m| m.message_id = MESSAGE_ID_MAX + 1),
        ("session_id", |m| m.session_id = "".into()),
        ("session_id", |m| m.session_id = "x".repeat(129).into()),
        ("from_timestamp", |m| {
            m.message_type = MessageType::ConfirmSpeculation { from_timestamp: 4, to_timestamp: 4 };
        }),
        ("suggested_batch_size", |m| m.message_type = MessageType::BatchHint { suggested_batch_size: 0 }),
        ("deadline_us", |m| m.message_type = MessageType::DeadlineWarning { deadline_us: 0 }),
        ("Ack.message_id", |m| {
            m.message_type = MessageType::Ack { message_id: u64::MAX, stage: AckStage::Applied };
        }),
        ("AnswerStarted.line", |m| m.message_type = MessageType::AnswerStarted { line: u64::MAX }),
        ("LineDropped.line", |m| {
            m.message_type = MessageType::LineDropped { line: MESSAGE_ID_MAX + 1, reason: "full".into() };
        }),
        ("ReplyTo.request", |m| {
            m.message_type = MessageType::ReplyTo { request: u64::MAX, text: "x".into(), last: true };
        }),
        ("ReplyRequested.request", |m| {
            m.message_type = MessageType::ReplyRequested { request: u64::MAX, text: "x".into() };
        }),
        ("ReplyCancelled.request", |m| {
            m.message_type = MessageType::ReplyCancelled { request: MESSAGE_ID_MAX + 1 };
        }),
        ("Line.until_us", |m| {
            m.message_type = MessageType::Line { text: "x".into(), from_us: 2, until_us: Some(1) };
        }),
    ];
    for (want, spoil) in cases {
        let mut message = known()["cancel_answer"].clone();
        spoil(&mut message);
        let mut out = b"before".to_vec();
        for result in [json::encode_into(&message, &mut out), binary::encode_into(&message, &mut out)] {
            assert!(
                matches!(&result, Err(MessageError::Field { field, .. }) if *field == want),
                "{result:?}"
            );
        }
        assert_eq!(out, b"before", "{want}");
    }
}

#[test]
fn messages_follow_each_other_in_one_buffer() {
    let (mut out, messages) = (Vec::new(), known());
    for message in messages.values() {
        binary::encode_into(message, &mut out).unwrap();
    }
    let mut rest = out.as_slice();
    for (name, message) in &messages {
        assert_eq!(binary::length(rest).unwrap(), binary_of(message).len(), "{name}");
        let (arrival, used) = binary::decode(rest).unwrap();
        assert_eq!(message_of(arrival), *message, "{name}");
        rest = &rest[used..];
    }
    assert_eq!(rest, b"");
}

#[test]
fn the_labelled_form_is_the_same_message() {
    let message = &known()["cancel_speculation"];
    let mut out = Vec::new();
    json::encode_labelled_into(message, &mut out).unwrap();
    let want = json_of(message).replacen('{', "{\"type\":\"control_message\",", 1);
    assert_eq!(String::from_utf8(out.clone()).unwrap(), want);
    assert_eq!(message_of(json::decode(&out).unwrap()), *message);
}

#[test]
fn segment_ids_are_the_same_everywhere() {
    assert_eq!(SEGMENT_NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_URL, b"urn:mynah:segment"));
    let cases: Vec<Value> = serde_json::from_str(&vectors()["segment_ids.json"]).unwrap();
    assert!(cases.len() > 5);
    let mut seen = BTreeSet::new();
    for case in &cases {
        let number = |key: &str| u32::try_from(case[key].as_u64().unwrap()).unwrap();
        let id = segment_id(case["session"].as_str().unwrap(), number("opening"), number("serial"));
        assert_eq!(id.to_string(), case["segment_id"].as_str().unwrap(), "{case}");
        assert!(seen.insert(id), "{case} shares its id");
    }
}

#[test]
fn what_is_received_is_sorted_and_counted() {
    let message = known()["cancel_answer"].clone();
    let (text, now) = (json_of(&message), TIMESTAMP_US);
    let mut other_header = message.clone();
    other_header.timestamp -= 1;
    let mut overruled = binary_of(&other_header);
    let at = overruled.len() - text.len();
    overruled[at..].copy_from_slice(text.as_bytes());
    let mut intake = MessageIntake::default();
    let processed = |taken: Taken| matches!(taken, Taken::Message(message) if message.message_id == 7);

    assert!(processed(intake.take(now, Some(SESSION), json::decode(text.as_bytes()))));
    assert!(processed(intake.take(now + STALE_US, None, json::decode(text.as_bytes()))));
    assert_eq!((intake.figures().accepted, intake.figures().stale), (2, 0), "exactly 1 s old is not older");
    assert!(processed(intake.take(now + STALE_US + 1, Some(SESSION), json::decode(text.as_bytes()))));
    assert!(
        processed(intake.take(0, Some("other"), json::decode(text.as_bytes()))),
        "from the future: no matter"
    );
    assert!(processed(intake.take(
        now,
        Some(SESSION),
        binary::decode(&overruled).map(|(arrival, _)| arrival)
    )));
    let unknown = text.replace("CancelAnswer", "RaiseHand");
    assert_eq!(intake.take(now, Some(SESSION), json::decode(unknown.as_bytes())), Taken::Ignored);
    let rejected = intake.take(now, Some(SESSION), json::decode(b"{"));
    assert!(matches!(rejected, Taken::Rejected { error: MessageError::Json { .. }, log: Some(_) }));

    let figures = intake.figures();
    assert_eq!((figures.accepted, figures.rejected, figures.unknown_type), (5, 1, 1));
    assert_eq!((figures.session_mismatch, figures.stale, figures.overruled), (1, 1, 1));
}

#[test]
fn rejections_are_logged_once_a_second_at_most() {
    let mut intake = MessageIntake::default();
    let mut line = |ms: u64| match intake.take(ms * 1_000, None, json::decode(b"[]")) {
        Taken::Rejected { log, .. } => log,
        other => panic!("{other:?}"),
    };
    assert!(
        line(5_000).is_some_and(|line| line.starts_with("control message rejected: no control message: "))
    );
    assert_eq!([line(5_001), line(5_500), line(5_999)], [None, None, None]);
    assert!(line(6_000).is_some_and(|line| line.ends_with("(3 more since the last line)")));
    assert_eq!(line(6_400), None);
    assert!(line(2_000).is_some(), "a clock that was set back does not silence the log");
    assert_eq!(intake.figures().rejected, 7);
}

#[test]
fn a_session_id_is_shared_and_empty_metadata_costs_a_word() {
    let session: Arc<str> = SESSION.into();
    let message = ControlMessage::new(Arc::clone(&session), 0, MessageType::CancelAnswer {});
    assert!(Arc::ptr_eq(&message.clone().session_id, &session));
    assert_eq!(size_of_val(&message.metadata), size_of::<usize>());
    assert!(size_of::<ControlMessage>() <= 136, "{}", size_of::<ControlMessage>());
}
