//! Whatever bytes arrive, decoding ends with a message or an error; and what was encoded comes back as it was.

use std::sync::Arc;

use mynah_engine::edge::{Line, Say, Words};
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::{
    AckStage, Arrival, ControlMessage, MESSAGE_ID_MAX, MessageType, binary, json,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{binary_of, json_of, message_of};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(Map::from_iter(map))),
        ]
    })
}

fn text() -> impl Strategy<Value = Arc<str>> {
    any::<String>().prop_map(Arc::from)
}

/// What is said of speech, advice and receipts.
fn spoken() -> impl Strategy<Value = MessageType> {
    let stretch = || {
        (any::<u64>(), any::<u64>())
            .prop_filter("not empty", |(a, b)| a != b)
            .prop_map(|(a, b)| (a.min(b), a.max(b)))
    };
    let stage = prop_oneof![Just(AckStage::Delivered), Just(AckStage::Applied)];
    prop_oneof![
        (stretch(), any::<bool>()).prop_map(|((from_timestamp, to_timestamp), late)| {
            MessageType::CancelSpeculation { from_timestamp, to_timestamp, late }
        }),
        stretch().prop_map(|(from_timestamp, to_timestamp)| {
            MessageType::ConfirmSpeculation { from_timestamp, to_timestamp }
        }),
        (any::<u64>(), any::<bool>())
            .prop_map(|(at_timestamp, last)| MessageType::EndOfSpeech { at_timestamp, last }),
        any::<u64>().prop_map(|at_timestamp| MessageType::RetractEndOfSpeech { at_timestamp }),
        Just(MessageType::CancelAnswer {}),
        (1..=u32::MAX).prop_map(|suggested_batch_size| MessageType::BatchHint { suggested_batch_size }),
        (1..=u64::MAX).prop_map(|deadline_us| MessageType::DeadlineWarning { deadline_us }),
        (0..=MESSAGE_ID_MAX, stage).prop_map(|(message_id, stage)| MessageType::Ack { message_id, stage }),
    ]
}

fn say() -> impl Strategy<Value = MessageType> {
    let samples = prop_oneof![
        prop::collection::vec(
            prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL,
            1..400
        ),
        prop::collection::vec(any::<i16>().prop_map(|sample| f32::from(sample) / 32_768.0), 1..800),
    ];
    let clip = (text(), 8_000..=192_000_u32, 1..=8_u8, samples).prop_map(
        |(subtitle, rate_hz, channels, mut samples)| {
            let frames = samples.len().div_ceil(usize::from(channels));
            samples.resize(frames * usize::from(channels), 0.5);
            let format = Format { rate_hz, channels };
            Words::Clip(Arc::new(Clip { subtitle, format, samples: samples.into() }))
        },
    );
    let words = prop_oneof![text().prop_map(Words::Text), clip];
    let manner = (any::<bool>(), any::<i8>(), any::<bool>())
        .prop_map(|(interruptible, priority, wait)| Say { interruptible, priority, wait });
    (words, manner).prop_map(|(words, say)| MessageType::Say(Arc::new(Line { words, say })))
}

/// What a host wants.
fn wanted() -> impl Strategy<Value = MessageType> {
    let interrupt = prop_oneof![Just(InterruptMode::Soft), Just(InterruptMode::Now)];
    let gate = prop_oneof![Just(GateMode::Auto), Just(GateMode::Open), Just(GateMode::Shut)];
    let params = prop::collection::btree_map(any::<String>(), value(), 0..4);
    prop_oneof![
        say(),
        interrupt.prop_map(|mode| MessageType::Interrupt { mode }),
        gate.prop_map(|mode| MessageType::Gate { mode }),
        Just(MessageType::EndTurn {}),
        Just(MessageType::Discard {}),
        Just(MessageType::Respond {}),
        any::<u64>().prop_map(|us| MessageType::Heard { us }),
        text().prop_map(|text| MessageType::SendText { text }),
        params.prop_map(|params| MessageType::Set { params: Arc::new(params.into_iter().collect()) }),
        (text(), text()).prop_map(|(call_id, result)| MessageType::ToolResult { call_id, result }),
        (0..=MESSAGE_ID_MAX, text(), any::<bool>()).prop_map(|(request, text, last)| MessageType::ReplyTo {
            request,
            text,
            last
        }),
    ]
}

/// What an engine tells.
fn told() -> impl Strategy<Value = MessageType> {
    let line = 0..=MESSAGE_ID_MAX;
    let places = (any::<u64>(), any::<Option<u64>>());
    prop_oneof![
        (text(), any::<bool>()).prop_map(|(text, last)| MessageType::Transcript { text, last }),
        (text(), places).prop_map(|(text, (from_us, until_us))| {
            MessageType::Line { text, from_us, until_us: until_us.map(|until_us| until_us.max(from_us)) }
        }),
        line.clone().prop_map(|line| MessageType::AnswerStarted { line }),
        Just(MessageType::AnswerPaused {}),
        Just(MessageType::AnswerResumed {}),
        any::<u64>().prop_map(|heard_us| MessageType::AnswerInterrupted { heard_us }),
        any::<u64>().prop_map(|heard_us| MessageType::AnswerEnded { heard_us }),
        (line.clone(), text()).prop_map(|(line, reason)| MessageType::LineDropped { line, reason }),
        (line.clone(), text()).prop_map(|(request, text)| MessageType::ReplyRequested { request, text }),
        line.prop_map(|request| MessageType::ReplyCancelled { request }),
        (text(), text(), text()).prop_map(|(call_id, name, arguments)| MessageType::ToolCall {
            call_id,
            name,
            arguments
        }),
        (text(), text()).prop_map(|(service, reason)| MessageType::ServiceFailed { service, reason }),
        text().prop_map(|reason| MessageType::Closed { reason }),
    ]
}

fn message_type() -> impl Strategy<Value = MessageType> {
    prop_oneof![spoken(), wanted(), told()]
}

fn message() -> impl Strategy<Value = ControlMessage> {
    let session = any::<String>().prop_filter("1 to 128 bytes", |id| (1..=128).contains(&id.len()));
    let metadata = prop::collection::btree_map(any::<String>(), value(), 0..4);
    let about = (any::<Option<u128>>(), any::<Option<u32>>(), any::<Option<u32>>());
    (0..=MESSAGE_ID_MAX, session, any::<u64>(), about, metadata, message_type()).prop_map(
        |(message_id, session, timestamp, (segment, revision, turn), metadata, message_type)| {
            ControlMessage {
                message_id,
                target_segment_id: segment.map(Uuid::from_u128),
                revision,
                turn,
                metadata: Map::from_iter(metadata).into(),
                ..ControlMessage::new(session.into(), timestamp, message_type)
            }
        },
    )
}

/// What happens to a valid message on the way.
#[derive(Clone, Debug)]
enum Harm {
    Cut(prop::sample::Index),
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Harm::Cut),
        (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        (at(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        at().prop_map(Harm::Remove),
        (at(), at()).prop_map(|(one, other)| Harm::Swap(one, other)),
    ]
}

fn harmed(mut bytes: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match harm {
            Harm::Cut(at) => bytes.truncate(at.index(length)),
            Harm::Set(at, byte) => bytes[at.index(length)] = *byte,
            Harm::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Harm::Insert(at, more) => {
                drop(bytes.splice(at.index(length)..at.index(length), more.iter().copied()))
            }
            Harm::Remove(at) => drop(bytes.remove(at.index(length))),
            Harm::Swap(one, other) => bytes.swap(one.index(length), other.index(length)),
        }
    }
    bytes
}

/// Decodes `bytes` both ways; what comes out as a message can be sent on and stays the same.
fn survives(bytes: &[u8]) -> Result<(), TestCaseError> {
    let decoded = binary::decode(bytes);
    match (&decoded, binary::length(bytes)) {
        (Ok((_, used)), length) => {
            prop_assert!(*used <= bytes.len());
            prop_assert_eq!(length, Ok(*used));
        }
        (Err(_), Ok(length)) => prop_assert!(length <= bytes.len()),
        (Err(error), Err(other)) => prop_assert_eq!(error, &other),
    }
    for result in [decoded.map(|(arrival, _)| arrival), json::decode(bytes)] {
        match result {
            Ok(Arrival::Message { message, .. }) => {
                prop_assert!(message.check().is_ok());
                let again = json::decode(json_of(&message).as_bytes()).map(message_of);
                prop_assert_eq!(again.as_ref(), Ok(&message));
            }
            Ok(Arrival::UnknownType(name)) => prop_assert!(name.chars().count() <= 64),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encoded_comes_back(message in message()) {
        let (text, bytes) = (json_of(&message), binary_of(&message));
        prop_assert_eq!(&message_of(json::decode(text.as_bytes()).unwrap()), &message);
        let (arrival, used) = binary::decode(&bytes).unwrap();
        prop_assert_eq!(used, bytes.len());
        prop_assert_eq!(&message_of(arrival), &message);
    }

    #[test]
    fn arbitrary_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes)?;
        // Behind a type byte they get further.
        survives(&[&[binary::TYPE_CONTROL, 1, 0][..], &bytes].concat())?;
    }

    #[test]
    fn harmed_messages_are_survived(message in message(), harms in prop::collection::vec(harm(), 1..6)) {
        survives(&harmed(binary_of(&message), &harms))?;
        survives(&harmed(json_of(&message).into_bytes(), &harms))?;
    }

    #[test]
    fn every_cut_is_noticed(message in message()) {
        let (text, bytes) = (json_of(&message), binary_of(&message));
        for end in 0..bytes.len() {
            prop_assert_eq!(binary::decode(&bytes[..end]).unwrap_err().name(), "short");
        }
        for end in 0..text.len() {
            prop_assert_eq!(json::decode(&text.as_bytes()[..end]).unwrap_err().name(), "json");
        }
    }
}
