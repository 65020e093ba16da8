//! What a simulation measures, from the event log and the released audio alone.
//!
//! Latencies are as heard: from the true end of an utterance to the first released sample of its answer, counted from
//! the intended arrival time. An utterance that was answered while it still went on is premature: it is counted
//! beside the latency and never in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::events::code;
use hdrhistogram::Histogram;
use mynah_engine::base::frames_to_us;
use mynah_engine::record::latency_histogram;
use mynah_engine::{Event, NodeId, OutAudio, Record, ScenePlan};
use xxhash_rust::xxh3::Xxh3;

use super::breakdown::{AnsweredTurns, Answers, Ways};
use super::replies::Replies;
use super::words::HeardWords;
use mynah_load::load::{Stream, Utterance};

/// A segment as the events told it, on engine time.
#[derive(Clone, Debug, Default)]
pub struct SegmentStory {
    /// When it was opened.
    pub opened_us: u64,
    /// Its media range so far.
    pub from_us: u64,
    /// See `from_us`; set when it ended or was cancelled.
    pub to_us: u64,
    /// The segment is speech.
    pub confirmed: bool,
    /// It was taken back.
    pub cancelled: bool,
    /// Its end held (or it was split).
    pub ended: bool,
    /// The revision that held.
    pub revision: u32,
    /// The last endpoint's revision, and when its silence could first be seen; until its call is submitted.
    pub silence_seen: Option<(u32, u64)>,
    /// When answers to it began to sound: (revision, time).
    pub answers: Vec<(u32, u64)>,
    /// Samples of synthesized answers by revision, at the synthesis rate.
    pub synthesized: BTreeMap<u32, u64>,
    /// Samples of answers that were released whole, by revision.
    pub released: BTreeMap<u32, u64>,
    /// Samples of its own audio that were released.
    pub released_own: u64,
    /// Its answer was withdrawn.
    pub withdrawn: bool,
    /// Revisions of which a call failed: what had come of it by then is not told.
    pub broken: Vec<u32>,
    /// Nobody speaks in it: the host had it said, as a text or a recording, or it was typed.
    pub is_line: bool,
}

/// Counts over all sessions.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Segments opened.
    pub opened: u64,
    /// Segments confirmed.
    pub confirmed: u64,
    /// Segments cancelled, by reason.
    pub cancelled: BTreeMap<&'static str, u64>,
    /// Segments ended (splits included).
    pub ended: u64,
    /// Endpoint revisions announced and taken back.
    pub endpoints: u64,
    /// See `endpoints`.
    pub retracted: u64,
    /// Outputs that had left when they were taken back.
    pub late_cancelled: u64,
    /// Service time spent on what was taken back.
    pub wasted_us: u64,
    /// Samples of audio frames lost, by reason.
    pub dropped_samples: BTreeMap<&'static str, u64>,
    /// Sessions closed.
    pub closed: u64,
    /// Answers that waited because the user spoke, went on after it, and were withdrawn because it lasted.
    pub paused: u64,
    /// See `paused`.
    pub resumed: u64,
    /// See `paused`.
    pub interrupted: u64,
}

/// How the true utterances were treated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// True utterances.
    pub utterances: u64,
    /// Those that got an answer after their end.
    pub answered: u64,
    /// Those that got an answer while they went on.
    pub premature: u64,
    /// Those that no confirmed segment has.
    pub missed: u64,
    /// Answers interrupted by something that was no utterance.
    pub interrupted_by_noise: u64,
}

/// Everything known about one session.
pub struct SessionMeasurement {
    pub(super) offset_us: u64,
    /// Segments by serial, those that are long over left out.
    pub segments: BTreeMap<u32, SegmentStory>,
    /// What the caller truly says, told as time goes by.
    pub(super) caller: Option<Stream>,
    /// It has hung up before the run was over.
    pub(super) hung_up: bool,
    /// The true utterances that are not long over.
    pub(super) truth: Vec<Utterance>,
    /// So many of them have been matched with answers.
    pub(super) matched: usize,
    /// Samples released, all channels.
    pub released: u64,
    /// Answers that waited.
    pub pauses: Vec<Waited>,
    /// When the answer that sounds began to, engine time.
    sounds_since_us: u64,
    /// Segments that interrupted an answer.
    pub interrupted_by: Vec<u32>,
    /// What was heard in it, where words are found in audio.
    pub(super) words: Option<Box<HeardWords>>,
    /// What its answers' latencies are made of.
    pub(super) answers: Answers,
    hash: Xxh3,
    code: Vec<u8>,
}

/// Histograms over all sessions.
pub struct Latencies {
    /// Last true speech sample to first released answer sample.
    pub end_to_response: Histogram<u32>,
    /// First true speech sample to the opening of the confirmed segment that has it.
    pub start_to_forward: Histogram<u32>,
    /// From the silence that could first be seen to the submission of the call.
    pub silence_to_processing: Histogram<u32>,
    /// From intended arrival (or the decision that let the frame through) to release.
    pub frame_in_to_out: Histogram<u32>,
    /// How long audio was held before the decision that let it through.
    pub onset_hold: Histogram<u32>,
    /// From the true onset of speech during an answer to the silence of the answer.
    pub speech_to_silence: Histogram<u32>,
    /// Last true speech sample to first released answer sample, of utterances in the first and in the last stretch of a
    /// long run.
    pub early_late: [Histogram<u32>; 2],
    /// Last true speech sample to first released answer sample over the run, where somebody wants to see it.
    pub replies: Option<Box<Replies>>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            end_to_response: latency_histogram(),
            start_to_forward: latency_histogram(),
            silence_to_processing: latency_histogram(),
            frame_in_to_out: latency_histogram(),
            onset_hold: latency_histogram(),
            speech_to_silence: latency_histogram(),
            early_late: [latency_histogram(), latency_histogram()],
            replies: None,
        }
    }
}

/// What is measured while the simulation runs.
#[derive(Default)]
pub struct Measurement {
    /// Histograms of latencies.
    pub latencies: Latencies,
    /// Counts of events.
    pub counts: Counts,
    /// By session, in id order.
    pub sessions: Vec<SessionMeasurement>,
    /// Node that recognises speech, if the scene has one: its submissions are the start of processing.
    pub first_service: Option<NodeId>,
    /// Whether audio of the caller itself is released (no answers in between).
    pub output_rate_hz: u32,
    /// Channels of the output.
    pub output_channels: u8,
    /// Engine time at which the callers stop: what comes out later is not counted as throughput.
    pub until_us: u64,
    /// The callers were cut off: what they were in the middle of is no utterance.
    pub is_cut: bool,
    /// Engine time from which latencies are counted: utterances that ended before have none.
    pub counted_from_us: u64,
    /// What came out of each node's service by then.
    pub done: BTreeMap<u8, Done>,
    /// Items whose deadline came near, by node: in its queue or in the hub.
    pub deadlines_near: BTreeMap<u8, u64>,
    /// How the utterances were treated whose time is over.
    pub turns: Turns,
    /// What does not add up about segments whose time is over.
    pub wrong: Vec<String>,
    /// The ways that answers take through the scene, and the answered turns in their stages, once the run is over.
    pub ways: Ways,
    /// See `ways`.
    pub answered: AnsweredTurns,
    /// Audio that the hold began with may be this much later than its media time without having been held.
    pub chunk_us: u64,
}

/// An answer that waited because the user spoke, on engine time.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    /// The segment it waited for.
    pub segment: u32,
    /// When it had begun to sound.
    pub since_us: u64,
    /// When what had been released of it was over.
    pub quiet_us: u64,
}

/// What came out of a service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Items.
    pub items: u64,
    /// Samples of speech.
    pub samples: u64,
}

impl SessionMeasurement {
    /// For a session whose media time begins at `offset_us` of engine time.
    pub fn new(offset_us: u64) -> Self {
        Self {
            offset_us,
            segments: BTreeMap::new(),
            caller: None,
            hung_up: false,
            truth: Vec::new(),
            matched: 0,
            released: 0,
            pauses: Vec::new(),
            sounds_since_us: 0,
            interrupted_by: Vec::new(),
            words: None,
            answers: Answers::default(),
            hash: Xxh3::new(),
            code: Vec::new(),
        }
    }

    /// Whoever speaks in this session, for the truth.
    pub fn hears(&mut self, caller: Stream) {
        self.caller = Some(caller);
    }

    /// Its words are kept, to be compared with what was truly said: `caller`, before its first sample.
    pub fn keep_words(&mut self, plan: Arc<ScenePlan>, caller: Stream) {
        self.words = Some(Box::new(HeardWords::new(plan, caller)));
    }

    /// The media time begins at another engine time (wall clock).
    pub fn starts_at(&mut self, offset_us: u64) {
        self.offset_us = offset_us;
    }

    /// Hash of this session's events and released samples so far.
    pub fn digest(&self) -> u64 {
        self.hash.digest()
    }

    fn segment(&mut self, serial: u32) -> &mut SegmentStory {
        self.segments.entry(serial).or_default()
    }
}

impl Measurement {
    /// The warm-up is over at `now_us` of engine time: latencies so far are forgotten, everything that is counted stays.
    pub fn count_from(&mut self, now_us: u64) {
        self.counted_from_us = now_us;
        let Latencies {
            end_to_response,
            start_to_forward,
            silence_to_processing,
            frame_in_to_out,
            onset_hold,
            speech_to_silence,
            early_late: _,
            replies: _,
        } = &mut self.latencies;
        let of_now = [end_to_response, start_to_forward, silence_to_processing, frame_in_to_out, onset_hold];
        of_now.into_iter().chain([speech_to_silence]).for_each(hdrhistogram::Histogram::reset);
    }

    /// Takes one event.
    pub fn event(&mut self, record: &Record) {
        let Some(session) = self.sessions.get_mut(record.session.0 as usize) else { return };
        if code::encode(record, &mut session.code) {
            session.hash.update(&session.code);
        }
        if let Some(words) = &mut session.words {
            words.take(record);
        }
        session.answers.take(&self.ways, record.t_us, &record.event);
        self.count(record);
        self.tell(record);
    }

    fn count(&mut self, record: &Record) {
        let counts = &mut self.counts;
        match &record.event {
            Event::SegmentOpened { .. } => counts.opened += 1,
            Event::SegmentConfirmed { .. } => counts.confirmed += 1,
            Event::SegmentCancelled { reason, .. } => {
                *counts.cancelled.entry(reason.name()).or_default() += 1
            }
            Event::SegmentEnded { .. } => counts.ended += 1,
            Event::Endpoint { .. } => counts.endpoints += 1,
            Event::EndpointRetracted { .. } => counts.retracted += 1,
            Event::LateCancelled { .. } => counts.late_cancelled += 1,
            Event::ServiceCancelled { wasted_us, .. } => counts.wasted_us += wasted_us,
            Event::FrameDropped { reason, samples, .. } | Event::OutputDropped { reason, samples, .. } => {
                *counts.dropped_samples.entry(reason.name()).or_default() += samples;
            }
            Event::AnswerPaused { .. } => counts.paused += 1,
            Event::AnswerResumed { .. } => counts.resumed += 1,
            Event::AnswerInterrupted { .. } => counts.interrupted += 1,
            Event::DeadlineNear { node, .. } => *self.deadlines_near.entry(node.0).or_default() += 1,
            Event::ServiceDone { node, samples, .. } if record.t_us <= self.until_us => {
                let done = self.done.entry(node.0).or_default();
                done.items += 1;
                done.samples += samples;
            }
            Event::SessionClosed => counts.closed += 1,
            _ => {}
        }
    }

    fn tell(&mut self, record: &Record) {
        let session = &mut self.sessions[record.session.0 as usize];
        let t_us = record.t_us;
        match record.event {
            Event::SegmentOpened { segment, from_us } => {
                *session.segment(segment) =
                    SegmentStory { opened_us: t_us, from_us, ..SegmentStory::default() };
            }
            Event::LineOpened { segment, .. } => {
                // Decided from the start.
                *session.segment(segment) = SegmentStory {
                    opened_us: t_us,
                    confirmed: true,
                    ended: true,
                    revision: 1,
                    is_line: true,
                    ..SegmentStory::default()
                };
            }
            Event::SegmentConfirmed { segment, .. } => session.segment(segment).confirmed = true,
            Event::SegmentCancelled { segment, to_us, .. } => {
                let story = session.segment(segment);
                story.cancelled = true;
                story.to_us = to_us;
            }
            Event::SegmentEnded { segment, revision, to_us, .. } => {
                let story = session.segment(segment);
                story.ended = true;
                story.revision = revision;
                story.to_us = to_us;
            }
            Event::Endpoint { segment, revision, seen_us, .. } => {
                let seen_us = session.offset_us + seen_us;
                session.segment(segment).silence_seen = Some((revision, seen_us));
            }
            Event::ServiceSubmitted { node, segment, revision, .. } if Some(node) == self.first_service => {
                let seen = session.segment(segment).silence_seen.take_if(|(r, _)| *r == revision);
                if let Some((_, seen_us)) = seen {
                    self.latencies.silence_to_processing.saturating_record(t_us.saturating_sub(seen_us));
                }
            }
            Event::ServiceDone { segment, revision, samples, .. } if samples > 0 => {
                *session.segment(segment).synthesized.entry(revision).or_default() += samples;
            }
            Event::ServiceFailed { segment, revision, .. } => session.segment(segment).broken.push(revision),
            Event::OutputStarted { segment, revision } if revision > 0 => {
                session.segment(segment).answers.push((revision, t_us));
                session.sounds_since_us = t_us;
            }
            Event::AnswerPaused { segment, quiet_us } => {
                let since_us = session.sounds_since_us;
                session.pauses.push(Waited { segment, since_us, quiet_us });
            }
            Event::AnswerInterrupted { segment, .. } => session.interrupted_by.push(segment),
            Event::AnswerWithdrawn { segment } => session.segment(segment).withdrawn = true,
            Event::OutputEnded { segment, revision, samples } if revision > 0 => {
                session.segment(segment).released.insert(revision, samples);
            }
            _ => {}
        }
    }

    /// Takes one released block of session number `session`.
    pub fn audio(&mut self, session: usize, out: &OutAudio) {
        let session = &mut self.sessions[session];
        session.released += out.block.len() as u64;
        for piece in out.block.samples().chunks(256) {
            let mut bytes = [0; 1024];
            for (to, sample) in bytes.chunks_exact_mut(4).zip(piece) {
                to.copy_from_slice(&sample.to_le_bytes());
            }
            session.hash.update(&bytes[..piece.len() * 4]);
        }
        if out.revision != 0 {
            return;
        }
        let late_us = out.released_us.saturating_sub(out.arrived_us);
        self.latencies.frame_in_to_out.saturating_record(late_us);
        if out.segment != 0 {
            let frames = out.block.len() as u64 / u64::from(self.output_channels.max(1));
            let media_us = session.offset_us + out.pts_us + frames_to_us(frames, self.output_rate_hz.max(1));
            session.segment(out.segment).released_own += out.block.len() as u64;
            let held_us = out.arrived_us.saturating_sub(media_us);
            if held_us > self.chunk_us {
                self.latencies.onset_hold.saturating_record(held_us);
            }
        }
    }
}
