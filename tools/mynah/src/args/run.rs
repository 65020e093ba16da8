//! The flags of `run`.

use std::path::PathBuf;

use clap::Args;

use super::sets::Sets;
use super::values::seed;
use mynah_load::chunk::ChunkSpec;

/// `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah run call.wav
  mynah run transcribe *.wav --labels labels.jsonl
  mynah run speculative_vad --input call.wav --html call.html
  mynah run streaming_resample --input *.wav --output out --chunk random:64-2048
  mynah run voice_assistant --input question.wav --output out --events events.jsonl --wall
  ffmpeg -i call.mp3 -f wav - | mynah run gate_only --input - --events -

Outputs are never what is read, and appear when they are complete. Ctrl-C ends the run with what there is so far, exit
code 130; once more leaves at once, and all files are as they were.")]
pub struct Run {
    /// A scene and recordings; without a scene, as the first word ends in .wav or there is none: `assistant`
    #[arg(id = "scene", required_unless_present = "input", value_name = "SCENE|WAV")]
    words: Vec<String>,
    /// Scene file, or name of a scene that comes with mynah.
    #[arg(skip)]
    pub scene: String,
    /// Recordings, one session each: WAV, 8000 to 192000 Hz, 1 to 8 channels; - is standard input
    #[arg(long, num_args = 1.., value_name = "WAV")]
    pub input: Vec<PathBuf>,
    /// Labels to compare the recognised words with [default: labels.jsonl beside a recording, where it names it]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Writes what each session put out to DIR/NAME.out.wav, 16 bit, placed at its time with gaps silent
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// With --output: one after the other, without the gaps
    #[arg(long, requires = "output")]
    pub output_packed: bool,
    /// Writes what happened as JSON Lines; to - for standard output, and the table to standard error
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Writes the gate's probabilities as JSON Lines {session, t_us, p}; t_us is the media time of each hop's end
    #[arg(long, value_name = "FILE")]
    pub vad_trace: Option<PathBuf>,
    /// Draws waveform, probability and segments into one self-contained page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How the recordings arrive, up to one second at once: a time (20ms), sample frames (320), or random:64-2048
    #[arg(long, value_name = "SPEC", default_value = "20ms")]
    pub chunk: ChunkSpec,
    /// Seed of everything drawn: random chunks, modelled service times
    #[arg(long, default_value_t = 1, value_parser = seed)]
    pub seed: u64,
    /// In real time, not as fast as it goes
    #[arg(long)]
    pub wall: bool,
    /// Prints the table as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
}

/// The scene where none is named.
const SCENE_DEFAULT: &str = "assistant";

impl Run {
    /// Tells the scene from the recordings among the words.
    pub(super) fn sorted(mut self) -> Self {
        let is_recording = |word: &String| word.to_lowercase().ends_with(".wav");
        let mut words = std::mem::take(&mut self.words).into_iter().peekable();
        let scene = words.next_if(|word| !is_recording(word));
        self.scene = scene.unwrap_or_else(|| SCENE_DEFAULT.into());
        self.input.splice(..0, words.map(PathBuf::from));
        self
    }
}
