//! Callers at the other end of sockets: the measurement of a simulation, from what a client can see alone. Whoever has the
//! sockets says what was seen and when; what only the server knows is in no report.
//!
//! A [`Sighting`] becomes the record that an engine would have made of it, so that utterances, answers and interruptions
//! are matched and counted by the same code. Times are those of the client: an answer begins when its first piece has
//! arrived.

mod report;
mod sightings;
mod taking;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hdrhistogram::Histogram;
use mynah_engine::record::latency_histogram;
use mynah_engine::scene::{Format, Port, PortType};
use mynah_engine::wire::peer::PeerFigures;
use mynah_engine::{NodeId, ScenePlan};
use mynah_load::load::Stream;
use mynah_load::load::schedule::Phase;

use self::sightings::Ear;
pub use self::sightings::Sighting;
use super::measure::{Measurement, SessionMeasurement};
use super::options::Options;
use super::steady::Steady;
use super::turns::Stretches;
pub use crate::report::afar::{AfarReport, CallerCounts, Exchanged, SoundCounts};

/// Everything so long past is settled, microseconds: no answer comes later.
const SETTLED_US: u64 = 120_000_000;
/// One look at what is settled in this time.
const SETTLE_EVERY_US: u64 = 60_000_000;

/// One caller before its call.
pub struct CallingVoice {
    /// What it says.
    pub stream: Stream,
    /// When its media time begins, microseconds after the start of the run.
    pub offset_us: u64,
}

/// A simulation whose callers talk to a server elsewhere.
pub struct Afar {
    plan: Arc<ScenePlan>,
    options: Options,
    to: String,
    load_name: String,
    measured: Measurement,
    ears: Vec<Ear>,
    stretches: Stretches,
    settle_us: u64,
    warm_up_us: u64,
    /// The node whose words are the caller's.
    recogniser: Option<NodeId>,
    counts: CallerCounts,
    exchanged: Exchanged,
    frames: SoundCounts,
    /// What was asked for, microseconds, where the run was interrupted before.
    asked_us: Option<u64>,
}

/// What the one who has the sockets measured of itself.
pub struct Toll {
    /// How late chunks were handed to their sockets, microseconds.
    pub late: Histogram<u32>,
    /// CPU time of the process from the start of the run, s.
    pub cpu_s: f64,
    /// How long it took, s.
    pub wall_s: f64,
}

impl Default for Toll {
    fn default() -> Self {
        Self { late: latency_histogram(), cpu_s: 0.0, wall_s: 0.0 }
    }
}

impl Afar {
    /// Prepares the callers' part: `plan` is the scene that the server runs, `to` its address.
    #[must_use]
    pub fn new(plan: Arc<ScenePlan>, options: Options, to: String) -> Self {
        let load_name = super::simulation::load_name(&options);
        let recogniser = recogniser(&plan);
        let measured = Measurement {
            output_rate_hz: plan.output.audio.map_or(0, |format| format.rate_hz),
            output_channels: plan.output.audio.map_or(1, |format| format.channels),
            chunk_us: u64::from(plan.scene.session.input.chunk_ms) * 1_000,
            is_cut: true,
            ..Measurement::default()
        };
        Self {
            plan,
            options,
            to,
            load_name,
            measured,
            ears: Vec::new(),
            stretches: Stretches::default(),
            settle_us: u64::MAX,
            warm_up_us: 0,
            recogniser,
            counts: CallerCounts::default(),
            exchanged: Exchanged::default(),
            frames: SoundCounts::default(),
            asked_us: None,
        }
    }

    /// The voices of the callers, with when their chunks come.
    #[must_use]
    pub fn voices(&self, streams: Vec<Stream>) -> Vec<CallingVoice> {
        let count = streams.len().max(1) as u64;
        let offset_us = |at: u64| match self.options.phase {
            Phase::Staggered => self.measured.chunk_us * at / count,
            Phase::Aligned => 0,
        };
        streams
            .into_iter()
            .zip(0..)
            .map(|(stream, at)| CallingVoice { stream, offset_us: offset_us(at) })
            .collect()
    }

    /// The callers begin to speak at `started_us`; those of which `opened` is false got no session. The first `warm_up_us`
    /// count for nothing but counts.
    pub fn begin(&mut self, voices: &[CallingVoice], opened: &[bool], started_us: u64, warm_up_us: u64) {
        let words = self.recogniser.is_some();
        for (voice, opened) in voices.iter().zip(opened) {
            let mut session = SessionMeasurement::new(started_us + voice.offset_us);
            if *opened {
                session.hears(voice.stream.clone());
                if words {
                    session.keep_words(Arc::clone(&self.plan), voice.stream.clone());
                }
            } else {
                session.hangs_up(0);
            }
            self.measured.sessions.push(session);
            self.ears.push(Ear::default());
        }
        self.counts.opened = opened.iter().filter(|opened| **opened).count() as u64;
        self.stretches = Steady::stretches(&self.options, started_us);
        self.settle_us = started_us + SETTLE_EVERY_US;
        self.warm_up_us = warm_up_us;
        self.measured.until_us = started_us + self.options.duration_us;
    }

    /// The warm-up is over at `now_us`.
    pub fn warmed_up(&mut self, now_us: u64) {
        self.measured.count_from(now_us);
    }

    /// A caller got no session, in these words.
    pub fn refused(&mut self, why: &str) {
        *self.counts.refused.entry(why.to_owned()).or_default() += 1;
    }

    /// A caller was asked to come again later, and does.
    pub fn waited(&mut self) {
        self.counts.waited += 1;
    }

    /// The call of caller number `caller` is over: `why` it ended before its time, what went to and fro, and how much of
    /// its speech had been sent, microseconds.
    pub fn gone(&mut self, caller: usize, why: Option<&str>, figures: &PeerFigures, said_us: u64) {
        self.exchanged.add(figures);
        match why {
            None => self.counts.ended += 1,
            Some(why) => {
                *self.counts.lost.entry(why.to_owned()).or_default() += 1;
                if let Some(session) = self.measured.sessions.get_mut(caller) {
                    session.hangs_up(said_us);
                }
            }
        }
    }

    /// A call is not waited for any longer.
    pub fn unfinished(&mut self, why: &str) {
        *self.counts.lost.entry(why.to_owned()).or_default() += 1;
    }

    /// So many chunks of so many sample frames were sent.
    pub fn sent(&mut self, chunks: u64, frames: u64) {
        self.frames.taken_in += chunks;
        self.frames.samples_sent += frames;
    }

    /// The input ended before its time, `heard_us` after the start.
    pub fn cut(&mut self, heard_us: u64) {
        self.asked_us = Some(self.options.duration_us);
        self.options.duration_us = heard_us / 1_000 * 1_000;
    }

    /// Settles what is long past, once a minute.
    pub fn settle(&mut self, now_us: u64) {
        if now_us >= self.settle_us {
            self.settle_us += SETTLE_EVERY_US;
            let before_us = now_us.saturating_sub(SETTLED_US);
            self.measured.tally(before_us, self.stretches);
            self.measured.forget(before_us, |_, _, _| {});
        }
    }

    /// Format of the callers' audio.
    #[must_use]
    pub fn input(&self) -> Format {
        self.plan.input
    }

    /// Length of a chunk, microseconds.
    #[must_use]
    pub fn chunk_us(&self) -> u64 {
        self.measured.chunk_us
    }
}

/// The first node that calls a service with audio that it hears.
fn recogniser(plan: &ScenePlan) -> Option<NodeId> {
    let hears = |ports: &[Port]| ports.iter().any(|port| port.kind == PortType::Audio);
    let at = plan.nodes.iter().position(|node| node.service.is_some() && hears(node.spec.inputs()))?;
    u8::try_from(at).ok().map(NodeId)
}
