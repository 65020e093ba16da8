//! The recogniser: whatever its files and its audio are, it gives words or says what is wrong.

use std::path::Path;
use std::sync::OnceLock;

use mynah_systems::moonshine::{Model, ModelError, Recognizer};

use crate::bytes::Bytes;

/// Most edits of a file that holds.
const EDITS_MAX: u8 = 8;
/// Most samples of audio that is drawn.
const DRAWN_MAX: u16 = 4_000;
/// Longest silence before them: a second and a quarter.
const SILENCE_MAX: usize = 20_000;

/// The files of weights and of tokens.
fn files() -> &'static (Vec<u8>, Vec<u8>) {
    static FILES: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/mynah/models/moonshine_tiny_en");
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        (read("moonshine_tiny_en.u8"), read("tokenizer.bin"))
    })
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| Model::read(&files().0, &files().1).expect("the model's own files"))
}

/// A byte that says what the others are: a file of tokens, one of weights, edits of the model's own, or audio.
///
/// # Panics
/// When a file panics the reader or is refused without a reason, or audio is heard differently a second time.
pub fn recogniser(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    match first % 16 {
        0..4 => is_refused_well(Model::read(&[], rest).expect_err("there are no weights")),
        4..8 => is_refused_well(Model::read(rest, &files().1).expect_err("nobody guesses a model")),
        8 => edited(Bytes(rest)),
        _ => audio(Bytes(rest)),
    }
}

fn is_refused_well(error: ModelError) {
    let said = error.to_string();
    assert!(said.len() < 1_000 && (said.contains("file") || said.contains("tensor")), "no place: {said}");
}

/// The model's own files with some bytes changed, or cut off.
fn edited(mut bytes: Bytes<'_>) {
    let (mut weights, mut tokens) = files().clone();
    for _ in 0..bytes.u8() % (EDITS_MAX + 1) {
        let file = if bytes.u8().is_multiple_of(4) { &mut tokens } else { &mut weights };
        let (kind, at, byte) = (bytes.u8() % 4, bytes.u32() as usize, bytes.u8());
        let at = at % file.len().max(1);
        match kind {
            0 => file.truncate(at),
            // Names and sizes of the first tensors.
            1 => file.iter_mut().skip(at % 200).take(1).for_each(|place| *place = byte),
            _ => file.iter_mut().skip(at).take(1).for_each(|place| *place = byte),
        }
    }
    match Model::read(&weights, &tokens) {
        Err(error) => is_refused_well(error),
        Ok(model) => drop(heard(&model, &[&samples(&mut bytes)])),
    }
}

/// The text of each of some utterances.
fn heard(model: &Model, batch: &[&[f32]]) -> Vec<String> {
    let mut texts = vec![None; batch.len()];
    Recognizer::default().recognize(model, batch, &|_| false, |at, tokens| {
        assert!(texts[at].replace(model.text(tokens)).is_none(), "told twice");
    });
    texts.into_iter().map(|text| text.expect("each is told")).collect()
}

/// Silence, then any bits there are, or what a microphone gives.
fn samples(bytes: &mut Bytes<'_>) -> Vec<f32> {
    let mut samples = vec![0.0; usize::from(bytes.u16()) % SILENCE_MAX];
    let any_bits = bytes.u8().is_multiple_of(2);
    for _ in 0..bytes.u16() % DRAWN_MAX {
        if any_bits {
            samples.push(f32::from_bits(bytes.u32()));
        } else {
            samples.push(f32::from(bytes.u8()) / 128.0 - 1.0);
        }
    }
    samples
}

fn audio(mut bytes: Bytes<'_>) {
    let (first, second) = (samples(&mut bytes), samples(&mut bytes));
    let together = heard(model(), &[&first, &second]);
    let alone = [first, second].map(|samples| heard(model(), &[&samples]).remove(0));
    assert_eq!(alone[..], together[..], "other words in another batch");
}
