//! The labelled recordings beside the project (`shared/speech`), where they are.

use std::path::PathBuf;

use mynah::wav;
use serde_json::Value;

/// A stretch of media time in microseconds, half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from_us: u64,
    pub(crate) to_us: u64,
}

impl Span {
    /// Microseconds that both share.
    pub(crate) fn shared_us(self, other: Self) -> u64 {
        self.to_us.min(other.to_us).saturating_sub(self.from_us.max(other.from_us))
    }
}

/// One recording and where speech truly is.
#[derive(Clone, Debug)]
pub(crate) struct Labelled {
    pub(crate) file: String,
    pub(crate) rate: u32,
    /// Mono, full scale 1.0.
    pub(crate) samples: Vec<f32>,
    /// Turns, first to last speech.
    pub(crate) utterances: Vec<Span>,
    /// Continuous speech inside them.
    pub(crate) speech: Vec<Span>,
    /// Whether noise is mixed in already.
    pub(crate) noisy: bool,
}

/// A folder of the data kept beside the project; `None`, with a line that says so, when it is not there.
pub(crate) fn beside(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no {}", path.display());
    None
}

/// All labelled recordings, or `None` when they are not there.
pub(crate) fn labelled() -> Option<Vec<Labelled>> {
    let folder = beside("speech")?;
    let text =
        std::fs::read_to_string(folder.join("labels.jsonl")).expect("labels.jsonl is beside the files");
    let files = text.lines().map(|line| {
        let entry: Value = serde_json::from_str(line).expect("a line is one object");
        let file = entry["file"].as_str().expect("a file name").to_string();
        let recording = wav::read(&folder.join(&file)).expect("the labelled file is there");
        let spans = |kind: &str| {
            let all = entry["segments"].as_array().expect("segments").iter();
            let mine = all.filter(|segment| segment["kind"] == kind);
            let us = |value: &Value| value.as_u64().expect("milliseconds") * 1_000;
            mine.map(|s| Span { from_us: us(&s["start_ms"]), to_us: us(&s["end_ms"]) }).collect::<Vec<_>>()
        };
        let (utterances, speech) = (spans("utterance"), spans("speech"));
        let noisy = entry["noise"] != "room";
        Labelled { file, rate: recording.rate, samples: recording.samples, utterances, speech, noisy }
    });
    Some(files.collect())
}

/// A noise bed of 16 kHz.
pub(crate) fn bed(name: &str) -> Option<Vec<f32>> {
    let path = beside("speech")?.join(format!("bed_dev_{name}.wav"));
    Some(wav::read(&path).expect("the bed is there").samples)
}
