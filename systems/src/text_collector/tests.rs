use proptest::prelude::*;

use super::sentences::{CHARS_MAX, OPEN_CHARS_MAX, Sentences};

/// What leaves while the pieces come, and what leaves when they have ended.
fn streamed(language: &str, first: Option<usize>, pieces: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut sentences = Sentences::new(language.into(), first);
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for piece in pieces {
        sentences.push(piece, &mut |text| early.push(text.to_owned()));
    }
    sentences.flush(&mut |text| late.push(text.to_owned()));
    assert!(sentences.is_empty() && !sentences.begun());
    (early, late)
}

fn all(language: &str, pieces: &[&str]) -> Vec<String> {
    let (mut early, late) = streamed(language, None, pieces);
    early.extend(late);
    early
}

/// Pieces as a language model's tokens: a word with the space in front of it, and marks on their own.
fn tokens(text: &str) -> Vec<&str> {
    let mut cuts: Vec<usize> = text
        .char_indices()
        .filter(|(_, c)| c.is_whitespace() || !c.is_alphanumeric())
        .map(|(at, _)| at)
        .collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

/// Sentences of the whole text as `sentencex` sees them.
fn whole(language: &str, text: &str) -> Vec<String> {
    let parts = sentencex::segment(language, text).into_iter().map(|part| part.trim().to_owned());
    parts.filter(|sentence| !sentence.is_empty()).collect()
}

/// Sentences as they should leave, in every language; `|` stands between them and is not part of the text.
const TABLE: &[(&str, &str)] = &[
    ("en", "Dr. Smith paid $3.50 for it.| It cost 1.5 million once."),
    ("en", "We take fruit, e.g. apples, i.e. what is ripe.| Mr. and Mrs. Jones, too."),
    ("en", "He said \"Hello. World is fine.\"| Then he left."),
    ("en", "Go.| \"Hello there,\" he said.| Nobody came."),
    ("en", "“Stop. Now!” she cried.| “Go.”| She left."),
    ("en", "Wait (he came twice. Really.) for it.| Good."),
    ("en", "He came (and said \"No. Not now. Here\" to me. Or so.) late.| Good."),
    ("en", "\"Yes. Go (at once) to him. Or what\" he said.| Good."),
    ("en", "He said **No.**| Then he left.| __Good.__| Bye.|*So.*"),
    ("en", "It starts at 5 p.m. on Jan. 5 at St. Mary's.| They left."),
    ("en", "The U.S. is big.| J. R. R. Tolkien wrote it.| I live in the U.S.| The end."),
    ("en", "See www.example.com/a.b?c=d for more.| Mail me at j.doe@example.com today.| Thanks!"),
    ("en", "Wait... what?| Really?!| Yes!| No way."),
    ("en", "Version 2.0.1 is out.| It is No. 5 on the list."),
    ("en", "Choose: 1. Red.| 2. Blue.| 3. Green.| Well?"),
    ("en", "A title\n\n|Some text.| More of it\n"),
    ("en", "- First, look\n|- then, go\n|- last, rest"),
    ("en", "Hello there.|How are you?|Fine."),
    ("en", "Tell 'em to go.| It was in the '90s.| Don't."),
    ("en", "She said 'Go. Now!' and left.| Gone."),
    ("en", "A 5\" pipe broke.| It was old."),
    ("en", "One — two.| \"Three.\" – he said.| Four"),
    ("en", "Great 👍.| Next one."),
    ("en", "   Spaces  around.   | And   within.  "),
    ("en", ""),
    ("en", " \n "),
    ("en", "..."),
    ("de", "Das kostet z. B. 3,50 Euro.| Am 5. Januar kam Dr. Meier.| Gut."),
    ("ja", "日本語です。|「はい。そうです。」|と言った。|ABCです。"),
    ("hi", "यह एक वाक्य है।| यह दूसरा है।"),
];

#[test]
fn tricky_texts_leave_as_whole_sentences_however_they_come() {
    let mut wrong = Vec::new();
    for (language, marked) in TABLE {
        let text = marked.replace('|', "");
        let want: Vec<&str> = marked.split('|').map(str::trim).filter(|s| !s.is_empty()).collect();
        let chars: Vec<String> = text.chars().map(String::from).collect();
        let chars: Vec<&str> = chars.iter().map(String::as_str).collect();
        let sentences: Vec<&str> = marked.split('|').collect();
        let ways = [
            ("whole", vec![text.as_str()]),
            ("tokens", tokens(&text)),
            ("chars", chars),
            ("each", sentences),
        ];
        for (how, pieces) in ways {
            let got = all(language, &pieces);
            if got != want {
                wrong.push(format!("{how}: {got:?}, not {want:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_sentence_leaves_with_the_word_behind_it_and_the_last_one_at_the_end() {
    let mut sentences = Sentences::new("en".into(), None);
    let story = [
        ("Hello Dr", ""),
        (". Smith", ""),
        (".", ""),
        (" It", ""),
        ("'s", ""),
        (" ", "Hello Dr. Smith."),
        ("five ", ""),
        ("(or six. ", ""),
        ("Who ", ""),
        ("knows?) ", ""),
        ("past", ""),
        (" seven. Go", ""),
        (", now", "It's five (or six. Who knows?) past seven."),
        (" then.— ", ""),
        ("So ", "Go, now then."),
    ];
    for (piece, want) in story {
        let mut left = String::new();
        sentences.push(piece, &mut |text| left.push_str(text));
        assert_eq!(left, want, "after {piece:?}");
    }
    let mut left = String::new();
    sentences.flush(&mut |text| left.push_str(text));
    assert_eq!(left, "— So");
}

#[test]
fn what_is_taken_back_is_forgotten_and_the_next_reply_begins_afresh() {
    let mut sentences = Sentences::new("en".into(), Some(5));
    let mut left = Vec::new();
    sentences.push("Well then, (this is ", &mut |text| left.push(text.to_owned()));
    assert!(sentences.begun());
    sentences.clear();
    assert!(sentences.is_empty() && !sentences.begun());
    sentences.push("Anew, he ", &mut |text| left.push(text.to_owned()));
    assert_eq!(left, ["Well then,", "Anew,"]);
}

/// Least length of the first text, the reply, the texts that leave.
const FIRSTS: &[(usize, &str, &[&str])] = &[
    (10, "Well, I would say, that it depends.", &["Well, I would say,", "that it depends."]),
    (10, "Yes. I think so, too.", &["Yes.", "I think so, too."]),
    (10, "It is a quarter past seven", &["It is a quarter past", "seven"]),
    // A full stop may be that of an abbreviation; a comma and a colon in a number are no pause.
    (8, "He is called Dr. Smith there", &["He is called Dr. Smith", "there"]),
    (5, "It's 1,500 or 10:30 or what", &["It's 1,500", "or 10:30 or what"]),
    (5, "That — well — is it.", &["That —", "well — is it."]),
    (5, "That - well", &["That -", "well"]),
    (7, "pre- or post-war, say", &["pre- or post-war,", "say"]),
    (500, "Well, I would say, that it depends.", &["Well, I would say, that it depends."]),
    (3, "はい、そうですね。次。", &["はい、", "そうですね。", "次。"]),
    (4, "はい、そうですね。次。", &["はい、そうですね。", "次。"]),
];

#[test]
fn the_first_text_may_leave_early_and_only_the_first() {
    for (chars, text, want) in FIRSTS {
        let (mut got, rest) = streamed("en", Some(*chars), &tokens(text));
        got.extend(rest);
        assert_eq!(got, *want, "{chars}: {text}");
    }
}

#[test]
fn text_without_an_end_is_cut_at_a_space_and_what_stays_open_is_no_quote() {
    let long = "seven chars ".repeat(400);
    let left = all("en", &tokens(&long));
    assert!(left.iter().all(|text| text.chars().count() <= CHARS_MAX), "{left:?}");
    assert!(left.iter().all(|text| text.starts_with("seven") && text.ends_with("chars")), "{left:?}");
    assert_eq!(left.len(), 5);
    let (early, late) = streamed("en", None, &["x".repeat(2_500).as_str()]);
    assert_eq!(early.iter().map(String::len).collect::<Vec<_>>(), [CHARS_MAX, CHARS_MAX]);
    assert_eq!(late[0].len(), 500);
    // Nobody closes this quote. It is waited for, but not for ever.
    let text = format!("He said \"go. {}", "We all went on. ".repeat(40));
    let endless = format!("He said \"go. We went. They went. {}", "And on ".repeat(60));
    let (early, late) = streamed("en", None, &tokens(&endless));
    assert_eq!(
        (early, late.len()),
        (vec!["He said \"go.".into(), "We went.".into(), "They went.".into()], 1)
    );
    let mut sentences = Sentences::new("en".into(), None);
    let waited = tokens(&text).into_iter().scan(0, |chars, piece| {
        let mut left = false;
        sentences.push(piece, &mut |_| left = true);
        *chars += piece.chars().count();
        Some((*chars, left))
    });
    let first = waited.into_iter().find(|(_, left)| *left).map_or(0, |(chars, _)| chars);
    assert!((OPEN_CHARS_MAX..OPEN_CHARS_MAX + 30).contains(&first), "after {first} characters");
}

/// Prose, without what a whole text judges by the sentences before ("5 p.m. Dr. Smith"): sentences with abbreviations, amounts, quotes and brackets, some ending in a question.
fn prose() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "we",
        "saw",
        "a",
        "red",
        "house",
        "don't",
        "really",
        "café",
        "naïve",
        "Dr. Smith",
        "Mrs. Jones",
        "$3.50",
        "1.5 million",
        "e.g. apples",
        "i.e. soon",
        "at 5 p.m. sharp",
        "3,000",
        "U.S. law",
        "state-of-the-art",
        "example.com",
        "\"quite right\"",
        "(not yet)",
        "“so. Yes. So”",
        "\"Stop. It is late\"",
        "[see below]",
        "x;",
        "then,",
        "so:",
    ]);
    let start = prop::sample::select(vec![
        "The",
        "It",
        "Then",
        "We",
        "Nobody",
        "Why",
        "“Well,” he",
        "\"Go,\" she",
        "(All",
    ]);
    let end = prop::sample::select(vec![".", "!", "?", "?!", "...", "…"]);
    let sentence = (start, prop::collection::vec(word, 1..9), end).prop_map(|(start, words, end)| {
        let close = if start.starts_with('(') { ")" } else { "" };
        format!("{start} {} thing{close}{end}", words.join(" "))
    });
    let gap = prop::sample::select(vec![" ", "  ", "\n", "\n\n"]);
    prop::collection::vec((sentence, gap), 1..8)
        .prop_map(|all| all.into_iter().map(|(sentence, gap)| sentence + gap).collect())
}

/// Anything at all, most of it marks that mean something here.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            ". ", ".", "! ", "?", "…", "\"", "'", "“", "”", "‘", "’", "`", "``", "''", "(", ")", "[1]", "«", "»", "「", "」",
            "- ", "\n", "\n\n", "1. ", "a) ", "ii. ", "• ", " ", "  ", ", ", "Dr. ", "A. ", "U.S", "p.m", "@b.co", "。",
            "です", "é", "👍", "\u{200b}", "The ", "the ", "I", "No. ", "\t", "\r\n", "!!", " . . . ", "...",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// `text` cut at these shares of its characters.
fn cut<'a>(text: &'a str, shares: &[f64]) -> Vec<&'a str> {
    let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut cuts: Vec<usize> =
        shares.iter().map(|s| bounds[(s * (bounds.len() - 1) as f64) as usize]).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

fn characters(text: &str) -> String {
    text.split_whitespace().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn prose_leaves_as_the_sentences_of_the_whole_text(
        text in prose(),
        shares in prop::collection::vec(0.0..1.0f64, 0..40),
    ) {
        let pieces = cut(&text, &shares);
        prop_assert_eq!(all("en", &pieces), whole("en", &text), "{:?}", pieces);
    }

    #[test]
    fn no_cut_changes_what_leaves_and_no_character_is_lost(
        text in soup(),
        shares in prop::collection::vec(0.0..1.0f64, 0..40),
        first in prop::option::of(1usize..60),
        language in prop::sample::select(vec!["en", "de", "ja", "el", "xx"]),
    ) {
        let (mut left, rest) = streamed(language, first, &cut(&text, &shares));
        left.extend(rest);
        let (mut want, rest) = streamed(language, first, &[&text]);
        want.extend(rest);
        prop_assert_eq!(&left, &want);
        prop_assert_eq!(characters(&left.concat()), characters(&text));
        prop_assert!(left.iter().all(|text| !text.is_empty() && text.trim() == text));
        prop_assert!(left.iter().all(|text| text.chars().count() <= CHARS_MAX));
    }

    #[test]
    fn no_pause_loses_a_character_or_joins_what_left(
        text in soup(),
        shares in prop::collection::vec(0.0..1.0f64, 0..20),
        first in prop::option::of(1usize..60),
        language in prop::sample::select(vec!["en", "de", "ja", "fr", "xx"]),
    ) {
        let mut sentences = Sentences::new(language.into(), first);
        let mut left = Vec::new();
        for piece in cut(&text, &shares) {
            sentences.push(piece, &mut |text| left.push(text.to_owned()));
            sentences.pause(&mut |text| left.push(text.to_owned()));
        }
        sentences.flush(&mut |text| left.push(text.to_owned()));
        prop_assert_eq!(characters(&left.concat()), characters(&text));
        prop_assert!(left.iter().all(|text| !text.is_empty() && text.trim() == text));
    }
}
