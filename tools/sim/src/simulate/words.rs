//! The words of one session against those that were truly said, counted as time goes by: a run of a day remembers some
//! minutes.

use std::sync::Arc;

use mynah_engine::{Record, ScenePlan};
use mynah_load::load::truth::Stretch;
use mynah_load::load::words::Said;
use mynah_load::load::{Stream, Utterance};

use crate::recognition::WordCount;
use crate::run::segments::SegmentList;

/// The segments of a session with their words, and who truly speaks.
pub(super) struct HeardWords {
    plan: Arc<ScenePlan>,
    segments: SegmentList,
    /// Who speaks, as far as it was drained; what is not counted yet.
    caller: Stream,
    told: Vec<Utterance>,
    pub(super) counted: WordCount,
}

impl HeardWords {
    /// `caller`: before its first sample.
    pub(super) fn new(plan: Arc<ScenePlan>, caller: Stream) -> Self {
        let (segments, told, counted) = (SegmentList::default(), Vec::new(), WordCount::default());
        Self { plan, segments, caller, told, counted }
    }

    pub(super) fn take(&mut self, record: &Record) {
        self.segments.take(record);
    }

    /// Counts what was over at `before_us` of media time, and forgets it.
    pub(super) fn settle(&mut self, before_us: u64) {
        self.caller.drain_truth_until(before_us, &mut self.told);
        let mut cut_us = before_us;
        // Between two utterances, and between two segments.
        loop {
            let spoken = self.told.iter().map(|said| (said.start_us, said.end_us));
            let within =
                spoken.chain(self.segments.speech_us()).filter(|(from, to)| *from < cut_us && *to >= cut_us);
            match within.map(|(from_us, _)| from_us).min() {
                Some(from_us) => cut_us = from_us,
                None => break,
            }
        }
        self.count(cut_us);
    }

    /// Counts the rest: of utterances those that the caller came to the end of, by `until_us`.
    pub(super) fn finish(&mut self, until_us: u64) {
        self.caller.drain_truth_until(until_us, &mut self.told);
        self.told.retain(|utterance| utterance.end_us <= until_us);
        self.count(u64::MAX);
    }

    fn count(&mut self, before_us: u64) {
        let over = |utterance: &mut Utterance| utterance.start_us < before_us;
        let said = self.told.extract_if(.., over).map(|utterance| Said {
            at: Stretch { start_us: utterance.start_us, end_us: utterance.end_us },
            text: utterance.text.to_string(),
            voice: utterance.voice.to_string(),
        });
        self.counted.add(&said.collect::<Vec<_>>(), self.segments.take_before(before_us).rows(&self.plan));
    }
}

#[cfg(test)]
mod tests {
    use mynah_engine::{Event, NodeId, SessionId};
    use mynah_load::load::bank::{Bank, BankConfig};
    use mynah_load::load::caller::Caller;
    use mynah_load::load::schedule::CallerConfig;

    use super::*;

    /// What the gate and the recogniser tell of an utterance of which the first word was not heard.
    fn told(plan: &ScenePlan, segment: u32, utterance: &Utterance) -> Vec<Record> {
        let (from_us, to_us) = (utterance.start_us, utterance.end_us);
        let asr = plan.nodes.iter().position(|node| node.id == "asr").expect("the scene has it");
        let text = utterance.text.split_once(' ').map_or("", |(_, rest)| rest).into();
        let events = [
            Event::SegmentOpened { segment, from_us },
            Event::SegmentConfirmed { segment, from_us, to_us },
            Event::Endpoint { segment, revision: 1, at_us: to_us, seen_us: to_us },
            Event::Text { node: NodeId(asr as u8), segment, revision: 1, text },
            Event::SegmentEnded {
                segment,
                revision: 1,
                from_us,
                to_us,
                speech_from_us: from_us,
                speech_to_us: to_us,
                split: false,
            },
        ];
        events.map(|event| Record::new(to_us, SessionId(0), 1, event)).into()
    }

    #[test]
    fn words_count_the_same_whenever_they_are_counted_and_are_not_kept() {
        const END_US: u64 = 300_000_000;
        let (plan, _) = crate::scenes::compile("transcribe", &[], None, None).expect("it is shipped");
        let bank = Bank::build(BankConfig { clips: 6, ..BankConfig::default() }, &|_, _| {}).expect("a bank");
        let caller = Caller::new(Arc::new(bank), Arc::new(CallerConfig::default()), 0);
        let stream = Stream::Caller(Box::new(caller));
        let mut utterances = Vec::new();
        stream.clone().drain_truth_until(END_US, &mut utterances);
        let mut at_end = HeardWords::new(Arc::clone(&plan), stream.clone());
        let mut often = HeardWords::new(Arc::clone(&plan), stream);
        let mut kept = 0;
        for (segment, utterance) in
            (1..).zip(utterances.iter().filter(|utterance| utterance.end_us <= END_US))
        {
            for record in told(&plan, segment, utterance) {
                at_end.take(&record);
                often.take(&record);
            }
            // Also in the middle of an utterance.
            often.settle(utterance.end_us.saturating_sub(7_300_000));
            kept = kept.max(often.segments.speech_us().count());
        }
        at_end.finish(END_US);
        often.finish(END_US);
        let found = often.counted.figures().expect("words were said");
        assert_eq!(Some(&found), at_end.counted.figures().as_ref());
        assert!(found.words > 100 && found.errors_in_silence == 0, "{found:?}");
        assert!(kept < 8, "{kept} segments are remembered");
    }
}
