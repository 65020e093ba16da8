//! Tokens as text.
//!
//! The file: one byte string a token, in order. Its length comes before it: a byte below 128, or two, of which the first
//! has 128 added and counts ones, the second 128s. U+2581 is a space.

use super::weights::{ModelError, TOKENS};

/// A space inside of tokens.
const SPACE: &str = "\u{2581}";

/// The tokens of the model.
#[derive(Debug)]
pub(super) struct Tokens {
    bytes: Vec<u8>,
    /// Where each token begins, and where the last one ends.
    starts: Vec<u32>,
}

impl Tokens {
    /// Reads a file of tokens.
    pub(super) fn read(file: &[u8]) -> Result<Self, ModelError> {
        let (mut bytes, mut starts, mut rest) = (Vec::new(), vec![0], file);
        while let Some((&low, after)) = rest.split_first() {
            rest = after;
            let mut length = usize::from(low);
            if length >= 128 {
                let at = file.len() - rest.len();
                let (&high, after) = rest.split_first().ok_or(ModelError::Ends { at })?;
                (length, rest) = (length - 128 + usize::from(high) * 128, after);
            }
            let at = file.len() - rest.len();
            bytes.extend_from_slice(rest.split_off(..length).ok_or(ModelError::Ends { at })?);
            starts.push(bytes.len() as u32);
        }
        match starts.len() - 1 {
            TOKENS => Ok(Self { bytes, starts }),
            found => Err(ModelError::Tokens { found }),
        }
    }

    /// The text of tokens. What is no UTF-8 is left out.
    pub(super) fn text(&self, tokens: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &token in tokens {
            let at = token as usize;
            bytes.extend_from_slice(&self.bytes[self.starts[at] as usize..self.starts[at + 1] as usize]);
        }
        let text: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
        text.replace(SPACE, " ").trim().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many tokens as the model has: these, then empty ones.
    fn tokens(first: &[&[u8]]) -> Tokens {
        let mut file = Vec::new();
        for token in first {
            match token.len() {
                short @ ..128 => file.push(short as u8),
                long => file.extend([(long % 128 + 128) as u8, (long / 128) as u8]),
            }
            file.extend(*token);
        }
        file.resize(file.len() + TOKENS - first.len(), 0);
        Tokens::read(&file).expect("there are as many as the model has")
    }

    #[test]
    fn pieces_become_words() {
        let long = [b'o'; 300];
        let tokens = tokens(&[SPACE.as_bytes(), "▁go".as_bytes(), &long, b"d", &[0xff, b'!']]);
        assert_eq!(tokens.text(&[1, 3, 0, 1]), "god  go");
        assert_eq!(tokens.text(&[2]).len(), 300);
        assert_eq!(tokens.text(&[1, 4, 31_000]), "go!", "what is no text is left out");
    }

    #[test]
    fn a_file_of_other_tokens_is_refused() {
        let error = |file: &[u8]| Tokens::read(file).expect_err("these are others").to_string();
        assert_eq!(error(&[1, b'a']), "the file has 1 tokens; the model has 32768");
        assert_eq!(error(&[3, b'a']), "the file ends in the middle of something, at byte 1");
        assert_eq!(error(&[200]), "the file ends in the middle of something, at byte 1");
    }
}
