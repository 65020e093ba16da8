//! `Chime`: a tone for each word, in place of a voice. A service that does everything itself.

use mynah_engine::Block;
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, Service, ServiceKind, ServiceSite,
};
use serde::Deserialize;

/// The rate that a node with `task: Synthesize` expects unless its scene says otherwise.
const RATE_HZ: usize = 16_000;
/// 20 ms, the longest block that a reply may have.
const BLOCK: usize = RATE_HZ / 50;
/// A word lasts 200 ms, half of it silence.
const WORD: usize = RATE_HZ / 5;

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
        Box::new(Chimes { kind: *self, jobs: Vec::new(), stopped: Vec::new() })
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
}

/// The running service.
struct Chimes {
    kind: Chime,
    /// In the order of the calls.
    jobs: Vec<Job>,
    /// Calls that were taken back.
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

    /// Hands out the next blocks of a call, as far as they are taken; true if that was all.
    fn hand_out(&self, job: &mut Job, replies: &mut Replies<'_>) -> bool {
        while job.at < job.length {
            if replies.give(job.key, ReplyPart::Audio(self.block(job))).is_err() {
                return false;
            }
            job.at += BLOCK;
        }
        replies.give(job.key, ReplyPart::Done { busy_us: self.kind.after_ms * 1_000 }).is_ok()
    }
}

impl Service for Chimes {
    fn start(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        for Call { key, text, .. } in batch.drain(..) {
            let length = text.split_whitespace().count() * WORD;
            self.jobs.push(Job { key, due_us: now_us + self.kind.after_ms * 1_000, at: 0, length });
        }
    }

    fn cancel(&mut self, scope: CallScope, _: u64) {
        let stopped = &mut self.stopped;
        self.jobs.retain(|job| {
            let covered = scope.covers(&job.key);
            stopped.extend(covered.then_some(job.key));
            !covered
        });
    }

    fn poll(&mut self, now_us: u64, replies: &mut Replies<'_>) {
        for key in self.stopped.drain(..) {
            let _always_taken = replies.give(key, ReplyPart::Stopped { wasted_us: 0 });
        }
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain_mut(|job| job.due_us > now_us || !self.hand_out(job, replies));
        self.jobs = jobs;
    }

    fn next_due_us(&self) -> Option<u64> {
        // What is due and was refused is polled with every tick; there is no need to wake for it.
        let begins = self.jobs.iter().filter(|job| job.at == 0).map(|job| job.due_us);
        if self.stopped.is_empty() { begins.min() } else { Some(0) }
    }
}
