//! The words of one caller for a simulated recogniser elsewhere: parameters of the session have room for some minutes of
//! them, so they go along in a window that moves.

use mynah_engine::Params;
use mynah_load::load::Stream;
use serde_json::{Value, json};

/// The parameter that servers read.
const PARAM: &str = "simulated_words";
/// So much of the past stays, microseconds: a call is about speech that began before it.
const PAST_US: u64 = 30_000_000;
/// So much of what is to come goes along.
const AHEAD_US: u64 = 45_000_000;
/// Sent again in this time; messages that are lost on the way have as long again.
const RENEW_US: u64 = 20_000_000;
/// Most bytes of it: a session has 16 KiB for all its parameters.
const BYTES_MAX: usize = 15 * 1024;

/// The moving window over one caller's words.
pub(crate) struct WordWindow {
    stream: Stream,
    renew_us: u64,
}

impl WordWindow {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, renew_us: RENEW_US }
    }

    /// What the session is opened with.
    pub(crate) fn first(&self) -> Params {
        self.at(0)
    }

    /// The next window, once `media_us` was sent; `None`: the last one still does.
    pub(crate) fn due(&mut self, media_us: u64) -> Option<Params> {
        (media_us >= self.renew_us).then(|| {
            self.renew_us = media_us + RENEW_US;
            self.at(media_us)
        })
    }

    /// As many words around `media_us` as fit, those that lie furthest ahead left out.
    fn at(&self, media_us: u64) -> Params {
        let words = self.stream.words(media_us.saturating_sub(PAST_US), media_us + AHEAD_US);
        let mut bytes = PARAM.len() + 8;
        let fits = |value: &Value| {
            bytes += value.to_string().len() + 1;
            bytes <= BYTES_MAX
        };
        let list = words.iter().map(|placed| json!([placed.at_us, placed.at_us + 1, placed.word]));
        Params::new().with(PARAM, list.take_while(fits).collect::<Vec<Value>>())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mynah_load::load::bank::{Bank, BankConfig};
    use mynah_load::load::caller::Caller;
    use mynah_load::load::schedule::CallerConfig;

    use super::*;

    #[test]
    fn every_word_is_in_a_window_before_it_is_said_and_for_a_while_behind() {
        let bank = Bank::build(BankConfig { clips: 6, ..BankConfig::default() }, &|_, _| {}).expect("a bank");
        let caller = Caller::new(Arc::new(bank), Arc::new(CallerConfig::default()), 3);
        let stream = Stream::Caller(Box::new(caller));
        let mut window = WordWindow::new(stream.clone());
        let mut params = window.first();
        for media_us in (0..240).map(|second| second * 1_000_000) {
            params = window.due(media_us).unwrap_or(params);
            params.check().expect("a session takes it");
            let known: Vec<u64> = params
                .get(PARAM)
                .and_then(Value::as_array)
                .expect("a list")
                .iter()
                .filter_map(|one| one[0].as_u64())
                .collect();
            let said = stream.words(media_us.saturating_sub(25_000_000), media_us + 20_000_000);
            assert!(said.iter().all(|placed| known.contains(&placed.at_us)), "at {media_us} us");
        }
    }
}
