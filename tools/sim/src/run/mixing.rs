//! Notices about recordings whose channels cancel each other in a scene that mixes them.

use std::path::PathBuf;

use mynah_engine::ScenePlan;

use crate::run::sessions::format_of;
use mynah_files::terminal;
use mynah_load::wav::{Cancelling, Recording};

/// Says of which recordings a node hears next to nothing, and the settings that let it hear one channel.
pub fn warn(plan: &ScenePlan, paths: &[PathBuf], recordings: &[Recording]) {
    for (path, recording) in paths.iter().zip(recordings) {
        let mixing = mixing(plan, recording);
        if let Some(found) = Cancelling::find(recording).filter(|_| !mixing.is_empty()) {
            let choice = match found.loudest() {
                1 => "Left".to_owned(),
                2 => "Right".to_owned(),
                place => format!("Channel({place})"),
            };
            let sets: Vec<String> =
                mixing.iter().map(|id| format!("--set '{id}.channels={choice}'")).collect();
            let heard = mixing.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" and ");
            terminal::notice(&format!(
                "warning: {}: {found}, which is what {heard} gets: take one channel with `{}`",
                path.display(),
                sets.join(" ")
            ));
        }
    }
}

/// Ids of the nodes that mix the channels of such a recording.
fn mixing<'a>(plan: &'a ScenePlan, recording: &Recording) -> Vec<&'a str> {
    let formats = plan.formats(format_of(recording));
    let arriving = plan.nodes.iter().zip(formats).filter_map(|(node, (input, _))| Some((node, input?)));
    let mixes = arriving.filter(|(node, input)| input.channels > 1 && node.spec.mixes_channels());
    mixes.map(|(node, _)| node.id.as_str()).collect()
}
