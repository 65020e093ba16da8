//! Control messages from the wire: refused with a reason, or a message that means the same on the next hop.

use std::sync::Arc;

use mynah_engine::edge::{Line, Words};
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::{
    AckStage, Arrival, ControlMessage, MESSAGE_BYTES_MAX, MESSAGE_ID_MAX, MessageIntake, MessageType,
    Metadata, SegmentNames, Taken, binary, json, segment_id,
};
use mynah_engine::{Control, Say};

use crate::bytes::Bytes;

/// The binary form. Bytes that begin with the type byte are a stream of messages; of all others the fields of a valid
/// message are made.
///
/// # Panics
/// When bytes panic the decoder, a length lies, or a message does not survive the next hop.
pub fn control_binary(data: &[u8]) {
    if data.first().is_some_and(|first| *first != binary::TYPE_CONTROL) {
        let message = made_of(&mut Bytes(data));
        if message.check().is_ok() {
            assert_eq!(hop(&message), Some(message.clone()), "it has changed on the way");
        }
    }
    let (mut rest, mut intake) = (data, MessageIntake::default());
    let mut messages = 0;
    while !rest.is_empty() {
        let decoded = binary::decode(rest);
        let length = binary::length(rest);
        match (&decoded, &length) {
            (Ok((_, used)), length) => assert_eq!(length.as_ref(), Ok(used)),
            (Err(_), Ok(length)) => assert!((1..=rest.len()).contains(length)),
            (Err(error), Err(other)) => assert_eq!(error, other),
        }
        messages += 1;
        judge(&mut intake, decoded.map(|(arrival, _)| arrival));
        let Ok(used) = length else { break };
        rest = &rest[used..];
    }
    let figures = intake.figures();
    assert_eq!(figures.accepted + figures.rejected + figures.unknown_type, messages);
}

/// The JSON form, labelled or not.
///
/// # Panics
/// When a text panics the decoder, or a message does not survive the next hop.
pub fn control_json(data: &[u8]) {
    judge(&mut MessageIntake::default(), json::decode(data));
}

fn judge(intake: &mut MessageIntake, arrival: Result<Arrival, mynah_engine::wire::message::MessageError>) {
    if let Ok(Arrival::UnknownType(name)) = &arrival {
        assert!(name.chars().count() <= 64);
        assert!(!name.contains(char::is_control), "{name:?}");
    }
    match intake.take(1_000_000, Some("a"), arrival) {
        Taken::Message(message) => survives(&message),
        Taken::Ignored => {}
        Taken::Rejected { error, log } => {
            let said = error.to_string();
            assert!(!said.is_empty() && !said.contains(char::is_control), "{said:?}");
            assert!(said.len() <= 2_048, "{} bytes about a bad message", said.len());
            assert!(log.is_none_or(|line| line.contains(&said)));
        }
    }
}

/// A message that was let in is in range, and the same after the next hop; what it means is found or is nothing.
fn survives(message: &ControlMessage) {
    assert_eq!(message.check(), Ok(()));
    if let Some(again) = hop(message) {
        assert_eq!(again, *message, "it has changed on the way");
    }
    let mut names = SegmentNames::new(Arc::clone(&message.session_id), 1);
    if let Some(control) = Control::from_message(message, &mut names)
        && let Some(back) = control.to_message(&message.session_id, 1, message.timestamp)
    {
        assert_eq!(back.check(), Ok(()));
        let again = Control::from_message(&back, &mut names);
        assert_eq!(again, Some(control), "the engine would be told something else");
    }
}

/// Over the wire in every form; all must agree. `None`: it does not fit into a message any more, as escapes have grown.
fn hop(message: &ControlMessage) -> Option<ControlMessage> {
    let (mut text, mut labelled, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let fits = json::encode_into(message, &mut text);
    if fits.is_err() {
        assert!(text.is_empty(), "something is left of a message that was not written");
        assert!(binary::encode_into(message, &mut bytes).is_err() && bytes.is_empty());
        return None;
    }
    assert!(text.len() <= MESSAGE_BYTES_MAX);
    let of = |arrival| match arrival {
        Ok(Arrival::Message { message, overruled }) => {
            assert!(!overruled.any(), "header and payload of one encoder disagree");
            message
        }
        other => panic!("{other:?} of {message:?}"),
    };
    let again = of(json::decode(&text));
    if json::encode_labelled_into(message, &mut labelled).is_ok() {
        assert_eq!(of(json::decode(&labelled)), again);
    }
    binary::encode_into(message, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
    let (arrival, used) = binary::decode(&bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((of(Ok(arrival)), used), (again.clone(), bytes.len()));
    let mut twice = Vec::new();
    assert_eq!(json::encode_into(&again, &mut twice), Ok(()));
    assert_eq!(twice, text, "a message has one text");
    Some(again)
}

/// A message with the fields that bytes name.
pub(crate) fn made_of(bytes: &mut Bytes<'_>) -> ControlMessage {
    let kind = bytes.u8();
    let name_bytes = usize::from(bytes.u8() % 132);
    let name = String::from_utf8_lossy(&bytes.take(name_bytes)).into_owned();
    let name: Arc<str> = name.into();
    let (a, b) = (bytes.u64(), bytes.u64());
    // The lower half as it always was, so that the corpus keeps its meaning.
    let message_type = match kind {
        0x80.. => with_texts(kind, a, b, bytes),
        _ => of_numbers(kind, a, b),
    };
    let mut message = ControlMessage::new(Arc::clone(&name), bytes.u64(), message_type);
    message.message_id = bytes.u64() % (MESSAGE_ID_MAX + 2);
    let which = bytes.u8();
    if which & 1 > 0 {
        message.target_segment_id = Some(match which & 2 {
            0 => segment_id(&name, 1, u32::from(bytes.u8())),
            _ => Uuid::from_u128(u128::from(bytes.u64()) << 64 | u128::from(bytes.u64())),
        });
    }
    message.revision = (which & 4 > 0).then(|| bytes.u32());
    message.turn = (which & 8 > 0).then(|| bytes.u32());
    let mut metadata = Metadata::default();
    while !bytes.is_empty() && metadata.iter().count() < 8 {
        let most = usize::from(bytes.u8());
        let key = String::from_utf8_lossy(&bytes.take(most % 32)).into_owned();
        match most >> 5 {
            0 => drop(metadata.insert(key, bytes.u64())),
            1 => drop(metadata.insert(key, bytes.u64() as i64)),
            2 => drop(metadata.insert(key, f64::from_bits(bytes.u64()))),
            _ => {
                let length = usize::from(bytes.u16());
                drop(metadata.insert(key, String::from_utf8_lossy(&bytes.take(length)).into_owned()));
            }
        }
    }
    message.metadata = metadata;
    message
}

/// A type that has no text.
fn of_numbers(kind: u8, a: u64, b: u64) -> MessageType {
    match kind % 8 {
        0 => MessageType::CancelSpeculation { from_timestamp: a, to_timestamp: b, late: kind & 8 > 0 },
        1 => MessageType::ConfirmSpeculation { from_timestamp: a, to_timestamp: b },
        2 => MessageType::EndOfSpeech { at_timestamp: a, last: kind & 8 > 0 },
        3 => MessageType::RetractEndOfSpeech { at_timestamp: a },
        4 => MessageType::CancelAnswer {},
        5 => MessageType::BatchHint { suggested_batch_size: a as u32 },
        6 => MessageType::DeadlineWarning { deadline_us: a },
        _ => {
            let stage = if kind & 8 > 0 { AckStage::Applied } else { AckStage::Delivered };
            MessageType::Ack { message_id: a, stage }
        }
    }
}

/// A type of what a host wants or an engine tells.
fn with_texts(kind: u8, a: u64, b: u64, bytes: &mut Bytes<'_>) -> MessageType {
    let mut text = || {
        let length = usize::from(bytes.u16());
        Arc::from(String::from_utf8_lossy(&bytes.take(length)))
    };
    let flag = kind & 0x20 > 0;
    match kind % 0x20 {
        0 => MessageType::Say(said(Words::Text(text()), a)),
        1 => MessageType::Say(said(recorded(text(), a, b, bytes), a)),
        2 => MessageType::Interrupt { mode: if flag { InterruptMode::Soft } else { InterruptMode::Now } },
        3 => MessageType::Gate { mode: bytes.pick(&[GateMode::Auto, GateMode::Open, GateMode::Shut]) },
        4 => MessageType::EndTurn {},
        5 => MessageType::Discard {},
        6 => MessageType::Respond {},
        7 => MessageType::Heard { us: a },
        8 => MessageType::SendText { text: text() },
        9 => {
            let params = [text(), text()].map(|text| (text.to_string(), text.len().into()));
            MessageType::Set { params: Arc::new(params.into_iter().collect()) }
        }
        10 => MessageType::ToolResult { call_id: text(), result: text() },
        11 => MessageType::Transcript { text: text(), last: flag },
        12 => MessageType::Line { text: text(), from_us: a, until_us: flag.then_some(b) },
        13 => MessageType::AnswerStarted { line: a },
        14 => MessageType::AnswerPaused {},
        15 => MessageType::AnswerResumed {},
        16 => MessageType::AnswerInterrupted { heard_us: a },
        17 => MessageType::AnswerEnded { heard_us: a },
        18 => MessageType::LineDropped { line: a, reason: text() },
        19 => MessageType::ToolCall { call_id: text(), name: text(), arguments: text() },
        20 => MessageType::ServiceFailed { service: text(), reason: text() },
        21 => MessageType::ReplyTo { request: a, text: text(), last: flag },
        22 => MessageType::ReplyRequested { request: a, text: text() },
        23 => MessageType::ReplyCancelled { request: a },
        _ => MessageType::Closed { reason: text() },
    }
}

fn said(words: Words, a: u64) -> Arc<Line> {
    let [priority, interruptible, wait, ..] = a.to_le_bytes();
    let say = Say { interruptible: interruptible & 1 > 0, priority: priority as i8, wait: wait & 1 > 0 };
    Arc::new(Line { words, say })
}

/// A clip with whatever samples and format the bytes name.
fn recorded(subtitle: Arc<str>, a: u64, b: u64, bytes: &mut Bytes<'_>) -> Words {
    let format = Format { rate_hz: b as u32, channels: (a >> 24) as u8 };
    let count = usize::from(bytes.u8());
    let sample = |bytes: &mut Bytes<'_>| match a >> 32 & 1 {
        0 => f32::from(bytes.u16() as i16) / 32_768.0,
        _ => f32::from_bits(bytes.u32()),
    };
    let samples = (0..count).map(|_| sample(bytes)).collect();
    Words::Clip(Arc::new(Clip { subtitle, format, samples }))
}
