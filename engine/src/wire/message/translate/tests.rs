use super::*;
use crate::edge::control::RESULT_BYTES_MAX;
use crate::edge::line::{Line, Say, Words};
use crate::edge::params::Params;
use crate::edge::session_event::{CloseReason, ToolCall};
use crate::media::clip::Clip;
use crate::scene::Format;
use crate::speech::line_drop::LineDrop;
use crate::speech::overrides::{GateMode, InterruptMode};
use crate::speech::segment::CancelReason;
use crate::wire::message::{AckStage, Arrival, binary};

const GENERATION: u32 = 3;

fn session() -> Arc<str> {
    "caller".into()
}

/// The message as it arrives at the other end.
fn arrived(message: &ControlMessage) -> ControlMessage {
    let mut bytes = Vec::new();
    binary::encode_into(message, &mut bytes).expect("its values are within their ranges");
    let (arrival, _) = binary::decode(&bytes).expect("what was encoded can be decoded");
    let Arrival::Message { message, .. } = arrival else { panic!("{message:?}: {arrival:?}") };
    message
}

fn of_speech() -> Vec<Control> {
    vec![
        Control::ConfirmSpeculation { segment: 5, turn: 2, from_us: 10, to_us: 20 },
        Control::CancelSpeculation { segment: 6, from_us: 0, to_us: 9, late: true },
        Control::EndOfSpeech { segment: 7, revision: 2, at_us: 11, last: false },
        Control::EndOfSpeech { segment: 7, revision: 0, at_us: 11, last: true },
        Control::RetractEndOfSpeech { segment: 8, revision: 1, at_us: 12 },
        Control::CancelAnswer { turn: 4 },
        Control::BatchHint { size: 3 },
        Control::DeadlineWarning { turn: 2, left_us: 500 },
    ]
}

fn of_a_host() -> Vec<Control> {
    let clip = |samples: &[f32]| {
        let format = Format { rate_hz: 16_000, channels: 2 };
        Words::Clip(Arc::new(Clip { subtitle: "Hm.".into(), format, samples: samples.into() }))
    };
    let say = |words, say| Control::Say(Arc::new(Line { words, say }));
    let loud = Say { interruptible: false, priority: -3, wait: false };
    let params = Params::new().with("voice", "low").with("rate", 1.25).with("old", serde_json::Value::Null);
    vec![
        say(Words::Text("Who goes there? \u{1f99c}\n".into()), Say::default()),
        say(clip(&[0.0, -1.0, 32_767.0 / 32_768.0, 0.5]), loud),
        say(clip(&[0.1, -0.0, 1.0, f32::MIN_POSITIVE]), Say { priority: i8::MAX, ..loud }),
        Control::Interrupt { mode: InterruptMode::Soft },
        Control::Interrupt { mode: InterruptMode::Now },
        Control::Gate { mode: GateMode::Auto },
        Control::Gate { mode: GateMode::Open },
        Control::Gate { mode: GateMode::Shut },
        Control::EndTurn,
        Control::Discard,
        Control::Respond,
        Control::Heard { turn: 9, us: 1_250_000 },
        Control::SendText { text: "two coffees".into() },
        Control::Set { params: Arc::new(params) },
        Control::Set { params: Arc::default() },
        Control::ToolResult { call_id: "call_1".into(), result: "{\"ok\": true}".into() },
    ]
}

#[test]
fn what_is_told_survives_the_wire() {
    let mut names = SegmentNames::new(session(), GENERATION);
    for control in of_speech().into_iter().chain(of_a_host()) {
        let message = arrived(&control.to_message(&session(), GENERATION, 77).expect("it is a message"));
        assert_eq!((message.timestamp, &*message.session_id), (77, "caller"));
        assert_eq!(Control::from_message(&message, &mut names), Some(control.clone()));
        let mut others = SegmentNames::new(session(), GENERATION + 1);
        let elsewhere = Control::from_message(&message, &mut others);
        assert_eq!(elsewhere.is_none(), message.target_segment_id.is_some(), "{control:?}: another opening");
    }
    let empty = Control::CancelSpeculation { segment: 1, from_us: 7, to_us: 7, late: false };
    assert!(empty.to_message(&session(), GENERATION, 0).is_some_and(|message| message.check().is_ok()));
    for control in [Control::Closed, Control::Applied { message_id: 4 }] {
        assert_eq!(control.to_message(&session(), GENERATION, 0), None);
    }
}

#[test]
fn a_message_without_what_its_type_needs_means_nothing() {
    let mut names = SegmentNames::new(session(), GENERATION);
    for what in [
        MessageType::Ack { message_id: 1, stage: AckStage::Applied },
        MessageType::CancelAnswer {},
        MessageType::Heard { us: 1 },
        MessageType::EndOfSpeech { at_timestamp: 1, last: true },
    ] {
        let message = ControlMessage::new(session(), 0, what);
        assert_eq!(Control::from_message(&message, &mut names), None, "{message:?}");
    }
}

/// Every event that is a message, with segment, revision and turn of that message.
fn events() -> Vec<(SessionEvent, MessageType, About)> {
    let (from_us, to_us) = (10, 20);
    let text: Arc<str> = "Good evening.".into();
    let stretch =
        |from_timestamp, to_timestamp| MessageType::ConfirmSpeculation { from_timestamp, to_timestamp };
    let reason = CancelReason::NotSustained;
    let segment = |segment, revision, turn| About { segment, revision, turn };
    let call = ToolCall {
        turn: 4,
        call_id: "call_1".into(),
        name: "lights".into(),
        arguments: "{\"on\":true}".into(),
    };
    let (call_id, name, arguments) = (call.call_id.clone(), call.name.clone(), call.arguments.clone());
    vec![
        (
            SessionEvent::SpeechConfirmed { segment: 5, turn: 2, from_us, to_us },
            stretch(10, 20),
            segment(5, None, Some(2)),
        ),
        (
            SessionEvent::SpeechCancelled { segment: 6, reason, from_us, to_us, late: true },
            MessageType::CancelSpeculation { from_timestamp: 10, to_timestamp: 20, late: true },
            segment(6, None, None),
        ),
        (
            SessionEvent::EndOfSpeech { segment: 7, revision: 1, at_us: 30, last: false },
            MessageType::EndOfSpeech { at_timestamp: 30, last: false },
            segment(7, Some(1), None),
        ),
        (
            SessionEvent::EndOfSpeechRetracted { segment: 7, revision: 1, at_us: 30 },
            MessageType::RetractEndOfSpeech { at_timestamp: 30 },
            segment(7, Some(1), None),
        ),
        (
            SessionEvent::Transcript { segment: 7, revision: 2, turn: 3, text: text.clone(), last: true },
            MessageType::Transcript { text: text.clone(), last: true },
            segment(7, Some(2), Some(3)),
        ),
        (
            SessionEvent::Transcript { segment: 0, revision: 0, turn: 3, text: text.clone(), last: true },
            MessageType::Transcript { text: text.clone(), last: true },
            About::turn(3),
        ),
        (
            SessionEvent::Line { turn: 4, text: text.clone(), from_us, until_us: None },
            MessageType::Line { text: text.clone(), from_us, until_us: None },
            About::turn(4),
        ),
        (
            SessionEvent::Line { turn: 4, text: text.clone(), from_us, until_us: Some(9) },
            MessageType::Line { text: text.clone(), from_us, until_us: Some(10) },
            About::turn(4),
        ),
        (
            SessionEvent::AnswerStarted { turn: 4, line: 12 },
            MessageType::AnswerStarted { line: 12 },
            About::turn(4),
        ),
        (SessionEvent::AnswerPaused { turn: 4 }, MessageType::AnswerPaused {}, About::turn(4)),
        (SessionEvent::AnswerResumed { turn: 4 }, MessageType::AnswerResumed {}, About::turn(4)),
        (
            SessionEvent::AnswerInterrupted { turn: 4, heard_us: 5 },
            MessageType::AnswerInterrupted { heard_us: 5 },
            About::turn(4),
        ),
        (
            SessionEvent::AnswerEnded { turn: 4, heard_us: 6 },
            MessageType::AnswerEnded { heard_us: 6 },
            About::turn(4),
        ),
        (
            SessionEvent::LineDropped { line: 12, reason: LineDrop::Outranked },
            MessageType::LineDropped { line: 12, reason: "outranked".into() },
            About::NOTHING,
        ),
        (
            SessionEvent::ToolCall(Arc::new(call)),
            MessageType::ToolCall { call_id, name, arguments },
            About::turn(4),
        ),
        (
            SessionEvent::ServiceFailed { turn: 4, service: "llm".into(), reason: "timed out".into() },
            MessageType::ServiceFailed { service: "llm".into(), reason: "timed out".into() },
            About::turn(4),
        ),
        (
            SessionEvent::DeadlineWarning { turn: 4, left_us: 0 },
            MessageType::DeadlineWarning { deadline_us: 1 },
            About::turn(4),
        ),
        (
            SessionEvent::Closed { reason: CloseReason::Refused("full".into()) },
            MessageType::Closed { reason: "refused: full".into() },
            About::NOTHING,
        ),
    ]
}

#[test]
fn every_event_arrives_as_the_message_it_is() {
    for (event, what, about) in events() {
        let message = event.to_message(&session(), GENERATION, 77).expect("it is a message");
        assert_eq!(message, about.message(&session(), GENERATION, 77, what), "{event:?}");
        assert_eq!(arrived(&message), message, "{event:?}");
    }
    for event in [
        SessionEvent::SpeechStarted { segment: 1, from_us: 0 },
        SessionEvent::Text { segment: 1, revision: 1, turn: 1, text: "a caption".into() },
        SessionEvent::Applied { message_id: 3 },
    ] {
        assert_eq!(event.to_message(&session(), GENERATION, 77), None, "{event:?}");
    }
}

#[test]
fn what_only_an_engine_tells_is_no_control() {
    let mut names = SegmentNames::new(session(), GENERATION);
    let of_speech = |event: &SessionEvent| event.as_control().is_some();
    for (event, ..) in events() {
        let message = event.to_message(&session(), GENERATION, 77).expect("it is a message");
        let control = Control::from_message(&message, &mut names);
        assert_eq!(control.is_some(), of_speech(&event), "{event:?}");
    }
}

#[test]
fn long_words_of_an_engine_are_cut_so_that_they_arrive() {
    // The umlauts begin at an odd byte, so the limit falls into the middle of one.
    let long: Arc<str> = format!("a{}", "ü".repeat(LINE_BYTES_MAX)).into();
    let (turn, reason) = (1, long.clone());
    for event in [
        SessionEvent::Transcript { segment: 1, revision: 1, turn, text: long.clone(), last: false },
        SessionEvent::Line { turn, text: long.clone(), from_us: 0, until_us: None },
        SessionEvent::ServiceFailed { turn, service: "llm".into(), reason: long.clone() },
        SessionEvent::Closed { reason: CloseReason::Refused(reason) },
    ] {
        let message = event.to_message(&session(), GENERATION, 0).expect("it is a message");
        assert_eq!(arrived(&message), message);
    }
    let arguments: Arc<str> = "x".repeat(RESULT_BYTES_MAX).into();
    let call = ToolCall { turn, call_id: "c".into(), name: "n".into(), arguments };
    let message = SessionEvent::ToolCall(Arc::new(call)).to_message(&session(), GENERATION, 0);
    assert!(message.is_some_and(|message| message.check().is_err()), "half of a JSON is none");
}
