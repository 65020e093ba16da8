//! Texts longer than a scene allows: what is too much is cut behind a sentence or refused, said and counted; the rest
//! is as it would be alone.

#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/narrator.rs"]
mod narrator;
#[path = "support/sentences.rs"]
mod sentences;

use host::{Host, compiled, one_shard};
use mynah_engine::{DropReason, Event, SessionSpec};
use narrator::Line;
use sentences::{at_ms, heard, stream};

/// 24 characters.
const SENTENCE: &str = "One two three four five. ";

/// What of `heard` are texts, and how many were said to be too long.
fn told(heard: &[String]) -> (Vec<&str>, usize) {
    let lost = heard.iter().filter(|note| note.ends_with(DropReason::TooLong.name())).count();
    let text = |note: &&String| !note.ends_with(DropReason::TooLong.name());
    let said = heard.iter().filter(text).map(|note| {
        let words = note.splitn(3, ' ').nth(2).unwrap_or("");
        words.split(" #").next().unwrap_or(words)
    });
    (said.collect(), lost)
}

#[test]
fn a_reply_that_is_too_long_is_cut_behind_a_sentence_and_the_next_is_whole() {
    let long = SENTENCE.repeat(10);
    let next = |mut lines: Vec<(u64, Line)>| {
        lines.extend(stream(800, 10, (2, 1), "All is well. Good "));
        lines
    };
    for settings in ["", "batch_window_ms: 2000, ", "markup: Plain, ", "first_chunk_min_chars: 1, "] {
        let settings = format!("{settings}reply_chars_max: 100");
        let cases = [
            // Word by word: four sentences leave, and each of the other words counts.
            ("words", next(stream(0, 10, (1, 1), &long)), 25..=31),
            // As one: of this one text something was cut off.
            ("one text", next(vec![(0, Line::Say(1, 1, long.clone())), (0, Line::End(1, 1))]), 1..=1),
            // The last sentence, at the end.
            ("the end", next(vec![(0, Line::Say(1, 1, SENTENCE.repeat(5))), (0, Line::End(1, 1))]), 1..=1),
        ];
        for (name, lines, lost) in cases {
            let heard = heard(&settings, &lines);
            let (texts, events) = told(&heard);
            let end = texts.iter().position(|text| *text == "AnswerEnd").expect("the reply ends");
            let said: String = texts[..end].concat();
            let whole =
                texts[..end].iter().flat_map(|text| text.split_whitespace()).filter(|w| w.contains('.'));
            assert_eq!(whole.count(), 4, "{name}, {settings}: {said}");
            assert!(texts[end + 1..].join(" ").contains("All is well."), "{name}, {settings}: {heard:?}");
            assert!(lost.contains(&events), "{name}, {settings}: {events} said to be too long");
        }
    }
}

#[test]
fn a_reply_as_long_as_may_be_is_whole() {
    let lines = vec![(0, Line::Say(1, 1, SENTENCE.repeat(4))), (0, Line::End(1, 1))];
    let heard = heard("reply_chars_max: 100", &lines);
    let (texts, lost) = told(&heard);
    assert_eq!((texts.len(), lost), (5, 0), "{heard:?}");
    assert!(heard.iter().all(|note| at_ms(note) == 0), "{heard:?}");
}

#[test]
fn what_was_cut_and_then_taken_back_is_counted_once() {
    let lines = [
        (0, Line::Say(1, 1, SENTENCE.repeat(9))),
        (10, Line::Say(1, 1, SENTENCE.into())),
        (20, Line::Retract(1, 1)),
        (30, Line::Say(1, 2, "Well. ".into())),
        (30, Line::End(1, 2)),
    ];
    // The counts are checked at the end.
    let heard = heard("batch_window_ms: 2000, reply_chars_max: 100", &lines);
    let (texts, lost) = told(&heard);
    assert_eq!(texts.iter().filter(|text| text.contains("Well.")).count(), 1, "{heard:?}");
    assert_eq!(lost, 2, "{heard:?}");
}

/// Calls to a service with at most 20 characters, and texts said to be too long: by events and by the counts.
fn asked(task: &str, output: &str, texts: &[&str]) -> (usize, usize, u64) {
    let mut lines: Vec<(u64, Line)> = texts.iter().map(|text| (0, Line::Say(1, 1, (*text).into()))).collect();
    lines.push((0, Line::End(1, 1)));
    let scene = format!(
        r#"(
            name: "limited",
            session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
            nodes: [
                (id: "narrator", kind: Narrator(lines: {lines:?})),
                (id: "asked", kind: Service(service: "model", task: {task}, text_chars_max: 20)),
            ],
            edges: [("input", "narrator"), ("narrator", "asked"), ("asked", "output")],
            services: {{"model": (output: {output}, timing: (latency: Fixed(ms: 5)))}},
        )"#
    );
    let plan = compiled(&scene, &[], &narrator::registry()).unwrap_or_else(|found| panic!("{found}"));
    let mut host = Host::of(plan, one_shard()).with(SessionSpec::named("ada"));
    (0..200).for_each(|tick| host.tick_at(tick * 5_000));
    let calls = host.count(|event| matches!(event, Event::ServiceSubmitted { .. }));
    let too_long = |event: &Event| matches!(event, Event::FrameDropped { reason: DropReason::TooLong, .. });
    let dropped = host.census().nodes[1].dropped[DropReason::TooLong as usize];
    (calls, host.count(too_long), dropped)
}

/// Task and output of a service, texts, and what [`asked`] says of them.
type Row<'a> = (&'a str, &'a str, &'a [&'a str], (usize, usize, u64));

#[test]
fn a_service_is_asked_about_no_more_than_it_may_and_the_refused_is_counted() {
    let just = "é".repeat(20);
    let over = "é".repeat(21);
    // What waits for a voice becomes one call.
    let rows: [Row<'_>; 5] = [
        ("Synthesize", "FliteVoice", &["Hello.", &just, "Bye."], (1, 0, 0)),
        ("Synthesize", "FliteVoice", &["Hello.", &over, "Bye."], (1, 1, 1)),
        ("Reply", "ScriptedReply", &["ten chars ", "ten more .", "x", "y"], (1, 2, 2)),
        ("Reply", "ScriptedReply", &[&just], (1, 0, 0)),
        ("Reply", "ScriptedReply", &[&over], (0, 1, 1)),
    ];
    for (task, output, texts, want) in rows {
        assert_eq!(asked(task, output, texts), want, "{task}, {texts:?}");
    }
}
