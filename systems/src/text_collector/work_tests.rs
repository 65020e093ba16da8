//! Measures the cost of odd texts in bytes looked at: no clock, the same on every machine.

use proptest::prelude::*;

use super::intake::WORK_MAX;
use super::sentences::CLOSED_MAX;
use super::*;

/// What the last word of a tick, or the end of a reply, may cost beyond what a tick may: sentences leave, so many as may
/// at once, and the rest is looked at each time.
const LAST_MAX: u64 = (CLOSED_MAX as u64 + 4) * 6_000;

/// Most bytes looked at for one that comes, whatever the text: all that is held, twice or three times.
const WORK_PER_BYTE_MAX: u64 = 6_000;

/// Texts that give a judge of sentences the most to do, each to be repeated.
const ODD: &[&str] = &[
    "“a. ",
    "\"a. b. ",
    "a. ",
    "(a. ",
    "((( ",
    ")]} ",
    "'a. 'b ",
    "He. ",
    "Dr. ",
    "Dr. He. ",
    "e.g. ",
    "p. 5. ",
    "1. ",
    "2.5 ",
    "a.b",
    "x",
    ".",
    ". ",
    "? ! ",
    "... ",
    "👍 ",
    "👍. ",
    "日本。",
    "「日本。",
    "日",
    "字 ",
    "\n",
    "- ",
    "- a\n",
    "---\n",
    "***",
    "|",
    "|a|b.|\n",
    "`",
    "```\n",
    "[a](",
    "[",
    "www.a.b ",
    "a@b.c ",
    "A. B. ",
    "&amp;",
    "<b>",
    "\u{200b}",
    "é. É. ",
    "5. Mai ",
    "\t",
    "  ",
    "\\",
    "_a_. ",
    "**a.** ",
    "# a\n",
    "> a. ",
    "ﷺ. ",
    "…",
    "a, b; c: ",
    "--",
];

/// The texts that leave when `text` comes at once, the work of each tick, and the bytes held at most.
fn worked(node: &TextCollector, text: &str) -> (Vec<String>, Vec<u64>, usize) {
    let mut state = node.state(SessionId(0));
    let (mut left, mut ticks, mut held_max, mut now_us) = (Vec::new(), Vec::new(), 0, 0);
    state.intake.put(&text.into());
    while !state.intake.is_empty() {
        now_us += 5_000;
        let before = state.sentences.work();
        state.intake.begin(now_us / 5_000, before);
        node.read(&mut state, now_us);
        ticks.push(state.sentences.work() - before);
        left.extend(state.outgoing.texts().iter().map(|text| text.to_string()));
        held_max = held_max.max(state.sentences.len() + state.blocks.held() + state.batch.text().len());
    }
    let before = state.sentences.work();
    node.finish(&mut state, now_us);
    ticks.push(state.sentences.work() - before);
    left.extend(state.outgoing.texts().iter().map(|text| text.to_string()));
    (left, ticks, held_max)
}

fn kinds(language: &str) -> [TextCollector; 3] {
    let node = TextCollector { language: language.into(), ..TextCollector::default() };
    [
        TextCollector { markup: Markup::Plain, ..node.clone() },
        TextCollector { first_chunk_min_chars: Some(500), batch_window_ms: Some(2_000.0), ..node.clone() },
        node,
    ]
}

/// The work on `text`, and what is wrong with how `node` did it.
fn judged(node: &TextCollector, text: &str) -> (u64, Vec<String>) {
    let (left, ticks, held_max) = worked(node, text);
    let (most, all) = (ticks.iter().max().copied().unwrap_or(0), ticks.iter().sum::<u64>());
    let mut faults = Vec::new();
    if most > WORK_MAX + LAST_MAX {
        faults.push(format!("{most} in one tick"));
    }
    if all > WORK_PER_BYTE_MAX * text.len().max(20) as u64 {
        faults.push(format!("{} for each byte", all / text.len() as u64));
    }
    if held_max > 4 * 2 * sentences::CHARS_MAX + 1_000 {
        faults.push(format!("{held_max} bytes held"));
    }
    if let Some(long) = left.iter().find(|text| text.chars().count() > sentences::CHARS_MAX) {
        faults.push(format!("a text of {} characters", long.chars().count()));
    }
    let characters = |text: &str| -> String { text.split_whitespace().collect() };
    if node.markup == Markup::Plain && characters(&left.concat()) != characters(text) {
        faults.push("characters were lost".into());
    }
    (all, faults)
}

#[test]
fn thrice_the_text_is_thrice_the_work_and_no_tick_does_more_than_it_may() {
    let mut wrong = Vec::new();
    for unit in ODD {
        for (at, node) in kinds("en").iter().enumerate() {
            let text = |chars: usize| unit.repeat(chars.div_ceil(unit.chars().count()));
            let (short, _) = judged(node, &text(4_000));
            let (long, faults) = judged(node, &text(12_000));
            if long * 10 > short * 34 {
                wrong.push(format!("{unit:?}, kind {at}: {long} for three times what took {short}"));
            }
            wrong.extend(faults.iter().map(|fault| format!("{unit:?}, kind {at}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_end_lets_go_of_what_is_held_in_steps_that_do_not_depend_on_its_sentences() {
    // An open quote of as many sentences as fit in it: nothing of it has left, and then all does.
    for unit in ["a. ", "He. ", "He went. ", "So 5. "] {
        let text = format!("“{}", unit.repeat(300 / unit.len() - 1));
        let (left, ticks, _) = worked(&kinds("en")[0], &text);
        assert_eq!(left.concat().replace(' ', ""), text.replace(' ', ""), "{unit:?}");
        assert!(left.len() <= CLOSED_MAX as usize + 1, "{unit:?}: {} texts", left.len());
        let held = text.len() as u64;
        let most = (u64::from(CLOSED_MAX) + 2) * 5 * held;
        assert!(ticks[1] <= most, "{unit:?}: {} for {held} bytes", ticks[1]);
    }
}

#[test]
fn a_megabyte_without_a_space_is_read_over_many_ticks_and_nothing_is_lost() {
    for node in &kinds("en") {
        let (left, ticks, held_max) = worked(node, &"x".repeat(1_000_000));
        let most = ticks.iter().max().copied().unwrap_or(0);
        assert!(most <= WORK_MAX + LAST_MAX, "{most} in one tick");
        assert!(ticks.len() > 3 && held_max < 10_000, "{} ticks, {held_max} bytes held", ticks.len());
        // Beyond what one reply may be it is cut.
        let chars: usize = left.iter().map(|text| text.len()).sum();
        assert!((99_000..=100_000).contains(&chars), "{chars} characters");
    }
}

#[test]
fn prose_of_a_whole_reply_is_read_in_one_tick() {
    let prose = "Dr. Smith paid $3.50 for it. Then he said \"No. Never.\" and left (at once). ".repeat(13);
    for node in &kinds("en") {
        let (_, ticks, _) = worked(node, &prose);
        // The second is the end of the reply.
        assert_eq!(ticks.len(), 2, "{ticks:?} for {} characters", prose.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mixture_of_odd_texts_costs_more_than_it_may(
        runs in prop::collection::vec((prop::sample::select(ODD), 1_usize..100), 1..12),
        language in prop::sample::select(vec!["en", "de", "ja", "pl"]),
    ) {
        let text: String = runs.iter().map(|(unit, times)| unit.repeat(*times)).collect();
        for node in &kinds(language) {
            prop_assert_eq!(judged(node, &text).1, Vec::<String>::new());
        }
    }
}
