//! `mynah check`: what is wrong with scenes; for those that hold, what their settings come to.

use std::io::Write as _;

use mynah_engine::ScenePlan;
use mynah_engine::scene::{SceneNode, parse_config};
use mynah_systems::vad_gate::VadGate;

use crate::args::Check;
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal::{self, Stdout};
use mynah_sim::scenes::{self, counted};

/// Checks all scenes, prints everything there is to say, and ends as badly as the worst of them.
///
/// # Errors
/// Only when nothing can be printed; what is wrong with scenes is printed here.
pub fn run(args: &Check) -> Result<Exit, Failure> {
    let mut out = Stdout::lock();
    let mut worst = Exit::Done;
    for scene in &args.scenes {
        match scenes::compile(scene, &args.sets.sets, None, None) {
            Ok((plan, warnings)) => {
                scenes::warn(&warnings);
                if !warnings.is_empty() && args.deny_warnings {
                    terminal::notice(&format!("{scene}: {} denied", counted(warnings.len(), "warning")));
                    worst = worst.max(Exit::Refused);
                } else {
                    out.write_all(summary(scene, &plan).as_bytes())?;
                }
            }
            Err(failure) => {
                terminal::notice(&failure.message);
                worst = worst.max(failure.exit);
            }
        }
    }
    out.flush()?;
    Ok(worst)
}

/// `ok` with what counts: size, formats, and each gate's durations as they are rounded.
fn summary(name: &str, plan: &ScenePlan) -> String {
    let (nodes, ranks) = (counted(plan.nodes.len(), "node"), counted(plan.ranks as usize, "rank"));
    let leaving = plan.output.audio.map_or("no audio".into(), |format| format.to_string());
    let mut text = format!(
        "ok   {name}: {nodes} in {ranks}, {} in, {leaving} out, tick {} ms\n",
        plan.input, plan.scene.tick.period_ms
    );
    for node in &plan.scene.nodes {
        if let Some(gate) = gate(node) {
            text += &gate_lines(&node.id, &gate);
        }
    }
    text
}

/// The configuration of a node that is a gate.
fn gate(node: &SceneNode) -> Option<VadGate> {
    let is_gate = node.kind.name == <VadGate as mynah_engine::node::NodeKind>::NAME;
    if is_gate { parse_config(&node.kind.config).ok() } else { None }
}

fn gate_lines(id: &str, gate: &VadGate) -> String {
    let hop_ms = gate.hop_us() as f64 / 1_000.0;
    let mode = if gate.speculate { "speculative" } else { "not speculative" };
    let mut text = format!(
        "     {id}: {:?}, hop {hop_ms} ms, opens at {}, pauses below {}, {mode}\n",
        gate.vad, gate.threshold, gate.release_threshold
    );
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
        text += &format!("       {field:<15} {rounded_ms} ms = {}{note}\n", counted(hops as usize, "hop"));
    }
    text +=
        &format!("       {:<15} {} ms, of a lookback of {} ms\n", "pad_ms", gate.pad_ms, gate.lookback_ms);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_the_gate_rounds_them() {
        let gate = VadGate { min_speech_ms: 96.0, min_silence_ms: 300.0, ..VadGate::default() };
        let text = gate_lines("gate", &gate);
        assert!(text.contains("min_speech_ms   96 ms = 3 hops\n"), "{text}");
        assert!(text.contains("min_silence_ms  320 ms = 10 hops (asked for 300)\n"), "{text}");
        assert!(text.contains("lookahead_ms    32 ms = 1 hop\n"), "{text}");
    }
}
