//! What a session's gate and turn taking do differently from the scene.

/// Settings of a gate for one session; `None` = the scene's own. The ranges are the scene's, and so are the rules
/// between them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GateOverrides {
    /// Probability that opens a segment, above 0 to 1.
    pub threshold: Option<f32>,
    /// Probability below which speech pauses, 0 to the threshold.
    pub release_threshold: Option<f32>,
    /// Window in which an onset must be sustained.
    pub min_speech_ms: Option<f32>,
    /// Silence after which an end is final.
    pub min_silence_ms: Option<f32>,
    /// Silence after which work on the answer starts.
    pub lookahead_ms: Option<f32>,
    /// Pre-roll.
    pub pad_ms: Option<f32>,
    /// Whether nothing opens a segment while an answer sounds: true over loudspeakers, false with headphones.
    pub half_duplex: Option<bool>,
    /// Time after an answer in which its echo may come in.
    pub echo_tail_ms: Option<f32>,
    /// Probability that opens a segment while an answer sounds, the threshold to 1; 0: the threshold does.
    pub raise_threshold_while_speaking: Option<f32>,
    /// The mode that the session begins in.
    pub mode: GateMode,
}

/// The settings of a gate that a host may want to tell its client, as the scene has them; durations in
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateSettings {
    /// Probability that opens a segment, above 0 to 1.
    pub threshold: f32,
    /// Probability below which speech pauses, 0 to the threshold.
    pub release_threshold: f32,
    /// Probability that opens a segment while an answer sounds, the threshold to 1; 0: the threshold does.
    pub raise_threshold_while_speaking: f32,
    /// Pre-roll.
    pub pad_ms: f32,
    /// Longest pre-roll: what the gate keeps.
    pub lookback_ms: f32,
    /// Silence after which an end is final.
    pub min_silence_ms: f32,
    /// Silence after which work on the answer starts: the shortest `min_silence_ms`.
    pub lookahead_ms: f32,
}

/// Who decides what is speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateMode {
    /// The detector.
    #[default]
    Auto,
    /// The host: everything is speech from here on, with the pre-roll before it.
    Open,
    /// The host: nothing is. What was open ends here, without waiting for silence.
    Shut,
}

/// Whether the user's speech interrupts the answers of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// No speech does: answers neither wait nor are withdrawn.
    Never,
    /// Speech of this length withdraws the answer, shorter speech only pauses it; 100 to 5,000 ms.
    AfterMs(u32),
}

/// How a host interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InterruptMode {
    /// As the user's speech would: lines that must not be interrupted go on.
    #[default]
    Soft,
    /// Everything that sounds or is to be answered, and the lines that wait.
    Now,
}
