//! What the recordings of a run truly say, where somebody has labelled them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mynah_engine::ScenePlan;
use mynah_files::failure::Failure;
use mynah_files::terminal;
use mynah_load::load::recordings;
use mynah_load::load::words::Said;
use mynah_sim::recognition;
use mynah_sim::scenes::counted;

use crate::args::Run;

/// The labels that lie beside recordings.
const BESIDE: &str = "labels.jsonl";

/// What each recording says, and the files that say it.
#[derive(Debug, Default)]
pub struct Labels {
    /// By recording; `None`: no labels say it, or nothing in the scene finds words.
    pub said: Vec<Option<Vec<Said>>>,
    /// The files of labels that were read.
    pub files: Vec<PathBuf>,
}

impl Labels {
    /// Reads `--labels`, or what lies beside the recordings.
    ///
    /// # Errors
    /// `--labels` cannot be used, says nothing of any recording, or the scene finds no words: exit code 2.
    pub fn read(args: &Run, plan: &ScenePlan) -> Result<Self, Failure> {
        let finds_words = recognition::is_real(plan);
        match &args.labels {
            Some(labels) if finds_words => Self::named(labels, &args.input),
            Some(labels) => {
                let (labels, scene) = (labels.display(), &plan.scene.name);
                Err(Failure::unable(format_args!(
                    "--labels {labels}: `{scene}` has no recogniser whose words could be compared; try `transcribe`"
                )))
            }
            None if finds_words => Ok(Self::beside(&args.input)),
            None => Ok(Self { said: vec![None; args.input.len()], files: Vec::new() }),
        }
    }

    fn named(labels: &Path, input: &[PathBuf]) -> Result<Self, Failure> {
        let read = recordings::said(labels);
        let known = by_path(read.map_err(|error| Failure::unable(format_args!("--labels {error}")))?);
        let said: Vec<_> = input.iter().map(|path| look_up(&known, path)).collect();
        match said.iter().filter(|said| said.is_none()).count() {
            0 => {}
            all if all == input.len() => {
                let text = format!("--labels {}: no line of it says what a recording says", labels.display());
                return Err(Failure::unable(text));
            }
            some => terminal::notice(&format!(
                "notice: --labels {} says nothing of {}: not compared",
                labels.display(),
                counted(some, "recording")
            )),
        }
        Ok(Self { said, files: vec![labels.to_path_buf()] })
    }

    fn beside(input: &[PathBuf]) -> Self {
        let mut folders: BTreeMap<PathBuf, BTreeMap<PathBuf, Vec<Said>>> = BTreeMap::new();
        let mut of = |path: &PathBuf| {
            let labels = path.parent()?.join(BESIDE);
            let known = folders.entry(labels).or_insert_with_key(|labels| match recordings::said(labels) {
                Ok(said) => by_path(said),
                Err(_) if !labels.exists() => BTreeMap::new(),
                Err(error) => {
                    terminal::notice(&format!("notice: {error}; words are not compared"));
                    BTreeMap::new()
                }
            });
            look_up(known, path)
        };
        let said = input.iter().map(&mut of).collect();
        let files = folders.into_keys().filter(|labels| labels.exists()).collect();
        Self { said, files }
    }
}

fn by_path(said: Vec<(PathBuf, Vec<Said>)>) -> BTreeMap<PathBuf, Vec<Said>> {
    said.into_iter().filter_map(|(file, said)| Some((file.canonicalize().ok()?, said))).collect()
}

fn look_up(known: &BTreeMap<PathBuf, Vec<Said>>, path: &Path) -> Option<Vec<Said>> {
    known.get(&path.canonicalize().ok()?).cloned()
}
