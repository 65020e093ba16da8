//! What the vectors say.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::Params;
use mynah_engine::edge::{Line as Said, Say as Manner, Words};
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::{AckStage, ControlMessage, MESSAGE_ID_MAX, MessageType, segment_id};
use serde_json::{Value, json as value};

use super::{SESSION, TIMESTAMP_US};

/// Message number `id` of the example session, about `turn` and the seventh segment's end `revision`.
fn plain(
    id: u64,
    segment: bool,
    revision: Option<u32>,
    turn: Option<u32>,
    what: MessageType,
) -> ControlMessage {
    let mut message = ControlMessage::new(SESSION.into(), TIMESTAMP_US, what);
    message.message_id = id;
    message.target_segment_id = segment.then(|| segment_id(SESSION, 1, 7));
    (message.revision, message.turn) = (revision, turn);
    message
}

fn greatest() -> ControlMessage {
    let what = MessageType::CancelSpeculation { from_timestamp: 0, to_timestamp: MESSAGE_ID_MAX, late: true };
    let mut message = plain(MESSAGE_ID_MAX, true, Some(u32::MAX), Some(u32::MAX), what);
    message.session_id = "🦜".repeat(32).into();
    message.timestamp = MESSAGE_ID_MAX;
    message.target_segment_id = Some(Uuid::max());
    message
}

fn with_metadata() -> ControlMessage {
    let mut message = plain(0, false, None, Some(0), MessageType::CancelAnswer {});
    message.session_id = "gespräch \"7\"\n\u{1f} 🦜".into();
    message.timestamp = 0;
    message.metadata.insert("text", "two\nlines, a \"quote\", ü 🦜");
    message.metadata.insert("list", value!([1, -2, 0.25, null, true, {"deep": "ja"}]));
    message
}

/// What the vectors say.
pub(super) fn known() -> BTreeMap<&'static str, ControlMessage> {
    spoken().into_iter().chain(wanted()).chain(told()).collect()
}

/// Speech, advice and receipts.
fn spoken() -> BTreeMap<&'static str, ControlMessage> {
    use MessageType::*;
    let cancel =
        |from_timestamp, to_timestamp, late| CancelSpeculation { from_timestamp, to_timestamp, late };
    let confirm = ConfirmSpeculation { from_timestamp: 1_000_000, to_timestamp: 1_096_000 };
    let end = |at_timestamp, last| EndOfSpeech { at_timestamp, last };
    let retract = RetractEndOfSpeech { at_timestamp: 2_400_000 };
    let ack = |stage| Ack { message_id: 1, stage };
    let turn = Some(3);
    BTreeMap::from([
        ("cancel_speculation", plain(1, true, None, None, cancel(1_000_000, 1_160_000, false))),
        ("cancel_speculation_late", plain(2, true, None, turn, cancel(0, 1, true))),
        ("confirm_speculation", plain(3, true, None, turn, confirm)),
        ("end_of_speech", plain(4, true, Some(1), turn, end(2_400_000, false))),
        ("retract_end_of_speech", plain(5, true, Some(1), turn, retract)),
        ("end_of_speech_final", plain(6, true, Some(2), turn, end(3_200_000, true))),
        ("cancel_answer", plain(7, false, None, turn, CancelAnswer {})),
        ("batch_hint", plain(8, false, None, None, BatchHint { suggested_batch_size: 16 })),
        ("deadline_warning", plain(9, false, None, None, DeadlineWarning { deadline_us: 250_000 })),
        ("ack_delivered", plain(10, false, None, None, ack(AckStage::Delivered))),
        ("ack_applied", plain(11, false, None, None, ack(AckStage::Applied))),
        ("greatest_values", greatest()),
        ("metadata", with_metadata()),
    ])
}

pub(super) fn say(words: Words, say: Manner) -> MessageType {
    MessageType::Say(Arc::new(Said { words, say }))
}

pub(super) fn clip(subtitle: Arc<str>, channels: u8, samples: &[f32]) -> Words {
    let format = Format { rate_hz: 16_000, channels };
    Words::Clip(Arc::new(Clip { subtitle, format, samples: samples.into() }))
}

/// What a host wants.
fn wanted() -> BTreeMap<&'static str, ControlMessage> {
    use MessageType::*;
    let plain = |id, turn, what| plain(id, false, None, turn, what);
    let text = || Words::Text("Who goes there? 🦜".into());
    let hum = |channels, samples: &[f32]| clip("Hm.".into(), channels, samples);
    let bark = Manner { interruptible: false, priority: -3, wait: false };
    let params = Params::new().with("voice", "low").with("rate", 1.25).with("language", Value::Null);
    let result = "{\"done\": true}".into();
    BTreeMap::from([
        ("say", plain(20, None, say(text(), Manner::default()))),
        ("say_bark", plain(21, None, say(text(), bark))),
        ("say_clip_s16", plain(22, None, say(hum(2, &[0.0, -1.0, 0.5, 32_767.0 / 32_768.0]), bark))),
        ("say_clip_f32", plain(23, None, say(hum(1, &[0.1, -0.25, 1.0]), bark))),
        ("interrupt_soft", plain(24, None, Interrupt { mode: InterruptMode::Soft })),
        ("interrupt_now", plain(25, None, Interrupt { mode: InterruptMode::Now })),
        ("gate_auto", plain(26, None, Gate { mode: GateMode::Auto })),
        ("gate_open", plain(27, None, Gate { mode: GateMode::Open })),
        ("gate_shut", plain(28, None, Gate { mode: GateMode::Shut })),
        ("end_turn", plain(29, None, EndTurn {})),
        ("discard", plain(30, None, Discard {})),
        ("respond", plain(31, None, Respond {})),
        ("heard", plain(32, Some(3), Heard { us: 1_250_000 })),
        ("send_text", plain(33, None, SendText { text: "two coffees".into() })),
        ("set", plain(34, None, Set { params: Arc::new(params) })),
        ("tool_result", plain(35, None, ToolResult { call_id: "call_1".into(), result })),
        ("reply_to", plain(36, None, ReplyTo { request: 12, text: "Two coffees ".into(), last: false })),
        ("reply_to_last", plain(37, None, ReplyTo { request: 12, text: "it is.".into(), last: true })),
    ])
}

/// What an engine tells.
fn told() -> BTreeMap<&'static str, ControlMessage> {
    use MessageType::*;
    let turn = Some(3);
    let answer = |id, what| plain(id, false, None, turn, what);
    let transcript = |last| Transcript { text: "two coffees, please".into(), last };
    let line = |until_us| Line { text: "Two coffees are on their way.".into(), from_us: 250_000, until_us };
    let arguments = "{\"drink\": \"coffee\", \"count\": 2}".into();
    let call = ToolCall { call_id: "call_1".into(), name: "order".into(), arguments };
    let failed = ServiceFailed { service: "tts".into(), reason: "no answer within 5 s".into() };
    let request = ReplyRequested { request: 12, text: "two coffees, please".into() };
    let dropped = LineDropped { line: 20, reason: "outranked".into() };
    BTreeMap::from([
        ("transcript", plain(40, true, Some(1), turn, transcript(false))),
        ("transcript_last", plain(41, true, Some(2), turn, transcript(true))),
        ("line", answer(42, line(Some(1_900_000)))),
        ("line_of_unknown_length", answer(43, line(None))),
        ("answer_started", answer(44, AnswerStarted { line: 0 })),
        ("answer_started_by_say", answer(45, AnswerStarted { line: 20 })),
        ("answer_paused", answer(46, AnswerPaused {})),
        ("answer_resumed", answer(47, AnswerResumed {})),
        ("answer_interrupted", answer(48, AnswerInterrupted { heard_us: 1_250_000 })),
        ("answer_ended", answer(49, AnswerEnded { heard_us: 1_900_000 })),
        ("line_dropped", plain(50, false, None, None, dropped)),
        ("tool_call", answer(51, call)),
        ("service_failed", answer(52, failed)),
        ("closed", plain(53, false, None, None, Closed { reason: "hung_up".into() })),
        ("reply_requested", plain(54, true, Some(2), turn, request)),
        ("reply_cancelled", plain(55, false, None, None, ReplyCancelled { request: 12 })),
    ])
}
