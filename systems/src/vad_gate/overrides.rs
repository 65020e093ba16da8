//! What one session's gate does differently from the scene: its settings, and the words that refuse them.

use mynah_engine::scene::{Issue, Severity};
use mynah_engine::speech::GateOverrides;

use crate::vad_gate::config::VadGate;
use crate::vad_gate::settings::Settings;

/// The scene's configuration with the overrides of one session.
pub(super) fn merged(scene: &VadGate, overrides: &GateOverrides) -> VadGate {
    VadGate {
        threshold: overrides.threshold.unwrap_or(scene.threshold),
        release_threshold: overrides.release_threshold.unwrap_or(scene.release_threshold),
        min_speech_ms: overrides.min_speech_ms.unwrap_or(scene.min_speech_ms),
        min_silence_ms: overrides.min_silence_ms.unwrap_or(scene.min_silence_ms),
        lookahead_ms: overrides.lookahead_ms.unwrap_or(scene.lookahead_ms),
        pad_ms: overrides.pad_ms.unwrap_or(scene.pad_ms),
        half_duplex: overrides.half_duplex.unwrap_or(scene.half_duplex),
        echo_tail_ms: overrides.echo_tail_ms.unwrap_or(scene.echo_tail_ms),
        raise_threshold_while_speaking: overrides
            .raise_threshold_while_speaking
            .unwrap_or(scene.raise_threshold_while_speaking),
        ..*scene
    }
}

/// The settings of a session that overrides any; a session that does not takes no memory for them.
pub(super) fn own_settings(merged: &VadGate, overrides: &GateOverrides) -> Option<Box<Settings>> {
    let scene_alone = GateOverrides { mode: overrides.mode, ..GateOverrides::default() };
    (*overrides != scene_alone).then(|| Box::new(Settings::new(merged, merged.hop_us())))
}

/// Judges overrides by the checks of the scene, all findings at once.
pub(super) fn check(scene: &VadGate, overrides: &GateOverrides) -> Result<(), String> {
    let merged = merged(scene, overrides);
    let mut issues = Vec::new();
    merged.check_levels(&mut issues);
    merged.check_echo(&mut issues);
    merged.check_durations(&mut issues);
    check_ring(scene, &merged, &mut issues);
    let errors = issues.iter().filter(|issue| issue.severity == Severity::Error);
    let words: Vec<String> = errors.map(words).collect();
    if words.is_empty() { Ok(()) } else { Err(words.join(", and ")) }
}

/// Without speculation the window that decides is kept beside the pre-roll, and how much may leave at once is the
/// scene's.
fn check_ring(scene: &VadGate, merged: &VadGate, issues: &mut Vec<Issue>) {
    if !scene.speculate && merged.min_speech_ms + merged.pad_ms > scene.min_speech_ms + scene.lookback_ms {
        let text = format!(
            "{} ms and {} ms of pre-roll do not fit into what the scene's gate keeps",
            merged.min_speech_ms, merged.pad_ms
        );
        let most_ms = scene.min_speech_ms + scene.lookback_ms;
        issues.push(
            Issue::error("min_speech_ms", text).expected(format!("with `pad_ms` at most {most_ms} ms")),
        );
    }
}

fn words(issue: &Issue) -> String {
    let expected = issue.expected.as_ref().map(|would| format!("; expected {would}"));
    format!("{}: {}{}", issue.field, issue.message, expected.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_that_make_no_sense_are_named_with_what_would_do() {
        let none = GateOverrides::default();
        let slow = VadGate { speculate: false, ..VadGate::default() };
        let cases = [
            (VadGate::default(), none, ""),
            (VadGate::default(), GateOverrides { pad_ms: Some(200.0), ..none }, ""),
            (slow, GateOverrides { min_speech_ms: Some(140.0), ..none }, ""),
            (
                VadGate::default(),
                GateOverrides { threshold: Some(1.5), ..none },
                "threshold: 1.5 is no probability to open at; expected above 0.0, at most 1.0",
            ),
            (
                VadGate::default(),
                GateOverrides { threshold: Some(0.3), ..none },
                "release_threshold: 0.5 is above threshold 0.3; expected 0.0 to `threshold`",
            ),
            (
                VadGate::default(),
                GateOverrides { raise_threshold_while_speaking: Some(0.5), ..none },
                "raise_threshold_while_speaking: 0.5 is below threshold 0.9; expected 0, which is off, or `threshold` \
                 to 1.0",
            ),
            (
                VadGate::default(),
                GateOverrides { min_silence_ms: Some(f32::NAN), ..none },
                "min_silence_ms: NaN ms is out of range; expected 1 to 10000 ms",
            ),
            (
                VadGate::default(),
                GateOverrides { min_silence_ms: Some(20.0), ..none },
                "lookahead_ms: 32 ms is longer than min_silence_ms 20; expected at most `min_silence_ms`",
            ),
            (
                VadGate::default(),
                GateOverrides { pad_ms: Some(250.0), ..none },
                "pad_ms: 250 ms of pre-roll do not fit into a lookback of 200 ms; expected at most `lookback_ms`",
            ),
            (
                VadGate::default(),
                GateOverrides { threshold: Some(-1.0), lookahead_ms: Some(0.0), ..none },
                "threshold: -1 is no probability to open at; expected above 0.0, at most 1.0, and \
                 release_threshold: 0.5 is above threshold -1; expected 0.0 to `threshold`, and \
                 lookahead_ms: 0 ms is out of range; expected 1 to 2000 ms",
            ),
            (
                slow,
                GateOverrides { min_speech_ms: Some(300.0), ..none },
                "min_speech_ms: 300 ms and 150 ms of pre-roll do not fit into what the scene's gate keeps; expected \
                 with `pad_ms` at most 296 ms",
            ),
        ];
        for (scene, overrides, want) in cases {
            let told = check(&scene, &overrides).err().unwrap_or_default();
            assert_eq!(told, want, "{overrides:?}");
        }
    }

    #[test]
    fn a_session_that_overrides_nothing_has_no_settings_of_its_own() {
        use mynah_engine::speech::GateMode;
        let scene = VadGate::default();
        let held = GateOverrides { mode: GateMode::Open, ..GateOverrides::default() };
        assert!(own_settings(&merged(&scene, &held), &held).is_none());
        let quick = GateOverrides { min_silence_ms: Some(96.0), ..held };
        let own = own_settings(&merged(&scene, &quick), &quick).expect("it overrides one");
        assert_eq!((own.min_silence_us, own.lookahead_us), (96_000, 32_000));
    }
}
