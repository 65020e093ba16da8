//! What the recordings of a run truly say, where somebody has labelled them.

use std::path::{Path, PathBuf};

use mynah_engine::ScenePlan;
use mynah_files::failure::Failure;
use mynah_load::load::recordings;
use mynah_load::load::words::Said;
use mynah_sim::recognition;

use crate::args::Run;

/// The labels that lie beside recordings.
const BESIDE: &str = "labels.jsonl";

/// What each recording says; `None`: no labels name it, or nothing in the scene finds words.
///
/// # Errors
/// `--labels` cannot be used, names none of the recordings, or the scene finds no words: exit code 2.
pub fn of(args: &Run, plan: &ScenePlan) -> Result<Vec<Option<Vec<Said>>>, Failure> {
    let finds_words = recognition::is_real(plan);
    let Some(labels) = &args.labels else {
        let beside = |path: &PathBuf| {
            let labels = path.parent()?.join(BESIDE);
            // Whatever else has that name: nobody asked for it.
            named(path, &recordings::said(&labels).ok()?)
        };
        return Ok(args.input.iter().map(|path| beside(path).filter(|_| finds_words)).collect());
    };
    let unable = |what: String| Failure::unable(format_args!("--labels {}: {what}", labels.display()));
    if !finds_words {
        let scene = &plan.scene.name;
        return Err(unable(format!(
            "`{scene}` has no recogniser whose words could be compared; try `transcribe`"
        )));
    }
    let said = recordings::said(labels).map_err(|error| Failure::unable(format_args!("--labels {error}")))?;
    let of_each: Vec<_> = args.input.iter().map(|path| named(path, &said)).collect();
    if of_each.iter().all(Option::is_none) {
        return Err(unable("no line of it names one of the recordings".into()));
    }
    Ok(of_each)
}

fn named(path: &Path, said: &[(PathBuf, Vec<Said>)]) -> Option<Vec<Said>> {
    let path = path.canonicalize().ok()?;
    let mut lines = said.iter().filter(|(file, _)| file.canonicalize().is_ok_and(|file| file == path));
    lines.next().map(|(_, said)| said.clone())
}
