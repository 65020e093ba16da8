//! Streamed text leaves `TextCollector` as whole sentences: in order, in time, never when it was taken back.

#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/narrator.rs"]
mod narrator;
#[path = "support/sentences.rs"]
mod sentences;

use mynah_engine::scene::{Source, compile};
use narrator::Line;
use proptest::prelude::*;
use sentences::{Sentences, at_ms, heard, stream};

#[test]
fn sentences_leave_in_order_with_the_word_behind_them_and_the_mark_comes_last() {
    let lines = stream(10, 20, (3, 2), "Dr. Smith paid $3.50. Then he said \"No. Never.\" Good ");
    let want = [
        "90 3/2 Dr. Smith paid $3.50. #1 @10",
        // It began in the frame that completed the one before.
        "190 3/2 Then he said \"No. Never.\" #2 @90",
        "190 3/2 Good #3 @190",
        "190 3/2 AnswerEnd",
    ];
    assert_eq!(heard("", &lines), want);
}

#[test]
fn a_window_gathers_sentences_and_is_never_longer_than_one_tick_more() {
    // A word every 40 ms: the sentences are complete at 40, 120, 200 and 480 ms, the end comes at 480 ms.
    let lines = stream(0, 40, (1, 1), "Yes. One two. Then three. Then four and on and on and on. End");
    let cases = [(10, 50), (79, 120), (80, 120), (81, 125), (122, 165), (300, 340), (2_000, 520)];
    for (window_ms, first_ms) in cases {
        let heard = heard(&format!("batch_window_ms: {window_ms}"), &lines);
        assert_eq!(at_ms(&heard[0]), first_ms, "{window_ms} ms: {heard:?}");
        let gathered = [40, 120, 200, 520].iter().filter(|ready_ms| **ready_ms <= first_ms).count();
        // A window that ends in the tick in which a sentence comes is closed before.
        let gathered = if first_ms == 120 { 1 } else { gathered.min(4) };
        let stops = heard[0].matches('.').count();
        assert_eq!(stops, gathered, "{window_ms} ms: {heard:?}");
    }
}

#[test]
fn five_sentences_are_a_text_and_the_end_of_the_reply_waits_for_nothing() {
    let lines =
        [(0, Line::Say(1, 1, "One. Two. Three. Four. Five. Six. Seven".into())), (50, Line::End(1, 1))];
    let want = ["0 1/1 One. Two. Three. Four. Five. #1 @0", "50 1/1 Six. Seven #2 @0", "50 1/1 AnswerEnd"];
    assert_eq!(heard("batch_window_ms: 120", &lines), want);
}

#[test]
fn the_first_text_of_each_reply_leaves_early_and_the_rest_of_its_sentence_follows() {
    let mut lines = stream(0, 10, (1, 1), "Well, I would say, that it depends. On you. Only");
    lines.extend(stream(200, 10, (2, 1), "No. Not at all, never. Bye"));
    let settings = "first_chunk_min_chars: 10, batch_window_ms: 100";
    let want = [
        "30 1/1 Well, I would say, #1 @0",
        "90 1/1 that it depends. On you. Only #2 @40",
        "90 1/1 AnswerEnd",
        // A sentence is not shorter than it is; the first one waits for no company.
        "210 2/1 No. #3 @200",
        "250 2/1 Not at all, never. Bye #4 @210",
        "250 2/1 AnswerEnd",
    ];
    assert_eq!(heard(settings, &lines), want);
}

#[test]
fn what_is_taken_back_leaves_nothing() {
    // The window holds "One two.", the half sentence "Three" is held, and both are void at 30 ms.
    let said = |segment, revision| {
        [
            (10, Line::Say(segment, revision, "One two. ".into())),
            (20, Line::Say(segment, revision, "Three ".into())),
        ]
    };
    let covers = [
        (Line::Retract(1, 1), true),
        (Line::Cancel(1), true),
        (Line::Retract(1, 2), false),
        (Line::Cancel(2), false),
    ];
    for (scope, gone) in covers {
        let mut lines = said(1, 1).to_vec();
        lines.push((30, scope.clone()));
        lines.extend(stream(40, 0, (1, 3), "Four. Five"));
        let mut host = Sentences::new("batch_window_ms: 100", &lines);
        host.until(35);
        let cancelled = host.cancelled();
        assert_eq!(cancelled, if gone { 2 } else { 0 }, "{scope:?}");
        let heard = host.finished();
        let mut want = vec!["40 1/1 One two. Three #1 @10"];
        if gone {
            want.clear();
        }
        let seq = want.len() + 1;
        let last = format!("40 1/3 Four. Five #{seq} @40");
        want.extend([last.as_str(), "40 1/3 AnswerEnd"]);
        assert_eq!(heard, want, "{scope:?}");
    }
}

#[test]
fn a_retracted_reply_keeps_what_had_left_and_its_first_text_is_early_again() {
    let mut lines = stream(0, 10, (1, 1), "Well, that is so. And more. And");
    lines.truncate(6);
    lines.push((100, Line::Retract(1, 1)));
    lines.extend(stream(110, 10, (1, 2), "Now, that was wrong. Sorry"));
    let want = [
        "0 1/1 Well, #1 @0",
        "40 1/1 that is so. #2 @10",
        "110 1/2 Now, #3 @110",
        "150 1/2 that was wrong. #4 @120",
        "150 1/2 Sorry #5 @150",
        "150 1/2 AnswerEnd",
    ];
    assert_eq!(heard("first_chunk_min_chars: 4", &lines), want);
}

#[test]
fn nothing_overtakes_text_that_came_before_it() {
    // Another reply, a mark and the end of the stream let go what is held, whole or not.
    let lines = [
        (0, Line::Say(1, 1, "One. Half a".into())),
        (20, Line::Say(2, 1, "Two".into())),
        (40, Line::Endpoint(3, 1)),
        (60, Line::End(3, 1)),
        (80, Line::Say(4, 1, "Three".into())),
    ];
    let want = [
        "20 1/1 One. Half a #1 @0",
        "40 2/1 Two #2 @20",
        "40 3/1 Endpoint",
        "60 3/1 AnswerEnd",
        "1005 4/1 Three #3 @80",
    ];
    assert_eq!(heard("batch_window_ms: 1500", &lines), want);
}

#[test]
fn eight_frames_leave_in_a_step_and_the_rest_follows_in_order() {
    let many: String = (1..=30).map(|n| format!("Say {n} again. ")).collect();
    let mut lines = vec![(0, Line::Say(1, 1, many)), (0, Line::End(1, 1))];
    lines.extend(stream(5, 0, (2, 1), "Next."));
    let heard = heard("", &lines);
    let texts: Vec<String> = heard.iter().filter_map(|n| Some(n.split_once("Say ")?.1.to_owned())).collect();
    let want: Vec<String> = (1..=30).map(|n| format!("{n} again. #{n} @0")).collect();
    assert_eq!(texts, want);
    let per_tick = [0, 5, 10, 15].map(|ms| heard.iter().filter(|note| at_ms(note) == ms).count());
    assert_eq!(per_tick, [8, 8, 8, 6 + 3], "{heard:?}");
    assert_eq!(heard[30..], ["15 1/1 AnswerEnd", "15 2/1 Next. #31 @5", "15 2/1 AnswerEnd"]);
}

#[test]
fn what_had_no_place_in_a_step_is_taken_back_with_its_mark() {
    let many: String = (1..=30).map(|n| format!("Say {n} again. ")).collect();
    let lines = [
        (0, Line::Say(1, 1, many)),
        (0, Line::End(1, 1)),
        (5, Line::Retract(1, 1)),
        (5, Line::Say(1, 2, "Other.".into())),
        (5, Line::End(1, 2)),
    ];
    let heard = heard("", &lines);
    assert!(heard[..8].iter().all(|note| note.starts_with("0 1/1 Say ")), "{heard:?}");
    assert_eq!(heard[8..], ["5 1/2 Other. #30 @5", "5 1/2 AnswerEnd"]);
}

#[test]
fn settings_out_of_range_are_refused_and_unusual_ones_warned_of() {
    let cases = [
        ("language: \"en\"", "", ""),
        ("language: \"de-at\"", "", ""),
        ("language: \"klingon\"", "", "no rules for `klingon`"),
        ("batch_window_ms: 120", "", ""),
        ("batch_window_ms: 99", "", "99 ms is unusual"),
        ("batch_window_ms: 151", "", "151 ms is unusual"),
        ("batch_window_ms: 0.9", "0.9 ms is out of range", ""),
        ("batch_window_ms: 2001", "2001 ms is out of range", ""),
        ("batch_window_ms: NaN", "NaN ms is out of range", ""),
        ("first_chunk_min_chars: 500", "", ""),
        ("first_chunk_min_chars: 0", "0 characters are out of range", ""),
        ("first_chunk_min_chars: 501", "501 characters are out of range", ""),
        ("reply_chars_max: 100", "", ""),
        ("reply_chars_max: 10000000", "", ""),
        ("reply_chars_max: 99", "99 characters are out of range", ""),
        ("reply_chars_max: 10000001", "10000001 characters are out of range", ""),
        ("flush_after_ms: 20", "", ""),
        ("flush_after_ms: 10000", "", ""),
        ("flush_after_ms: None", "", ""),
        ("flush_after_ms: 19.9", "19.9 ms is out of range", ""),
        ("flush_after_ms: 10001", "10001 ms is out of range", ""),
        ("flush_after_ms: NaN", "NaN ms is out of range", ""),
        ("markup: Plain", "", ""),
        ("markup: Html", "`Html`", ""),
        ("code_text: \"I leave out the code.\"", "", ""),
        ("markup: Plain, code_text: \"Code.\"", "", "plain text has no code"),
        ("window_ms: 120", "has no field `window_ms`", ""),
    ];
    for (settings, error, warning) in cases {
        let scene = format!(
            r#"(name: "x", nodes: [(id: "p", kind: Narrator(lines: [])), (id: "c", kind: TextCollector({settings}))],
            edges: [("input", "p"), ("p", "c"), ("c", "output")])"#
        );
        match compile(&Source::new("test.ron", &*scene), &[], None, &narrator::registry()) {
            Ok((_, warnings)) => {
                let titles: Vec<&str> = warnings.iter().map(|found| found.title.as_str()).collect();
                assert!(error.is_empty() && titles.concat().contains(warning), "{settings}: {titles:?}");
                assert_eq!(titles.is_empty(), warning.is_empty(), "{settings}: {titles:?}");
            }
            Err(found) => {
                let found = found.to_string();
                assert!(!error.is_empty() && found.contains(error), "{settings}: {found}");
            }
        }
    }
}

/// How a reply of the property test comes to its end.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Ended,
    /// No mark follows.
    Abandoned,
    /// Taken back behind the last word, with its revision or its segment.
    Retracted,
    Cancelled,
}

fn replies() -> impl Strategy<Value = Vec<(Vec<&'static str>, u64, Fate)>> {
    let word = prop::sample::select(vec![
        "Yes. ",
        "No! ",
        "we ",
        "go, ",
        "then",
        " on ",
        "Dr. ",
        "\"Oh. ",
        "my.\" ",
        "(so ",
        "it. Is) ",
        "3.",
        "5 ",
        "And ",
        "Or",
        "... ",
        "One. Two. Three. Four. Five. Six. Seven. Eight. Nine. Ten. ",
    ]);
    let fate = prop::sample::select(vec![
        Fate::Ended,
        Fate::Ended,
        Fate::Abandoned,
        Fate::Retracted,
        Fate::Cancelled,
    ]);
    prop::collection::vec((prop::collection::vec(word, 0..14), 0u64..40, fate), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_and_taken_back_the_rest_arrives_whole_in_order_and_in_time(
        replies in replies(),
        window_ms in prop::option::of(1u64..300),
        first in prop::option::of(1u32..40),
        flush_ms in prop::option::of(20u64..300),
    ) {
        let mut lines = Vec::new();
        let mut ms = 5;
        for (at, (words, gap_ms, fate)) in replies.iter().enumerate() {
            let segment = at as u32 + 1;
            for word in words {
                lines.push((ms, Line::Say(segment, 1, (*word).to_owned())));
                ms += gap_ms;
            }
            match fate {
                Fate::Ended => lines.push((ms, Line::End(segment, 1))),
                Fate::Abandoned => {}
                Fate::Retracted => lines.push((ms, Line::Retract(segment, 1))),
                Fate::Cancelled => lines.push((ms, Line::Cancel(segment))),
            }
            ms += 7;
        }
        let window = window_ms.map_or(String::new(), |ms| format!(", batch_window_ms: {ms}"));
        let first = first.map_or(String::new(), |chars| format!(", first_chunk_min_chars: {chars}"));
        // An item of a list would get a full stop.
        let rest = format!(", markup: Plain, flush_after_ms: {flush_ms:?}");
        let mut host = Sentences::new((window + &first + &rest).trim_start_matches(", "), &lines);
        host.until(ms + 400);
        let heard = host.finished();
        let mut before = (0, 0);
        for note in &heard {
            let whose: u32 = note.split([' ', '/']).nth(1).and_then(|s| s.parse().ok()).expect("its segment");
            prop_assert!(before <= (whose, at_ms(note)), "{:?}", heard);
            before = (whose, at_ms(note));
        }
        for (at, (words, gap_ms, fate)) in replies.iter().enumerate() {
            let whose = format!(" {}/1 ", at + 1);
            let notes: Vec<&str> = heard.iter().filter_map(|n| Some(n.split_once(&whose)?.1)).collect();
            let texts = notes.iter().filter(|note| **note != "AnswerEnd");
            let text: String = texts.map(|note| note.split(" #").next().unwrap_or("")).collect();
            let [left, said] = [text, words.concat()].map(|text| text.split_whitespace().collect::<String>());
            match fate {
                Fate::Ended => prop_assert!(notes.last() == Some(&"AnswerEnd"), "{:?}", heard),
                Fate::Abandoned | Fate::Retracted | Fate::Cancelled => {
                    prop_assert!(!notes.contains(&"AnswerEnd"), "{:?}", heard)
                }
            }
            match fate {
                Fate::Ended | Fate::Abandoned => prop_assert_eq!(left, said, "{:?}", heard),
                Fate::Retracted | Fate::Cancelled => {
                    prop_assert!(said.starts_with(&left), "{:?}", heard);
                    let void_ms = lines.iter().rfind(|(_, line)| match line {
                        Line::Retract(segment, _) | Line::Cancel(segment) => *segment == at as u32 + 1,
                        _ => false,
                    }).map_or(0, |(ms, _)| *ms);
                    let late = heard.iter().find(|n| n.contains(&whose) && at_ms(n) > void_ms + *gap_ms);
                    prop_assert!(late.is_none(), "{:?} void at {}", heard, void_ms);
                }
            }
        }
    }
}
