//! The `session` object: what a client sets, what of it the scene can do, and what holds in the end.

use mynah_engine::Params;
use mynah_engine::speech::{GateMode, GateOverrides, GateSettings, Interruption};
use serde_json::{Map, Value, json};

use crate::scene_facts::SceneFacts;

/// The rate of the audio both ways.
pub(super) const RATE_HZ: u32 = 24_000;
/// Silence that `eagerness: low` waits for, in those of the scene, and that of `high`.
const EAGERNESS: [(&str, f32); 4] = [("low", 2.0), ("medium", 1.0), ("auto", 1.0), ("high", 0.75)];

/// Longest JSON of a field that is just kept and echoed, bytes.
pub(super) const KEPT_BYTES_MAX: usize = 4 * 1024;

/// What is wrong with a setting, or with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// A word for programs.
    pub code: String,
    /// A sentence for people: what, and what helps.
    pub message: String,
    /// The path of the field.
    pub param: Option<String>,
}

impl SettingsError {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), param: None }
    }

    pub(super) fn of(code: &str, param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..Self::new(code, message) }
    }
}

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SettingsError {}

/// A client's own words as they are said back to it: the first 64 characters.
pub(super) fn quoted(words: &str) -> &str {
    words.char_indices().nth(64).map_or(words, |(at, _)| &words[..at])
}

/// The id of a session as clients know it.
pub(super) fn session_id(name: &str) -> String {
    format!("sess_{}", if name.is_empty() { "new" } else { name })
}

/// How the detector decides, as far as the client has said.
#[derive(Clone, Debug, Default, PartialEq)]
struct Detector {
    /// How eager, for `semantic_vad`; `None`: `server_vad`.
    eagerness: Option<String>,
    threshold: Option<f32>,
    pad_ms: Option<f32>,
    silence_ms: Option<f32>,
    /// Whether answers must not be interrupted.
    never_interrupts: bool,
}

/// What holds for a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// Fields that are passed on and echoed as they came, by name.
    passed: Map<String, Value>,
    transcription: Value,
    voice: Value,
    speed: Value,
    /// Whether the client ends its turns itself.
    pub(super) manual: bool,
    detector: Detector,
    /// Whether the gate's settings are those of a session that is open.
    pub(super) fixed: bool,
}

/// The full session as clients are told of it, with the settings that `session` asks for, as in a `session.update`.
///
/// # Errors
/// A setting of the wrong type, or one that no session can have.
pub fn session_object(
    facts: &SceneFacts,
    model: &str,
    session: Option<&Value>,
) -> Result<Value, SettingsError> {
    let mut settings = Settings::default();
    if let Some(session) = session {
        settings = settings.changed(session)?.0;
    }
    Ok(settings.object(facts, model, &session_id("")))
}

/// A field that is passed on, what it may be, and that in words.
type Passed = (&'static str, fn(&Value) -> bool, &'static str);

const PASSED: [Passed; 6] = [
    ("instructions", Value::is_string, "a text"),
    ("tools", Value::is_array, "a list"),
    ("tool_choice", |value| value.is_string() || value.is_object(), "a text or an object"),
    ("max_output_tokens", |value| value.is_u64() || value == "inf", "a whole number or \"inf\""),
    ("tracing", |_| true, "anything"),
    ("prompt", |_| true, "anything"),
];

fn wrong(param: &str, expected: &str) -> SettingsError {
    SettingsError::of(
        "invalid_type",
        &format!("session.{param}"),
        format!("session.{param}: expected {expected}"),
    )
}

/// An object that may be left out.
fn object<'a>(of: &'a Value, field: &str, path: &str) -> Result<Option<&'a Value>, SettingsError> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) if value.is_object() => Ok(Some(value)),
        Some(_) => Err(wrong(path, "an object")),
    }
}

fn number(of: &Value, field: &str, path: &str) -> Result<Option<f32>, SettingsError> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().filter(|number| *number >= 0.0) {
            Some(number) => Ok(Some(number as f32)),
            None => Err(wrong(path, "a number from 0 on")),
        },
    }
}

fn truth(of: &Value, field: &str, path: &str) -> Result<Option<bool>, SettingsError> {
    match of.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_bool().map(Some).ok_or_else(|| wrong(path, "true or false")),
    }
}

impl Settings {
    /// These settings with the changes of a `session` object, and what the client should be told beside them. Fields
    /// that are unknown are ignored.
    pub(super) fn changed(&self, session: &Value) -> Result<(Self, Option<SettingsError>), SettingsError> {
        if !session.is_object() {
            return Err(SettingsError::of("invalid_type", "session", "session: expected an object"));
        }
        if session.get("type").is_some_and(|kind| kind != "realtime") {
            let message =
                "session.type: expected \"realtime\"; sessions that only transcribe are not offered here";
            return Err(SettingsError::of("invalid_value", "session.type", message));
        }
        let (mut new, mut remark) = (self.clone(), None);
        for (name, is_right, expected) in PASSED {
            match session.get(name) {
                None => {}
                Some(Value::Null) => _ = new.passed.remove(name),
                Some(value) if is_right(value) => _ = new.passed.insert(name.into(), value.clone()),
                Some(_) => return Err(wrong(name, expected)),
            }
        }
        if let Some(audio) = object(session, "audio", "audio")? {
            if let Some(input) = object(audio, "input", "audio.input")? {
                remark = new.input(input)?;
            }
            if let Some(output) = object(audio, "output", "audio.output")? {
                new.output(output)?;
            }
        }
        let tracing = ["tracing", "prompt"].map(|name| new.passed.get(name).unwrap_or(&Value::Null));
        let kept = tracing.into_iter().chain([&new.transcription, &new.voice]);
        if kept.map(|value| value.to_string().len()).sum::<usize>() > KEPT_BYTES_MAX {
            let message = format!(
                "session: `transcription`, `voice`, `tracing` and `prompt` are longer than {KEPT_BYTES_MAX} bytes together"
            );
            return Err(SettingsError::of("string_above_max_length", "session", message));
        }
        if let Err(error) = new.params().check() {
            let message = format!("session: {error}");
            return Err(SettingsError::of("string_above_max_length", "session.instructions", message));
        }
        Ok((new, remark))
    }

    fn input(&mut self, input: &Value) -> Result<Option<SettingsError>, SettingsError> {
        check_format(input, "audio.input.format")?;
        if let Some(transcription) = input.get("transcription") {
            object(input, "transcription", "audio.input.transcription")?;
            self.transcription = transcription.clone();
        }
        let Some(turns) = input.get("turn_detection") else { return Ok(None) };
        if turns.is_null() {
            self.manual = true;
            return Ok(None);
        }
        let path = "audio.input.turn_detection";
        let detector = Detector::of(turns, path)?;
        self.manual = false;
        if !self.fixed {
            self.detector = detector;
        }
        if truth(turns, "create_response", &format!("{path}.create_response"))? == Some(false) {
            let message = "create_response: the scene answers each turn by itself; set `turn_detection` to null to \
                           decide when a turn ends";
            let param = "session.audio.input.turn_detection.create_response";
            return Ok(Some(SettingsError::of("unsupported_value", param, message)));
        }
        Ok(None)
    }

    fn output(&mut self, output: &Value) -> Result<(), SettingsError> {
        check_format(output, "audio.output.format")?;
        match output.get("voice") {
            None => {}
            Some(voice) if voice.is_string() || voice.is_object() || voice.is_null() => {
                self.voice = voice.clone();
            }
            Some(_) => return Err(wrong("audio.output.voice", "a text")),
        }
        if number(output, "speed", "audio.output.speed")?.is_some() {
            self.speed = output["speed"].clone();
        }
        Ok(())
    }

    /// The instructions; empty where there are none.
    pub(super) fn instructions(&self) -> &str {
        self.passed.get("instructions").and_then(Value::as_str).unwrap_or_default()
    }

    /// What services are told.
    pub(super) fn params(&self) -> Params {
        let mut params: Vec<(String, Value)> = Vec::new();
        let mut tell = |name: &str, value: &Value| params.push((name.into(), value.clone()));
        for name in ["instructions", "tools", "tool_choice", "max_output_tokens"] {
            let usual = |value: &Value| match value {
                Value::String(text) => text.is_empty() || text == "auto" || text == "inf",
                Value::Array(list) => list.is_empty(),
                _ => false,
            };
            self.passed.get(name).filter(|value| !usual(value)).iter().for_each(|value| tell(name, value));
        }
        let voice = self.voice.get("id").unwrap_or(&self.voice);
        if voice.is_string() {
            tell("voice", voice);
        }
        if let Some(language) = self.transcription.get("language").filter(|language| language.is_string()) {
            tell("language", language);
        }
        if self.speed.as_f64().is_some_and(|speed| speed != 1.0) {
            tell("rate", &self.speed);
        }
        params.into_iter().collect()
    }

    /// What services are to be told after these settings were `before`; a parameter that is gone is `null`.
    pub(super) fn params_since(&self, before: &Self) -> Params {
        let (old, new) = (before.params(), self.params());
        let gone = old.iter().filter(|(name, _)| new.get(name).is_none());
        let gone = gone.map(|(name, _)| (name.to_owned(), Value::Null));
        let changed = new.iter().filter(|(name, value)| old.get(name) != Some(value));
        changed.map(|(name, value)| (name.to_owned(), value.clone())).chain(gone).collect()
    }

    /// What the gate does differently from the scene's.
    pub(super) fn gate(&self, facts: &SceneFacts) -> GateOverrides {
        let Some(gate) = &facts.gate else { return GateOverrides::default() };
        let mode = if self.manual { GateMode::Shut } else { GateMode::Auto };
        let held = self.detector.held(gate);
        let own = |held: f32, scene: f32| (held != scene).then_some(held);
        let release = gate.release_threshold.min(gate.release_threshold / gate.threshold * held.threshold);
        GateOverrides {
            threshold: own(held.threshold, gate.threshold),
            release_threshold: own(release, gate.release_threshold),
            pad_ms: own(held.pad_ms, gate.pad_ms),
            min_silence_ms: own(held.min_silence_ms, gate.min_silence_ms),
            mode,
            ..GateOverrides::default()
        }
    }

    /// Whether the user's speech interrupts answers.
    pub(super) fn interruption(&self, facts: &SceneFacts) -> Option<Interruption> {
        (facts.interrupt_min_ms.is_some() && self.detector.never_interrupts).then_some(Interruption::Never)
    }

    /// The full session as the client is told of it: what holds, with nothing left out.
    pub(super) fn object(&self, facts: &SceneFacts, model: &str, id: &str) -> Value {
        let passed = |name: &str, usual: Value| self.passed.get(name).cloned().unwrap_or(usual);
        let pcm = json!({"type": "audio/pcm", "rate": RATE_HZ});
        let voice = if self.voice.is_null() { json!("mynah") } else { self.voice.clone() };
        let speed = if self.speed.is_null() { json!(1.0) } else { self.speed.clone() };
        json!({
            "type": "realtime", "object": "realtime.session", "id": id, "model": model,
            "output_modalities": [if facts.speaks { "audio" } else { "text" }],
            "instructions": self.instructions(), "tools": passed("tools", json!([])),
            "tool_choice": passed("tool_choice", json!("auto")),
            "max_output_tokens": passed("max_output_tokens", json!("inf")),
            "tracing": passed("tracing", Value::Null), "prompt": passed("prompt", Value::Null),
            "truncation": "auto", "include": null,
            "audio": {
                "input": {
                    "format": pcm, "transcription": self.transcription, "noise_reduction": null,
                    "turn_detection": self.turn_detection(facts),
                },
                "output": {"format": pcm, "voice": voice, "speed": speed},
            },
        })
    }

    fn turn_detection(&self, facts: &SceneFacts) -> Value {
        let Some(gate) = facts.gate.as_ref().filter(|_| !self.manual) else { return Value::Null };
        let interrupts = facts.interrupt_min_ms.is_some() && !self.detector.never_interrupts;
        if let Some(eagerness) = &self.detector.eagerness {
            return json!({
                "type": "semantic_vad", "eagerness": eagerness, "create_response": true,
                "interrupt_response": interrupts,
            });
        }
        let held = self.detector.held(gate);
        let rounded = |value: f32| (f64::from(value) * 1_000.0).round() / 1_000.0;
        json!({
            "type": "server_vad", "threshold": rounded(held.threshold),
            "prefix_padding_ms": held.pad_ms.round() as u32,
            "silence_duration_ms": held.min_silence_ms.round() as u32,
            "create_response": true, "interrupt_response": interrupts, "idle_timeout_ms": null,
        })
    }
}

fn check_format(of: &Value, path: &str) -> Result<(), SettingsError> {
    let Some(format) = object(of, "format", path)? else { return Ok(()) };
    let kind = format.get("type").and_then(Value::as_str).unwrap_or_default();
    let rate = format.get("rate").map_or(Some(u64::from(RATE_HZ)), Value::as_u64);
    if kind == "audio/pcm" && rate == Some(u64::from(RATE_HZ)) {
        return Ok(());
    }
    let format = format.to_string();
    let message = format!(
        "session.{path}: {} is not offered; expected {{\"type\": \"audio/pcm\", \"rate\": {RATE_HZ}}}",
        quoted(&format)
    );
    Err(SettingsError::of("unsupported_format", &format!("session.{path}"), message))
}

impl Detector {
    fn of(turns: &Value, path: &str) -> Result<Self, SettingsError> {
        let field = |name: &str| format!("{path}.{name}");
        let kind = turns.get("type").and_then(Value::as_str).unwrap_or("server_vad");
        let never_interrupts =
            truth(turns, "interrupt_response", &field("interrupt_response"))? == Some(false);
        match kind {
            "server_vad" if turns.is_object() => Ok(Self {
                eagerness: None,
                threshold: number(turns, "threshold", &field("threshold"))?,
                pad_ms: number(turns, "prefix_padding_ms", &field("prefix_padding_ms"))?,
                silence_ms: number(turns, "silence_duration_ms", &field("silence_duration_ms"))?,
                never_interrupts,
            }),
            "semantic_vad" => {
                let eagerness = match turns.get("eagerness") {
                    None | Some(Value::Null) => "auto",
                    Some(value) => value.as_str().unwrap_or_default(),
                };
                if !EAGERNESS.iter().any(|(name, _)| *name == eagerness) {
                    return Err(wrong(&field("eagerness"), "\"low\", \"medium\", \"high\" or \"auto\""));
                }
                Ok(Self { eagerness: Some(eagerness.into()), never_interrupts, ..Self::default() })
            }
            _ => Err(wrong(
                &field("type"),
                "\"server_vad\" or \"semantic_vad\", or null in place of the object",
            )),
        }
    }

    /// What holds: what the client asks for within the scene's ranges, and the scene's own for the rest.
    fn held(&self, gate: &GateSettings) -> GateSettings {
        let raised = gate.raise_threshold_while_speaking;
        let threshold_max = if raised > 0.0 { raised.min(1.0) } else { 1.0 };
        let eager =
            self.eagerness.as_ref().and_then(|asked| EAGERNESS.iter().find(|(name, _)| name == asked));
        let silence_ms = self.silence_ms.or(eager.map(|(_, times)| gate.min_silence_ms * times));
        // Seven days of silence or a threshold of nothing are nobody's wish; the ranges are the gate's own.
        GateSettings {
            threshold: self
                .threshold
                .unwrap_or(gate.threshold)
                .clamp(0.01_f32.min(threshold_max), threshold_max),
            pad_ms: self.pad_ms.unwrap_or(gate.pad_ms).min(gate.lookback_ms),
            min_silence_ms: silence_ms
                .unwrap_or(gate.min_silence_ms)
                .max(gate.lookahead_ms.clamp(1.0, 10_000.0))
                .min(10_000.0),
            ..*gate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> SceneFacts {
        SceneFacts {
            name: "assistant".into(),
            hears: true,
            speaks: true,
            writes: false,
            answers: true,
            interrupt_min_ms: Some(300),
            gate: Some(GateSettings {
                threshold: 0.9,
                release_threshold: 0.85,
                raise_threshold_while_speaking: 0.0,
                pad_ms: 150.0,
                lookback_ms: 200.0,
                min_silence_ms: 128.0,
                lookahead_ms: 32.0,
            }),
        }
    }

    fn turns(asked: Value) -> (Value, GateOverrides) {
        let session = json!({"audio": {"input": {"turn_detection": asked}}});
        let (settings, _) = Settings::default().changed(&session).expect("it is right");
        (settings.turn_detection(&facts()), settings.gate(&facts()))
    }

    #[test]
    fn what_is_left_out_is_echoed_as_it_holds() {
        let (echo, gate) = turns(json!({"type": "semantic_vad"}));
        let whole = json!({
            "type": "semantic_vad", "eagerness": "auto", "create_response": true, "interrupt_response": true,
        });
        assert_eq!((echo, gate), (whole, GateOverrides::default()));
        let (echo, gate) = turns(json!({"type": "server_vad"}));
        let whole = json!({
            "type": "server_vad", "threshold": 0.9, "prefix_padding_ms": 150, "silence_duration_ms": 128,
            "create_response": true, "interrupt_response": true, "idle_timeout_ms": null,
        });
        assert_eq!((echo, gate), (whole, GateOverrides::default()));
    }

    #[test]
    fn what_is_out_of_range_is_clipped_and_echoed_as_it_holds() {
        let (echo, gate) = turns(json!({
            "type": "server_vad", "threshold": 7, "prefix_padding_ms": 300, "silence_duration_ms": 1,
        }));
        assert_eq!(
            (&echo["threshold"], &echo["prefix_padding_ms"], &echo["silence_duration_ms"]),
            (&json!(1.0), &json!(200), &json!(32))
        );
        assert_eq!((gate.threshold, gate.pad_ms, gate.min_silence_ms), (Some(1.0), Some(200.0), Some(32.0)));
        let (_, gate) = turns(json!({"type": "server_vad", "threshold": 0.45}));
        assert_eq!((gate.threshold, gate.release_threshold), (Some(0.45), Some(0.425)));
    }

    #[test]
    fn what_no_session_can_have_is_refused_with_what_would_do() {
        let cases = [
            (json!([]), "expected an object"),
            (json!({"type": "transcription"}), "expected \"realtime\""),
            (json!({"instructions": 7}), "session.instructions: expected a text"),
            (
                json!({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}),
                "expected {\"type\": \"audio/pcm\"",
            ),
            (
                json!({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 16000}}}}),
                "\"rate\": 24000",
            ),
            (json!({"audio": {"input": {"turn_detection": {"type": "mind_reading"}}}}), "\"semantic_vad\""),
            (json!({"audio": {"input": {"turn_detection": {"threshold": "high"}}}}), "a number from 0 on"),
            (json!({"audio": {"input": {"turn_detection": 3}}}), "or null"),
            (json!({"instructions": "x".repeat(20_000)}), "at most 16384"),
        ];
        for (session, expected) in cases {
            let error = Settings::default().changed(&session).expect_err(expected);
            assert!(error.message.contains(expected), "{session}: {error}");
        }
    }

    #[test]
    fn services_are_told_what_changed() {
        let session = |instructions: Value| json!({"instructions": instructions, "audio": {"output": {"voice": "low"}}});
        let (first, _) = Settings::default().changed(&session(json!("Be brief."))).expect("it is right");
        let (second, _) = first.changed(&session(Value::Null)).expect("it is right");
        let told =
            |params: Params| params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(told(first.params()), ["instructions=\"Be brief.\"", "voice=\"low\""]);
        assert_eq!(told(second.params_since(&first)), ["instructions=null"]);
    }
}
