//! Recognised words against those that were said: errors as word error rates count them.
//!
//! Words are compared as [`words`] makes them. Errors are the fewest words to replace, to add and to leave out (Levenshtein)
//! that make one text of the other.

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
/// What stands in round or square brackets is a remark, and left out.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let said = text.chars().filter(|c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    let text = said.collect::<String>().to_lowercase().replace('\u{2019}', "'");
    let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    parts.map(|word| word.trim_matches('\'').to_owned()).filter(|word| !word.is_empty()).collect()
}

/// What was said in one go or in several, and what was heard of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// The words that were said; empty: nobody spoke.
    pub said: String,
    /// The words that were heard.
    pub heard: String,
    /// Whose voices they are, each once.
    pub voice: String,
}

/// Less than this in common is where one speech ends and the next begins, microseconds.
const SHARED_MIN_US: u64 = 100_000;

/// Pairs what was said with what was heard at the same time, in order of time. Where one text goes on over several of the
/// other side, all of them are one passage.
#[must_use]
pub fn passages(said: &[Said], heard: &[(Stretch, String)]) -> Vec<Passage> {
    let spoken = said.iter().map(|said| (said.at, said.text.as_str(), Some(said.voice.as_str())));
    let recognised = heard.iter().map(|(at, text)| (*at, text.as_str(), None));
    let mut texts: Vec<_> = spoken.chain(recognised).collect();
    texts.sort_by_key(|(at, ..)| at.start_us);
    let (mut passages, mut end_us) = (Vec::<Passage>::new(), 0);
    for (at, text, voice) in texts {
        let goes_on = at.start_us + SHARED_MIN_US.min(at.len_us()) <= end_us;
        end_us = if goes_on { end_us.max(at.end_us) } else { at.end_us };
        if !goes_on || passages.is_empty() {
            passages.push(Passage::default());
        }
        let Some(passage) = passages.last_mut() else { continue };
        match voice {
            None => join(&mut passage.heard, " ", text),
            Some(voice) => {
                join(&mut passage.said, " ", text);
                if !passage.voice.split(TOGETHER).any(|known| known == voice) {
                    join(&mut passage.voice, TOGETHER, voice);
                }
            }
        }
    }
    passages
}

/// Between the names of voices that share a passage.
const TOGETHER: &str = " + ";

fn join(text: &mut String, between: &str, more: &str) {
    if !text.is_empty() {
        text.push_str(between);
    }
    text.push_str(more);
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
        assert_eq!(words("press (a tone [sounds]) the key)"), ["press", "the", "key"]);
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
    fn a_passage_is_what_was_said_and_heard_at_the_same_time() {
        let at = |start_s: f64, end_s: f64| {
            let [start_us, end_us] = [start_s, end_s].map(|s| (s * 1e6) as u64);
            Stretch { start_us, end_us }
        };
        let said = |from: f64, to: f64, text: &str, voice: &str| Said {
            at: at(from, to),
            text: text.into(),
            voice: voice.into(),
        };
        let said = [
            said(0.0, 2.0, "one two", "anna"),
            said(3.0, 4.0, "three", "anna"),
            said(4.5, 5.0, "four", "ben"),
            said(9.0, 10.0, "five", "ben"),
        ];
        let heard = [
            (at(0.1, 0.9), "one"),
            (at(1.2, 2.1), "two"),
            // Goes on over two of them.
            (at(3.0, 5.1), "three four"),
            // Not what is said after it.
            (at(6.0, 9.05), "noise"),
        ];
        let heard = heard.map(|(at, text)| (at, text.to_string()));
        let found = passages(&said, &heard);
        let found: Vec<_> = found.iter().map(|p| [&p.said[..], &p.heard[..], &p.voice[..]]).collect();
        assert_eq!(
            found,
            [
                ["one two", "one two", "anna"],
                ["three four", "three four", "anna + ben"],
                ["", "noise", ""],
                ["five", "", "ben"],
            ]
        );
    }
}
