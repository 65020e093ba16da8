//! Cuts a text into pieces for the voice: a sentence at a time, and a long sentence in parts.
//!
//! Analysis costs more than in proportion to the length: the models look at the phrase around each syllable. So a
//! sentence of more than [`PIECE_CHARS_MAX`] characters is spoken as several, cut between words, and a word of more
//! than [`WORD_CHARS_MAX`] as several words. Shorter ones are never cut: they sound as the crate alone would say
//! them.

use flite_rs::text::{self, SentenceBuilder, Token};

/// Most characters of one piece: about twenty seconds of speech, and a paragraph's longest sentence.
pub(crate) const PIECE_CHARS_MAX: usize = 300;

/// Most characters of one word. The longest in a dictionary has 45.
pub(crate) const WORD_CHARS_MAX: usize = 100;

/// The white space that the crate knows.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// A piece that is analysed and spoken at once.
pub(crate) struct Piece {
    pub(crate) tokens: Vec<Token>,
    /// Bytes of the text up to its end.
    pub(crate) end: usize,
}

/// The piece of `text` that begins at byte `from`, where another ended; `None`: nothing is left to say. Looks at no
/// more of the text than the piece and the word after it.
pub(crate) fn piece(text: &str, from: usize) -> Option<Piece> {
    let (mut builder, mut end, mut chars) = (SentenceBuilder::default(), from, 0);
    while let Some((token, taken, length)) = token(&text[end..]) {
        if chars > 0 && chars + length > PIECE_CHARS_MAX {
            break;
        }
        if let Some(tokens) = builder.push(token) {
            return Some(Piece { tokens, end });
        }
        (end, chars) = (end + taken, chars + length);
    }
    let tokens = builder.finish()?;
    // White space at the end is no piece.
    let over = text[end..].trim_start_matches(SPACE).is_empty();
    Some(Piece { tokens, end: if over { text.len() } else { end } })
}

/// The first token of `text`, the bytes that it takes with the white space before it, and the characters in them.
fn token(text: &str) -> Option<(Token, usize, usize)> {
    let word = text.trim_start_matches(SPACE);
    let from = text.len() - word.len();
    let ends = |(_, (at, c)): &(usize, (usize, char))| SPACE.contains(c) || *at >= word.len();
    let cut = word.char_indices().enumerate().find(|at| ends(at) || at.0 == WORD_CHARS_MAX);
    let (chars, len) = cut.map_or_else(|| (word.chars().count(), word.len()), |(n, (at, _))| (n, at));
    // One more character: the crate reads a lone quote differently at the end of a text than within.
    let behind = word[len..].chars().next().filter(|c| SPACE.contains(c)).map_or(0, char::len_utf8);
    let token = text::sentences(&text[..from + len + behind]).next()?.into_iter().next()?;
    Some((token, from + len, from + chars))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens as written.
    fn written(tokens: &[Token]) -> String {
        let parts = |t: &Token| format!("{}{}{}{}", t.whitespace, t.prepunctuation, t.name, t.punctuation);
        tokens.iter().map(parts).collect()
    }

    fn pieces(text: &str) -> Vec<Vec<Token>> {
        let mut from = 0;
        let next = || {
            let piece = piece(text, from)?;
            assert!(piece.end > from, "it goes on");
            from = piece.end;
            Some(piece.tokens)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn sentences_that_are_not_long_are_those_of_the_crate() {
        for text in [
            "",
            "  ",
            "Good morning. How are you today? I am well, Dr. Smith.",
            "\"So,\" he said, \" 'No.' \"",
            "one\n\ntwo\n three. Four:  five! six ?",
            "Yahoo! yes. e.g. This (or that). 'Tis.  So",
            "ä ö. Ü 日本語。 5.5 10:45! 🙂 e\u{301}.\u{301} ...",
            "\" . ` ' ( end \"",
        ] {
            let mine: Vec<String> = pieces(text).iter().map(|tokens| format!("{tokens:?}")).collect();
            let theirs: Vec<String> = text::sentences(text).map(|tokens| format!("{tokens:?}")).collect();
            assert_eq!(mine, theirs, "{text:?}");
        }
    }

    #[test]
    fn long_sentences_are_cut_between_words_and_nothing_is_lost() {
        for text in [
            "a, ".repeat(1_000),
            "Hi. ".repeat(1_000),
            format!("So it goes on. {} and ends. Then more.", "and on ".repeat(200)),
            "x".repeat(10_000),
            format!("{} {}", "é".repeat(1_000), "\u{301}🙂".repeat(500)),
            "\" ( \n\n".repeat(200),
        ] {
            let pieces = pieces(&text);
            let all: String = pieces.iter().map(|tokens| written(tokens)).collect();
            assert_eq!(all, text.trim_end_matches(SPACE));
            for piece in &pieces {
                let chars = written(piece).trim().chars().count();
                assert!(chars <= PIECE_CHARS_MAX, "{chars} characters");
                let word = piece
                    .iter()
                    .map(|token| written(std::slice::from_ref(token)).trim().chars().count())
                    .max();
                assert!(word <= Some(WORD_CHARS_MAX), "{word:?}");
            }
        }
    }
}
