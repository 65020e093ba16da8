//! `Tone`: a synthesis that costs nothing, and fails now and then. What it answers depends on the text alone.

use std::sync::Arc;

use mynah_engine::service::{Call, CallKey, Reply, ReplyPart, Service, ServiceKind, ServiceSite};
use mynah_engine::{Block, Registry};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

/// 20 ms at 16 kHz.
const BLOCK: usize = 320;
/// Blocks handed out at a time.
const AT_ONCE: u64 = 6;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tone {}

struct Kind;

impl ServiceKind for Kind {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let workers = site.timing.workers() as usize;
        Box::new(Voice { workers, jobs: Vec::new(), held_before: Vec::new(), stopped: Vec::new() })
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Tone"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("Tone", |config| {
        mynah_engine::scene::parse_config::<Tone>(config)?;
        Ok(Arc::new(Kind))
    });
}

struct Job {
    key: CallKey,
    due_us: u64,
    blocks: u64,
    fails: bool,
    held: bool,
}

struct Voice {
    workers: usize,
    jobs: Vec<Job>,
    held_before: Vec<CallKey>,
    stopped: Vec<CallKey>,
}

impl Service for Voice {
    fn submit(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        for call in batch.drain(..) {
            let hash = xxh3_64(call.text.as_bytes());
            let held = self.held_before.iter().position(|key| *key == call.key);
            let held = held.map(|at| self.held_before.swap_remove(at)).is_some();
            // Mostly quick, now and then half a second.
            let latency_us = if hash.is_multiple_of(11) { 500_000 } else { 5_000 + hash % 40_000 };
            let fails = (hash >> 8).is_multiple_of(9);
            let blocks = (hash >> 16) % 12;
            self.jobs.push(Job { key: call.key, due_us: now_us + latency_us, blocks, fails, held });
        }
    }

    fn room(&self) -> usize {
        self.workers.saturating_sub(self.jobs.len())
    }

    fn hold(&mut self, key: CallKey, held: bool) {
        match self.jobs.iter_mut().find(|job| job.key == key) {
            Some(job) => job.held = held,
            None if held => self.held_before.push(key),
            None => self.held_before.retain(|other| *other != key),
        }
    }

    fn retract(&mut self, key: CallKey, _: u64) {
        self.hold(key, false);
        self.jobs.retain(|job| job.key != key);
        self.stopped.push(key);
    }

    fn poll(&mut self, now_us: u64, replies: &mut Vec<Reply>) {
        let stopped = |key| Reply { key, part: ReplyPart::Stopped { wasted_us: 1 } };
        replies.extend(self.stopped.drain(..).map(stopped));
        self.jobs.retain_mut(|job| {
            if job.held || job.due_us > now_us {
                return true;
            }
            let key = job.key;
            let now = job.blocks.min(AT_ONCE);
            job.blocks -= now;
            for _ in 0..now {
                let block = Block::from_samples(&[0.25; BLOCK]);
                replies.push(Reply { key, part: ReplyPart::Audio(block) });
            }
            if job.blocks > 0 {
                return true;
            }
            let end = if job.fails {
                ReplyPart::Failed("it fails for this text".into())
            } else {
                ReplyPart::Done { busy_us: 10_000 }
            };
            replies.push(Reply { key, part: end });
            false
        });
    }

    fn next_due_us(&self) -> Option<u64> {
        if self.stopped.is_empty() {
            self.jobs.iter().filter(|job| !job.held).map(|job| job.due_us).min()
        } else {
            Some(0)
        }
    }
}
