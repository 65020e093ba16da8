//! Control messages as parts of a stream: the vectors of tests/vectors/protobuf byte for byte, and what is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mynah_engine::wire::message::{
    Arrival, ControlMessage, MESSAGE_BYTES_MAX, MessageError, MessageType, json,
};
use mynah_serve_grpc::proto::{self, ClientPart, Control, ServerPart, client_part, control::What};
use mynah_serve_grpc::wire;
use prost::Message as _;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../tests/vectors").join(name)
}

/// Names of the files with this ending.
fn names(of: &str, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder(of)).expect("the vectors are part of the checkout").flatten();
    let paths =
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|one| one == ending));
    paths.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn message_of(arrival: Option<Arrival>) -> ControlMessage {
    match arrival {
        Some(Arrival::Message { message, .. }) => message,
        other => panic!("no message: {other:?}"),
    }
}

#[test]
fn every_vector_reads_and_writes_byte_for_byte() {
    let mut messages = BTreeSet::new();
    for name in names("control", "json") {
        let text = fs::read_to_string(folder("control").join(format!("{name}.json"))).unwrap();
        let Ok(Arrival::Message { message, .. }) = json::decode(text.trim_end().as_bytes()) else { continue };
        let hex = fs::read_to_string(folder("protobuf").join(format!("{name}.hex")))
            .unwrap_or_else(|error| panic!("{name}.hex: {error}"));
        let bytes = bytes_of(&hex);
        assert_eq!(wire::to_client(&message).encode_to_vec(), bytes, "{name}");
        assert_eq!(wire::to_server(&message).encode_to_vec(), bytes, "{name}");
        let of_server = wire::of_server(ServerPart::decode(&*bytes).unwrap()).unwrap();
        let of_client = wire::of_client(ClientPart::decode(&*bytes).unwrap()).unwrap();
        assert_eq!(message_of(of_server), message, "{name}");
        assert_eq!(message_of(of_client), message, "{name}");
        messages.insert(name);
    }
    assert!(messages.len() > 40, "{messages:?}");
    assert_eq!(names("protobuf", "hex"), messages, "vectors that nothing reads");
}

fn read(what: Option<What>) -> Result<Option<Arrival>, MessageError> {
    wire::of_client(ClientPart {
        part: Some(client_part::Part::Control(Control { what })),
        session_id: "caller".into(),
        message_id: 1,
        ..ClientPart::default()
    })
}

#[test]
fn values_that_a_field_cannot_have_are_named() {
    let clip = |encoding, samples: &'static [u8]| {
        let clip = proto::Clip {
            encoding,
            rate_hz: 16_000,
            channels: 1,
            samples: samples.into(),
            ..Default::default()
        };
        What::Say(proto::Say { words: Some(proto::say::Words::Clip(clip)), ..Default::default() })
    };
    let say = |words: Option<&str>, priority| {
        let words = words.map(|text| proto::say::Words::Text(text.into()));
        What::Say(proto::Say { words, priority: Some(priority), ..Default::default() })
    };
    let rows = [
        (What::Ack(proto::Ack { message_id: 1, stage: 0 }), "Ack.stage"),
        (What::Interrupt(proto::Interrupt { mode: 3 }), "Interrupt.mode"),
        (What::Gate(proto::Gate { mode: -1 }), "Gate.mode"),
        (What::Set(proto::Set { params_json: "{".into() }), "Set.params_json"),
        (What::Set(proto::Set { params_json: "[1]".into() }), "Set.params_json"),
        (say(None, 0), "Say.words"),
        (say(Some("Good morning."), 128), "Say.priority"),
        (clip(2, &[0, 0]), "Say.clip.encoding"),
        (clip(0, &[0, 0, 0]), "Say.clip.samples"),
        (clip(1, &[0, 0]), "Say.clip.samples"),
    ];
    for (what, expected) in rows {
        match read(Some(what.clone())) {
            Err(MessageError::Field { field, .. }) => assert_eq!(field, expected, "{what:?}"),
            other => panic!("{what:?}: {other:?}"),
        }
    }
}

#[test]
fn what_stands_beside_the_arm_is_judged_too() {
    let with = |change: fn(&mut ClientPart)| {
        let what = Some(What::EndTurn(proto::EndTurn {}));
        let part = Some(client_part::Part::Control(Control { what }));
        let mut part = ClientPart { part, session_id: "caller".into(), ..ClientPart::default() };
        change(&mut part);
        wire::of_client(part)
    };
    assert!(matches!(with(|_| {}), Ok(Some(Arrival::Message { .. }))));
    let not_hyphenated =
        with(|part| part.target_segment_id = Some("bdcc9b9e644852a1840df205b17fd296".into()));
    let no_object = with(|part| part.metadata_json = "7".into());
    let long = with(|part| part.metadata_json = " ".repeat(MESSAGE_BYTES_MAX));
    for (found, name) in [(not_hyphenated, "field"), (no_object, "field"), (long, "limit")] {
        assert_eq!(found.expect_err(name).name(), name);
    }
}

#[test]
fn what_is_left_out_is_as_in_the_json_form() {
    let words = Some(proto::say::Words::Text("Good morning.".into()));
    let found = read(Some(What::Say(proto::Say { words, ..Default::default() }))).unwrap();
    let MessageType::Say(line) = message_of(found).message_type else { panic!("it is a line") };
    assert_eq!(line.say, mynah_engine::Say::default());
}

#[test]
fn arms_of_tomorrow_and_judge_are_unknown_and_no_error() {
    for what in [None, Some(What::Judge(proto::Judge { p_end: 0.5 }))] {
        assert!(matches!(read(what), Ok(Some(Arrival::UnknownType(_)))));
    }
    let audio = client_part::Part::Audio(proto::Audio::default());
    assert_eq!(wire::of_client(ClientPart { part: Some(audio), ..Default::default() }), Ok(None));
}
