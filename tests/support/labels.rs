//! Labelled recordings: those of the checkout, and those that `MYNAH_RECORDINGS` names.

use std::collections::BTreeMap;
use std::path::Path;

use mynah_load::wav;
use serde_json::Value;

use super::given;

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

/// A folder of labelled recordings.
#[derive(Debug)]
pub(crate) struct Set {
    /// The folder, for messages.
    pub(crate) name: String,
    pub(crate) files: Vec<Labelled>,
    /// Noise to mix in, by its name: the recordings without labels, at 16 kHz.
    beds: BTreeMap<String, Vec<f32>>,
}

impl Set {
    /// Reads a folder: `labels.jsonl`, and the files it names.
    fn read(folder: &Path) -> Self {
        let labels = folder.join("labels.jsonl");
        let text =
            std::fs::read_to_string(&labels).unwrap_or_else(|error| panic!("{}: {error}", labels.display()));
        let mut set = Self { name: folder.display().to_string(), files: Vec::new(), beds: BTreeMap::new() };
        for (line, at) in text.lines().zip(1..) {
            let place = format!("{}:{at}", labels.display());
            let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
            let file = entry["file"].as_str().unwrap_or_else(|| panic!("{place}: no file"));
            let recording = wav::read(&folder.join(file)).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(recording.channels, 1, "{place}: expected mono");
            let segments = entry["segments"].as_array().unwrap_or_else(|| panic!("{place}: no segments"));
            let noise = entry["noise"].as_str().unwrap_or("room");
            if segments.is_empty() {
                assert_eq!(recording.rate, 16_000, "{place}: expected a bed of noise at 16 kHz");
                set.beds.insert(noise.to_owned(), recording.samples);
                continue;
            }
            let spans = |kind: &str| {
                let mine = segments.iter().filter(|segment| segment["kind"] == kind);
                let us = |value: &Value| value.as_u64().expect("milliseconds") * 1_000;
                let span = |s: &Value| Span { from_us: us(&s["start_ms"]), to_us: us(&s["end_ms"]) };
                mine.map(span).collect::<Vec<_>>()
            };
            set.files.push(Labelled {
                file: file.to_owned(),
                rate: recording.rate,
                samples: recording.samples,
                utterances: spans("utterance"),
                speech: spans("speech"),
                noisy: noise != "room",
            });
        }
        set
    }

    /// Noise by its name.
    pub(crate) fn bed(&self, name: &str) -> &[f32] {
        self.beds.get(name).unwrap_or_else(|| panic!("{}: no bed of noise named {name}", self.name))
    }

    /// The recordings with noise in them, or those without.
    pub(crate) fn noisy(&self, noisy: bool) -> Vec<Labelled> {
        self.files.iter().filter(|file| file.noisy == noisy).cloned().collect()
    }
}

/// Every folder of labelled recordings there is: the checkout's comes first, and lends its beds to one without.
pub(crate) fn sets() -> Vec<Set> {
    let mut sets: Vec<Set> = given::recordings().iter().map(|folder| Set::read(folder)).collect();
    let own = sets[0].beds.clone();
    for (name, bed) in own {
        for set in &mut sets[1..] {
            set.beds.entry(name.clone()).or_insert_with(|| bed.clone());
        }
    }
    sets
}
