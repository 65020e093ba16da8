use proptest::prelude::*;

use super::super::sentences::Sentences;
use super::{Block, Blocks, Piece, spoken};

/// What is said of a text that comes in `pieces`: sentences, and `<code>` for a block of code.
fn said(pieces: &[&str]) -> Vec<String> {
    fn take(sentences: &mut Sentences, piece: &Piece<'_>, said: &mut Vec<String>) {
        let mut leaves =
            |text: &str| said.extend(Some(spoken(text).into_owned()).filter(|text| !text.is_empty()));
        match piece {
            Piece::Text(text) => sentences.push(text, &mut leaves),
            Piece::End(block) => {
                if let Some(stop) = sentences.last().and_then(|last| block.full_stop(last)) {
                    sentences.stop(stop);
                }
                sentences.close(&mut leaves);
            }
            Piece::Code => said.push("<code>".into()),
        }
    }
    let (mut sentences, mut blocks) = (Sentences::new("en".into(), None), Blocks::default());
    let mut said = Vec::new();
    for piece in pieces {
        blocks.push(piece, &mut |piece| take(&mut sentences, &piece, &mut said));
    }
    blocks.finish(&mut |piece| take(&mut sentences, &piece, &mut said));
    take(&mut sentences, &Piece::End(Block::None), &mut said);
    said
}

/// What is written, and what is said, sentence by sentence.
const TABLE: &[(&str, &[&str])] = &[
    ("**Find information** now.", &["Find information now."]),
    ("It is *so* __very__ ~~un~~true, and `x = 1` too.", &["It is so very untrue, and x = 1 too."]),
    ("**Stop. Now.** Go _on. And_ on.", &["Stop.", "Now.", "Go on.", "And on."]),
    ("***Both*** of **_them_**.", &["Both of them."]),
    ("See [the docs](https://a.b/c.d?e=f#g \"Docs\") first.", &["See the docs first."]),
    ("See [The docs. All](https://a.b/c) now.", &["See The docs. All now."]),
    ("It is at https://www.example.com/a/b.html?x=1, I think.", &["It is at example.com, I think."]),
    ("Go to http://user@host.example:8080/xyz. Then rest.", &["Go to host.example.", "Then rest."]),
    ("Try (www.example.org/a) or <https://b.example/c>.", &["Try (example.org) or b.example."]),
    ("Mail j.doe@example.com today.", &["Mail j.doe@example.com today."]),
    ("[https://a.example/b](https://a.example/b) is it.", &["a.example is it."]),
    ("Look: ![a red cat](cat.png) sleeps.", &["Look: a red cat sleeps."]),
    ("# Title\nText goes on\nhere.", &["Title.", "Text goes on here."]),
    ("## Is it? ##\n\nYes.", &["Is it?", "Yes."]),
    ("Title\n=====\nText.", &["Title.", "Text."]),
    ("One.\n\n---\n\nTwo.", &["One.", "Two."]),
    (
        "Take:\n- **Red**\n- a blue\n  one\n* Green.\n\nDone.",
        &["Take:", "Red.", "a blue one.", "Green.", "Done."],
    ),
    ("- [ ] Buy milk\n- [x] Sleep", &["Buy milk.", "Sleep."]),
    ("1. First, look\n2. Then go. Now.\n10) Rest", &["1. First, look.", "2. Then go.", "Now.", "10) Rest."]),
    ("- One\n  - Two\n    1. Three", &["One.", "Two.", "1. Three."]),
    ("> He said so.\n> And left.", &["He said so.", "And left."]),
    (
        "| Name | Age |\n|------|----:|\n| Ada  | 36 |\n| Bob \\| Co |  |\n\nThat is all.",
        &["Name, Age.", "Ada, 36.", "Bob Co.", "That is all."],
    ),
    ("Run this:\n```rust\nfn main() {}\n// No. Never.\n```\nDone.", &["Run this:", "<code>", "Done."]),
    ("~~~~\n```\n~~~\nx\n~~~~\nYes.", &["<code>", "Yes."]),
    ("```\nno end. Of it.", &["<code>"]),
    ("Use ```x``` here. So.", &["Use x here.", "So."]),
    ("I <b>mean</b> it.<br>Really &amp; truly &lt;3.", &["I mean it.", "Really & truly <3."]),
    ("A \\*star\\* and a \\# sign.", &["A star and a sign."]),
    ("Great 👍🏽! Well done 🎉.", &["Great!", "Well done."]),
    ("Great👍. So 👨‍👩‍👧 it ✔️ is ⚠️ here 🇩🇪.", &["Great.", "So it is here."]),
    ("1️⃣ First ❤ and © too.", &["1 First and © too."]),
    ("- Blue 🎉\n- Red (or so)", &["Blue.", "Red (or so)."]),
    ("👍", &[]),
    ("- ✅\n- ❌ No", &["No."]),
    ("Is 2*3*4 = 24? And 5 * 6?", &["Is 2*3*4 = 24?", "And 5 * 6?"]),
    ("The file my_long_name is ~5 MB.", &["The file my_long_name is ~5 MB."]),
    ("AT&T said 1 < 2, 3 > 2, #1 and [see below].", &["AT&T said 1 < 2, 3 > 2, #1 and [see below]."]),
    ("-5 degrees. +1 for it.\n**Bold** start.", &["-5 degrees.", "+1 for it.", "Bold start."]),
    ("Two\nlines.\r\n\r\nNext\r\n- a\r\n", &["Two lines.", "Next", "a."]),
    ("*", &[]),
    ("...", &["..."]),
    ("Plain text — as “ever”, it’s fine…", &["Plain text — as “ever”, it’s fine…"]),
    ("- 日本語です\n- はい。", &["日本語です。", "はい。"]),
];

#[test]
fn what_is_written_for_the_eye_is_said_as_a_person_would() {
    let mut wrong = Vec::new();
    for (text, want) in TABLE {
        let chars: Vec<String> = text.chars().map(String::from).collect();
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        for pieces in [vec![*text], words, chars.iter().map(String::as_str).collect()] {
            let got = said(&pieces);
            if got != *want {
                wrong.push(format!("{text:?} in {} pieces: {got:?}, not {want:?}", pieces.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Marks of Markdown, odd characters and words, in any order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "*", "**", "_", "~~", "`", "```", "~~~", "[", "](", "](http://a.b/", ")", "![", "#", "## ", "- ", "* ", "1. ",
            "> ", "|", "\\", "\\|", "<b>", "</", "<!--", "&amp;", "&", "://", "https://", "www.", "\n", "\n\n", "\r\n",
            "---", "===", "|--|", " ", "  ", ".", ". ", "! ", "word", "Word", "a", "5", "é", "です", "。", "👍", "🇩🇪",
            "\u{FE0F}", "\u{200D}", "\u{20E3}", "\u{301}", "\u{202E}", "\u{0}", "\u{A0}", "\u{2029}", "ß",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..50).prop_map(|pieces| pieces.concat())
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

/// Words in all the forms that Markdown gives them, and the words alone.
fn written() -> impl Strategy<Value = (String, Vec<String>)> {
    let word = "[a-z]{1,8}";
    let inline = (word, 0usize..8).prop_map(|(word, form)| {
        let text = match form {
            0 => format!("**{word}**"),
            1 => format!("*{word}*"),
            2 => format!("`{word}`"),
            3 => format!("[{word}](https://x.example/{word}?a=b.c)"),
            4 => format!("{word} 🎉"),
            5 => format!("<i>{word}</i>"),
            6 => format!("~~{word}~~"),
            _ => word.clone(),
        };
        (text, word)
    });
    let line = (prop::collection::vec(inline, 1..8), 0usize..7).prop_map(|(words, form)| {
        let text: Vec<&str> = words.iter().map(|(text, _)| text.as_str()).collect();
        let line = match form {
            0 => format!("- {}\n", text.join(" ")),
            1 => format!("### {}\n", text.join(" ")),
            2 => format!("| {} |\n", text.join(" | ")),
            3 => format!("> {}.\n", text.join(" ")),
            4 => format!("  * **{}**\n", words[0].1),
            5 => format!("```\n{}\n```\n", text.join(" ")),
            _ => format!("{}. \n\n", text.join(" ")),
        };
        let said = match form {
            4 => vec![words[0].1.clone()],
            5 => Vec::new(),
            _ => words.into_iter().map(|(_, word)| word).collect(),
        };
        (line, said)
    });
    prop::collection::vec(line, 1..6).prop_map(|lines| {
        let (texts, words): (Vec<String>, Vec<Vec<String>>) = lines.into_iter().unzip();
        (texts.concat(), words.concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cut_changes_what_is_said_whatever_the_characters(
        text in soup(),
        shares in prop::collection::vec(0.0..1.0f64, 0..40),
    ) {
        prop_assert_eq!(said(&cut(&text, &shares)), said(&[&text]));
    }

    #[test]
    fn every_word_is_said_once_and_no_mark_is(
        (text, words) in written(),
        shares in prop::collection::vec(0.0..1.0f64, 0..40),
    ) {
        let got = said(&cut(&text, &shares)).join(" ").replace("<code>", "");
        prop_assert!(!got.contains(['*', '_', '~', '`', '[', '#', '|', '<', '🎉']), "{}", got);
        let got: Vec<String> = got.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect();
        prop_assert_eq!(got, words, "{:?}", text);
    }
}
