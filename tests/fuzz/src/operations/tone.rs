//! `Tone`: a synthesis that costs nothing, and fails now and then. What it answers depends on the text alone.

use std::sync::Arc;

use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, Service, ServiceKind, ServiceSite,
};
use mynah_engine::{Block, Registry};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

/// 20 ms at 16 kHz.
const BLOCK: usize = 320;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tone {}

struct Kind;

impl ServiceKind for Kind {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let workers = site.timing.map_or(1, |timing| timing.workers()) as usize;
        Box::new(Voice { workers, jobs: Vec::new(), stopped: Vec::new() })
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
}

struct Voice {
    workers: usize,
    jobs: Vec<Job>,
    stopped: Vec<CallKey>,
}

impl Service for Voice {
    fn start(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        for call in batch.drain(..) {
            let hash = xxh3_64(call.text.as_bytes());
            // Mostly quick, now and then half a second.
            let latency_us = if hash.is_multiple_of(11) { 500_000 } else { 5_000 + hash % 40_000 };
            let fails = (hash >> 8).is_multiple_of(9);
            let blocks = (hash >> 16) % 12;
            self.jobs.push(Job { key: call.key, due_us: now_us + latency_us, blocks, fails });
        }
    }

    fn room(&self) -> usize {
        self.workers.saturating_sub(self.jobs.len())
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
            let _always_taken = replies.give(key, ReplyPart::Stopped { wasted_us: 1 });
        }
        self.jobs.retain_mut(|job| {
            if job.due_us > now_us {
                return true;
            }
            let key = job.key;
            while job.blocks > 0 {
                let block = Block::from_samples(&[0.25; BLOCK]);
                if replies.give(key, ReplyPart::Audio(block)).is_err() {
                    return true;
                }
                job.blocks -= 1;
            }
            let end = if job.fails {
                ReplyPart::Failed("it fails for this text".into())
            } else {
                ReplyPart::Done { busy_us: 10_000 }
            };
            replies.give(key, end).is_err()
        });
    }

    fn next_due_us(&self) -> Option<u64> {
        if self.stopped.is_empty() { self.jobs.iter().map(|job| job.due_us).min() } else { Some(0) }
    }
}
