//! The effect of a gate's settings: its durations, rounded to hops.

use super::config::VadGate;

/// The summary, then one line for each duration.
pub(super) fn lines(gate: &VadGate) -> Vec<String> {
    let hop_ms = gate.hop_us() as f64 / 1_000.0;
    let mode = if gate.speculate { "speculative" } else { "not speculative" };
    let mut lines = vec![format!(
        "{:?}, hop {hop_ms} ms, opens at {}, pauses below {}, {mode}",
        gate.vad, gate.threshold, gate.release_threshold
    )];
    let durations = [
        ("min_speech_ms", gate.min_speech_ms),
        ("min_silence_ms", gate.min_silence_ms),
        ("lookahead_ms", gate.lookahead_ms),
        ("max_segment_ms", gate.max_segment_ms),
    ];
    for (field, ms) in durations {
        let hops = (f64::from(ms) / hop_ms).ceil().max(1.0);
        let rounded_ms = hops * hop_ms;
        let note = if rounded_ms == f64::from(ms) { String::new() } else { format!(" (asked for {ms})") };
        let plural = if hops == 1.0 { "" } else { "s" };
        lines.push(format!("{field:<15} {rounded_ms} ms = {hops} hop{plural}{note}"));
    }
    lines.push(format!("{:<15} {} ms, of a lookback of {} ms", "pad_ms", gate.pad_ms, gate.lookback_ms));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_the_gate_rounds_them() {
        let gate = VadGate { min_speech_ms: 96.0, min_silence_ms: 300.0, ..VadGate::default() };
        let lines = lines(&gate);
        for wanted in [
            "min_speech_ms   96 ms = 3 hops",
            "min_silence_ms  320 ms = 10 hops (asked for 300)",
            "lookahead_ms    32 ms = 1 hop",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:?}");
        }
    }
}
