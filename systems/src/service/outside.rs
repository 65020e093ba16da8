//! An answer that comes from outside the process, part by part: threads of a service write it, the tick reads it.
//!
//! On the wall clock parts leave when they are there. In virtual time they leave when the scene's `timing` says, and the
//! tick waits for each until it is written.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use mynah_engine::Block;
use mynah_engine::service::{Call, CallKey, PARTS_WAITING_MAX, ServiceWaker};

/// A part of an answer from outside.
#[derive(Debug)]
pub enum OutsidePart {
    /// A piece of text.
    Text(Arc<str>),
    /// At most 20 ms of mono audio.
    Audio(Block),
    /// What was heard so far, in place of what was told before. For the host alone.
    Partial(Arc<str>),
    /// The host is asked to do something.
    ToolCall {
        /// Names the call.
        call_id: Arc<str>,
        /// The tool.
        name: Arc<str>,
        /// Its arguments, as the model gave them.
        arguments: Arc<str>,
    },
    /// The answer goes on once the host has answered every tool call before this.
    AwaitHost,
}

impl OutsidePart {
    /// The same part again; audio shares its samples.
    pub fn share(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(Arc::clone(text)),
            Self::Audio(block) => Self::Audio(block.share()),
            Self::Partial(text) => Self::Partial(Arc::clone(text)),
            Self::ToolCall { call_id, name, arguments } => Self::ToolCall {
                call_id: Arc::clone(call_id),
                name: Arc::clone(name),
                arguments: Arc::clone(arguments),
            },
            Self::AwaitHost => Self::AwaitHost,
        }
    }
}

/// Keeps what comes from outside, so that a run can be repeated without it.
pub trait AnswerLog: Send + Sync {
    /// A service begins to answer a call. All parts of `answer` stay in it until the call is over.
    fn began(&self, service: &str, call: &Call, answer: &Arc<OutsideAnswer>);
    /// An attempt at a call is over, or was taken back: nothing more of its answer is used.
    fn over(&self, service: &str, call: &CallKey, attempt: u8);
}

/// How an answer ended: complete, or with the reason why not.
pub type OutsideEnd = Result<(), Arc<str>>;

/// What is to be had of an answer at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A piece of text.
    Piece,
    /// So many samples.
    Samples(usize),
    /// Something that takes no time.
    Aside,
    /// Nothing until the host has answered.
    Paused,
    /// Nothing yet.
    NotYet,
    /// The end.
    End,
}

/// Called when an answer is not wanted any more, and when the host has answered a tool call.
type Notice = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    parts: Vec<Option<OutsidePart>>,
    /// Parts that were taken.
    taken: usize,
    end: Option<OutsideEnd>,
    /// Tool calls that were taken and that the host has not answered.
    open: Vec<Arc<str>>,
    /// Results that the writer has not taken: call and result.
    results: Vec<(Arc<str>, Arc<str>)>,
    is_unwanted: bool,
    /// The writer is gone.
    has_stopped: bool,
    notice: Option<Notice>,
}

impl State {
    fn at(&self, at: usize) -> Next {
        match self.parts.get(at) {
            Some(Some(OutsidePart::Text(_))) => Next::Piece,
            Some(Some(OutsidePart::Audio(block))) => Next::Samples(block.len()),
            Some(Some(OutsidePart::AwaitHost)) if at >= self.taken && !self.is_answered(at) => Next::Paused,
            Some(_) => Next::Aside,
            None if self.end.is_some() => Next::End,
            None => Next::NotYet,
        }
    }

    /// Whether the host has answered all that was asked before `at`: what was not handed out was not asked.
    fn is_answered(&self, at: usize) -> bool {
        self.taken == at && self.open.is_empty()
    }
}

/// An answer in the making, as the tick reads it.
pub struct OutsideAnswer {
    state: Mutex<State>,
    changed: Condvar,
    waker: ServiceWaker,
    rate_hz: u32,
}

impl std::fmt::Debug for OutsideAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutsideAnswer").field("parts", &self.locked().parts.len()).finish_non_exhaustive()
    }
}

impl OutsideAnswer {
    /// An answer, and the end of it for the thread that writes. `rate_hz`: of its audio, if it has any; `waker`: of the
    /// service's [site](mynah_engine::service::ServiceSite).
    pub fn begin(rate_hz: u32, waker: &ServiceWaker) -> (AnswerWriter, Arc<Self>) {
        let (state, changed, waker) = (Mutex::default(), Condvar::new(), waker.clone());
        let answer = Arc::new(Self { state, changed, waker, rate_hz: rate_hz.max(1) });
        (AnswerWriter { answer: Arc::clone(&answer) }, answer)
    }

    /// Samples of its audio in a second.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be had at part number `at`. `wait`: until there is something, or nothing to wait for.
    pub(super) fn at(&self, at: usize, wait: bool) -> Next {
        let mut state = self.locked();
        loop {
            match state.at(at) {
                Next::NotYet if wait => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                next => return next,
            }
        }
    }

    /// Takes the next part. `keep`: it stays, for [`told`](Self::told).
    pub(super) fn take(&self, keep: bool) -> Option<OutsidePart> {
        let mut state = self.locked();
        let at = state.taken;
        let part = match state.parts.get_mut(at)? {
            slot if keep => slot.as_ref().map(OutsidePart::share),
            slot => slot.take(),
        }?;
        state.taken += 1;
        if let OutsidePart::ToolCall { call_id, .. } = &part {
            state.open.push(Arc::clone(call_id));
        }
        Some(part)
    }

    /// How it ended, if it has.
    pub(super) fn end(&self) -> Option<OutsideEnd> {
        self.locked().end.clone()
    }

    /// The host has answered a tool call; true if it was one of this answer, and none is open any more.
    pub(super) fn tool_result(&self, call_id: &str, result: &str) -> bool {
        let mut state = self.locked();
        let Some(at) = state.open.iter().position(|open| **open == *call_id) else { return false };
        let call_id = state.open.swap_remove(at);
        state.results.push((call_id, result.into()));
        let (notice, all) = (state.notice.clone(), state.open.is_empty());
        drop(state);
        if let Some(notice) = notice {
            notice();
        }
        all
    }

    /// Nobody wants it any more.
    pub(super) fn stop(&self) {
        let mut state = self.locked();
        state.is_unwanted = true;
        let notice = state.notice.clone();
        drop(state);
        if let Some(notice) = notice {
            notice();
        }
    }

    /// Whether its writer is gone: whatever worked on it has stopped.
    pub(super) fn has_stopped(&self) -> bool {
        self.locked().has_stopped
    }

    /// `tell` gets all parts so far (`None`: taken and not kept) and how it ended, if it has.
    pub fn told<R>(&self, tell: impl FnOnce(&[Option<OutsidePart>], Option<&OutsideEnd>) -> R) -> R {
        let state = self.locked();
        tell(&state.parts, state.end.as_ref())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.locked();
        change(&mut state);
        drop(state);
        self.changed.notify_all();
        self.waker.wake();
    }
}

/// The end of an [`OutsideAnswer`] for the thread that makes it. Whoever drops it says that the work has stopped; an answer
/// without an end has failed by then.
#[derive(Debug)]
pub struct AnswerWriter {
    answer: Arc<OutsideAnswer>,
}

impl AnswerWriter {
    /// Adds a part. After the end nothing is added.
    pub fn part(&self, part: OutsidePart) {
        self.answer.change(|state| match state.parts.len() {
            _ if state.end.is_some() => {}
            0..PARTS_WAITING_MAX => state.parts.push(Some(part)),
            _ => state.end = Some(Err("the answer is too long".into())),
        });
    }

    /// Adds a piece of text; an empty one is none.
    pub fn text(&self, text: impl Into<Arc<str>>) {
        let text = text.into();
        if !text.is_empty() {
            self.part(OutsidePart::Text(text));
        }
    }

    /// Adds mono audio of any length at the rate of the answer.
    pub fn audio(&self, samples: &[f32]) {
        let block = (self.answer.rate_hz as usize / 50).max(1);
        samples.chunks(block).for_each(|piece| self.part(OutsidePart::Audio(Block::from_samples(piece))));
    }

    /// The answer is complete.
    pub fn done(&self) {
        self.answer.change(|state| {
            state.end.get_or_insert(Ok(()));
        });
    }

    /// The answer has failed.
    pub fn fail(&self, reason: impl Into<Arc<str>>) {
        self.answer.change(|state| {
            state.end.get_or_insert_with(|| Err(reason.into()));
        });
    }

    /// Whether anybody still wants the answer. When that ends, [`on_notice`](Self::on_notice) is called.
    pub fn is_wanted(&self) -> bool {
        !self.answer.locked().is_unwanted
    }

    /// Sets what is called when the answer is not wanted any more and when the host has answered a tool call, from the
    /// tick: it must return at once. It is called now if one of them has happened.
    pub fn on_notice(&self, notice: impl Fn() + Send + Sync + 'static) {
        let mut state = self.answer.locked();
        let late = state.is_unwanted || !state.results.is_empty();
        let notice: Notice = Arc::new(notice);
        state.notice = Some(Arc::clone(&notice));
        drop(state);
        if late {
            notice();
        }
    }

    /// Results of tool calls that came since the last time: the call and its result.
    pub fn tool_results(&self) -> Vec<(Arc<str>, Arc<str>)> {
        std::mem::take(&mut self.answer.locked().results)
    }
}

impl Drop for AnswerWriter {
    fn drop(&mut self) {
        self.answer.change(|state| {
            state.end.get_or_insert_with(|| Err("the service has given the call up".into()));
            state.has_stopped = true;
            state.notice = None;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_call_pauses_the_answer_until_the_host_has_answered() {
        let (writer, answer) = OutsideAnswer::begin(16_000, &ServiceWaker::default());
        let call = |id: &str| OutsidePart::ToolCall {
            call_id: id.into(),
            name: "look".into(),
            arguments: "{}".into(),
        };
        writer.text("One moment.");
        writer.part(call("a"));
        writer.part(call("b"));
        writer.part(OutsidePart::AwaitHost);
        writer.text("It is noon.");
        writer.done();
        assert_eq!(
            [0, 1, 2, 3].map(|at| answer.at(at, true)),
            [Next::Piece, Next::Aside, Next::Aside, Next::Paused]
        );
        (0..3).for_each(|_| assert!(answer.take(false).is_some()));
        assert!(!answer.tool_result("a", "12") && !answer.tool_result("unknown", "1"));
        assert_eq!(answer.at(3, true), Next::Paused);
        assert!(answer.tool_result("b", "00"));
        assert_eq!(writer.tool_results().len(), 2);
        assert_eq!([3, 4, 5].map(|at| answer.at(at, true)), [Next::Aside, Next::Piece, Next::End]);
    }

    #[test]
    fn a_writer_that_goes_ends_the_answer_and_says_that_the_work_has_stopped() {
        let (writer, answer) = OutsideAnswer::begin(8_000, &ServiceWaker::default());
        writer.audio(&[0.5; 200]);
        assert_eq!(
            [0, 1, 2].map(|at| answer.at(at, false)),
            [Next::Samples(160), Next::Samples(40), Next::NotYet]
        );
        answer.stop();
        assert!(!writer.is_wanted() && !answer.has_stopped());
        drop(writer);
        assert!(answer.has_stopped() && matches!(answer.end(), Some(Err(_))));
    }
}
