//! One session in full: everything that happened to it in its first minutes, of which the page shows a stretch.

use std::sync::Arc;

use mynah_engine::scene::Format;
use mynah_engine::{Event, OutAudio, Record, ScenePlan};

use crate::picture::session::Picture;
use mynah_load::load::{Stream, Utterance};
use mynah_sim::run::peaks::Peaks;
use mynah_sim::run::track::Answer;

/// What is kept begins with the session and is this long, microseconds.
const KEPT_US: u64 = 180_000_000;
/// Of that, so much is shown.
pub const SHOWN_US: u64 = 20_000_000;
/// Most records kept; a session has some hundred a minute and 31 probabilities a second.
const RECORDS_MAX: usize = 20_000;

/// Keeps what happens to one session.
#[derive(Debug)]
pub struct Followed {
    stream: Option<Stream>,
    input: Format,
    output: Format,
    records: Vec<Record>,
    answers: Vec<Answer>,
    peaks: Peaks,
    started_us: u64,
    kept_us: u64,
    duration_us: u64,
}

/// The stretch that is shown. Times are media time.
#[derive(Debug)]
pub struct Shown {
    /// From when to when.
    pub stretch: (u64, u64),
    /// What arrived in it: mono.
    pub samples: Vec<f32>,
    /// Its sample rate, Hz.
    pub rate_hz: u32,
    /// What is truly said.
    pub truth: Vec<Utterance>,
    /// The events of the session.
    pub picture: Picture,
    /// What was answered.
    pub answers: Vec<Answer>,
    /// How it sounded.
    pub peaks: Peaks,
}

impl Followed {
    /// A session of `plan` that lasts `duration_us`.
    pub fn new(plan: &Arc<ScenePlan>, duration_us: u64) -> Self {
        let kept_us = duration_us.min(KEPT_US);
        // Answers to the last words still sound after them.
        let heard_us = kept_us + SHOWN_US;
        Self {
            stream: None,
            input: plan.input,
            output: plan.output.audio.unwrap_or(plan.input),
            records: Vec::with_capacity(RECORDS_MAX / 4),
            answers: Vec::new(),
            peaks: Peaks::new(heard_us),
            started_us: 0,
            kept_us,
            duration_us,
        }
    }

    /// What it will hear.
    pub fn hears(&mut self, stream: Option<Stream>) {
        self.stream = stream;
    }

    /// Engine time at which the run began.
    pub fn starts_at(&mut self, started_us: u64) {
        self.started_us = started_us;
    }

    /// Takes an event.
    pub fn record(&mut self, record: &Record) {
        let t_us = record.t_us.saturating_sub(self.started_us);
        if let Event::LateCancelled { segment, revision } = record.event
            && let Some(answer) = self.answers.last_mut()
            && (answer.segment, answer.revision) == (segment, revision)
            && answer.to_us > t_us
        {
            answer.to_us = t_us.max(answer.from_us);
            self.peaks.cut(answer.to_us);
        }
        if t_us <= self.kept_us + SHOWN_US && self.records.len() < RECORDS_MAX {
            self.records.push(record.clone());
        }
    }

    /// Takes a released block.
    pub fn audio(&mut self, audio: &OutAudio) {
        let (samples, channels) = (audio.block.samples(), usize::from(self.output.channels));
        if audio.revision == 0 {
            self.peaks.add(audio.pts_us, samples, channels, self.output.rate_hz);
            return;
        }
        let released_us = audio.released_us.saturating_sub(self.started_us);
        if released_us > self.kept_us + SHOWN_US {
            return;
        }
        let place = (audio.segment, audio.revision);
        if self.answers.last().is_none_or(|last| (last.segment, last.revision) != place) {
            // What is handed over ahead of time is played behind what is still playing.
            let from_us = self.answers.last().map_or(released_us, |last| last.to_us.max(released_us));
            let (segment, revision) = place;
            self.answers.push(Answer { segment, revision, turn: audio.turn, from_us, to_us: from_us });
        }
        let Some(answer) = self.answers.last_mut() else { return };
        // An answer that waited goes on where it is now.
        answer.to_us = answer.to_us.max(released_us);
        self.peaks.add(answer.to_us, samples, channels, self.output.rate_hz);
        let frames = (samples.len() / channels.max(1)) as u64;
        answer.to_us += mynah_engine::base::frames_to_us(frames, self.output.rate_hz);
    }

    /// The stretch in which most happened.
    pub fn shown(&self) -> Shown {
        let mut picture = Picture::default();
        for record in &self.records {
            let t_us = record.t_us.saturating_sub(self.started_us);
            picture.take(&Record::new(t_us, record.session, record.turn, record.event.clone()));
        }
        let from_us = self.most_eventful_us();
        let to_us = (from_us + SHOWN_US).min(self.duration_us.max(self.last_us()).max(1));
        let rate_hz = self.input.rate_hz;
        let (mut samples, mut truth) = (Vec::new(), Vec::new());
        if let Some(mut stream) = self.stream.clone() {
            let until_us = to_us.min(self.duration_us);
            let frame_at = |us: u64| (us * u64::from(rate_hz) / 1_000_000) as usize;
            let (from, until) = (frame_at(from_us), frame_at(until_us).max(frame_at(from_us)));
            samples = vec![0.0; until - from];
            skip(&mut stream, from);
            stream.fill(&mut samples);
            truth = stream.utterances();
            truth.retain(|utterance| utterance.start_us < until_us && utterance.end_us >= from_us);
        }
        let (answers, peaks) = (self.answers.clone(), self.peaks.clone());
        Shown { stretch: (from_us, to_us), samples, rate_hz, truth, picture, answers, peaks }
    }

    /// When the last thing happened that is kept.
    fn last_us(&self) -> u64 {
        let sounded_us = self.answers.last().map_or(0, |answer| answer.to_us);
        let mut shown = self.records.iter().filter(|record| weight(&record.event) > 0);
        shown.next_back().map_or(0, |r| r.t_us.saturating_sub(self.started_us)).max(sounded_us)
    }

    /// Where the stretch begins in which most happens: at a whole second, the first of equals.
    fn most_eventful_us(&self) -> u64 {
        let last_start_s = self.kept_us.saturating_sub(SHOWN_US) / 1_000_000;
        let mut best = (0, 0);
        for start_s in 0..=last_start_s {
            let from_us = start_s * 1_000_000;
            let within = |record: &&Record| {
                let t_us = record.t_us.saturating_sub(self.started_us);
                (from_us..from_us + SHOWN_US).contains(&t_us)
            };
            let sum: u32 = self.records.iter().filter(within).map(|r| weight(&r.event)).sum();
            if sum > best.0 {
                best = (sum, from_us);
            }
        }
        best.1
    }
}

/// How much an event is worth looking at.
fn weight(event: &Event) -> u32 {
    match event {
        Event::SegmentCancelled { .. } | Event::AnswerInterrupted { .. } => 6,
        Event::EndpointRetracted { .. } | Event::AnswerResumed { .. } => 4,
        Event::OutputStarted { revision, .. } if *revision > 0 => 2,
        Event::SegmentOpened { .. } | Event::SegmentConfirmed { .. } | Event::SegmentEnded { .. } => 1,
        _ => 0,
    }
}

fn skip(stream: &mut Stream, frames: usize) {
    let mut unheard = vec![0.0; 48_000];
    let mut left = frames;
    while left > 0 {
        let part = left.min(unheard.len());
        stream.fill(&mut unheard[..part]);
        left -= part;
    }
}
