//! The bytes between engines and workers: vectors that the tests of every language read, and bytes of all kinds.
//!
//! `SNAPSHOTS=overwrite cargo test -p mynah-worker --test wire` writes the vectors.

use std::path::PathBuf;

use mynah_engine::serde_json::{Value, from_str, json, to_string_pretty, to_value};
use mynah_worker::wire::{
    AckStep, AudioPart, CallWords, CodecError, DataPart, Envelope, FromWorker, HearsRate, PAYLOAD_BYTES_MAX,
    Said, SampleFormat, SpeaksRate, TextPart, ToWorker, WireHead, WorkerTask, encode_audio, encode_control,
    encode_text,
};
use proptest::prelude::*;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/worker/messages.json")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// What a message says, as JSON; `error` where it cannot be read.
fn meaning(direction: &str, bytes: &[u8]) -> Value {
    let read = |bytes| -> Result<Value, CodecError> {
        let head = WireHead::read(bytes)?;
        let (session, timestamp_us) = (head.session, head.timestamp_us);
        let body = match (head.kind, direction) {
            (1 | 3, _) => match DataPart::decode(bytes)?.1 {
                DataPart::Audio(audio) => json!({
                    "type": "audio", "call": audio.call, "part": audio.part, "rate_hz": audio.rate_hz,
                    "channels": audio.channels, "last": audio.last, "samples": audio.samples,
                }),
                DataPart::Text(text) => {
                    json!({"type": "text", "call": text.call, "part": text.part, "last": text.last, "text": text.text})
                }
            },
            (_, "down") => control(Envelope::<ToWorker>::decode(bytes)?),
            _ => control(Envelope::<FromWorker>::decode(bytes)?),
        };
        let mut body = body;
        body["session"] = session.into();
        body["timestamp_us"] = timestamp_us.into();
        Ok(body)
    };
    read(bytes).unwrap_or_else(|_| json!({"error": true}))
}

fn control<T: serde::Serialize>(said: Said<T>) -> Value {
    match said {
        Said::Known(envelope) => json!({
            "type": "control", "message_id": envelope.message_id,
            "message_type": to_value(envelope.message_type).expect("it came from JSON"),
        }),
        Said::Unknown { name } => json!({"type": "control", "unknown": name}),
    }
}

fn envelope<T: serde::Serialize>(session: &str, message_id: u64, message_type: T) -> Vec<u8> {
    let timestamp = 1_700_000_000_000_000;
    encode_control(&Envelope { message_id, session_id: session.into(), timestamp, message_type })
        .expect("it is short")
}

fn call() -> CallWords {
    CallWords {
        call: 12,
        attempt: 1,
        task: WorkerTask::Synthesize,
        segment: 3,
        turn: 2,
        revision: 4,
        text: "Grüß Gott.".into(),
        from_us: 1_000,
        to_us: 2_000,
        parts: 0,
        reduced: true,
        deadline_us: 250_000,
        params: from_str(r#"{"voice": "low", "pitch": 1.5}"#).expect("it is a map"),
        history: from_str(
            r#"[{"entry": "said", "by": "user", "turn": 1, "text": "hi", "interrupted": false},
                {"entry": "tool_call", "turn": 1, "call_id": "a", "name": "look", "arguments": "{}"},
                {"entry": "tool_result", "turn": 1, "call_id": "a", "result": "42"}]"#,
        )
        .expect("they are entries"),
        speaks: Some(SpeaksRate { rate_hz: 24_000 }),
    }
}

fn down() -> Vec<(&'static str, Vec<u8>)> {
    let audio = AudioPart {
        call: 7,
        part: 0,
        from_us: 1_500_000,
        rate_hz: 16_000,
        channels: 2,
        last: true,
        samples: vec![0.0, 0.5, -0.5, 1.0],
    };
    let welcome = ToWorker::Welcome {
        worker: "12-0a0b0c0d".into(),
        protocol: 1,
        engine_pid: 99,
        heartbeat_ms: 250,
        hears: Some(HearsRate { rate_hz: 16_000, channels: 1 }),
        speaks: None,
    };
    let result = ToWorker::ToolResult { call: 12, call_id: "a".into(), result: "42".into() };
    let refused = ToWorker::Refused { worker: "12-0a0b0c0d".into(), reason: "no".into() };
    vec![
        ("audio, 32 bits, two channels, last", encode_audio("s1", &audio, SampleFormat::F32).expect("short")),
        ("welcome", envelope("", 1, welcome)),
        ("refused", envelope("", 2, refused)),
        ("call", envelope("s1", 3, ToWorker::Call(Box::new(call())))),
        ("cancel", envelope("s1", 4, ToWorker::Cancel { call: 12 })),
        ("result of a tool", envelope("s1", 5, result)),
        ("heartbeat", envelope("", 6, ToWorker::Heartbeat {})),
        ("close", envelope("s1", 7, ToWorker::Close { session: "s1".into() })),
        ("goodbye", envelope("", 8, ToWorker::Goodbye { reason: "the service has ended".into() })),
        ("a type of a later version", envelope("s1", 9, json!({"Juggle": {"balls": 3}}))),
    ]
}

fn up() -> Vec<(&'static str, Vec<u8>)> {
    let audio = AudioPart {
        call: 7,
        part: 3,
        from_us: 0,
        rate_hz: 24_000,
        channels: 1,
        last: false,
        samples: vec![0.0, 0.5, -1.0, 0.25],
    };
    let text = TextPart { call: 7, part: 4, last: false, text: "Grüß ".into() };
    let hello = FromWorker::Hello {
        protocol: 1,
        worker: "12-0a0b0c0d".into(),
        pid: 12,
        package: "mynah 0.1.0".into(),
        serves: "Reply".into(),
        name: "echo".into(),
        parallel: 4,
    };
    let wish = FromWorker::ToolCall {
        call: 7,
        parts: 1,
        call_id: "a".into(),
        name: "look".into(),
        arguments: "{\"at\": 1}".into(),
    };
    let failed = FromWorker::Failed { call: 7, reason: "ValueError: no".into(), parts: 2 };
    vec![
        ("audio, 16 bits", encode_audio("s1", &audio, SampleFormat::S16).expect("short")),
        ("text", encode_text("s1", &text).expect("short")),
        ("empty text, no session", encode_text("", &TextPart { text: "".into(), ..text }).expect("short")),
        ("hello", envelope("", 1, hello)),
        ("delivered", envelope("s1", 2, FromWorker::Ack { message_id: 3, stage: AckStep::Delivered })),
        ("applied", envelope("s1", 3, FromWorker::Ack { message_id: 4, stage: AckStep::Applied })),
        ("done", envelope("s1", 4, FromWorker::Done { call: 7, parts: 5, busy_us: 1_234 })),
        ("failed", envelope("s1", 5, failed)),
        ("partial", envelope("s1", 6, FromWorker::Partial { call: 7, text: "so far".into() })),
        ("tool call", envelope("s1", 7, wish)),
        ("await host", envelope("s1", 8, FromWorker::AwaitHost { call: 7, parts: 1 })),
        ("heartbeat", envelope("", 9, FromWorker::Heartbeat { busy: 2 })),
        ("goodbye", envelope("", 10, FromWorker::Goodbye { reason: "tired".into() })),
    ]
}

/// Messages that nobody may send.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let text =
        encode_text("s1", &TextPart { call: 1, part: 0, last: false, text: "x".into() }).expect("short");
    let audio = AudioPart {
        call: 1,
        part: 0,
        from_us: 0,
        rate_hz: 16_000,
        channels: 1,
        last: false,
        samples: vec![0.0],
    };
    let audio = encode_audio("s1", &audio, SampleFormat::S16).expect("short");
    let changed = |bytes: &[u8], at: usize, to: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = to;
        bytes
    };
    // The payload begins behind 15 fixed bytes and the session; the rate 12 bytes later, channels 4, the format 2 more.
    let payload = 15 + 2;
    let mut longer = text.clone();
    longer.push(0);
    vec![
        ("nothing", Vec::new()),
        ("cut", text[..text.len() - 1].to_vec()),
        ("one byte more", longer),
        ("another type", changed(&text, 0, 2)),
        ("a session of 514 bytes", changed(&text, 2, 2)),
        ("a session that is no UTF-8", changed(&text, 3, 0xff)),
        ("a text that is no UTF-8", changed(&text, text.len() - 1, 0xff)),
        ("no channels", changed(&audio, payload + 16, 0)),
        ("a rate of 128 Hz", changed(&audio, payload + 13, 0)),
        ("a format of 3", changed(&audio, payload + 18, 3)),
        ("half a sample", changed(&audio, payload + 18, 1)),
        ("no JSON", changed(&envelope("s1", 1, FromWorker::Heartbeat { busy: 1 }), 17, b'x')),
        ("a known type with a wrong field", envelope("s1", 1, json!({"Cancel": {"call": "seven"}, "x": 1}))),
    ]
}

/// The header of one that disagrees with its JSON.
fn disagrees() -> Vec<u8> {
    let mut bytes = envelope("s1", 4, ToWorker::Cancel { call: 12 });
    (bytes[4], bytes[5]) = (b'2', 1);
    bytes
}

#[test]
fn every_message_is_read_as_the_vectors_say() {
    let cases = |direction: &str, list: Vec<(&'static str, Vec<u8>)>| -> Vec<Value> {
        let case = |(name, bytes): (&str, Vec<u8>)| json!({"name": name, "direction": direction, "hex": hex(&bytes), "meaning": meaning(direction, &bytes)});
        list.into_iter().map(case).collect()
    };
    let mut all = cases("down", down());
    all.extend(cases("down", vec![("session and time of the header win", disagrees())]));
    all.extend(cases("up", up()));
    all.extend(cases("down", broken()));
    let written = to_string_pretty(&json!({"schema": 1, "messages": all})).expect("it is JSON") + "\n";
    // SNAPSHOTS=overwrite writes the vectors anew.
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(written, snapbox::Data::read_from(&path(), None).raw());
    let text = std::fs::read_to_string(path()).expect("the vectors are there");
    let vectors: Value = from_str(&text).expect("the vectors are JSON");
    for case in vectors["messages"].as_array().expect("a list") {
        let (name, direction) = (&case["name"], case["direction"].as_str().expect("a text"));
        let bytes = bytes(case["hex"].as_str().expect("a text"));
        assert_eq!(meaning(direction, &bytes), case["meaning"], "{name}");
    }
    let errors = all.iter().filter(|case| case["meaning"]["error"] == true).count();
    assert_eq!(errors, broken().len(), "{all:#?}");
}

#[test]
fn the_header_wins() {
    let Ok(Said::Known(message)) = Envelope::<ToWorker>::decode(&disagrees()) else {
        panic!("it is a cancel")
    };
    assert_eq!((&*message.session_id, message.timestamp & 0xff), ("s2", 1));
}

#[test]
fn limits_are_told_with_their_values() {
    let long = |length: usize| TextPart { call: 1, part: 0, last: false, text: "x".repeat(length).into() };
    let most = PAYLOAD_BYTES_MAX - 13;
    assert!(encode_text("s", &long(most)).is_ok());
    let error = encode_text("s", &long(most + 1)).expect_err("one more than the most");
    assert_eq!(error.to_string(), "payload of 65537 bytes: expected at most 65536");
    assert!(encode_text(&"s".repeat(129), &long(1)).is_err());
    let frames = AudioPart::frames_max(1, SampleFormat::F32);
    let audio = |frames| AudioPart {
        call: 1,
        part: 0,
        from_us: 0,
        rate_hz: 8_000,
        channels: 1,
        last: false,
        samples: vec![f32::NAN; frames],
    };
    let bytes = encode_audio("s", &audio(frames), SampleFormat::F32).expect("as many as fit");
    let (_, DataPart::Audio(read)) = DataPart::decode(&bytes).expect("it was written so") else { panic!() };
    assert!(read.samples.iter().all(|sample| *sample == 0.0), "what is no number is silent");
    assert!(encode_audio("s", &audio(frames + 1), SampleFormat::F32).is_err());
}

proptest! {
    #[test]
    fn bytes_of_all_kinds_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let read = |bytes: &[u8]| (
            DataPart::decode(bytes).is_ok(),
            Envelope::<ToWorker>::decode(bytes).is_ok(),
            Envelope::<FromWorker>::decode(bytes).is_ok(),
        );
        read(&bytes);
        // Most are wrong at once: the same again with a header that is right as far as it goes.
        if bytes.len() >= 15 {
            bytes[0] = [1, 3, 5][usize::from(bytes[0]) % 3];
            let session = usize::from(bytes[1]) % (bytes.len() - 14);
            (bytes[1], bytes[2]) = (session as u8, 0);
            bytes[3..3 + session].fill(b's');
            let payload = (bytes.len() - 15 - session) as u32;
            bytes[11 + session..15 + session].copy_from_slice(&payload.to_le_bytes());
            read(&bytes);
        }
    }

    #[test]
    fn a_vector_with_changed_bytes_is_read_or_refused(
        at in any::<proptest::sample::Index>(), which in any::<proptest::sample::Index>(), to in any::<u8>(),
    ) {
        let all: Vec<_> = down().into_iter().chain(up()).collect();
        let (_, mut bytes) = all[which.index(all.len())].clone();
        let at = at.index(bytes.len());
        bytes[at] = to;
        meaning("down", &bytes);
        meaning("up", &bytes);
    }

    #[test]
    fn what_is_written_is_read(
        call in any::<u64>(), part in any::<u32>(), last in any::<bool>(), session in "[a-z]{0,20}",
        text in ".{0,50}", samples in proptest::collection::vec(-1.0_f32..1.0, 0..100),
    ) {
        let audio = AudioPart { call, part, from_us: 5, rate_hz: 48_000, channels: 1, last, samples };
        let bytes = encode_audio(&session, &audio, SampleFormat::F32).expect("short");
        prop_assert_eq!(DataPart::decode(&bytes), Ok((&*session, DataPart::Audio(audio))));
        let text = TextPart { call, part, last, text: text.into() };
        let bytes = encode_text(&session, &text).expect("short");
        prop_assert_eq!(DataPart::decode(&bytes), Ok((&*session, DataPart::Text(text))));
    }
}
