//! What simulated callers say, as they bring it along: a load simulator at the other end of a socket sends its words as a
//! parameter of the session, and the scene's simulated recogniser finds them there. Who talks for long sends the next words
//! with `Set` in time: the parameter that is sent later takes the place of the one before.

use mynah_engine::Params;
use mynah_engine::service::Call;
use mynah_systems::service::Script;
use serde_json::Value;

/// The parameter: `[[from_us, to_us, "words"], ...]` in media time.
pub(crate) const PARAM: &str = "simulated_words";

/// The words that sessions bring along, in the parameters of every call.
#[derive(Debug, Default)]
pub(crate) struct CallersWords;

/// A stretch of media time and what is said in it.
struct Said<'a> {
    from_us: u64,
    to_us: u64,
    words: &'a str,
}

impl<'a> Said<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        let [from_us, to_us, words] = value.as_array()?.as_slice() else { return None };
        Some(Self { from_us: from_us.as_u64()?, to_us: to_us.as_u64()?, words: words.as_str()? })
    }

    /// As much of the stretch as counts lies within what was heard.
    fn is_within(&self, from_us: u64, to_us: u64) -> bool {
        let both_us = self.to_us.min(to_us).saturating_sub(self.from_us.max(from_us));
        both_us.saturating_mul(2) >= self.to_us.saturating_sub(self.from_us)
    }
}

/// Checks the parameter of a session that is to be opened.
///
/// # Errors
/// The parameter is not what it should be.
pub(crate) fn check(params: &Params) -> Result<(), String> {
    let Some(value) = params.get(PARAM) else { return Ok(()) };
    let expected = "expected [[from_us, to_us, \"words\"], ...]";
    let list = value.as_array().ok_or_else(|| format!("params.{PARAM}: no list; {expected}"))?;
    match list.iter().position(|one| Said::of(one).is_none()) {
        Some(at) => Err(format!("params.{PARAM}[{at}]: no stretch with its words; {expected}")),
        None => Ok(()),
    }
}

impl Script for CallersWords {
    /// Nobody is known by name.
    fn heard(&self, _name: &str, _from_us: u64, _to_us: u64) -> Option<String> {
        None
    }

    fn of_call(&self, call: &Call) -> Option<String> {
        heard(&call.params, call.from_us, call.to_us)
    }
}

/// The words between the two media times; what is no stretch, as a later `Set` may bring it, has none.
fn heard(params: &Params, from_us: u64, to_us: u64) -> Option<String> {
    let said = params.get(PARAM)?.as_array()?.iter().filter_map(Said::of);
    let words: Vec<&str> = said.filter(|one| one.is_within(from_us, to_us)).map(|one| one.words).collect();
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_stretch_and_later_ones_take_their_place() {
        let value =
            serde_json::json!([[0, 1_000, "good"], [1_000, 2_000, "morning"], [5_000, 6_000, "again"]]);
        let mut params = Params::new().with(PARAM, value);
        assert_eq!(check(&params), Ok(()));
        assert_eq!(heard(&params, 0, 2_100).as_deref(), Some("good morning"));
        assert_eq!(heard(&params, 4_000, 7_000).as_deref(), Some("again"));
        assert_eq!(heard(&Params::new(), 0, 9_000), None);
        params.merge(&Params::new().with(PARAM, serde_json::json!([[9_000, 9_500, "later"], "odd"])));
        assert_eq!(heard(&params, 0, 7_000).as_deref(), Some(""));
        assert_eq!(heard(&params, 0, 10_000).as_deref(), Some("later"));
    }

    #[test]
    fn what_is_no_list_of_words_is_refused() {
        let cases = [
            (serde_json::json!("words"), "params.simulated_words: no list"),
            (serde_json::json!([[0, 1, "a"], [0, 1]]), "params.simulated_words[1]: no stretch"),
            (serde_json::json!([[-1, 1, "a"]]), "params.simulated_words[0]: no stretch"),
        ];
        for (value, told) in cases {
            let error = check(&Params::new().with(PARAM, value)).expect_err(told);
            assert!(error.starts_with(told), "{error}");
        }
    }
}
