//! What hosts want and engines tell has its limits, and an error says which.

use std::sync::Arc;

use mynah_engine::Params;
use mynah_engine::edge::{LINE_BYTES_MAX, PARAMS_BYTES_MAX, RESULT_BYTES_MAX, Say, Words};
use mynah_engine::wire::message::{ControlMessage, MessageError, MessageType, json};

use super::known::{clip, known, say};
use super::{SESSION, json_of, message_of};

#[test]
fn errors_name_field_value_and_remedy() {
    let known = known();
    let mut failed = Vec::new();
    let cases = [
        ("say", "\"text\"", "\"words\"", "Say has neither text nor clip: expected one of them"),
        ("say", "\"text\"", "\"clip\":{},\"text\"", "Say has both text and clip: expected one of them"),
        ("say", "\"priority\":0", "\"priority\":300", "priority: invalid value: integer `300`, expected i8"),
        ("say_clip_s16", "\"channels\":2", "\"mono\":true", "clip: missing field `channels`"),
        ("say_clip_s16", "\"s16\"", "\"mp3\"", "encoding: unknown variant `mp3`, expected `f32` or `s16`"),
        ("say_clip_s16", "\"samples\":\"", "\"samples\":\"!", "samples: expected base64 with padding: "),
        ("say_clip_s16", "\"s16\"", "\"f32\"", "Say.clip.samples is "),
        ("say_clip_f32", "16000", "1600", "Say.clip.rate_hz is 1600: record at 8000 to 192000 Hz"),
        (
            "say_clip_f32",
            "\"channels\":1",
            "\"channels\":2",
            "Say.clip.samples is 3 samples of 2 channels: send",
        ),
        ("interrupt_now", "Now", "Shut", "mode: Shut, expected `Soft` or `Now`"),
        ("gate_open", "Open", "Soft", "mode: Soft, expected `Auto`, `Open` or `Shut`"),
        ("gate_open", "Open", "Ajar", "mode: unknown variant `Ajar`"),
        ("heard", "\"us\"", "\"ms\"", "missing field `us`"),
        ("set", "{\"language", "[{\"language", "params: invalid type: sequence, expected a map"),
        (
            "line",
            "1900000",
            "200000",
            "Line.until_us is 200000 with from_us 250000: a line must not end before",
        ),
    ];
    for (name, from, to, want) in cases {
        let base = json_of(&known[name]);
        let text = base.replace(from, to);
        assert_ne!(text, base, "{from} is not in {name}");
        let error = json::decode(text.as_bytes()).expect_err(to).to_string();
        if !error.contains(want) {
            failed.push(format!("{name}, {to}: {error}; expected {want}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The field that is refused, and the remedy. What is taken comes back as it was.
fn refused(what: MessageType) -> Option<(&'static str, &'static str)> {
    let message = ControlMessage::new(SESSION.into(), 0, what);
    match json::encode_into(&message, &mut Vec::new()) {
        Err(MessageError::Field { field, remedy, .. }) => Some((field, remedy)),
        Err(error) => panic!("{error}"),
        Ok(()) => {
            assert_eq!(
                message_of(json::decode(json_of(&message).as_bytes()).expect("it was just written")),
                message
            );
            None
        }
    }
}

#[test]
fn texts_have_their_limits() {
    let text = |bytes| Arc::<str>::from("x".repeat(bytes));
    type Make = fn(Arc<str>) -> MessageType;
    let cases: [(&str, usize, Make); 13] = [
        ("Say.text", LINE_BYTES_MAX, |text| say(Words::Text(text), Say::default())),
        ("Say.clip.subtitle", LINE_BYTES_MAX, |text| say(clip(text, 1, &[0.5]), Say::default())),
        ("SendText.text", LINE_BYTES_MAX, |text| MessageType::SendText { text }),
        ("ToolResult", RESULT_BYTES_MAX, |result| MessageType::ToolResult { call_id: "".into(), result }),
        ("ReplyTo.text", LINE_BYTES_MAX, |text| MessageType::ReplyTo { request: 1, text, last: true }),
        ("ReplyRequested.text", LINE_BYTES_MAX, |text| MessageType::ReplyRequested { request: 1, text }),
        ("ToolCall", RESULT_BYTES_MAX, |arguments| MessageType::ToolCall {
            call_id: "".into(),
            name: "".into(),
            arguments,
        }),
        ("Transcript.text", LINE_BYTES_MAX, |text| MessageType::Transcript { text, last: true }),
        ("Line.text", LINE_BYTES_MAX, |text| MessageType::Line { text, from_us: 0, until_us: None }),
        ("LineDropped.reason", LINE_BYTES_MAX, |reason| MessageType::LineDropped { line: 1, reason }),
        ("ServiceFailed.service", LINE_BYTES_MAX, |service| MessageType::ServiceFailed {
            service,
            reason: "".into(),
        }),
        ("ServiceFailed.reason", LINE_BYTES_MAX, |reason| MessageType::ServiceFailed {
            service: "".into(),
            reason,
        }),
        ("Closed.reason", LINE_BYTES_MAX, |reason| MessageType::Closed { reason }),
    ];
    for (field, most, make) in cases {
        assert_eq!(refused(make(text(most))), None, "{field}");
        let (found, remedy) = refused(make(text(most + 1))).expect(field);
        assert_eq!(found, field);
        assert!(remedy.contains(&most.to_string()), "{remedy}");
    }
}

#[test]
fn parameters_have_their_limit() {
    let set = |bytes| MessageType::Set { params: Arc::new(Params::new().with("p", "x".repeat(bytes))) };
    let around = "{\"p\":\"\"}".len();
    assert_eq!(refused(set(PARAMS_BYTES_MAX - around)), None);
    let (field, remedy) = refused(set(PARAMS_BYTES_MAX - around + 1)).expect("it is too long");
    assert!(field == "Set.params" && remedy.contains(&PARAMS_BYTES_MAX.to_string()), "{field}: {remedy}");
}

#[test]
fn clips_fit_into_a_message_and_are_sound() {
    let sound = |count, sample| say(clip("".into(), 1, &vec![sample; count]), Say::default());
    for (count, sample) in [(24_000, 0.5), (12_000, 0.1)] {
        assert_eq!(refused(sound(count, sample)), None, "{count} of {sample}");
        for more in [count + 600, 100 * count] {
            let (field, remedy) = refused(sound(more, sample)).expect("it is too long");
            assert!(field == "Say.clip.samples" && remedy.contains(&count.to_string()), "{field}: {remedy}");
        }
    }
    for (sample, channels) in [(f32::NAN, 1), (f32::INFINITY, 1), (0.5, 0), (0.5, 2), (0.5, 9)] {
        let what = say(clip("".into(), channels, &[0.5, 0.1, sample]), Say::default());
        assert!(refused(what).is_some(), "{sample} in {channels} channels");
    }
}
