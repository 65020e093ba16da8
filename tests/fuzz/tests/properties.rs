//! Bytes that nobody picked: random ones, and corpus entries with something done to them. The same ones every time.

use std::fs;
use std::path::Path;

use mynah_fuzz_targets::{TARGETS, Target};
use mynah_sim::scenes::SHIPPED;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRng, TestRunner};

/// Cases of one target and one way to make them: what a debug build does in a few seconds.
const CASES: u32 = 150;
/// Targets that work on whole engines.
const CASES_OF_ENGINES: u32 = 60;

/// What happens to an entry.
#[derive(Clone, Debug)]
enum Harm {
    Cut(Index),
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// A stretch once more, somewhere else.
    Copy(Index, Index, usize),
    /// The rest comes from another entry.
    Splice(Index, Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<Index>;
    prop_oneof![
        at().prop_map(Harm::Cut),
        (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        (at(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (at(), 1..40_usize).prop_map(|(at, bytes)| Harm::Remove(at, bytes)),
        (at(), at(), 1..60_usize).prop_map(|(from, to, bytes)| Harm::Copy(from, to, bytes)),
        (at(), at()).prop_map(|(other, at)| Harm::Splice(other, at)),
    ]
}

fn harmed(mut bytes: Vec<u8>, harms: &[Harm], entries: &[Vec<u8>]) -> Vec<u8> {
    for harm in harms {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match harm {
            Harm::Cut(at) => bytes.truncate(at.index(length)),
            Harm::Set(at, byte) => bytes[at.index(length)] = *byte,
            Harm::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Harm::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Harm::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + count).min(length));
            }
            Harm::Copy(from, to, count) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = bytes[from..(from + count).min(length)].to_vec();
                bytes.splice(to..to, piece);
            }
            Harm::Splice(other, at) => {
                let other = &entries[other.index(entries.len())];
                let at = at.index(length).min(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at..]);
            }
        }
    }
    bytes
}

/// The corpus of a target, and what else it may begin from; in order of the names.
fn entries(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files =
        fs::read_dir(folder).expect("it has a folder").map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<_> = files.collect();
    paths.sort();
    let mut entries: Vec<Vec<u8>> =
        paths.into_iter().map(|path| fs::read(path).expect("it can be read")).collect();
    if target == "scene" {
        entries.extend(SHIPPED.iter().map(|(_, text)| text.as_bytes().to_vec()));
    }
    entries
}

fn check(target: Target, cases: u32, bytes: impl Strategy<Value = Vec<u8>>) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let outcome = TestRunner::new_with_rng(config, rng).run(&bytes, |bytes| {
        target(&bytes);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn holds(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(of, _)| *of == name).expect("it is a target");
    let cases = if matches!(
        name,
        "c_calls"
            | "dialect_flux"
            | "dialect_native"
            | "dialect_realtime"
            | "operations"
            | "recogniser"
            | "resampler"
    ) {
        CASES_OF_ENGINES
    } else {
        CASES
    };
    check(target, cases, prop::collection::vec(any::<u8>(), 0..400));
    let entries = entries(name);
    let begin = prop::sample::select(entries.clone());
    let mutated = (begin, prop::collection::vec(harm(), 1..8))
        .prop_map(move |(bytes, harms)| harmed(bytes, &harms, &entries));
    check(target, cases, mutated);
}

/// One test a target, so that they run beside each other and a failure says whose it is.
macro_rules! properties {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_property_test() {
            let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

properties!(
    c_calls,
    control_binary,
    control_json,
    dialect_flux,
    dialect_native,
    dialect_realtime,
    faults,
    http,
    label,
    operations,
    peer,
    recogniser,
    resampler,
    scene,
    set,
    wav
);
