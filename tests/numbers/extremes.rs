//! Several numbers of a scene at the ends of their ranges at once: where `check` lets the scene pass, a session in it ends.

use mynah_engine::Registry;
use mynah_engine::base::rng::Rng;
use mynah_engine::scene::{Source, compile};
use mynah_sim::scenes::{SHIPPED, registry_with_link};

use super::{Fate, Field, SPELLED, fields, judge, ranges, told_well, written};

/// Scenes that are drawn.
const DRAWS: u64 = 60;
/// Fields of each that stand at an end.
const AT_ENDS: std::ops::Range<u64> = 2..9;
/// The longest tick: with it a session has months to end in. Eight calls, one after the other, of a batch at a hundred
/// times a minute's latency and ten times that for each further item, take days.
const HOUR_US: u64 = 3_600_000_000;

/// A field and the ends of its range that are accepted with the rest of the scene as it is.
struct Choice {
    field: Field,
    ends: Vec<String>,
}

fn choices(text: &str, registry: &Registry) -> Vec<Choice> {
    let accepted = |field: &Field, value: &String| {
        compile(&Source::new("extreme.ron", written(text, field, value)), &[], None, registry).is_ok()
    };
    let choice = |field: Field| {
        let mut ends: Vec<String> =
            ranges(text, &field, registry).iter().flatten().map(f64::to_string).collect();
        ends.sort();
        ends.dedup();
        ends.retain(|value| accepted(&field, value));
        Choice { field, ends }
    };
    let mut found: Vec<Choice> = fields(text).into_iter().map(choice).collect();
    found.retain(|choice| !choice.ends.is_empty());
    found
}

/// A scene with some fields at their ends, and what was written into them.
fn drawn(text: &str, choices: &[Choice], rng: &mut Rng) -> (String, Vec<String>) {
    let count = rng.range_u64(AT_ENDS);
    let mut picked: Vec<usize> = (0..count).map(|_| rng.below(choices.len() as u64) as usize).collect();
    picked.sort_unstable();
    picked.dedup();
    // From the last field on, so that the places of the others stay.
    let (mut text, mut said) = (text.to_owned(), Vec::new());
    for at in picked.into_iter().rev() {
        let Choice { field, ends } = &choices[at];
        let value = &ends[rng.below(ends.len() as u64) as usize];
        text = written(&text, field, value);
        said.push(format!("{} = {value} (byte {})", field.name, field.span.start));
    }
    (text, said)
}

#[test]
fn several_numbers_at_their_ends_are_refused_or_run_to_an_end() {
    let registry = registry_with_link(None);
    let scenes: Vec<(&str, &str)> =
        SHIPPED.iter().copied().chain(std::iter::repeat_n(("spelled", SPELLED), 4)).collect();
    let choices: Vec<Vec<Choice>> = scenes.iter().map(|(_, text)| choices(text, &registry)).collect();
    let (mut refused, mut ran, mut wrong) = (0, 0, Vec::new());
    for seed in 0..DRAWS {
        let mut rng = Rng::new(seed, 0, 0);
        let at = seed as usize % scenes.len();
        let (name, text) = scenes[at];
        let (text, said) = drawn(text, &choices[at], &mut rng);
        let place = |what: String| format!("{name}, seed {seed}: {}: {what}", said.join(", "));
        match judge(&text, &registry, HOUR_US) {
            Ok(Fate::Ran) => ran += 1,
            Ok(Fate::Refused(found)) => {
                refused += 1;
                wrong.extend(told_well(&found).err().map(place));
            }
            Err(what) => wrong.push(place(what)),
        }
    }
    println!("{DRAWS} scenes: {refused} refused, {ran} ran to an end");
    assert!(wrong.is_empty(), "{} scenes:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran * 3 > DRAWS, "only {ran} of {DRAWS} ran");
}

/// The longest calls there can be, in one scene.
#[test]
fn the_greatest_batch_at_the_greatest_cost_has_an_end() {
    let registry = registry_with_link(None);
    let changes = [
        (
            "min_batch_size: 1, max_batch_size: 4, max_wait_ms: 50, max_buffer_size: 50",
            "min_batch_size: 1000, max_batch_size: 1000, max_wait_ms: 60000, max_buffer_size: 1000000",
        ),
        ("policy: GrowBatch(max: 8)", "policy: LowerQuality"),
        (
            "latency: Fixed(ms: 20), parallelism: 1, batch_item_cost: 0.25, reduced_cost: 0.6, speed: 100",
            "latency: Fixed(ms: 60000), parallelism: 1, batch_item_cost: 10, reduced_cost: 1, speed: 0.01, scale: 100",
        ),
    ];
    let text = changes.iter().fold(SPELLED.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    match judge(&text, &registry, HOUR_US) {
        Ok(Fate::Ran) => {}
        Ok(Fate::Refused(found)) => panic!("refused: {found}"),
        Err(what) => panic!("{what}"),
    }
}
