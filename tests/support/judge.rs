//! How well a gate did, from events and labels alone.

use mynah_engine::Event;
use mynah_engine::speech::CancelReason;

use super::labels::{Labelled, Span};
use super::stage::Outcome;

/// Labelled edges are good to this.
const LABEL_ERROR_US: u64 = 40_000;
/// A segment that began this long before an utterance was opened for something else.
const EARLY_US: u64 = 200_000;

/// One segment as the events tell it, on media time.
#[derive(Clone, Copy, Debug)]
struct Story {
    serial: u32,
    /// Engine time at which it was opened; media time and engine time begin together.
    opened_us: u64,
    /// First forwarded sample, pre-roll included.
    from_us: u64,
    /// What made the gate open: the hop behind the pre-roll.
    onset_us: u64,
    /// Where the speech in it ends, as the gate believes.
    silent_us: u64,
    /// Last forwarded sample, and how often it was confirmed and cancelled.
    to_us: u64,
    confirmed: u32,
    cancelled: u32,
    reason: Option<CancelReason>,
}

impl Story {
    /// Where the gate heard speech.
    fn heard(&self) -> Span {
        Span { from_us: self.onset_us, to_us: self.silent_us.max(self.onset_us) }
    }

    fn is_split(&self, before: Option<&Self>) -> bool {
        before.is_some_and(|b| b.confirmed > 0 && b.to_us == self.from_us)
    }
}

fn stories(outcome: &Outcome, pad_us: u64) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for (t_us, event) in outcome.events() {
        match *event {
            Event::SegmentOpened { segment, from_us } => stories.push(Story {
                serial: segment,
                opened_us: t_us,
                from_us,
                onset_us: from_us + pad_us,
                silent_us: 0,
                to_us: 0,
                confirmed: 0,
                cancelled: 0,
                reason: None,
            }),
            Event::SegmentConfirmed { segment, .. } => of(&mut stories, segment).confirmed += 1,
            Event::SegmentCancelled { segment, reason, to_us, .. } => {
                let story = of(&mut stories, segment);
                story.cancelled += 1;
                story.reason = Some(reason);
                (story.to_us, story.silent_us) = (to_us, to_us);
            }
            Event::Endpoint { segment, at_us, .. } => of(&mut stories, segment).silent_us = at_us,
            Event::SegmentEnded { segment, to_us, split, .. } => {
                let story = of(&mut stories, segment);
                story.to_us = to_us;
                if split {
                    story.silent_us = to_us;
                }
            }
            _ => {}
        }
    }
    stories
}

fn of(stories: &mut [Story], serial: u32) -> &mut Story {
    stories.iter_mut().find(|story| story.serial == serial).expect("a segment is opened first")
}

/// Figures over some recordings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) opened: u32,
    pub(crate) confirmed: u32,
    pub(crate) cancelled: u32,
    /// Confirmed segments that touch no labelled speech.
    pub(crate) false_accepts: u32,
    pub(crate) utterances: u32,
    /// Utterances that no confirmed segment touches.
    pub(crate) missed: Vec<String>,
    /// Cancelled segments that hold labelled speech (beyond the label error) which no confirmed segment forwarded.
    pub(crate) speech_lost: Vec<String>,
    /// Cancelled segments that touch labelled speech at all, whether or not it was forwarded later.
    pub(crate) speech_cancelled: u32,
    /// Opening of the segment that has it after the labelled onset, by utterance, in microseconds, sorted.
    delays_us: Vec<i64>,
    /// Utterances that began while a segment for something else was open: no delay can be told.
    pub(crate) open_already: u32,
    /// Utterances whose forwarded range begins in time.
    pub(crate) in_time: u32,
    /// Media time forwarded in segments that were cancelled, and in all.
    pub(crate) wasted_us: u64,
    pub(crate) forwarded_us: u64,
    /// Segments without exactly one verdict.
    pub(crate) unsettled: Vec<String>,
}

impl Figures {
    /// Judges every file; `pad_ms` is the scene's pre-roll.
    pub(crate) fn of(files: &[Labelled], outcomes: &[Outcome], pad_ms: u64) -> Self {
        let mut figures = Self::default();
        for (file, outcome) in files.iter().zip(outcomes) {
            figures.add(file, &stories(outcome, pad_ms * 1_000));
        }
        figures.delays_us.sort_unstable();
        figures
    }

    fn add(&mut self, file: &Labelled, stories: &[Story]) {
        for (at, story) in stories.iter().enumerate() {
            let place = format!("{} segment {} at {} ms", file.file, story.serial, story.from_us / 1_000);
            if story.confirmed + story.cancelled != 1 {
                self.unsettled.push(place.clone());
            }
            self.forwarded_us += story.to_us.saturating_sub(story.from_us);
            if story.is_split(at.checked_sub(1).map(|before| &stories[before])) {
                continue;
            }
            self.opened += 1;
            self.confirmed += u32::from(story.confirmed > 0);
            self.cancelled += u32::from(story.cancelled > 0);
            let touched = |span: &Span| story.heard().shared_us(*span);
            if story.confirmed > 0 && file.utterances.iter().all(|u| touched(u) == 0) {
                self.false_accepts += 1;
            }
            if story.cancelled > 0 {
                self.wasted_us += story.to_us.saturating_sub(story.from_us);
                self.cancelled_speech(file, stories, story, place);
            }
        }
        for utterance in &file.utterances {
            self.utterance(file, stories, *utterance);
        }
    }

    fn cancelled_speech(&mut self, file: &Labelled, stories: &[Story], story: &Story, place: String) {
        let taken_back = Span { from_us: story.from_us, to_us: story.to_us };
        let mut touches = false;
        for speech in &file.speech {
            let inner = Span {
                from_us: speech.from_us + LABEL_ERROR_US,
                to_us: speech.to_us.saturating_sub(LABEL_ERROR_US),
            };
            let shared = Span {
                from_us: inner.from_us.max(taken_back.from_us),
                to_us: inner.to_us.min(taken_back.to_us),
            };
            if shared.from_us >= shared.to_us {
                continue;
            }
            touches = true;
            let confirmed = stories.iter().filter(|s| s.confirmed > 0);
            let again: u64 =
                confirmed.map(|s| shared.shared_us(Span { from_us: s.from_us, to_us: s.to_us })).sum();
            if again < shared.to_us - shared.from_us {
                self.speech_lost.push(place.clone());
            }
        }
        self.speech_cancelled += u32::from(touches);
    }

    fn utterance(&mut self, file: &Labelled, stories: &[Story], utterance: Span) {
        self.utterances += 1;
        let mine = stories.iter().find(|s| s.confirmed > 0 && s.heard().shared_us(utterance) > 0);
        let Some(story) = mine else {
            self.missed.push(format!("{} at {} ms", file.file, utterance.from_us / 1_000));
            return;
        };
        self.in_time += u32::from(story.from_us <= utterance.from_us + LABEL_ERROR_US);
        if story.onset_us + EARLY_US < utterance.from_us {
            self.open_already += 1;
        } else {
            self.delays_us.push(story.opened_us as i64 - utterance.from_us as i64);
        }
    }

    /// Confirmed of opened.
    pub(crate) fn acceptance(&self) -> f64 {
        f64::from(self.confirmed) / f64::from(self.opened.max(1))
    }

    /// Onset delay at a quantile, in milliseconds.
    pub(crate) fn delay_ms(&self, quantile: f64) -> f64 {
        let count = self.delays_us.len();
        let rank = ((count as f64 * quantile).ceil() as usize).clamp(1, count.max(1));
        self.delays_us.get(rank - 1).map_or(f64::NAN, |us| *us as f64 / 1_000.0)
    }

    /// Forwarded media time that was taken back, of all.
    pub(crate) fn wasted(&self) -> f64 {
        self.wasted_us as f64 / self.forwarded_us.max(1) as f64
    }

    /// Utterances whose forwarded range begins in time.
    pub(crate) fn in_time_share(&self) -> f64 {
        f64::from(self.in_time) / f64::from(self.utterances.max(1))
    }

    /// One row of a table: see [`HEAD`].
    pub(crate) fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {:.1} % | {} | {}/{} | {:.0} | {:.0} | {:.1} % | {} | {:.1} % | {} |",
            self.opened,
            100.0 * self.acceptance(),
            self.false_accepts,
            self.utterances as usize - self.missed.len(),
            self.utterances,
            self.delay_ms(0.5),
            self.delay_ms(0.95),
            100.0 * self.in_time_share(),
            self.cancelled,
            100.0 * self.wasted(),
            self.speech_lost.len(),
        )
    }
}

/// Head of a table of [`Figures::row`].
pub(crate) const HEAD: &str = "\
| setting | opened | accepted | false accepts | caught | onset P50 ms | P95 ms | from the start | cancelled | wasted | cancels that lost speech |
|---|---|---|---|---|---|---|---|---|---|---|";

/// What a gate must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    /// Share of the utterances whose forwarded range begins at or before the labelled onset.
    pub(crate) from_the_start: f64,
    /// Accepted segments without speech that are let pass, however few there are: from 5 % of all on, those are.
    pub(crate) false_accepts: u32,
}

impl Targets {
    /// Every target that was missed, in words.
    pub(crate) fn missed(self, f: &Figures) -> Vec<String> {
        let allowed = (f64::from(f.confirmed) * 0.05).max(f64::from(self.false_accepts));
        let checks = [
            (f.acceptance() > 0.95, format!("acceptance {:.3}, wanted above 0.95", f.acceptance())),
            (f64::from(f.false_accepts) <= allowed, format!("{} accepted touch no speech", f.false_accepts)),
            (f.missed.is_empty(), format!("utterances missed: {:?}", f.missed)),
            (f.speech_lost.is_empty(), format!("speech cancelled: {:?}", f.speech_lost)),
            (f.delay_ms(0.5) <= self.p50_ms, format!("onset P50 {} ms", f.delay_ms(0.5))),
            (f.delay_ms(0.95) <= self.p95_ms, format!("onset P95 {} ms", f.delay_ms(0.95))),
            (
                f.in_time_share() >= self.from_the_start,
                format!("forwarded from the start: {:.3}", f.in_time_share()),
            ),
            (f.unsettled.is_empty(), format!("without one verdict: {:?}", f.unsettled)),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, text)| text).collect()
    }
}

/// Audio of cancelled segments that left in or after the tick of its cancellation, in words.
pub(crate) fn sounding_after_cancel(outcome: &Outcome) -> Vec<String> {
    let cancelled = outcome.events().filter_map(|(t_us, event)| match event {
        Event::SegmentCancelled { segment, .. } => Some((*segment, t_us)),
        _ => None,
    });
    let after = cancelled.flat_map(|(segment, t_us)| {
        let late = outcome.audio.iter().filter(move |b| b.segment == segment && b.released_us >= t_us);
        late.map(move |b| format!("segment {segment} cancelled at {t_us}, audio left at {}", b.released_us))
    });
    after.collect()
}
