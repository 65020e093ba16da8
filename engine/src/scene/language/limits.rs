//! Limits that make a scene an acceptance test.

use serde::Deserialize;

/// The limits that a run of the scene must keep; `None`: not tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// True end of the utterance to the first released sample of the answer, at P95.
    pub speech_end_to_response_p95_ms: Option<f64>,
    /// The same at P99.
    pub speech_end_to_response_p99_ms: Option<f64>,
    /// First syllable to its arrival behind the gate.
    pub speech_start_to_forward_p95_ms: Option<f64>,
    /// End of speech to the start of work on it.
    pub silence_to_processing_p95_ms: Option<f64>,
    /// A frame from input to output.
    pub frame_in_to_out_p99_ms: Option<f64>,
    /// True onset of speech during an answer to the silence of the answer.
    pub speech_to_silence_p95_ms: Option<f64>,
    /// Time from a text's entry into the queue of a node behind the hub to the first part of its speech.
    pub request_p95_ms: Option<f64>,
    /// Depth that 99 % of the frames found at most in a session's queue at a node behind the hub.
    pub queue_depth_p99: Option<f64>,
    /// Share of cancelled segments among the opened ones, 0..1.
    pub cancelled_ratio: Option<f64>,
    /// Answers that began while the speaker went on, 0..1 of the answered turns.
    pub premature_ratio: Option<f64>,
    /// Least share of confirmed segments among the decided ones, 0..1.
    pub acceptance_ratio_min: Option<f64>,
    /// Share of service time that was spent on cancelled work, 0..1.
    pub wasted_service_ratio: Option<f64>,
    /// Frames dropped for any reason.
    pub dropped_frames: Option<u64>,
}

impl Limits {
    /// The limits that are set, in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        [
            ("speech_end_to_response_p95_ms", self.speech_end_to_response_p95_ms),
            ("speech_end_to_response_p99_ms", self.speech_end_to_response_p99_ms),
            ("speech_start_to_forward_p95_ms", self.speech_start_to_forward_p95_ms),
            ("silence_to_processing_p95_ms", self.silence_to_processing_p95_ms),
            ("frame_in_to_out_p99_ms", self.frame_in_to_out_p99_ms),
            ("speech_to_silence_p95_ms", self.speech_to_silence_p95_ms),
            ("request_p95_ms", self.request_p95_ms),
            ("queue_depth_p99", self.queue_depth_p99),
            ("cancelled_ratio", self.cancelled_ratio),
            ("premature_ratio", self.premature_ratio),
            ("acceptance_ratio_min", self.acceptance_ratio_min),
            ("wasted_service_ratio", self.wasted_service_ratio),
            ("dropped_frames", self.dropped_frames.map(|frames| frames as f64)),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
    }
}
