//! When nothing more comes, and when what comes is written for the eye: what leaves `TextCollector`, and when.

#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/narrator.rs"]
mod narrator;
#[path = "support/sentences.rs"]
mod sentences;

use narrator::Line;
use proptest::prelude::*;
use sentences::{Sentences, at_ms, heard, stream};

fn say(ms: u64, text: &str) -> (u64, Line) {
    (ms, Line::Say(1, 1, text.into()))
}

/// Settings, what is said, what leaves.
type Case<'a> = (&'a str, &'a [(u64, Line)], &'a [&'a str]);

#[test]
fn a_whole_sentence_leaves_when_nothing_comes_for_the_time_given() {
    // The stream ends at 1005 ms; nothing else happens in the engine.
    let cases: &[Case<'_>] = &[
        ("", &[say(0, "Let me check. ")], &["250 1/1 Let me check. #1 @0"]),
        ("flush_after_ms: 100", &[say(0, "Let me check.")], &["100 1/1 Let me check. #1 @0"]),
        ("flush_after_ms: 101", &[say(0, "Let me check.")], &["105 1/1 Let me check. #1 @0"]),
        ("flush_after_ms: None", &[say(0, "Let me check.")], &["1005 1/1 Let me check. #1 @0"]),
        ("markup: Plain", &[say(0, "Let me check.")], &["250 1/1 Let me check. #1 @0"]),
        // The time begins anew with each text.
        ("", &[say(0, "Let me"), say(240, " check."), say(480, " ")], &["730 1/1 Let me check. #1 @0"]),
        (
            "",
            &[say(0, "Yes."), say(245, " Then "), say(300, "go.")],
            &["245 1/1 Yes. #1 @0", "550 1/1 Then go. #2 @245"],
        ),
        (
            "",
            &[say(0, "Yes."), say(250, " Then "), say(300, "go.")],
            &["250 1/1 Yes. #1 @0", "550 1/1 Then go. #2 @250"],
        ),
        // A word that has begun stays, and goes on.
        ("", &[say(0, "Yes. Th"), say(400, "en go.")], &["250 1/1 Yes. #1 @0", "650 1/1 Then go. #2 @0"]),
        // What does not read as finished waits.
        ("", &[say(0, "It is Dr. "), say(400, "Smith.")], &["650 1/1 It is Dr. Smith. #1 @0"]),
        ("", &[say(0, "It is 3."), say(400, "5 now!")], &["650 1/1 It is 3.5 now! #1 @0"]),
        ("", &[say(0, "It is (so. "), say(400, "Yes).")], &["650 1/1 It is (so. Yes). #1 @0"]),
        ("", &[say(0, "Let me check")], &["1005 1/1 Let me check #1 @0"]),
        // Others that wait leave with it.
        ("batch_window_ms: 2000", &[say(0, "Yes. Let me see. ")], &["250 1/1 Yes. Let me see. #1 @0"]),
        (
            "batch_window_ms: 100",
            &[say(0, "Yes. So it is. ")],
            &["100 1/1 Yes. #1 @0", "250 1/1 So it is. #2 @0"],
        ),
        ("first_chunk_min_chars: 8", &[say(0, "One moment,")], &["250 1/1 One moment, #1 @0"]),
        ("first_chunk_min_chars: 80", &[say(0, "One moment.")], &["250 1/1 One moment. #1 @0"]),
    ];
    let mut wrong = Vec::new();
    for (settings, lines, want) in cases {
        let got = heard(settings, lines);
        if got != *want {
            wrong.push(format!("{settings}: {got:?}, not {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_was_taken_back_does_not_leave_when_its_time_comes() {
    let again = |from_ms| {
        [say(from_ms, "Stay here. "), (from_ms + 500, Line::End(1, 1))].map(|(ms, line)| match line {
            Line::Say(_, _, text) => (ms, Line::Say(1, 2, text)),
            _ => (ms, Line::End(1, 2)),
        })
    };
    let cases = [
        (100, Line::Retract(1, 1), "Go away. "),
        (245, Line::Retract(1, 1), "Go away. "),
        (100, Line::Retract(1, 1), "```\nGo away. "),
        (100, Line::Retract(1, 1), "1"),
    ];
    for (ms, scope, text) in cases {
        let mut lines = vec![say(0, text), (ms, scope)];
        lines.extend(again(ms + 10));
        let mut host = Sentences::new("", &lines);
        host.until(ms + 5);
        assert_eq!(host.cancelled(), 1, "{text:?} taken back at {ms} ms");
        let want =
            [format!("{} 1/2 Stay here. #1 @{}", ms + 260, ms + 10), format!("{} 1/2 AnswerEnd", ms + 510)];
        assert_eq!(host.finished(), want, "{text:?}");
    }
    // What had left is out of reach, and the next revision is a reply of its own.
    let mut lines = vec![say(0, "Go away. And "), (300, Line::Retract(1, 1))];
    lines.extend(again(310));
    let want = ["0 1/1 Go away. #1 @0", "560 1/2 Stay here. #2 @310", "810 1/2 AnswerEnd"];
    assert_eq!(heard("", &lines), want);
}

#[test]
fn text_in_markdown_leaves_as_early_as_the_same_text_without() {
    let plain = "Take this first. It is Dr. Smith who said so. See the page at once. Then go";
    let written = "**Take *this* first.** It is `Dr. Smith` who said so. See [the](https://a.b/c.d) page at once. Then go";
    let [plain, written] = [plain, written].map(|text| heard("", &stream(0, 20, (1, 1), text)));
    assert_eq!(plain, written);
    assert_eq!(plain.len(), 5, "{plain:?}");
}

#[test]
fn lines_of_markdown_are_sentences_and_code_is_left_out_or_named() {
    let text = "# Colours \nTake one: \n- **Red** \n- blue 🎉 \n\n```\nred(); // No. Never. \n``` \nDone.";
    let want = ["Colours.", "Take one:", "Red.", "blue.", "Done."];
    let texts = |settings: &str| -> Vec<String> {
        let notes = heard(settings, &stream(0, 10, (1, 1), text));
        let texts = notes.iter().filter(|note| !note.ends_with("AnswerEnd"));
        texts.filter_map(|note| Some(note.split_once("1/1 ")?.1.split(" #").next()?.to_owned())).collect()
    };
    assert_eq!(texts(""), want);
    let mut named = want.to_vec();
    named.insert(4, "I leave out the code.");
    assert_eq!(texts("code_text: \"I leave out the code\""), named);
    let plain = texts("markup: Plain").concat();
    assert!(["# Colours", "**Red**", "🎉", "red();"].iter().all(|part| plain.contains(part)), "{plain}");
}

#[test]
fn a_reply_of_marks_alone_leaves_nothing_and_its_frames_are_accounted_for() {
    for text in ["👍 🎉", "**", "---", "```\ncode. \n```", "- ", "<br>"] {
        assert_eq!(heard("", &stream(0, 10, (1, 1), text)).len(), 1, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// All pieces come at once, so that only the cuts differ. How many frames leave in a tick is not compared.
    #[test]
    fn no_cut_changes_what_leaves(
        parts in prop::collection::vec(prop::sample::select(vec![
            "Yes. ", "**Go. ", "on** ", "`a. b` ", "Dr. ", "3.", "5 ", "[x](", "http://a.b/c) ", "- ", "\n", "\n\n", "# ", "| ",
            "```\n", "1. ", "(so. ", "it) ", "\"Oh. ", "my.\" ", "👍 ", "<b>", "word", " ", "... ", "é", "です。",
        ]), 0..30),
        shares in prop::collection::vec(0.0..1.0f64, 0..20),
        window_ms in prop::option::of(1u64..300),
        first in prop::option::of(1u32..40),
    ) {
        let text = parts.concat();
        let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut cuts: Vec<usize> = shares.iter().map(|s| bounds[(s * (bounds.len() - 1) as f64) as usize]).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<(u64, Line)> = cuts.windows(2).map(|w| say(0, &text[w[0]..w[1]])).collect();
        let settings = format!("batch_window_ms: {window_ms:?}, first_chunk_min_chars: {first:?}");
        let texts = |notes: &[String]| -> Vec<String> {
            notes.iter().filter_map(|note| Some(note.split_once(' ')?.1.to_owned())).collect()
        };
        let (got, want) = (heard(&settings, &pieces), heard(&settings, &[say(0, &text)]));
        prop_assert!(got.iter().all(|note| at_ms(note) <= 1_040), "{:?}", got);
        prop_assert_eq!(texts(&got), texts(&want));
    }
}
