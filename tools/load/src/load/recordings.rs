//! Real recordings as load: JSON Lines of labels beside WAV files, played to the sessions in turn.
//!
//! A line is `{"file", "segments": [{"start_ms", "end_ms", "kind", "text", "voice"}]}`, half-open times, `file` relative to the
//! labels. `utterance` is a turn with its words (a ` / ` marks the pause put inside), `speech` is continuous speech
//! within it; every other kind is not speech. Further fields are ignored. A line without segments is a bed of noise
//! that nobody labelled, and is left out: what it contains cannot be judged.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::heard::{Part, PlacedWord, append_words, overlap, place_words};
use super::media_time::us_of;
use super::rate;
use super::truth::{Stretch, Truth};
use super::utterance::Utterance;
use super::words::Said;
use crate::wav::{self, Cancelling, WavError};
use mynah_files::terminal;
use mynah_files::text;

/// Why a load file cannot be played.
#[derive(Debug)]
pub enum RecordingsError {
    /// The labels cannot be read.
    Labels(PathBuf, std::io::Error),
    /// A line (from 1) does not say what it must; the text says what is expected.
    Line(PathBuf, usize, String),
    /// No line has a labelled segment.
    Empty(PathBuf),
    /// A recording cannot be read.
    Wav(WavError),
    /// A recording cannot be brought to the sessions' rate; both rates are in the text.
    Rate(PathBuf, String),
}

impl fmt::Display for RecordingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels(path, error) => {
                write!(f, "{}: {error}; expected a file of labels, one JSON object a line", path.display())
            }
            Self::Line(path, line, what) => write!(f, "{}:{line}: {what}", path.display()),
            Self::Empty(path) => {
                write!(
                    f,
                    "{}: no recording with labelled segments; expected at least one line",
                    path.display()
                )
            }
            Self::Wav(error) => error.fmt(f),
            Self::Rate(path, what) => write!(f, "{}: {what}", path.display()),
        }
    }
}

impl std::error::Error for RecordingsError {}

#[derive(Deserialize)]
struct LabelLine {
    file: PathBuf,
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    start_ms: u64,
    end_ms: u64,
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    voice: String,
}

impl Segment {
    fn at(&self) -> Stretch {
        Stretch { start_us: self.start_ms * 1_000, end_us: self.end_ms * 1_000 }
    }
}

/// One turn of a recording.
#[derive(Debug)]
struct Spoken {
    text: Arc<str>,
    voice: Arc<str>,
    parts: Vec<Part>,
    truth: Truth,
}

/// One recording, mono, at the sessions' rate.
#[derive(Debug)]
struct Take {
    samples: Vec<f32>,
    rate_hz: u32,
    spoken: Vec<Spoken>,
}

/// The recordings that labels name. What cannot be read or understood is left to whoever loads it.
pub fn files(labels: &Path) -> Vec<PathBuf> {
    let text = text::read(labels).unwrap_or_default();
    let folder = labels.parent().unwrap_or(Path::new(""));
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| Some(folder.join(line["file"].as_str()?))).collect()
}

/// Latest time in labels, milliseconds: a year.
const LAST_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// The lines of a file of labels that are not empty, each with its number, from 1. Their files are where they are from here.
fn lines(labels: &Path) -> Result<Vec<(usize, LabelLine)>, RecordingsError> {
    let text = text::read(labels).map_err(|error| RecordingsError::Labels(labels.to_path_buf(), error))?;
    let folder = labels.parent().unwrap_or(Path::new(""));
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = filled.map(|(index, line)| {
        let line: LabelLine = serde_json::from_str(line).map_err(|error| {
            let form = r#"{"file": "a.wav", "segments": [{"start_ms", "end_ms", "kind", "text"}]}"#;
            let what = format!("no line of labels ({error}); expected {form}");
            RecordingsError::Line(labels.to_path_buf(), index + 1, what)
        })?;
        let backwards = line.segments.iter().find(|s| s.start_ms >= s.end_ms || s.end_ms > LAST_MS);
        if let Some(Segment { kind, start_ms, end_ms, .. }) = backwards {
            let what = format!("{kind} from {start_ms} to {end_ms} ms, expected a stretch of time");
            return Err(RecordingsError::Line(labels.to_path_buf(), index + 1, what));
        }
        Ok((index + 1, LabelLine { file: folder.join(&line.file), ..line }))
    });
    parsed.collect()
}

/// What is said in each of the recordings that labels name, by the labels alone. Those are left out of which the labels
/// do not say it: without segments, or with speech without its words.
///
/// # Errors
/// [`RecordingsError`], at the first line that cannot be used.
pub fn said(labels: &Path) -> Result<Vec<(PathBuf, Vec<Said>)>, RecordingsError> {
    let of_line = |(_, line): (usize, LabelLine)| {
        let turns = || line.segments.iter().filter(|segment| segment.kind == "utterance");
        let speaks = line.segments.iter().any(|segment| segment.kind == "speech");
        let tells = turns().all(|turn| !turn.text.trim().is_empty()) && (turns().count() > 0 || !speaks);
        if line.segments.is_empty() || !tells {
            return None;
        }
        let said = |turn: &Segment| Said {
            at: turn.at(),
            text: turn.text.replace(" / ", " "),
            voice: turn.voice.clone(),
        };
        let said = turns().map(said).collect();
        Some((line.file, said))
    };
    Ok(lines(labels)?.into_iter().filter_map(of_line).collect())
}

/// All recordings of a load, shared by its sessions.
#[derive(Clone, Debug)]
pub struct Recordings {
    takes: Vec<Arc<Take>>,
}

impl Recordings {
    /// Reads the labels and the recordings they name, mixes each to mono and converts it to `rate_hz`.
    /// Non-finite samples stay as they are, unless the rate has to be converted: then they become 0.
    ///
    /// # Errors
    /// [`RecordingsError`], at the first line that cannot be used.
    pub fn load(labels: &Path, rate_hz: u32) -> Result<Self, RecordingsError> {
        let mut takes = Vec::new();
        for (number, line) in lines(labels)?.into_iter().filter(|(_, line)| !line.segments.is_empty()) {
            let (samples, length_us) = mono(&line.file, rate_hz)?;
            let spoken = spoken(&line.segments, length_us)
                .map_err(|what| RecordingsError::Line(labels.to_path_buf(), number, what))?;
            takes.push(Arc::new(Take { samples, rate_hz, spoken }));
        }
        if takes.is_empty() {
            return Err(RecordingsError::Empty(labels.to_path_buf()));
        }
        Ok(Self { takes })
    }

    /// How many recordings there are, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "loading refuses an empty set")]
    pub fn len(&self) -> usize {
        self.takes.len()
    }

    /// The stream of session number `session`: recording `session % len`, from its start, then silence.
    #[must_use]
    pub fn playback(&self, session: u64) -> Playback {
        let take = Arc::clone(&self.takes[(session % self.takes.len() as u64) as usize]);
        Playback { take, position: 0, told: 0 }
    }
}

/// The samples of a file at `rate_hz`, and its length in microseconds.
fn mono(path: &Path, rate_hz: u32) -> Result<(Vec<f32>, u64), RecordingsError> {
    let recording = wav::read(path).map_err(RecordingsError::Wav)?;
    if let Some(found) = Cancelling::find(&recording) {
        terminal::notice(&format!(
            "warning: {}: {found}, which callers would send: take one channel, e.g. with `ffmpeg -i FILE -af \
             'pan=mono|c0=c{}' out.wav`",
            path.display(),
            found.loudest() - 1
        ));
    }
    let channels = usize::from(recording.channels);
    let mut samples: Vec<f32> = recording
        .samples
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / channels as f32)
        .collect();
    let length_us = us_of(samples.len() as u64, recording.rate);
    if recording.rate != rate_hz {
        // One of them would spread over a whole block of the converter.
        for sample in samples.iter_mut().filter(|sample| !sample.is_finite()) {
            *sample = 0.0;
        }
        samples = rate::convert(&samples, recording.rate, rate_hz)
            .map_err(|what| RecordingsError::Rate(path.to_path_buf(), what))?;
    }
    Ok((samples, length_us))
}

/// The turns among the segments, in order of time.
fn spoken(segments: &[Segment], length_us: u64) -> Result<Vec<Spoken>, String> {
    for segment in segments {
        let Segment { start_ms, end_ms, kind, .. } = segment;
        // Labels count milliseconds, so an end may lie up to one beyond the last sample.
        if start_ms >= end_ms || end_ms.saturating_mul(1_000) > length_us + 1_000 {
            let length_ms = length_us / 1_000;
            return Err(format!(
                "{kind} from {start_ms} to {end_ms} ms, expected a stretch of 0 to {length_ms} ms"
            ));
        }
    }
    let mut turns: Vec<&Segment> = segments.iter().filter(|segment| segment.kind == "utterance").collect();
    turns.sort_by_key(|turn| turn.start_ms);
    let spoken = turns.into_iter().filter_map(|turn| {
        let inside = |segment: &Segment| overlap(segment.at(), turn.at());
        let mut speech: Vec<Stretch> =
            segments.iter().filter(|segment| segment.kind == "speech").filter_map(inside).collect();
        if speech.is_empty() {
            speech.push(turn.at());
        }
        Truth::from_speech(speech).map(|truth| turn_of(turn, truth))
    });
    Ok(spoken.collect())
}

/// Lays the pieces of a text around the pauses that its ` / ` marks: the longest ones.
fn turn_of(turn: &Segment, truth: Truth) -> Spoken {
    let mut pieces: Vec<String> = turn.text.split(" / ").map(str::to_owned).collect();
    let mut marked: Vec<Stretch> = truth.pauses().collect();
    marked.sort_by_key(|pause| (std::cmp::Reverse(pause.len_us()), pause.start_us));
    if marked.len() + 1 < pieces.len() {
        pieces = vec![pieces.join(" ")];
    }
    marked.truncate(pieces.len() - 1);
    marked.sort_by_key(|pause| pause.start_us);
    let starts = std::iter::once(truth.start_us()).chain(marked.iter().map(|pause| pause.end_us));
    let ends = marked.iter().map(|pause| pause.start_us).chain(std::iter::once(truth.end_us()));
    let at = starts.zip(ends).map(|(start_us, end_us)| Stretch { start_us, end_us });
    let text = pieces.join(" ").into();
    let parts = pieces.into_iter().zip(at).map(|(piece, at)| Part { text: piece.into(), at }).collect();
    Spoken { text, voice: turn.voice.as_str().into(), parts, truth }
}

/// A recording at a position of its stream.
#[derive(Clone, Debug)]
pub struct Playback {
    take: Arc<Take>,
    position: u64,
    told: usize,
}

impl Playback {
    /// Overwrites `out` with the next samples; zeros after the end.
    pub fn fill(&mut self, out: &mut [f32]) {
        let left = self.take.samples.get(self.position as usize..).unwrap_or(&[]);
        let count = left.len().min(out.len());
        out[..count].copy_from_slice(&left[..count]);
        out[count..].fill(0.0);
        self.position += out.len() as u64;
    }

    /// Media time of the next sample, microseconds.
    #[must_use]
    pub fn position_us(&self) -> u64 {
        us_of(self.position, self.take.rate_hz)
    }

    /// Appends the utterances that have begun since the last call.
    pub fn drain_truth(&mut self, until_us: u64, told: &mut Vec<Utterance>) {
        let begun = self.begun(until_us);
        told.extend((self.told..begun).map(|index| self.utterance(index)));
        self.told = begun.max(self.told);
    }

    /// All utterances that have begun up to the position.
    #[must_use]
    pub fn utterances(&self) -> Vec<Utterance> {
        (0..self.begun(self.position_us())).map(|index| self.utterance(index)).collect()
    }

    /// The words spoken within a stretch of media time.
    #[must_use]
    pub fn heard(&self, within: Stretch) -> String {
        let mut heard = String::new();
        for spoken in &self.take.spoken {
            for part in &spoken.parts {
                append_words(&mut heard, part, spoken.truth.speech(), within);
            }
        }
        heard
    }

    /// The same words, each with its place.
    #[must_use]
    pub fn words(&self, within: Stretch) -> Vec<PlacedWord> {
        let mut words = Vec::new();
        for spoken in &self.take.spoken {
            for part in &spoken.parts {
                place_words(&mut words, part, spoken.truth.speech(), within, 0);
            }
        }
        words
    }

    fn begun(&self, until_us: u64) -> usize {
        self.take.spoken.iter().take_while(|spoken| spoken.truth.start_us() <= until_us).count()
    }

    fn utterance(&self, index: usize) -> Utterance {
        let Spoken { text, voice, truth, .. } = &self.take.spoken[index];
        Utterance {
            start_us: truth.start_us(),
            end_us: truth.end_us(),
            text: Arc::clone(text),
            voice: Arc::clone(voice),
            pauses: truth.pauses().collect(),
            clip: index as u32,
        }
    }
}

#[cfg(test)]
#[path = "../../../../tests/support/given.rs"]
mod given;

#[cfg(test)]
mod tests {
    use super::super::truth;
    use super::*;

    /// A folder with labels and the files they name, gone when the test is.
    struct Folder(PathBuf);

    impl Folder {
        /// `a.wav` (2 s, 16 kHz, mono) and `b.wav` (1 s, 48 kHz, stereo) beside these labels.
        fn new(name: &str, labels: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mynah-load-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            let ramp: Vec<f32> = (0..32_000).map(|index| index as f32 / 32_768.0).collect();
            wav::write(&path.join("a.wav"), 16_000, 1, &ramp).unwrap();
            let stereo: Vec<f32> = (0..48_000).flat_map(|_| [0.5, 0.25]).collect();
            wav::write(&path.join("b.wav"), 48_000, 2, &stereo).unwrap();
            std::fs::write(path.join("labels.jsonl"), labels).unwrap();
            Self(path)
        }

        fn load(&self) -> Result<Recordings, RecordingsError> {
            Recordings::load(&self.0.join("labels.jsonl"), 16_000)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    const LABELS: &str = r#"
{"file": "a.wav", "rate": 16000, "segments": [{"start_ms": 100, "end_ms": 300, "kind": "click"}, {"start_ms": 400, "end_ms": 1900, "kind": "utterance", "text": "one two / three four"}, {"start_ms": 400, "end_ms": 800, "kind": "speech"}, {"start_ms": 800, "end_ms": 1400, "kind": "pause"}, {"start_ms": 1400, "end_ms": 1600, "kind": "speech"}, {"start_ms": 1750, "end_ms": 1900, "kind": "speech"}]}
{"file": "bed.wav", "segments": []}
{"file": "b.wav", "segments": [{"start_ms": 0, "end_ms": 1000, "kind": "ring", "text": ""}]}
"#;

    #[test]
    fn sessions_play_the_files_in_turn_and_then_silence() {
        let folder = Folder::new("turns", LABELS);
        let recordings = folder.load().unwrap();
        assert_eq!(recordings.len(), 2);
        let (mut first, mut third) = (recordings.playback(0), recordings.playback(2));
        let (mut whole, mut pieces) = (vec![1.0; 40_000], vec![1.0; 40_000]);
        first.fill(&mut whole);
        pieces.chunks_mut(333).for_each(|chunk| third.fill(chunk));
        assert!(whole == pieces);
        assert!(
            (whole[16_000] - 16_000.0 / 32_768.0).abs() < 1e-4 && whole[32_000..].iter().all(|&s| s == 0.0)
        );
        assert_eq!(first.position_us(), 2_500_000);

        let mut second = recordings.playback(1);
        second.fill(&mut whole);
        // Both channels' mean, and as long as before the conversion.
        assert!((whole[8_000] - 0.375).abs() < 1e-3, "{}", whole[8_000]);
        assert!(whole[16_000..].iter().all(|&s| s == 0.0) && second.utterances().is_empty());
    }

    #[test]
    fn truth_and_words_follow_the_labels() {
        let folder = Folder::new("truth", LABELS);
        let mut playback = folder.load().unwrap().playback(0);
        let mut told = Vec::new();
        playback.fill(&mut [0.0; 6_000]);
        playback.drain_truth(playback.position_us(), &mut told);
        assert!(told.is_empty());
        playback.fill(&mut [0.0; 1_000]);
        playback.drain_truth(playback.position_us(), &mut told);
        playback.drain_truth(playback.position_us(), &mut told);
        let pauses = vec![
            Stretch { start_us: 800_000, end_us: 1_400_000 },
            Stretch { start_us: 1_600_000, end_us: 1_750_000 },
        ];
        let text = "one two three four".into();
        assert_eq!(
            told,
            [Utterance { start_us: 400_000, end_us: 1_900_000, text, voice: "".into(), pauses, clip: 0 }]
        );
        let heard = |from_ms: u64, to_ms: u64| {
            playback.heard(Stretch { start_us: from_ms * 1_000, end_us: to_ms * 1_000 })
        };
        assert_eq!(heard(0, 2_000), "one two three four");
        assert_eq!(heard(0, 1_000), "one two");
        assert_eq!(heard(1_400, 2_000), "three four");
        assert_eq!(heard(0, 350), "");
    }

    #[test]
    fn bad_labels_name_file_and_line() {
        let late = r#"{"file": "a.wav", "segments": [{"start_ms": 0, "end_ms": 2500, "kind": "utterance"}]}"#;
        let backwards = r#"{"file": "a.wav", "segments": [{"start_ms": 9, "end_ms": 9, "kind": "speech"}]}"#;
        let missing = r#"{"file": "c.wav", "segments": [{"start_ms": 0, "end_ms": 9, "kind": "speech"}]}"#;
        let cases = [
            ("", "no recording"),
            ("\n{\"file\": \"a.wav\", \"segments\": []}", "no recording"),
            ("\n{\"file\": 3}", "labels.jsonl:2: "),
            (late, "labels.jsonl:1: utterance from 0 to 2500 ms, expected a stretch of 0 to 2000 ms"),
            (backwards, "speech from 9 to 9 ms"),
            (missing, "c.wav: no such file"),
        ];
        for (index, (labels, says)) in cases.into_iter().enumerate() {
            let folder = Folder::new(&format!("bad{index}"), labels);
            let error = folder.load().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let error = Recordings::load(Path::new("no/such.jsonl"), 16_000).unwrap_err();
        assert!(error.to_string().contains("no/such.jsonl"), "{error}");
    }

    /// Lines of labels with segments that are synthesis over a quiet floor, counted from 0.
    fn synthesized(labels: &Path) -> Vec<usize> {
        let text = std::fs::read_to_string(labels).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let played = lines.filter(|line| line["segments"].as_array().is_some_and(|all| !all.is_empty()));
        let quiet = |line: &serde_json::Value| {
            let segments = line["segments"].as_array().unwrap().iter();
            let sources: Vec<_> =
                segments.filter(|s| s["kind"] == "utterance").map(|s| s["source"].as_str()).collect();
            let voice = |source: &Option<&str>| matches!(source, Some("flite" | "espeak"));
            line["noise"] == "room" && !sources.is_empty() && sources.iter().all(voice)
        };
        played.enumerate().filter(|(_, line)| quiet(line)).map(|(index, _)| index).collect()
    }

    /// The rule of `truth` against labels made by the same rule before the floor was mixed in. Floor and neighbouring
    /// sounds move some edges of the mixed files, so two of three must agree.
    #[test]
    fn the_energy_rule_finds_the_labelled_edges() {
        for folder in given::recordings() {
            let labels = folder.join("labels.jsonl");
            let recordings = Recordings::load(&labels, 16_000).unwrap();
            let mut edges_us = Vec::new();
            for take in synthesized(&labels).into_iter().map(|index| &recordings.takes[index]) {
                for spoken in &take.spoken {
                    let margin_us = 250_000;
                    let from_us = spoken.truth.start_us() - margin_us;
                    let at = |us: u64| (us * 16 / 1_000) as usize;
                    let dry = &take.samples[at(from_us)..at(spoken.truth.end_us() + margin_us)];
                    let found = truth::find(dry, 16_000).unwrap();
                    edges_us.push((from_us + found.start_us()) as i64 - spoken.truth.start_us() as i64);
                    edges_us.push((from_us + found.end_us()) as i64 - spoken.truth.end_us() as i64);
                }
            }
            let agree = edges_us.iter().filter(|edge| edge.abs() <= 5_000).count();
            let (name, all) = (folder.display(), edges_us.len());
            assert!(all >= 10 && agree * 3 >= all * 2, "{name}: {agree} of {all} edges: {edges_us:?}");
        }
    }
}
