//! Answers that come from outside the process: parts that are due, the end of work that was taken back, and what a log
//! keeps of all that.

use std::sync::Arc;

use mynah_engine::service::{Replies, ReplyPart, ServiceWaker};

use super::Modelled;
use crate::service::job::Job;
use crate::service::outside::{AnswerLog, Next, OutsideAnswer, OutsidePart};
use crate::service::work::Work;

impl Modelled {
    /// Keeps what comes from outside in `log`.
    pub fn keep_answers(&mut self, log: Arc<dyn AnswerLog>) {
        self.log = Some(log);
    }

    /// Work as a log can keep it: what fails at once is an answer, too. `real`: no fault was put in its place.
    pub(super) fn kept(&self, work: Work, real: bool) -> Work {
        match work {
            Work::Failure(reason) if real && self.log.is_some() => {
                let (writer, answer) = OutsideAnswer::begin(1, &ServiceWaker::default());
                writer.fail(reason);
                Work::Outside(answer)
            }
            work => work,
        }
    }

    /// Hands out what is due of an answer from outside; true if it is complete.
    pub(super) fn hand_out_outside(
        &self,
        job: &mut Job,
        answer: &OutsideAnswer,
        now_us: u64,
        replies: &mut Replies<'_>,
    ) -> bool {
        let key = job.key;
        while job.due_us(&self.timing, self.wall) <= now_us && replies.room(key) > 0 {
            let next = job.next_outside(answer, self.wall);
            match next {
                Next::NotYet | Next::Paused => return false,
                Next::End if job.made_us.is_none() => return false,
                Next::End => {
                    self.keep(job);
                    let _there_is_room = replies.give(
                        key,
                        match answer.end() {
                            Some(Err(reason)) => ReplyPart::Failed(reason),
                            _ => ReplyPart::Done { busy_us: job.busy_us() },
                        },
                    );
                    return true;
                }
                Next::Piece | Next::Samples(_) | Next::Aside => job.pass(next),
            }
            let part = match answer.take(self.log.is_some()) {
                Some(OutsidePart::Text(text)) => ReplyPart::Text(text),
                Some(OutsidePart::Audio(block)) => ReplyPart::Audio(block),
                Some(OutsidePart::ToolCall { call_id, name, arguments }) => {
                    ReplyPart::ToolCall { call_id, name, arguments }
                }
                Some(OutsidePart::Partial(text)) => {
                    replies.partial(key.segment(), text);
                    continue;
                }
                Some(OutsidePart::AwaitHost) | None => continue,
            };
            let _there_is_room = replies.give(key, part);
        }
        false
    }

    /// A job was taken back: whether something outside works on it, so that the hub hears later that it has stopped. In
    /// virtual time nobody waits for that.
    pub(super) fn stops_later(&self, job: &mut Job) -> bool {
        if !matches!(job.work, Work::Outside(_)) {
            return false;
        }
        self.keep(job);
        if self.wall {
            (job.is_stopping, job.held, job.made_us) = (true, false, None);
        }
        self.wall
    }

    /// Whether what works outside on a job that was taken back has stopped; the hub is told.
    pub(super) fn has_stopped(&self, job: &Job, now_us: u64, replies: &mut Replies<'_>) -> bool {
        let Work::Outside(answer) = &job.work else { return true };
        let stopped = answer.has_stopped();
        if stopped {
            let _always_taken =
                replies.give(job.key, ReplyPart::Stopped { wasted_us: job.wasted_us(now_us) });
        }
        stopped
    }

    /// Tells the log that nothing more of an answer is used.
    pub(super) fn keep(&self, job: &Job) {
        if let Some(log) = &self.log {
            log.over(&self.service, &job.key, job.attempt);
        }
    }
}
