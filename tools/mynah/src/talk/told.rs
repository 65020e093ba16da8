//! What is told of a conversation: a line for people, a JSON object for programs.

use serde::Serialize;

/// Something that happened. Times within the session are media time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Told {
    /// The devices are open.
    Opened {
        scene: String,
        microphone: String,
        microphone_hz: u32,
        /// `None`: the scene puts out no audio.
        loudspeaker: Option<String>,
        loudspeaker_hz: Option<u32>,
        /// Nobody is heard while an answer sounds.
        half_duplex: bool,
    },
    /// Somebody spoke; the audio from the pre-roll to the end of speech.
    EndOfSpeech { segment: u32, from_ms: f64, to_ms: f64 },
    /// Something sounded, and was no speech.
    SpeechCancelled { segment: u32 },
    /// What was said.
    Transcript { segment: u32, turn: u32, text: String },
    /// An answer begins to sound.
    AnswerStarted {
        turn: u32,
        /// From the end of speech; `None`: nobody had spoken.
        latency_ms: Option<f64>,
    },
    /// What it says; with its latency where it is the answer's first.
    Line { turn: u32, text: String, latency_ms: Option<f64> },
    /// It waits, as the user speaks.
    AnswerPaused { turn: u32 },
    /// It goes on.
    AnswerResumed { turn: u32 },
    /// It is withdrawn after so much of it.
    AnswerInterrupted { turn: u32, heard_ms: f64 },
    /// It was heard to its end.
    AnswerEnded { turn: u32, heard_ms: f64 },
    /// Text at the output.
    Text { text: String },
    /// A service failed.
    ServiceFailed { service: String, reason: String },
    /// A device is lost.
    DeviceLost { device: String, reason: String },
    /// It is back.
    DeviceReturned { device: String },
    /// The session ended by itself.
    Closed { reason: String },
}

/// Something with its time.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    /// Since the devices were opened.
    pub(super) t_ms: f64,
    #[serde(flatten)]
    pub(super) told: &'a Told,
}

/// Tenths of a millisecond.
pub(super) fn ms(us: u64) -> f64 {
    (us as f64 / 100.0).round() / 10.0
}

impl Told {
    /// For people: a line; `None`: too small to be said.
    pub(super) fn words(&self) -> Option<String> {
        let took =
            |latency_ms: &Option<f64>| latency_ms.map_or(String::new(), |ms| format!("  ({ms:.0} ms)"));
        Some(match self {
            Self::Opened { scene, microphone, microphone_hz, loudspeaker, loudspeaker_hz, half_duplex } => {
                let mut text = format!("{scene}: microphone `{microphone}`, {microphone_hz} Hz");
                if let (Some(name), Some(hz)) = (loudspeaker, loudspeaker_hz) {
                    text += &format!("; loudspeaker `{name}`, {hz} Hz");
                }
                text + if *half_duplex { "; half duplex" } else { "" }
            }
            Self::Transcript { text, .. } => format!("you:    {text}"),
            Self::Line { text, latency_ms, .. } => format!("answer: {text}{}", took(latency_ms)),
            Self::AnswerInterrupted { heard_ms, .. } => {
                format!("interrupted after {:.1} s of the answer", heard_ms / 1e3)
            }
            Self::Text { text } => format!("text:   {text}"),
            Self::ServiceFailed { service, reason } => format!("`{service}` failed: {reason}"),
            Self::DeviceLost { device, reason } => format!("the {device} is lost: {reason}"),
            Self::DeviceReturned { device } => format!("the {device} is back"),
            Self::Closed { reason } => format!("closed: {reason}"),
            Self::EndOfSpeech { .. }
            | Self::SpeechCancelled { .. }
            | Self::AnswerStarted { .. }
            | Self::AnswerEnded { .. }
            | Self::AnswerPaused { .. }
            | Self::AnswerResumed { .. } => return None,
        })
    }
}
