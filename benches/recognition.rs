//! Claim: 3 s of speech are recognised in at most 80 ms of one core, an utterance of a batch of eight in at most 45 ms,
//! and what is cancelled stops within 10 ms. `cargo bench --bench recognition`.
//!
//! The baseline of a batch is each of its utterances alone; that of the products is what the core multiplies and adds at
//! most. The recogniser of `Moonshine` with the model that MYNAH_MODELS names, on the labelled utterances of
//! tests/recordings and, where MYNAH_RECORDINGS is set, of that folder; each with 150 ms before and after it. Thread CPU
//! time, sizes of batches by turns; medians, and the least in brackets.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use cpu_time::ThreadTime;
use mynah::bench::median::median;
use mynah_load::wav;
use mynah_systems::moonshine::{Model, RATE_HZ, Recognizer};
use serde_json::Value;

const BATCHES: [usize; 4] = [1, 4, 8, 16];
/// Utterances of a round: what each size of batch is made of.
const ITEMS: usize = 16;
/// How often an utterance's encoder asks whether to stop: twice within its convolutions, and before each layer.
const ASKED: usize = 8;
const MARGIN_MS: usize = 150;
/// Shortest and longest utterance of a class, s.
const CLASSES: [(f64, f64); 4] = [(1.0, 2.0), (2.0, 3.2), (2.9, 3.1), (3.2, 6.0)];

fn model() -> Option<Model> {
    let folder = PathBuf::from(std::env::var_os("MYNAH_MODELS")?).join("moonshine_tiny_en");
    let read = |name: &str| std::fs::read(folder.join(name)).expect("the folder has the model");
    Some(Model::read(&read("moonshine_tiny_en.u8"), &read("tokenizer.bin")).expect("the model's own files"))
}

/// The utterances at 16 kHz that a folder of recordings has labels for.
fn utterances(folder: &Path) -> Vec<Vec<f32>> {
    let labels = std::fs::read_to_string(folder.join("labels.jsonl")).expect("the folder has labels");
    let mut found = Vec::new();
    for line in labels.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is one object");
        if line["rate"] != RATE_HZ {
            continue;
        }
        let path = folder.join(line["file"].as_str().expect("a file name"));
        let samples = wav::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).samples;
        for segment in line["segments"].as_array().expect("segments") {
            if segment["kind"] == "utterance" {
                let at = |name: &str| segment[name].as_u64().expect("milliseconds") as usize;
                let first = at("start_ms").saturating_sub(MARGIN_MS) * 16;
                let last = ((at("end_ms") + MARGIN_MS) * 16).min(samples.len());
                found.push(samples[first..last].to_vec());
            }
        }
    }
    found
}

fn ms(since: ThreadTime) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// CPU time of a batch: until its encoders and the decoder's keys and values are done, and in all.
fn batch_ms(recognizer: &mut Recognizer, model: &Model, batch: &[&[f32]]) -> (f64, f64) {
    let (asked, encoded_ms, start) = (Cell::new(0), Cell::new(0.0), ThreadTime::now());
    let stops = |_: usize| {
        if asked.replace(asked.get() + 1) == ASKED * batch.len() {
            encoded_ms.set(ms(start));
        }
        false
    };
    recognizer.recognize(model, batch, &stops, |_, _| ());
    (encoded_ms.get(), ms(start))
}

/// Longest CPU time of one utterance between two questions whether to stop.
fn longest_ms(recognizer: &mut Recognizer, model: &Model, utterance: &[f32]) -> f64 {
    let start = ThreadTime::now();
    let times_ms = RefCell::new(vec![0.0]);
    let stops = |_: usize| {
        times_ms.borrow_mut().push(ms(start));
        false
    };
    recognizer.recognize(model, &[utterance], &stops, |_, _| ());
    times_ms.borrow().windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

/// Multiplications and additions of an encoding with the decoder's keys and values, in 1e9.
fn work(samples: usize) -> f64 {
    let first = (samples - 127) / 64 + 1;
    let second = (first - 7) / 3 + 1;
    let frames = (second - 3) / 2 + 1;
    let convolutions = first * 127 * 288 + second * 288 * 7 * 576 + frames * 576 * 3 * 288;
    let layers = 6 * frames * (4 * 288 * 288 + 2 * 288 * 1_152 + 2 * frames * 288);
    let heard = 6 * frames * 2 * 288 * 288;
    2.0 * (convolutions + layers + heard) as f64 / 1e9
}

/// Chains of multiply-adds in registers: the most that this core does of them, in 1e9 a second.
struct Peak(usize);

impl pulp::WithSimd for Peak {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f64 {
        const CHAINS: usize = 12;
        let mut sums = [simd.splat_f32s(1.0); CHAINS];
        let (half, quarter) = (simd.splat_f32s(std::hint::black_box(0.5)), simd.splat_f32s(0.25));
        let start = ThreadTime::now();
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, half, quarter);
            }
        }
        std::hint::black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        2e-6 * (self.0 * CHAINS * S::F32_LANES) as f64 / ms(start)
    }
}

fn least(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

/// All sizes of batches with the utterances of one class.
fn class(recognizer: &mut Recognizer, model: &Model, utterances: &[&[f32]], rounds: usize) {
    let items: Vec<&[f32]> = utterances.iter().copied().cycle().take(ITEMS).collect();
    let work = items.iter().map(|item| work(item.len())).sum::<f64>();
    let peak = (0..rounds).map(|_| pulp::Arch::new().dispatch(Peak(1_000_000))).fold(0.0, f64::max);
    let mut times = BATCHES.map(|_| (Vec::new(), Vec::new()));
    for _ in 0..rounds {
        for (size, (encoded, all)) in BATCHES.iter().zip(&mut times) {
            let (mut encoded_ms, mut all_ms) = (0.0, 0.0);
            for batch in items.chunks(*size) {
                let (encoding, in_all) = batch_ms(recognizer, model, batch);
                (encoded_ms, all_ms) = (encoded_ms + encoding, all_ms + in_all);
            }
            encoded.push(encoded_ms / ITEMS as f64);
            all.push(all_ms / ITEMS as f64);
        }
    }
    let alone_ms = median(times[0].1.clone());
    for (size, (encoded, all)) in BATCHES.iter().zip(times) {
        let (least_ms, encoded_ms, all_ms) = (least(&all), median(encoded), median(all));
        let speed = work / (ITEMS as f64 * encoded_ms) * 1e3;
        println!(
            "  batch {size:2}: {all_ms:5.1} ({least_ms:.1}) ms each, encoder {encoded_ms:.1}, decoder {:.1}; {:.2} of the items \
             alone; encoder {speed:.0} of {peak:.0} GFLOP/s",
            all_ms - encoded_ms,
            alone_ms / all_ms,
        );
    }
}

fn main() {
    let Some(model) = model() else {
        println!("MYNAH_MODELS is not set: nothing to measure");
        return;
    };
    // Without cargo's word that this is a bench, once is enough.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 9 } else { 1 };
    let mut all = utterances(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings"));
    if let Some(folder) = std::env::var_os("MYNAH_RECORDINGS") {
        all.extend(utterances(Path::new(&folder)));
    }
    let mut recognizer = Recognizer::default();
    for (from, to) in CLASSES {
        let within = |item: &&Vec<f32>| (from..to).contains(&(item.len() as f64 / f64::from(RATE_HZ)));
        let items: Vec<&[f32]> = all.iter().filter(within).map(Vec::as_slice).collect();
        if items.is_empty() {
            continue;
        }
        println!("{from} to {to} s, {} utterances:", items.len());
        class(&mut recognizer, &model, &items, rounds);
    }
    let short = all.iter().filter(|item| item.len() <= 4 * RATE_HZ as usize);
    // The shortest of three times is the work; what is more was waiting for memory that others had.
    let longest = short.map(|item| least(&[(); 3].map(|()| longest_ms(&mut recognizer, &model, item))));
    println!("up to 4 s alone stop within {:.1} ms at most", longest.fold(0.0, f64::max));
}
