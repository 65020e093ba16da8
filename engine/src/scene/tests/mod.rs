//! Behaviour of scenes as a whole, over a small catalogue that exists only here.
mod diagnostics;
mod documents;
mod gates;
mod paths;
mod plans;
mod ranges;
mod sets;
mod several;

use super::*;
use ron::error::SpannedError;
use serde::Deserialize;
use std::sync::Arc;

/// A scene with everything in it and nothing wrong.
const SCENE: &str = r#"// A voice assistant in small.
(
    name: "assistant",
    description: "audio in, answer out",
    tick: (period_ms: 5),
    session: (
        input: (rate_hz: 48000, channels: 1, chunk_ms: 20),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 40)),
    ),
    nodes: [
        (id: "resample", kind: Resample(rate_hz: 16000)),
        (
            id: "gate",
            kind: Gate(threshold: 0.9, label: "main"), // the gate
            capabilities: (queue_capacity: 100, overflow_policy: DropOldest),
        ),
        (id: "asr", kind: Call(service: "asr")),
        (id: "tts", kind: Speak),
        (id: "notes", kind: Collect),
    ],
    edges: [
        ("input", "resample"),
        ("resample", "gate"),
        ("gate.audio", "asr"),
        ("gate.notices", "notes.events"),
        ("asr", "tts"),
        ("tts", "output"),
    ],
    services: {
        "asr": (output: Script(words: 3), timing: (latency: LogNormal(p50_ms: 20, p99_ms: 27), parallelism: 64)),
    },
    limits: (speech_end_to_response_p99_ms: 250, dropped_frames: 0),
)
"#;

const AUDIO: Port = Port { name: "audio", kind: PortType::Audio };
const TEXT: Port = Port { name: "text", kind: PortType::Text };
const NOTICES: Port = Port { name: "notices", kind: PortType::Event };
const EVENTS: Port = Port { name: "events", kind: PortType::Event };

/// A configured node of the test catalogue.
#[derive(Debug)]
enum Fake {
    Resample(Resample),
    Gate(Gate),
    Call(Call),
    Speak,
    Collect,
    Burst(Burst),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resample {
    rate_hz: u32,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Gate {
    threshold: f64,
    label: String,
    model: Model,
    speculate: bool,
    pads_ms: Vec<u32>,
}

impl Default for Gate {
    fn default() -> Self {
        let (label, model, pads_ms) = (String::new(), Model::Light, Vec::new());
        Self { threshold: 0.9, label, model, speculate: true, pads_ms }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
enum Model {
    Light,
    Neural { gather_ms: u32 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    service: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Burst {
    frames: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl NodeSpec for Fake {
    fn kind(&self) -> &'static str {
        match self {
            Self::Resample(_) => "Resample",
            Self::Gate(_) => "Gate",
            Self::Call(_) => "Call",
            Self::Speak => "Speak",
            Self::Collect => "Collect",
            Self::Burst(_) => "Burst",
        }
    }

    fn inputs(&self) -> &[Port] {
        match self {
            Self::Speak => &[TEXT],
            Self::Collect => &[EVENTS],
            _ => &[AUDIO],
        }
    }

    fn outputs(&self) -> &[Port] {
        match self {
            Self::Gate(_) => &[AUDIO, NOTICES],
            Self::Call(_) => &[TEXT],
            Self::Collect => &[],
            _ => &[AUDIO],
        }
    }

    fn check(&self, input: Option<Format>, tick: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        match self {
            Self::Resample(Resample { rate_hz }) => {
                Some(Format { rate_hz: *rate_hz, channels: input?.channels })
            }
            Self::Gate(gate) => {
                if !(0.0..=1.0).contains(&gate.threshold) {
                    let issue = Issue::error("threshold", format!("{} is no probability", gate.threshold));
                    issues.push(issue.expected("0.0..=1.0").help("0.9 is a good start"));
                }
                if let Model::Neural { gather_ms } = gate.model
                    && gather_ms > tick.period_ms
                {
                    issues.push(Issue::warning("model.gather_ms", "longer than a tick"));
                }
                if let Some(at) = gate.pads_ms.iter().position(|&pad| pad > 500) {
                    issues.push(Issue::error(&format!("pads_ms.{at}"), "too long"));
                }
                if input.is_some_and(|format| format.rate_hz != 16_000) {
                    issues.push(Issue::error("", "audio must arrive with 16000 Hz").help("resample before"));
                }
                input
            }
            Self::Speak => Some(Format { rate_hz: 16_000, channels: 1 }),
            Self::Burst(_) => input,
            Self::Call(_) | Self::Collect => None,
        }
    }

    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 10,
            queue_capacity: 64,
            overflow_policy: OverflowPolicy::Block,
            supports_control_messages: true,
        }
    }

    fn decides_speech(&self) -> bool {
        matches!(self, Self::Gate(_))
    }

    fn max_out(&self, _: Option<Format>) -> u32 {
        if let Self::Burst(burst) = self { burst.frames } else { 1 }
    }

    fn service(&self) -> Option<&str> {
        if let Self::Call(call) = self { Some(&call.service) } else { None }
    }
}

struct Fakes;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    words: u32,
}

impl Catalogue for Fakes {
    type Node = Fake;
    type Service = u32;

    fn kinds(&self) -> Vec<&'static str> {
        vec!["Resample", "Gate", "Call", "Speak", "Collect", "Burst"]
    }

    fn parse_kind(&self, name: &str, config: &str) -> Result<Arc<Fake>, SpannedError> {
        Ok(Arc::new(match name {
            "Resample" => Fake::Resample(parse_config(config)?),
            "Gate" => Fake::Gate(parse_config(config)?),
            "Call" => Fake::Call(parse_config(config)?),
            "Burst" => Fake::Burst(parse_config(config)?),
            "Speak" => parse_config::<Nothing>(config).map(|_| Fake::Speak)?,
            _ => parse_config::<Nothing>(config).map(|_| Fake::Collect)?,
        }))
    }

    fn service_outputs(&self) -> Vec<&'static str> {
        vec!["Script", "Silence"]
    }

    fn parse_service(&self, name: &str, config: &str) -> Result<Arc<u32>, SpannedError> {
        match name {
            "Script" => parse_config::<Script>(config).map(|script| Arc::new(script.words)),
            _ => parse_config::<Nothing>(config).map(|_| Arc::new(0)),
        }
    }

    fn keeps_timing(&self, _: &u32) -> bool {
        true
    }

    fn transports(&self) -> Option<Vec<&'static str>> {
        Some(vec!["Http"])
    }

    fn check_transport(&self, _: &str, config: &str) -> Result<(), SpannedError> {
        parse_config::<Nothing>(config).map(|_| ())
    }
}

fn compile_text(text: &str, sets: &[&str]) -> Result<Compiled<Fakes>, Diagnostics> {
    let sets: Vec<Override> =
        sets.iter().map(|set| Override::parse(set).expect("a well-formed override")).collect();
    compile(&Source::new("scene.ron", text), &sets, None, &Fakes)
}

/// The scene with one piece of its text replaced; the piece must be there.
fn changed(from: &str, to: &str) -> String {
    assert!(SCENE.contains(from), "`{from}` is not in the scene");
    SCENE.replacen(from, to, 1)
}

/// Everything found, errors or warnings.
fn findings(text: &str, sets: &[&str]) -> Vec<Diagnostic> {
    match compile_text(text, sets) {
        Ok((_, warnings)) => warnings,
        Err(Diagnostics(found)) => found,
    }
}
