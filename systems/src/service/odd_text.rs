//! Texts that are not prose, such as a language model, a recogniser or a hostile user may produce.
//!
//! Each seed has a text of its own. Each text is of one kind, so that no kind hides another, or of all.

use mynah_engine::base::rng::Rng;

use crate::service::faults::OddText;

/// Parts of texts, and the separator between them.
const KINDS: [(&[&str], &str); 10] = [
    // Quotes that open and never close, and the other way round.
    (&["\u{201c}a.", "\u{ab}b!", "\"c", "\u{2018}d.\u{201d}", "e\u{201d}?", "'f'."], " "),
    (&["(", "((", "[", "{", ")", "]", "}", "(a.", "b)."], ""),
    (&["Dr.", "Mr.", "e.g.", "etc.", "a.m.", "U.S.", "No.", "1.", "3rd.", "St."], " "),
    // Text without an end.
    (&["and", "then", "we", "went", "on", "with", "it"], " "),
    // One word.
    (&["o", "la", "bum", "\u{e4}", "\u{f1}i"], ""),
    // Families of several code points, flags, a colour that belongs to nothing.
    (
        &[
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{1f1e9}\u{1f1ea}",
            "\u{1f3ff}",
            "\u{1f600}",
            "ok.",
        ],
        "",
    ),
    (&["...", "!!!", "?!", "\u{2026}", "--", "\u{3002}", ".", ";"], ""),
    // Nothing but space of all widths.
    (&["\n", "\t", " ", "\u{a0}", "\u{200b}", "\u{3000}", "\r\n"], ""),
    (&["```", "\n# ", "**", "[a](http://b.c)", "| - |", "\n- ", "<b>", "`"], " "),
    // What no page shows: control characters, marks that pile up, a change of direction.
    (&["\u{0}", "\u{7}", "\u{1b}[2J", "e\u{301}\u{301}\u{301}", "\u{202e}abc", "\u{feff}", "x"], " "),
];

/// The text of `odd`; one in 16 is empty.
pub(crate) fn odd_text(odd: OddText) -> String {
    let mut rng = Rng::new(odd.seed, 0, 0);
    let mut text = String::new();
    if rng.below(16) == 0 {
        return text;
    }
    let kinds = KINDS.len() as u64;
    // One text in as many as there are kinds is made of all of them.
    let kind = rng.below(kinds + 1);
    let mut characters = 0;
    while characters < odd.characters {
        let at = if kind < kinds { kind } else { rng.below(kinds) };
        let (parts, between) = KINDS[at as usize];
        for piece in [parts[rng.below(parts.len() as u64) as usize], between] {
            text.push_str(piece);
            characters += piece.chars().count() as u32;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_text_about_as_long_as_asked_and_every_kind_comes() {
        let texts: Vec<String> = (0..400).map(|seed| odd_text(OddText { seed, characters: 300 })).collect();
        for (seed, text) in texts.iter().enumerate() {
            assert_eq!(*text, odd_text(OddText { seed: seed as u64, characters: 300 }));
            let characters = text.chars().count();
            assert!(text.is_empty() || (300..330).contains(&characters), "{seed}: {characters} characters");
        }
        for (parts, between) in KINDS {
            let whole = |text: &String| {
                let ours = |c: char| between.contains(c) || parts.iter().any(|part| part.contains(c));
                !text.is_empty() && text.chars().all(ours)
            };
            assert!(texts.iter().any(whole), "{parts:?}");
        }
        assert!(texts.iter().any(String::is_empty));
    }
}
