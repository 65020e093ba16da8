//! The recogniser against tokens that a plain run of the same weights gave; the same words in any batch.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::path::{Path, PathBuf};

use mynah_load::load::words::WordErrors;
use mynah_load::wav;
use mynah_systems::moonshine::{Model, Recognizer};
use serde_json::Value;
use support::given::{moonshine, moonshine_reference};

/// One utterance of the reference.
struct Utterance {
    samples: Vec<f32>,
    tokens: Vec<u32>,
    text: String,
    /// What is said.
    label: String,
}

fn model() -> Model {
    let folder = moonshine();
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    Model::read(&read("moonshine_tiny_en.u8"), &read("tokenizer.bin")).expect("the model's own files")
}

fn utterances(reference: &Path, recordings: &Path) -> Vec<Utterance> {
    let text = std::fs::read_to_string(reference).expect("the reference is there");
    let mut heard: Vec<(PathBuf, Vec<f32>)> = Vec::new();
    let utterance = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line is one object");
        let number = |name: &str| line[name].as_u64().expect("a number") as usize;
        let path = recordings.join(line["file"].as_str().expect("a file name"));
        if !heard.iter().any(|(known, _)| *known == path) {
            let recording = wav::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            heard.push((path.clone(), recording.samples));
        }
        let (_, all) = heard.iter().find(|(known, _)| *known == path).expect("it was read");
        let tokens = line["f32_tokens"].as_array().expect("tokens").iter();
        Utterance {
            samples: all[number("from_sample")..number("to_sample")].to_vec(),
            tokens: tokens.map(|token| token.as_u64().expect("a token") as u32).collect(),
            label: line["label"].as_str().expect("a label").replace(" / ", " "),
            text: line["f32_text"].as_str().expect("a text").to_string(),
        }
    };
    text.lines().map(utterance).collect()
}

fn recognized(recognizer: &mut Recognizer, model: &Model, batch: &[&[f32]]) -> Vec<Vec<u32>> {
    let mut texts = vec![Vec::new(); batch.len()];
    recognizer.recognize(model, batch, &|_| false, |at, tokens| texts[at] = tokens.to_vec());
    texts
}

#[test]
fn tokens_are_those_of_a_plain_run_in_any_batch() {
    let Some((reference, recordings)) = moonshine_reference() else { return };
    let (model, all) = (model(), utterances(&reference, &recordings));
    assert_eq!(all.len(), 35);
    let mut recognizer = Recognizer::default();
    let (mut failed, mut errors) = (Vec::new(), WordErrors::default());
    for (batch, count) in [(1, all.len()), (4, 12), (16, 16)] {
        for group in all[..count].chunks(batch) {
            let samples: Vec<&[f32]> = group.iter().map(|utterance| &utterance.samples[..]).collect();
            let texts = recognized(&mut recognizer, &model, &samples);
            for (utterance, tokens) in group.iter().zip(texts) {
                let text = model.text(&tokens);
                if batch == 1 {
                    errors += WordErrors::between(&utterance.label, &text);
                }
                if tokens != utterance.tokens || text != utterance.text {
                    failed.push(format!("batch of {batch}: {text}\n    reference: {}", utterance.text));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    println!("{errors:?}: word error rate {:?}", errors.rate());
    assert!(errors.rate().is_some_and(|rate| rate <= 0.18), "{errors:?}");
}
