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
    lines.extend(beside_answers(gate));
    lines
}

/// What holds while an answer sounds, if it is anything else than at other times.
fn beside_answers(gate: &VadGate) -> Option<String> {
    let raised = gate.raise_threshold_while_speaking;
    let (field, what) = if gate.half_duplex {
        ("half_duplex", "nothing opens".to_owned())
    } else if raised > 0.0 {
        let level_db = gate.raise_level_while_speaking_db;
        let what = format!("opens at {raised}, and only {level_db} dB above the loudest echo of late");
        ("raise_threshold_while_speaking", what)
    } else {
        return None;
    };
    Some(format!("{field:<15} while an answer sounds and {} ms after it {what}", gate.echo_tail_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_the_gate_rounds_them() {
        let gate = VadGate { min_speech_ms: 96.0, min_silence_ms: 300.0, ..VadGate::default() };
        let lines = lines(&gate);
        assert_eq!(lines.len(), 6, "{lines:?}");
        for wanted in [
            "min_speech_ms   96 ms = 3 hops",
            "min_silence_ms  320 ms = 10 hops (asked for 300)",
            "lookahead_ms    32 ms = 1 hop",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:?}");
        }
    }

    #[test]
    fn what_holds_while_an_answer_sounds_is_said_where_it_differs() {
        let deaf = VadGate { half_duplex: true, echo_tail_ms: 450.0, ..VadGate::default() };
        let raised = VadGate { raise_threshold_while_speaking: 0.97, ..VadGate::default() };
        let cases = [
            (deaf, "half_duplex     while an answer sounds and 450 ms after it nothing opens"),
            (
                raised,
                "raise_threshold_while_speaking while an answer sounds and 300 ms after it opens at 0.97, and only \
                 6 dB above the loudest echo of late",
            ),
        ];
        for (gate, want) in cases {
            assert_eq!(lines(&gate).last().map(String::as_str), Some(want));
        }
    }
}
