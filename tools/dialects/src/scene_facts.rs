//! What a dialect must know of a scene to say what a session in it does.

/// The facts of a scene that clients are told; a server takes them from its plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SceneFacts {
    /// The scene's name.
    pub name: String,
    /// Whether it uses the audio that comes in.
    pub hears: bool,
    /// Whether audio leaves it.
    pub speaks: bool,
    /// Whether text leaves at its output.
    pub writes: bool,
    /// Whether it answers: what leaves is a reply, not just what was heard.
    pub answers: bool,
    /// Speech of this length withdraws an answer, 100 to 5,000 ms; `None`: no speech does.
    pub interrupt_min_ms: Option<u32>,
    /// Its gate, the first where there are several; `None`: nothing decides what is speech.
    pub gate: Option<GateFacts>,
}

/// The settings of a scene's gate, in the units of [`GateOverrides`](mynah_engine::speech::GateOverrides).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateFacts {
    /// Probability that opens a segment, above 0 to 1.
    pub threshold: f32,
    /// Probability below which speech pauses, 0 to the threshold.
    pub release_threshold: f32,
    /// Probability that opens a segment while an answer sounds, the threshold to 1; 0: the threshold does.
    pub raise_threshold_while_speaking: f32,
    /// Pre-roll, ms.
    pub pad_ms: f32,
    /// Longest pre-roll, ms: what the gate keeps.
    pub lookback_ms: f32,
    /// Silence after which an end is final, ms.
    pub min_silence_ms: f32,
    /// Silence after which work on the answer starts, ms: the shortest `min_silence_ms`.
    pub lookahead_ms: f32,
}
