//! What a host may want of its session beside what it sends of speech: lines, typed texts, its gate, parameters,
//! positions. Some of it is sensible, some is not, some must be refused.

use std::sync::Arc;

use mynah_engine::base::rng::Rng;
use mynah_engine::edge::{LINE_BYTES_MAX, Line, PARAMS_BYTES_MAX, Params, Say, Words};
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::{Control, ControlError};

use super::plan::Drawn;
use super::site::Site;

/// The sites at which a host wants something, each in a share of the ticks.
pub(super) const WISHES: [Site; 6] =
    [Site::Say, Site::Typed, Site::GateMode, Site::Interrupt, Site::Params, Site::Heard];

/// Words of lines and typed texts.
const WORDS: [&str; 12] =
    ["over", "there", "the", "bridge", "is", "out.", "Who", "goes", "by", "night?", "Nobody,", "12 of 40!"];
/// Formats of recordings.
const FORMATS: [(u32, u8); 5] = [(8_000, 1), (16_000, 1), (22_050, 2), (44_100, 1), (48_000, 2)];
/// Longest recording, ms.
const CLIP_MS: u64 = 2_000;
/// One in so many is more than may be sent, or no audio.
const BAD: u64 = 24;
/// Names of parameters; services know some of them.
const NAMES: [&str; 6] = ["voice", "language", "instructions", "rate", "pitch", "nonsense"];

/// What a host says at a site; the newest turn it has heard of is `turn`.
pub(super) fn wish(site: Site, drawn: Drawn, turn: u32, rng: &mut Rng) -> Control {
    match site {
        Site::Say => Control::Say(Arc::new(line(drawn.amount as u64, rng))),
        Site::Typed if rng.chance(0.3) => Control::Respond,
        Site::Typed => Control::SendText { text: text(drawn.amount as u64, rng).into() },
        Site::GateMode => gate(rng),
        Site::Interrupt if rng.chance(0.5) => Control::Interrupt { mode: InterruptMode::Now },
        Site::Interrupt => Control::Interrupt { mode: InterruptMode::Soft },
        Site::Params => Control::Set { params: Arc::new(params(rng)) },
        _ => heard(turn, drawn.amount_us(), rng),
    }
}

/// Whether a message may become a line.
pub(super) fn is_line(control: &Control) -> bool {
    matches!(control, Control::Say(_) | Control::SendText { .. } | Control::Respond)
}

/// Whether the engine may refuse a message for this reason.
pub(super) fn may_be_refused(control: &Control, error: ControlError) -> bool {
    match error {
        ControlError::Overflow | ControlError::Ended => true,
        ControlError::TooLong { bytes, most } => bytes > most,
        ControlError::BadClip { .. } | ControlError::NoVoice => matches!(control, Control::Say(_)),
    }
}

fn line(characters: u64, rng: &mut Rng) -> Line {
    let words = if rng.chance(0.4) {
        Words::Clip(Arc::new(clip(rng)))
    } else {
        Words::Text(text(characters, rng).into())
    };
    let say = Say { interruptible: rng.chance(0.5), priority: rng.below(4) as i8 - 1, wait: rng.chance(0.6) };
    Line { words, say }
}

fn text(characters: u64, rng: &mut Rng) -> String {
    if rng.below(BAD) == 0 {
        return "x".repeat(LINE_BYTES_MAX + 1);
    }
    let length = rng.below(characters + 1) as usize;
    let mut text = String::new();
    while text.len() < length {
        text.push_str(WORDS[rng.below(WORDS.len() as u64) as usize]);
        text.push(' ');
    }
    text.truncate(length);
    text
}

fn clip(rng: &mut Rng) -> Clip {
    let (rate_hz, channels) = FORMATS[rng.below(FORMATS.len() as u64) as usize];
    let ms = if rng.below(BAD) == 0 { 31_000 } else { rng.below(CLIP_MS + 1) };
    let mut samples = (u64::from(rate_hz) * ms / 1_000 * u64::from(channels)) as usize;
    samples += usize::from(rng.below(BAD) == 0);
    let samples: Arc<[f32]> = (0..samples).map(|at| (at % 100) as f32 / 200.0).collect();
    Clip { subtitle: "A recording.".into(), format: Format { rate_hz, channels }, samples }
}

fn gate(rng: &mut Rng) -> Control {
    match rng.below(6) {
        0 => Control::Gate { mode: GateMode::Open },
        1 => Control::Gate { mode: GateMode::Shut },
        2 | 3 => Control::Gate { mode: GateMode::Auto },
        4 => Control::EndTurn,
        _ => Control::Discard,
    }
}

fn params(rng: &mut Rng) -> Params {
    let mut params = Params::new();
    for _ in 0..1 + rng.below(3) {
        let name = NAMES[rng.below(NAMES.len() as u64) as usize];
        params = match rng.below(6) {
            0 => params.with(name, serde_json::Value::Null),
            1 => params.with(name, rng.uniform() * 4.0),
            2 => params.with(name, -1e300),
            3 => params.with(name, vec![1, 2, 3]),
            4 if rng.below(BAD) == 0 => params.with(name, "x".repeat(PARAMS_BYTES_MAX)),
            _ => params.with(name, WORDS[rng.below(WORDS.len() as u64) as usize]),
        };
    }
    params
}

/// A position that may be behind the last one, of another turn, or beyond all that there is.
fn heard(turn: u32, us: u64, rng: &mut Rng) -> Control {
    let turn = if rng.chance(0.7) { turn } else { (turn + 2).saturating_sub(rng.below(5) as u32) };
    Control::Heard { turn, us: if rng.below(BAD) == 0 { u64::MAX } else { rng.range_u64(0..us + 1) } }
}
