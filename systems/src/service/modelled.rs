//! A service whose work is real or scripted and whose timing follows the scene's model.
//!
//! `parallelism` workers take one batch each. A batch of `n` costs `1 + (n - 1) * batch_item_cost` of the latency of
//! its slowest item until the first results, and its worker is busy until all of it is made. In virtual time the
//! model says when each part is due, and the tick waits for real work; on the wall clock real speech is handed out as
//! it is made.

mod outside;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mynah_engine::scene::Timing;
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, SegmentRef, Service, ServiceSite, SessionKey, SessionRef,
    TimeMode,
};
use mynah_engine::speech::Heard;
use mynah_engine::{Block, SessionId};

use crate::service::faults::{BadEnd, CallFate, ServiceFaults};
use crate::service::heard::HeardAudio;
use crate::service::job::{Job, NEVER_US};
use crate::service::odd_text::odd_text;
use crate::service::outside::AnswerLog;
use crate::service::studio::Readout;
use crate::service::timing::{draw_us, name_hash};
use crate::service::work::{Production, Work, pieces};
use crate::speech::flite::RATE_HZ;

/// 20 ms of synthesized speech.
const BLOCK: usize = RATE_HZ as usize / 50;

/// A service that does real work and answers at the times of the scene's model.
pub struct Modelled {
    production: Box<dyn Production>,
    service: Arc<str>,
    /// Keeps what comes from outside.
    log: Option<Arc<dyn AnswerLog>>,
    timing: Timing,
    seed: u64,
    name: u64,
    wall: bool,
    /// The faults to inject.
    faults: Option<Arc<ServiceFaults>>,
    /// The time at which it comes back, while it is down.
    down_until_us: Option<u64>,
    /// Engine time of the last poll; `None`: there was none.
    polled_us: Option<u64>,
    heard: HeardAudio,
    /// Calls that came when no worker was free.
    waiting: VecDeque<Call>,
    /// Jobs in the order of their batches.
    jobs: Vec<Job>,
    /// Number of the batch of each busy worker.
    busy: Vec<u64>,
    /// Time since which each other worker has been idle.
    idle_since_us: Vec<u64>,
    batches: u64,
    /// Calls that are on hold and have not begun.
    held_before: Vec<CallKey>,
    stopped: Vec<(CallKey, u64)>,
    lone: Vec<Call>,
}

impl Modelled {
    /// A service that produces with `production` and keeps the timing of `site`.
    ///
    /// A kind that makes such services [keeps to timing](mynah_engine::service::ServiceKind::keeps_timing). A site without
    /// any counts as one where every answer takes a millisecond.
    pub fn new(site: ServiceSite<'_>, production: Box<dyn Production>) -> Self {
        let timing = site.timing.copied().unwrap_or_default();
        let wall = site.time == TimeMode::Wall;
        let wanted = if wall { production.wanted_at_once() } else { 0 };
        let workers = if wanted > 0 { wanted } else { timing.workers() as usize };
        Self {
            production,
            service: site.name.into(),
            log: None,
            timing,
            seed: site.seed,
            name: name_hash(site.name),
            wall,
            faults: None,
            down_until_us: None,
            polled_us: None,
            heard: HeardAudio::default(),
            waiting: VecDeque::new(),
            jobs: Vec::new(),
            busy: Vec::new(),
            idle_since_us: vec![0; workers],
            batches: 0,
            held_before: Vec::new(),
            stopped: Vec::new(),
            lone: Vec::new(),
        }
    }

    /// Injects `faults` into calls from now on.
    pub fn inject(&mut self, faults: Arc<ServiceFaults>) {
        self.faults = Some(faults);
    }

    /// Gives a batch to the worker that has been idle for longest. The batch begins when the worker was free and its
    /// last item there, not with the tick that saw it.
    fn begin(&mut self, batch: &mut Vec<Call>) {
        let longest = (0..self.idle_since_us.len()).min_by_key(|at| self.idle_since_us[*at]);
        let Some(free_us) = longest.map(|at| self.idle_since_us.swap_remove(at)) else { return };
        let started_us = batch.iter().map(|call| call.queued_us).fold(free_us, u64::max);
        let n = batch.len();
        let fates: Vec<CallFate> = match &self.faults {
            Some(faults) => {
                let fate = |call: &Call| faults.fate(self.name, &call.key, call.attempt, started_us);
                batch.iter().map(fate).collect()
            }
            None => Vec::new(),
        };
        let latency = |(at, call): (usize, &Call)| {
            let share = if call.reduced { self.timing.reduced_cost } else { 1.0 };
            let slower = fates.get(at).map_or(1.0, |fate| fate.slower);
            draw_us(&self.timing, self.seed, self.name, &call.key, call.attempt) as f64 * share * slower
        };
        let slowest = batch.iter().enumerate().map(latency).fold(0.0, f64::max);
        let cost = 1.0 + n.saturating_sub(1) as f64 * self.timing.batch_item_cost;
        let latency_us = (slowest * cost) as u64;
        self.batches += 1;
        self.busy.push(self.batches);
        for (at, mut call) in batch.drain(..).enumerate() {
            call.audio = call.audio.take().or_else(|| self.heard.of(&call.key.segment()));
            let end = fates.get(at).and_then(|fate| fate.end);
            let work = match end {
                None => self.in_pieces(self.disturbed(self.production.work(&call), fates.get(at))),
                Some(BadEnd::Fails) => Work::Failure("simulated failure".into()),
                Some(BadEnd::Hangs) => Work::Failure("simulated hang".into()),
                // As a panic does, without a word of the hook: this one is expected.
                Some(BadEnd::Panics) => std::panic::resume_unwind(Box::new("simulated panic")),
            };
            let work = self.kept(work, end.is_none());
            if let (Work::Outside(answer), Some(log)) = (&work, &self.log) {
                log.began(&self.service, &call, answer);
            }
            // Real work on the wall clock takes the time it takes.
            let beside = matches!(work, Work::Speech(_) | Work::Words(_) | Work::Outside(_));
            let real = self.wall && (beside || self.production.is_instant());
            let first_us = match end {
                Some(BadEnd::Hangs) => NEVER_US,
                _ if real => started_us,
                _ => started_us + latency_us,
            };
            let mut job = Job::new(&call, work, self.batches, n as u64, (started_us, first_us));
            let held = self.held_before.iter().position(|key| *key == call.key);
            job.held = held.map(|at| self.held_before.swap_remove(at)).is_some();
            self.jobs.push(job);
        }
    }

    /// The hostile text in place of the real one, if `fate` says so.
    fn disturbed(&self, work: Work, fate: Option<&CallFate>) -> Work {
        let odd = fate.and_then(|fate| fate.odd).zip(self.faults.as_ref());
        match (work, odd) {
            (Work::Text(_), Some((odd, faults))) => {
                faults.strikes.odd.fetch_add(1, Ordering::Relaxed);
                Work::Text(pieces(&odd_text(odd)))
            }
            (work, _) => work,
        }
    }

    /// Joins the pieces of a text, unless the service gives it out piece by piece.
    fn in_pieces(&self, work: Work) -> Work {
        match work {
            Work::Text(parts) if self.timing.words_per_s <= 0.0 && parts.len() > 1 => {
                Work::Text([Arc::from(parts.iter().map(|part| &**part).collect::<String>())].into())
            }
            work => work,
        }
    }

    /// Applies faults since the last poll: all work under way is lost when the service goes down, and its workers
    /// take nothing until it is back.
    fn suffer(&mut self, now_us: u64) {
        let Some(faults) = &self.faults else { return };
        if faults.went_down(self.polled_us.unwrap_or(now_us), now_us) {
            faults.strikes.crashes.fetch_add(1, Ordering::Relaxed);
            self.jobs.iter_mut().for_each(|job| job.fail("simulated crash", now_us));
        }
        self.polled_us = Some(now_us);
        let back_us = self.down_until_us.take();
        self.down_until_us = faults.down_until(now_us);
        if let (Some(back_us), None) = (back_us, self.down_until_us) {
            self.idle_since_us.iter_mut().for_each(|since_us| *since_us = back_us.max(*since_us));
        }
    }

    /// Stops what `scope` covers.
    fn take_back(&mut self, scope: CallScope, now_us: u64) {
        let stopped = &mut self.stopped;
        self.waiting.retain(|call| {
            let covered = scope.covers(&call.key);
            stopped.extend(covered.then_some((call.key, 0)));
            !covered
        });
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain_mut(|job| {
            if !scope.covers(&job.key) || job.is_stopping {
                return true;
            }
            job.stop();
            if self.stops_later(job) {
                return true;
            }
            self.stopped.push((job.key, job.wasted_us(now_us)));
            false
        });
        self.jobs = jobs;
    }

    /// Starts calls that waited, as far as workers are free.
    fn start_waiting(&mut self) {
        while self.room() > 0
            && let Some(call) = self.waiting.pop_front()
        {
            let mut lone = std::mem::take(&mut self.lone);
            lone.push(call);
            self.begin(&mut lone);
            self.lone = lone;
        }
    }

    /// Follows the making of every job up to `now_us`; workers whose batch is made become idle.
    fn make(&mut self, now_us: u64) {
        for job in self.jobs.iter_mut().filter(|job| job.made_us.is_none()) {
            job.make(&self.timing, self.wall, now_us);
        }
        let (jobs, idle) = (&self.jobs, &mut self.idle_since_us);
        let mut at = 0;
        self.busy.retain(|batch| {
            // Both lists are in the order of the batches: one pass is enough.
            at += jobs[at..].iter().take_while(|job| job.batch < *batch).count();
            let mine = &jobs[at..at + jobs[at..].iter().take_while(|job| job.batch == *batch).count()];
            if mine.iter().any(|job| job.made_us.is_none()) {
                return true;
            }
            // Nothing is left of the batch: its last item was cancelled just now.
            idle.push(mine.iter().filter_map(|job| job.made_us).max().unwrap_or(now_us));
            false
        });
        self.start_waiting();
    }

    /// Hands out what is due of a job; true if the job is complete.
    fn hand_out(&self, job: &mut Job, now_us: u64, replies: &mut Replies<'_>) -> bool {
        let key = job.key;
        if job.is_stopping {
            return self.has_stopped(job, now_us, replies);
        }
        if let Work::Outside(answer) = &job.work {
            let answer = Arc::clone(answer);
            return self.hand_out_outside(job, &answer, now_us, replies);
        }
        while job.due_us(&self.timing, self.wall) <= now_us && replies.room(key) > 0 {
            let part = match &mut job.work {
                Work::Text(pieces) => match pieces.pop_front() {
                    Some(text) => {
                        job.at += 1;
                        ReplyPart::Text(text)
                    }
                    None => ReplyPart::Done { busy_us: job.busy_us() },
                },
                Work::Outside(_) => return false,
                Work::Failure(reason) => ReplyPart::Failed(Arc::clone(reason)),
                Work::Words(words) => match words.text(!self.wall) {
                    None => return false,
                    Some(Err(reason)) => ReplyPart::Failed(reason),
                    // Where nothing was said there are no words.
                    Some(Ok(text)) if job.at == 0 && !text.is_empty() => {
                        job.at = 1;
                        ReplyPart::Text(text)
                    }
                    Some(Ok(_)) => ReplyPart::Done { busy_us: job.busy_us() },
                },
                Work::Speech(speech) => {
                    let mut block = Block::zeroed(BLOCK);
                    let out = block.try_mut().expect("a fresh block has one owner");
                    match speech.read(job.at, out, !self.wall) {
                        Readout::Block(n) => {
                            while let Some(times) = speech.take_times(job.at + n) {
                                let _taken_with_its_audio = replies.give(key, ReplyPart::Times(times));
                            }
                            block.set_len(n);
                            job.at += n;
                            ReplyPart::Audio(block)
                        }
                        Readout::NotYet => {
                            job.asks_again(now_us);
                            return false;
                        }
                        Readout::End if job.made_us.is_none() => return false,
                        Readout::End => ReplyPart::Done { busy_us: job.busy_us() },
                        Readout::Failed(reason) => ReplyPart::Failed(reason),
                    }
                }
            };
            let goes_on = matches!(part, ReplyPart::Audio(_) | ReplyPart::Text(_));
            let _there_is_room = replies.give(key, part);
            if !goes_on {
                return true;
            }
        }
        false
    }
}

impl Drop for Modelled {
    fn drop(&mut self) {
        self.jobs.iter().for_each(Job::stop);
    }
}

impl Service for Modelled {
    fn wants_audio(&self) -> bool {
        self.production.wants_audio()
    }

    fn open(&mut self, session: SessionRef) {
        self.production.open(&session);
        self.heard.open(&session);
    }

    fn close(&mut self, session: SessionKey) {
        self.production.close(session);
        self.heard.close(session);
    }

    fn hear(&mut self, segment: SegmentRef, audio: Block) {
        self.production.hear(segment, &audio);
        self.heard.hear(segment, audio);
    }

    fn goes_on(&mut self, before: SegmentRef, segment: SegmentRef) {
        self.production.goes_on(before, segment);
        self.heard.goes_on(before, segment);
    }

    fn commit(&mut self, segment: SegmentRef, revision: u32, heard: &Heard) {
        self.production.commit(segment, revision, heard);
        self.heard.forget(&segment);
    }

    fn tool_result(&mut self, session: SessionId, call_id: &str, result: &str, now_us: u64) {
        for job in self.jobs.iter_mut().filter(|job| job.key.session == session) {
            if let Work::Outside(answer) = &job.work
                && answer.tool_result(call_id, result)
            {
                job.resume(&self.timing, now_us);
            }
        }
    }

    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        if self.room() == 0 {
            self.waiting.extend(batch.drain(..));
            return;
        }
        self.begin(batch);
    }

    fn room(&self) -> usize {
        if self.down_until_us.is_some() { 0 } else { self.idle_since_us.len() }
    }

    fn hold(&mut self, key: CallKey, held: bool) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.key == key) {
            job.held = held;
        } else if held {
            self.held_before.push(key);
        } else {
            self.held_before.retain(|other| *other != key);
        }
    }

    fn cancel(&mut self, scope: CallScope, now_us: u64) {
        self.production.cancel(scope);
        self.heard.end(scope);
        self.held_before.retain(|key| !scope.covers(key));
        self.take_back(scope, now_us);
        self.make(now_us);
    }

    fn poll(&mut self, now_us: u64, replies: &mut Replies<'_>) {
        for (key, wasted_us) in self.stopped.drain(..) {
            let _always_taken = replies.give(key, ReplyPart::Stopped { wasted_us });
        }
        self.suffer(now_us);
        self.make(now_us);
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain_mut(|job| !self.hand_out(job, now_us, replies));
        self.jobs = jobs;
    }

    fn next_due_us(&self) -> Option<u64> {
        if !self.stopped.is_empty() {
            return Some(0);
        }
        let due = |job: &Job| {
            let made = job.next_made_us(&self.timing, self.wall);
            let out = (!job.held).then(|| job.due_us(&self.timing, self.wall));
            made.into_iter().chain(out).min()
        };
        let dues = self.jobs.iter().filter_map(due).chain(self.down_until_us);
        dues.filter(|due_us| *due_us < NEVER_US).min()
    }
}

#[cfg(test)]
mod tests;
