//! Recognised words against those that were said: errors as word error rates count them.
//!
//! Words are compared as [`words`] makes them. Errors are the fewest words to replace, to add and to leave out (Levenshtein)
//! that make one text of the other.

use super::heard::overlap;
use super::truth::Stretch;

/// What was said in a stretch of media time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// From its first to its last speech.
    pub at: Stretch,
    /// The words.
    pub text: String,
    /// Whose voice it is; empty: nobody says.
    pub voice: String,
}

/// How many words were said, and how many errors were made in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordErrors {
    /// Words that were said.
    pub words: u64,
    /// Words replaced, added and left out.
    pub errors: u64,
}

impl WordErrors {
    /// Errors in `heard` against `said`.
    #[must_use]
    pub fn between(said: &str, heard: &str) -> Self {
        let (said, heard) = (words(said), words(heard));
        let errors = strsim::generic_levenshtein::<Vec<String>, Vec<String>, _, _>(&said, &heard) as u64;
        Self { words: said.len() as u64, errors }
    }

    /// The word error rate; `None`: nothing was said.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.words > 0).then(|| self.errors as f64 / self.words as f64)
    }
}

impl std::ops::AddAssign for WordErrors {
    fn add_assign(&mut self, more: Self) {
        self.words += more.words;
        self.errors += more.errors;
    }
}

/// The words of a text as they are compared: in lower case, of letters, digits and inner apostrophes alone; all else parts
/// words. Numbers are not spelled out: `4` is another word than `four`.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    parts.map(|word| word.trim_matches('\'').to_owned()).filter(|word| !word.is_empty()).collect()
}

/// What was heard of each of `said`, in order, and of nothing of it: a text belongs to what it shares the most time with.
#[must_use]
pub fn assigned(said: &[Said], heard: &[(Stretch, String)]) -> (Vec<String>, String) {
    let (mut of_each, mut of_none) = (vec![String::new(); said.len()], String::new());
    for (at, text) in heard {
        let shared_us = |said: &Said| overlap(said.at, *at).map_or(0, |both| both.len_us());
        let shared = said.iter().map(shared_us).enumerate().filter(|(_, us)| *us > 0);
        // Of equals the first one.
        let most = shared.rev().max_by_key(|(_, us)| *us);
        let place = most.map_or(&mut of_none, |(of, _)| &mut of_each[of]);
        if !place.is_empty() {
            place.push(' ');
        }
        place.push_str(text);
    }
    (of_each, of_none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_punctuation() {
        assert_eq!(
            words(" Don\u{2019}t STOP -- well-known, 'quoted' 4,7! "),
            ["don't", "stop", "well", "known", "quoted", "4", "7"]
        );
        assert!(words("-- '' ...").is_empty());
    }

    #[test]
    fn errors_are_words_replaced_added_and_left_out() {
        let rows = [
            ("turn off the lights", "Turn off the lights.", 0),
            ("turn off the lights", "turn of lights", 2),
            ("stop", "please stop it", 2),
            ("one two", "", 2),
            ("", "noise", 1),
        ];
        for (said, heard, errors) in rows {
            let found = WordErrors::between(said, heard);
            assert_eq!((found.words, found.errors), (words(said).len() as u64, errors), "{said} / {heard}");
        }
        assert_eq!(WordErrors::between("a b c d", "a b c").rate(), Some(0.25));
        assert_eq!(WordErrors::default().rate(), None);
    }

    #[test]
    fn a_text_belongs_to_what_it_shares_most_time_with() {
        let at = |start_us, end_us| Stretch { start_us, end_us };
        let said =
            |start_us, end_us| Said { at: at(start_us, end_us), text: String::new(), voice: String::new() };
        let heard = [(at(0, 12), "a"), (at(12, 20), "b"), (at(18, 40), "c"), (at(50, 60), "d")];
        let heard = heard.map(|(at, text)| (at, text.to_string()));
        let (of_each, of_none) = assigned(&[said(0, 20), said(20, 50)], &heard);
        assert_eq!((of_each, of_none.as_str()), (vec!["a b".to_string(), "c".to_string()], "d"));
    }
}
