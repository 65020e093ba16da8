//! `Chime`: a tone for each word, in place of a voice. A service that does everything itself.

use mynah_engine::Block;
use mynah_engine::service::{Call, CallKey, Reply, ReplyPart, Service, ServiceKind, ServiceSite};
use serde::Deserialize;

/// The rate that a node with `task: Synthesize` expects unless its scene says otherwise.
const RATE_HZ: usize = 16_000;
/// 20 ms, the longest block that a reply may have.
const BLOCK: usize = RATE_HZ / 50;
/// A word lasts 200 ms, half of it silence.
const WORD: usize = RATE_HZ / 5;
/// Blocks of one call that are handed out at once: the rest can still be taken back.
const BLOCKS_AT_ONCE: usize = 16;

/// Configuration of the service output `Chime`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chime {
    /// Samples of half a swing of the tone, at 16 kHz.
    pub half_swing: usize,
    /// Time from a call to its first sound, ms.
    pub after_ms: u64,
}

impl Default for Chime {
    fn default() -> Self {
        Self { half_swing: 12, after_ms: 30 }
    }
}

impl ServiceKind for Chime {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Chimes { kind: *self, jobs: Vec::new(), held_before: Vec::new(), stopped: Vec::new() })
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Chime"
    }
}

/// A call under way.
struct Job {
    key: CallKey,
    due_us: u64,
    /// Samples handed out, and of the whole answer.
    at: usize,
    length: usize,
    held: bool,
}

/// The running service.
struct Chimes {
    kind: Chime,
    /// In the order of the calls.
    jobs: Vec<Job>,
    /// Calls that were put on hold before they came.
    held_before: Vec<CallKey>,
    stopped: Vec<CallKey>,
}

impl Chimes {
    fn block(&self, job: &Job) -> Block {
        let samples: Vec<f32> = (job.at..job.length.min(job.at + BLOCK)).map(|at| self.sample(at)).collect();
        Block::from_samples(&samples)
    }

    /// A square tone in the first half of each word.
    fn sample(&self, at: usize) -> f32 {
        match at % WORD {
            in_word if in_word >= WORD / 2 => 0.0,
            in_word if (in_word / self.kind.half_swing.max(1)).is_multiple_of(2) => 0.1,
            _ => -0.1,
        }
    }

    /// Hands out the next blocks of a call; true if that was all.
    fn hand_out(&self, job: &mut Job, replies: &mut Vec<Reply>) -> bool {
        for _ in 0..BLOCKS_AT_ONCE {
            if job.at >= job.length {
                replies.push(Reply {
                    key: job.key,
                    part: ReplyPart::Done { busy_us: self.kind.after_ms * 1_000 },
                });
                return true;
            }
            replies.push(Reply { key: job.key, part: ReplyPart::Audio(self.block(job)) });
            job.at += BLOCK;
        }
        false
    }
}

impl Service for Chimes {
    fn submit(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        for Call { key, text, .. } in batch.drain(..) {
            let length = text.split_whitespace().count() * WORD;
            let held = self.held_before.contains(&key);
            self.held_before.retain(|other| *other != key);
            self.jobs.push(Job { key, due_us: now_us + self.kind.after_ms * 1_000, at: 0, length, held });
        }
    }

    fn hold(&mut self, key: CallKey, held: bool) {
        self.held_before.retain(|other| *other != key);
        match self.jobs.iter_mut().find(|job| job.key == key) {
            Some(job) => job.held = held,
            None if held => self.held_before.push(key),
            None => {}
        }
    }

    fn retract(&mut self, key: CallKey, _: u64) {
        self.hold(key, false);
        self.jobs.retain(|job| job.key != key);
        self.stopped.push(key);
    }

    fn poll(&mut self, now_us: u64, replies: &mut Vec<Reply>) {
        let stopped = self.stopped.drain(..);
        replies.extend(stopped.map(|key| Reply { key, part: ReplyPart::Stopped { wasted_us: 0 } }));
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain_mut(|job| job.held || job.due_us > now_us || !self.hand_out(job, replies));
        self.jobs = jobs;
    }

    fn next_due_us(&self) -> Option<u64> {
        if !self.stopped.is_empty() {
            return Some(0);
        }
        self.jobs.iter().filter(|job| !job.held).map(|job| job.due_us).min()
    }
}
