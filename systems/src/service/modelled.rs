//! A service whose work is real or scripted and whose timing follows the scene's model.
//!
//! `parallelism` workers take calls in the order they came; a free worker takes up to `batch_size_max` waiting calls
//! at once, which cost `1 + (n - 1) * batch_item_cost` of the slowest one's latency. In virtual time the model says
//! when each part is due, and real work is waited for; on the wall clock real speech is handed out as it is made.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::scene::Timing;
use mynah_engine::{Block, Call, CallKey, Reply, ReplyPart, Service, ServiceSite, TimeMode};

use crate::service::synthesis::{Heard, Speech};
use crate::service::timing::{draw_us, name_hash};
use crate::speech::flite::RATE_HZ;

/// 20 ms of synthesized speech.
const BLOCK: usize = RATE_HZ as usize / 50;
/// Blocks of one speech handed out at a time: a third of a second. What is made faster than that waits here, where a
/// correction still stops it, and does not flood the queues behind.
const BLOCKS_AT_ONCE: usize = 16;

/// What comes of a call.
pub enum Work {
    /// Pieces of text, all at once.
    Text(Vec<Arc<str>>),
    /// Speech that another thread is making.
    Speech(Arc<Speech>),
}

/// Does the work of a service; the timing is not its business.
pub trait Production: Send + Sync {
    /// Begins or does the work of one call.
    fn work(&self, call: &Call) -> Work;
}

/// See the module.
pub struct Modelled {
    production: Box<dyn Production>,
    timing: Timing,
    seed: u64,
    name: u64,
    wall: bool,
    waiting: VecDeque<(Call, u64)>,
    running: Vec<Job>,
    stopped: Vec<(CallKey, u64)>,
}

struct Job {
    key: CallKey,
    work: Work,
    started_us: u64,
    first_us: u64,
    /// Samples handed out.
    at: usize,
    /// There was nothing to hand out yet: asked again then.
    again_us: u64,
}

/// How long to wait for speech that is still being made.
const AGAIN_US: u64 = 1_000;

impl Modelled {
    /// A service that produces with `production` and keeps the timing of `site`.
    pub fn new(site: ServiceSite<'_>, production: Box<dyn Production>) -> Self {
        Self {
            production,
            timing: *site.timing,
            seed: site.seed,
            name: name_hash(site.name),
            wall: site.time == TimeMode::Wall,
            waiting: VecDeque::new(),
            running: Vec::new(),
            stopped: Vec::new(),
        }
    }

    /// Free workers take what waits, as of `now_us`.
    fn start(&mut self, now_us: u64) {
        while !self.waiting.is_empty() && self.running.len() < self.timing.parallelism as usize {
            let n = self.waiting.len().min(self.timing.batch_size_max.max(1) as usize);
            let batch: Vec<(Call, u64)> = self.waiting.drain(..n).collect();
            let slowest =
                batch.iter().map(|(c, _)| draw_us(&self.timing, self.seed, self.name, &c.key)).max();
            let cost = 1.0 + (n - 1) as f64 * self.timing.batch_item_cost;
            let latency_us = (slowest.unwrap_or(0) as f64 * cost) as u64;
            for (call, submitted_us) in batch {
                let started_us = submitted_us.max(now_us);
                let work = self.production.work(&call);
                // Real speech on the wall clock takes the time it takes.
                let modelled = !(self.wall && matches!(work, Work::Speech(_)));
                let first_us = if modelled { started_us + latency_us } else { started_us };
                self.running.push(Job { key: call.key, work, started_us, first_us, at: 0, again_us: 0 });
            }
        }
    }

    /// When block `at / BLOCK` of a speech is due.
    fn due_us(&self, job: &Job) -> u64 {
        if self.wall && matches!(job.work, Work::Speech(_)) {
            return job.started_us.max(job.again_us);
        }
        let made_us = job.at as f64 * 1e6 / f64::from(RATE_HZ) / self.timing.speed;
        job.first_us + made_us as u64
    }

    /// Hands out what is due; the time at which the job was complete, if it is.
    fn advance(&self, job: &mut Job, now_us: u64, replies: &mut Vec<Reply>) -> Option<u64> {
        let key = job.key;
        let until = job.at + BLOCKS_AT_ONCE * BLOCK;
        loop {
            let due_us = self.due_us(job);
            if due_us > now_us || job.at >= until {
                return None;
            }
            match &mut job.work {
                Work::Text(parts) => {
                    replies.extend(parts.drain(..).map(|text| Reply { key, part: ReplyPart::Text(text) }));
                    replies.push(Reply { key, part: ReplyPart::Done { busy_us: due_us - job.started_us } });
                    return Some(due_us);
                }
                Work::Speech(speech) => {
                    let mut block = Block::zeroed(BLOCK);
                    let out = block.try_mut().expect("a fresh block has one owner");
                    let part = match speech.read(job.at, out, !self.wall) {
                        Heard::Block(n) => {
                            block.set_len(n);
                            job.at += n;
                            ReplyPart::Audio(block)
                        }
                        Heard::NotYet => {
                            job.again_us = now_us + AGAIN_US;
                            return None;
                        }
                        Heard::End => {
                            ReplyPart::Done { busy_us: now_us.min(due_us).saturating_sub(job.started_us) }
                        }
                        Heard::Failed(reason) => ReplyPart::Failed(reason),
                    };
                    let goes_on = matches!(part, ReplyPart::Audio(_));
                    replies.push(Reply { key, part });
                    if !goes_on {
                        return Some(due_us.max(job.started_us));
                    }
                }
            }
        }
    }
}

impl Service for Modelled {
    fn end(&mut self, call: Call, now_us: u64) {
        self.waiting.push_back((call, now_us));
        self.start(now_us);
    }

    fn retract(&mut self, key: CallKey, now_us: u64) {
        self.waiting.retain(|(call, _)| call.key != key);
        if let Some(at) = self.running.iter().position(|job| job.key == key) {
            let job = self.running.remove(at);
            if let Work::Speech(speech) = &job.work {
                speech.stop();
            }
            self.stopped.push((key, now_us.saturating_sub(job.started_us)));
            self.start(now_us);
        } else {
            self.stopped.push((key, 0));
        }
    }

    fn poll(&mut self, now_us: u64, replies: &mut Vec<Reply>) {
        for (key, wasted_us) in self.stopped.drain(..) {
            replies.push(Reply { key, part: ReplyPart::Stopped { wasted_us } });
        }
        let mut at = 0;
        while at < self.running.len() {
            let mut job = self.running.remove(at);
            match self.advance(&mut job, now_us, replies) {
                None => {
                    self.running.insert(at, job);
                    at += 1;
                }
                // The worker is free from the moment the job was complete, not from the tick that saw it.
                Some(free_us) => self.start(free_us),
            }
        }
    }

    fn next_due_us(&self) -> Option<u64> {
        if !self.stopped.is_empty() {
            return Some(0);
        }
        self.running.iter().map(|job| self.due_us(job)).min()
    }
}
