use super::*;
use crate::edge::control::RESULT_BYTES_MAX;
use crate::edge::line::{Line, Say, Words};
use crate::edge::params::{PARAMS_BYTES_MAX, Params};
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
        Control::ReplyTo { request: 12, text: "Two coffees, ".into(), last: false },
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

/// Events with the message that each is, and with segment, revision and turn of that message.
type Told = Vec<(SessionEvent, MessageType, About)>;

fn events() -> Told {
    [events_of_speech(), events_of_answers(), events_of_services()].concat()
}

fn words() -> Arc<str> {
    "Good evening.".into()
}

fn events_of_speech() -> Told {
    use SessionEvent as E;
    let (from_us, to_us, at_us) = (10, 20, 30);
    let (from_timestamp, to_timestamp, at_timestamp) = (from_us, to_us, at_us);
    let about = |segment, revision, turn| About { segment, revision, turn };
    let confirm = MessageType::ConfirmSpeculation { from_timestamp, to_timestamp };
    let cancel = MessageType::CancelSpeculation { from_timestamp, to_timestamp, late: true };
    let end = MessageType::EndOfSpeech { at_timestamp, last: false };
    let retract = MessageType::RetractEndOfSpeech { at_timestamp };
    let reason = CancelReason::NotSustained;
    let text = words();
    let heard = || MessageType::Transcript { text: words(), last: true };
    let transcript =
        |segment, revision| E::Transcript { segment, revision, turn: 3, text: text.clone(), last: true };
    vec![
        (E::SpeechConfirmed { segment: 5, turn: 2, from_us, to_us }, confirm, about(5, None, Some(2))),
        (E::SpeechCancelled { segment: 6, reason, from_us, to_us, late: true }, cancel, about(6, None, None)),
        (E::EndOfSpeech { segment: 7, revision: 1, at_us, last: false }, end, about(7, Some(1), None)),
        (E::EndOfSpeechRetracted { segment: 7, revision: 1, at_us }, retract, about(7, Some(1), None)),
        (transcript(7, 2), heard(), about(7, Some(2), Some(3))),
        (transcript(0, 0), heard(), About::turn(3)),
    ]
}

fn events_of_answers() -> Told {
    use SessionEvent as E;
    let (turn, from_us, text) = (4, 10, words());
    let line = |until_us| E::Line { turn, text: text.clone(), from_us, until_us };
    let spoken = |until_us| MessageType::Line { text: words(), from_us, until_us };
    let reason = LineDrop::Outranked;
    let dropped = MessageType::LineDropped { line: 12, reason: "outranked".into() };
    let interrupted = MessageType::AnswerInterrupted { heard_us: 5 };
    let about = About::turn(turn);
    vec![
        (line(None), spoken(None), about),
        (line(Some(9)), spoken(Some(10)), about),
        (line(Some(20)), spoken(Some(20)), about),
        (E::AnswerStarted { turn, line: 12 }, MessageType::AnswerStarted { line: 12 }, about),
        (E::AnswerPaused { turn }, MessageType::AnswerPaused {}, about),
        (E::AnswerResumed { turn }, MessageType::AnswerResumed {}, about),
        (E::AnswerInterrupted { turn, heard_us: 5 }, interrupted, about),
        (E::AnswerEnded { turn, heard_us: 6 }, MessageType::AnswerEnded { heard_us: 6 }, about),
        (E::LineDropped { line: 12, reason }, dropped, About::NOTHING),
    ]
}

fn events_of_services() -> Told {
    use SessionEvent as E;
    let (turn, about) = (4, About::turn(4));
    let [call_id, name, arguments, service, reason] =
        ["call_1", "lights", "{\"on\":true}", "llm", "timed out"].map(Arc::<str>::from);
    let call = ToolCall { turn, call_id: call_id.clone(), name: name.clone(), arguments: arguments.clone() };
    let failed = E::ServiceFailed { turn, service: service.clone(), reason: reason.clone() };
    let request =
        |segment, revision| E::ReplyRequested { request: 12, turn, segment, revision, text: words() };
    let asked = || MessageType::ReplyRequested { request: 12, text: words() };
    let ending = About { segment: 7, revision: Some(2), turn: Some(turn) };
    let cancelled = MessageType::ReplyCancelled { request: 12 };
    let refused = E::Closed { reason: CloseReason::Refused("full".into()) };
    let closed = MessageType::Closed { reason: "refused: full".into() };
    vec![
        (E::ToolCall(call.into()), MessageType::ToolCall { call_id, name, arguments }, about),
        (request(7, 2), asked(), ending),
        (request(0, 0), asked(), about),
        (E::ReplyCancelled { request: 12 }, cancelled, About::NOTHING),
        (failed, MessageType::ServiceFailed { service, reason }, about),
        (E::DeadlineWarning { turn, left_us: 0 }, MessageType::DeadlineWarning { deadline_us: 1 }, about),
        (refused, closed, About::NOTHING),
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
        SessionEvent::ReplyRequested { request: 1, turn, segment: 1, revision: 1, text: long.clone() },
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

#[test]
fn the_wire_takes_what_the_engine_takes() {
    let text = |bytes| Arc::<str>::from("x".repeat(bytes));
    let line = |words| Control::Say(Arc::new(Line { words, say: Say::default() }));
    let format = Format { rate_hz: 16_000, channels: 1 };
    let clip = |subtitle| Words::Clip(Arc::new(Clip { subtitle, format, samples: [0.5].into() }));
    // Each character is two bytes, and quotes are two in JSON: bytes count as they are sent.
    let params =
        |bytes: usize| Params::new().with("ü", "\"".repeat((bytes - 9) / 2) + &"x".repeat((bytes - 9) % 2));
    let results = RESULT_BYTES_MAX - 2;
    let cases: Vec<(bool, Control)> = vec![
        (true, line(Words::Text(text(LINE_BYTES_MAX)))),
        (false, line(Words::Text(text(LINE_BYTES_MAX + 1)))),
        (true, line(clip(text(LINE_BYTES_MAX)))),
        (false, line(clip(text(LINE_BYTES_MAX + 1)))),
        (true, Control::SendText { text: text(LINE_BYTES_MAX) }),
        (false, Control::SendText { text: text(LINE_BYTES_MAX + 1) }),
        (true, Control::ReplyTo { request: 1, text: text(LINE_BYTES_MAX), last: true }),
        (false, Control::ReplyTo { request: 1, text: text(LINE_BYTES_MAX + 1), last: true }),
        (true, Control::ToolResult { call_id: "ab".into(), result: text(results) }),
        (false, Control::ToolResult { call_id: "abc".into(), result: text(results) }),
        (true, Control::Set { params: Arc::new(params(PARAMS_BYTES_MAX - 1)) }),
        (true, Control::Set { params: Arc::new(params(PARAMS_BYTES_MAX)) }),
        (false, Control::Set { params: Arc::new(params(PARAMS_BYTES_MAX + 1)) }),
    ];
    for (case, (taken, control)) in cases.into_iter().enumerate() {
        let message = control.to_message(&session(), GENERATION, 0).expect("it is a message");
        assert_eq!((control.check().is_ok(), message.check().is_ok()), (taken, taken), "case {case}");
    }
}

#[test]
fn parameters_keep_their_values_and_their_order() {
    let nested =
        serde_json::json!({"b": [1, -2.5, null, {"deep": "ja"}], "a": true, "n": 0.1, "m": u64::MAX});
    let params =
        Params::new().with("ü 🦜", "two\nlines, \"quoted\"").with("nested", nested).with("", "no name");
    let control = Control::Set { params: Arc::new(params.clone()) };
    let message = arrived(&control.to_message(&session(), GENERATION, 0).expect("it is a message"));
    let MessageType::Set { params: found } = &message.message_type else { panic!("{message:?}") };
    assert_eq!(**found, params);
    assert!(found.iter().eq(params.iter()));

    // A removal is a value, not an absence, and a name that comes twice has its last value.
    let mut kept = Params::new().with("voice", "low").with("language", "en");
    let text = "{\"voice\":\"high\",\"language\":null,\"voice\":\"mid\"}";
    kept.merge(&serde_json::from_str(text).expect("these are parameters"));
    assert_eq!(kept, Params::new().with("voice", "mid"));
}
