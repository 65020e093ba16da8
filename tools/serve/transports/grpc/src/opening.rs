//! The part that opens a session, as every transport has it.

use mynah_dialects::Refusal;
use mynah_dialects::native::Opening;
use mynah_engine::serde::Serialize;
use serde_json::{Map, Value};

use crate::proto::{self, open::Interruption};

/// Most bytes of the JSON in an `Open`: a conversation that goes on may be long.
const JSON_BYTES_MAX: usize = 128 * 1024;

/// Reads an `Open`. Ranges are judged when the session is opened.
///
/// # Errors
/// `bad_request` names the field, what is wrong with it and what would do.
pub(crate) fn opening(open: proto::Open) -> Result<Opening, Refusal> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.into(), value));
    if !open.session.is_empty() {
        put("session", open.session.into());
    }
    put("input", format("input", open.input)?);
    put("output", format("output", open.output)?);
    put("params", json("params_json", &open.params_json)?);
    put("history", json("history_json", &open.history_json)?);
    put("lead_ms", value(&open.lead_ms));
    put("latency_ms", open.latency_ms.into());
    put("gate", gate(open.gate.unwrap_or_default())?);
    put(
        "interruption",
        match open.interruption {
            Some(Interruption::InterruptionAfterMs(ms)) => ms.into(),
            Some(Interruption::InterruptionNever(true)) => "never".into(),
            Some(Interruption::InterruptionNever(false)) | None => Value::Null,
        },
    );
    put("notes", value(&open.notes));
    Opening::parse(&Value::Object(object).to_string())
}

fn refused(field: &str, what: &str) -> Refusal {
    Refusal::new("bad_request", format!("{field}: {what}"))
}

fn value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("numbers and texts can always be written")
}

fn json(field: &str, text: &str) -> Result<Value, Refusal> {
    if text.len() > JSON_BYTES_MAX {
        let what = format!("{} bytes, expected at most {JSON_BYTES_MAX}", text.len());
        return Err(refused(field, &what));
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|error| refused(field, &format!("{error}; expected JSON, or nothing")))
}

fn format(field: &str, format: Option<proto::Format>) -> Result<Value, Refusal> {
    let Some(proto::Format { rate_hz, channels, encoding }) = format else { return Ok(Value::Null) };
    let encoding = match proto::Encoding::try_from(encoding) {
        Ok(proto::Encoding::S16) => "s16",
        Ok(proto::Encoding::F32) => "f32",
        Err(_) => return Err(refused(field, &format!("encoding {encoding}, expected 0 (s16) or 1 (f32)"))),
    };
    let some = |value: u32| (value != 0).then_some(value);
    Ok(serde_json::json!({"rate_hz": some(rate_hz), "channels": some(channels), "encoding": encoding}))
}

fn gate(wishes: proto::GateWishes) -> Result<Value, Refusal> {
    let mode = match proto::GateMode::try_from(wishes.mode) {
        Ok(proto::GateMode::Unspecified | proto::GateMode::Auto) => "Auto",
        Ok(proto::GateMode::Open) => "Open",
        Ok(proto::GateMode::Shut) => "Shut",
        Err(_) => {
            let what = format!("mode {}, expected 1 (auto), 2 (open) or 3 (shut)", wishes.mode);
            return Err(refused("gate", &what));
        }
    };
    let mut object = Map::new();
    object.insert("mode".into(), mode.into());
    object.insert("half_duplex".into(), value(&wishes.half_duplex));
    let numbers = [
        ("threshold", wishes.threshold),
        ("release_threshold", wishes.release_threshold),
        ("min_speech_ms", wishes.min_speech_ms),
        ("min_silence_ms", wishes.min_silence_ms),
        ("lookahead_ms", wishes.lookahead_ms),
        ("pad_ms", wishes.pad_ms),
        ("echo_tail_ms", wishes.echo_tail_ms),
        ("raise_threshold_while_speaking", wishes.raise_threshold_while_speaking),
    ];
    for (name, number) in numbers {
        // JSON has no such numbers, and would have them as none.
        if number.is_some_and(|number| !number.is_finite()) {
            return Err(refused("gate", &format!("{name} is no finite number")));
        }
        object.insert(name.into(), value(&number));
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use mynah_dialects::pcm::Encoding;
    use mynah_engine::scene::Format;
    use mynah_engine::speech::{GateMode, Interruption as Withdrawn};

    use super::*;

    #[test]
    fn every_field_arrives() {
        let asked = proto::Open {
            session: "caller-7".into(),
            input: Some(proto::Format { rate_hz: 8_000, channels: 2, encoding: 1 }),
            output: Some(proto::Format { rate_hz: 24_000, channels: 0, encoding: 0 }),
            params_json: r#"{"language": "en"}"#.into(),
            lead_ms: Some(120),
            latency_ms: 40,
            gate: Some(proto::GateWishes { threshold: Some(0.1), mode: 2, ..Default::default() }),
            interruption: Some(Interruption::InterruptionAfterMs(300)),
            notes: vec!["speech".into(), "turns".into()],
            ..proto::Open::default()
        };
        let found = opening(asked).expect("it is an opening");
        let spec = &found.spec;
        assert_eq!((spec.name.as_str(), spec.lead_ms, spec.latency_ms), ("caller-7", Some(120), 40));
        assert_eq!(spec.input, Some(Format { rate_hz: 8_000, channels: 2 }));
        assert_eq!(spec.output, Some(Format { rate_hz: 24_000, channels: 1 }));
        assert_eq!((found.input, found.output), (Encoding::F32, Encoding::S16));
        assert_eq!(spec.params.text("language"), Some("en"));
        assert_eq!((spec.gate.threshold, spec.gate.mode), (Some(0.1), GateMode::Open));
        assert_eq!(spec.interruption, Some(Withdrawn::AfterMs(300)));
        assert!(found.notes.speech && found.notes.turns && !found.notes.words);
    }

    #[test]
    fn what_is_left_out_is_the_scenes_own() {
        let found = opening(proto::Open::default()).expect("nothing has to be said");
        assert_eq!((found.spec.input, found.spec.output, found.spec.lead_ms), (None, None, None));
        assert_eq!((found.spec.interruption, found.spec.name.as_str()), (None, ""));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let gate = |wishes| proto::Open { gate: Some(wishes), ..Default::default() };
        let format = |channels, encoding| {
            let input = Some(proto::Format { rate_hz: 0, channels, encoding });
            proto::Open { input, ..Default::default() }
        };
        let rows: [(proto::Open, &str); 7] = [
            (proto::Open { params_json: "[".into(), ..Default::default() }, "params_json"),
            (proto::Open { params_json: "[]".into(), ..Default::default() }, "params"),
            (proto::Open { notes: vec!["gossip".into()], ..Default::default() }, "notes"),
            (gate(proto::GateWishes { pad_ms: Some(f32::NAN), ..Default::default() }), "pad_ms"),
            (gate(proto::GateWishes { mode: 9, ..Default::default() }), "mode 9"),
            (format(0, 7), "encoding 7"),
            (format(2, 0), "channels without a rate"),
        ];
        for (open, expected) in rows {
            let refusal = opening(open).err().expect(expected);
            assert_eq!(refusal.code, "bad_request");
            assert!(refusal.message.contains(expected), "{}", refusal.message);
        }
    }
}
