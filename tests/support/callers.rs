//! Synthesized callers whose every word is known.

use std::sync::Arc;

use mynah_load::load::Stream;
use mynah_load::load::bank::{Bank, BankConfig};
use mynah_load::load::caller::Caller;
use mynah_load::load::schedule::CallerConfig;
use mynah_systems::service::Script;

use super::labels::{Labelled, Span};
use super::stage::Part;

/// Callers who share one bank of clips.
pub(crate) struct Callers {
    bank: Arc<Bank>,
    config: Arc<CallerConfig>,
}

impl Callers {
    /// `clips` utterances at `rate_hz`; nobody begins to speak within the last seconds before `seconds`.
    pub(crate) fn new(seed: u64, clips: usize, rate_hz: u32, seconds: u64) -> Self {
        let quiet_from_us = (seconds * 1_000_000).saturating_sub(2_000_000);
        Self::with(clips, rate_hz, CallerConfig { seed, quiet_from_us, ..CallerConfig::default() })
    }

    /// The same among coughs, clicks and bangs, as many in a gap as there can be, and twice as loud.
    pub(crate) fn amid_noises(seed: u64, clips: usize, rate_hz: u32, seconds: u64) -> Self {
        let Self { bank, config } = Self::new(seed, clips, rate_hz, seconds);
        let config = CallerConfig { baits_per_gap: 4.0, gain: 1.4..2.0, ..CallerConfig::clone(&config) };
        Self { bank, config: Arc::new(config) }
    }

    fn with(clips: usize, rate_hz: u32, config: CallerConfig) -> Self {
        let bank = Bank::build(BankConfig { seed: config.seed, clips, rate_hz }, &|_, _| {});
        Self { bank: Arc::new(bank.expect("the voice is built in")), config: Arc::new(config) }
    }

    fn caller(&self, session: u64) -> Caller {
        Caller::new(Arc::clone(&self.bank), Arc::clone(&self.config), session)
    }

    /// `seconds` of one caller with the truth about them.
    pub(crate) fn labelled(&self, session: u64, seconds: u64) -> Labelled {
        let mut caller = self.caller(session);
        let rate = self.bank.rate_hz();
        let mut samples = vec![0.0; (seconds * u64::from(rate)) as usize];
        caller.fill(&mut samples);
        let (mut utterances, mut speech) = (Vec::new(), Vec::new());
        for utterance in caller.utterances() {
            utterances.push(Span { from_us: utterance.start_us, to_us: utterance.end_us });
            let mut from_us = utterance.start_us;
            for pause in &utterance.pauses {
                speech.push(Span { from_us, to_us: pause.start_us });
                from_us = pause.end_us;
            }
            speech.push(Span { from_us, to_us: utterance.end_us });
        }
        Labelled { file: format!("caller-{session}"), rate, samples, utterances, speech, noisy: false }
    }

    /// Callers 0 to `count` as sessions of a run.
    pub(crate) fn parts(&self, count: u64, seconds: u64) -> Vec<Part> {
        (0..count)
            .map(|session| {
                let Labelled { file, rate, samples, .. } = self.labelled(session, seconds);
                Part::new(file, rate, samples)
            })
            .collect()
    }

    /// What they say, for the simulated recogniser.
    pub(crate) fn script(&self, count: u64) -> Arc<dyn Script> {
        Arc::new(Says((0..count).map(|session| Stream::Caller(Box::new(self.caller(session)))).collect()))
    }
}

struct Says(Vec<Stream>);

impl Script for Says {
    fn heard(&self, name: &str, from_us: u64, to_us: u64) -> Option<String> {
        let index: usize = name.strip_prefix("caller-")?.parse().ok()?;
        Some(self.0.get(index)?.heard(from_us, to_us))
    }
}
