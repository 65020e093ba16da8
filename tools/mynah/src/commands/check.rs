//! `mynah check`: prints the errors of scenes, and for valid ones the effect of their settings.

use std::io::Write as _;

use mynah_engine::ScenePlan;

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

/// `ok` with what counts: size, formats, and what the settings of its nodes come to.
fn summary(name: &str, plan: &ScenePlan) -> String {
    let (nodes, ranks) = (counted(plan.nodes.len(), "node"), counted(plan.ranks as usize, "rank"));
    let leaving = plan.output.audio.map_or("no audio".into(), |format| format.to_string());
    let mut text = format!(
        "ok   {name}: {nodes} in {ranks}, {} in, {leaving} out, tick {} ms\n",
        plan.input, plan.scene.tick.period_ms
    );
    for node in plan.scene.nodes.iter().filter_map(|said| Some(&plan.nodes[plan.node(&said.id)?])) {
        let mut lines = node.spec.settled().into_iter();
        if let Some(first) = lines.next() {
            text += &format!("     {}: {first}\n", node.id);
        }
        text.extend(lines.map(|line| format!("       {line}\n")));
        if !node.capabilities.supports_control_messages {
            text += &format!(
                "     {}: no control messages, so that what is taken back is worked off and dropped behind it\n",
                node.id
            );
        }
    }
    text
}
