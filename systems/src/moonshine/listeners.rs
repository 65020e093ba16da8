//! The threads that recognise, and the texts that they make.
//!
//! A thread takes all that waits, up to a batch, so that its utterances are decoded together. What nobody wants any more
//! stops between two layers or steps. The threads end with the service that has made them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use mynah_engine::service::ServiceWaker;

use super::{Model, Recognizer};

/// Most utterances that are decoded together. All of them are encoded first, which is more than half of the work: a larger
/// batch keeps the first one waiting for longer than it saves.
const BATCH_MAX: usize = 4;

/// A text, or why there is none.
type Answer = Result<Arc<str>, Arc<str>>;

/// A text in the making.
#[derive(Debug)]
pub struct HeardText {
    samples: Vec<f32>,
    text: Mutex<Option<Answer>>,
    there: Condvar,
    is_stopped: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HeardText {
    fn new(samples: Vec<f32>) -> Arc<Self> {
        let (text, there, is_stopped) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Arc::new(Self { samples, text, there, is_stopped })
    }

    /// The text, or why there is none; `None`: it is not made yet. `wait`: until it is.
    pub(crate) fn text(&self, wait: bool) -> Option<Answer> {
        let mut text = locked(&self.text);
        while wait && text.is_none() {
            text = self.there.wait(text).unwrap_or_else(PoisonError::into_inner);
        }
        text.clone()
    }

    /// Whether the text is made, or will not be.
    pub(crate) fn is_made(&self) -> bool {
        locked(&self.text).is_some()
    }

    /// Nobody wants the text any more.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    fn answer(&self, answer: Answer) {
        locked(&self.text).get_or_insert(answer);
        self.there.notify_all();
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<(VecDeque<Arc<HeardText>>, bool)>,
    more: Condvar,
}

impl Queue {
    /// The next batch; empty: the service is gone.
    fn take(&self, batch: &mut Vec<Arc<HeardText>>) {
        let mut waiting = locked(&self.waiting);
        while waiting.0.is_empty() && !waiting.1 {
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if !waiting.1 {
            let count = waiting.0.len().min(BATCH_MAX);
            batch.extend(waiting.0.drain(..count));
        }
    }
}

/// Threads that recognise for one service. Dropping this ends them, after the step that they are at.
#[derive(Debug)]
pub(super) struct Listeners {
    queue: Arc<Queue>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Listeners {
    /// Starts `threads` threads, or fewer where the system gives no more. Without any, every call fails.
    pub(super) fn start(model: &Arc<Model>, threads: usize, waker: &ServiceWaker) -> Self {
        let queue = Arc::new(Queue::default());
        let listener = |at: usize| {
            let (model, queue, waker) = (Arc::clone(model), Arc::clone(&queue), waker.clone());
            let thread = std::thread::Builder::new().name(format!("moonshine {at}"));
            thread.spawn(move || work(&model, &queue, &waker)).ok()
        };
        let threads = (1..=threads).filter_map(listener).collect();
        Self { queue, threads }
    }

    /// Utterances with which every thread has a batch at hand and the next one.
    pub(super) fn wanted_at_once(&self) -> usize {
        2 * BATCH_MAX * self.threads.len()
    }

    /// Begins to recognise `samples` at 16 kHz.
    pub(super) fn hear(&self, samples: Vec<f32>) -> Arc<HeardText> {
        let hearing = HeardText::new(samples);
        if self.threads.is_empty() {
            hearing.answer(Err("there is no thread for the recogniser".into()));
        } else {
            locked(&self.queue.waiting).0.push_back(Arc::clone(&hearing));
            self.queue.more.notify_one();
        }
        hearing
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        locked(&self.queue.waiting).1 = true;
        self.queue.more.notify_all();
        for thread in self.threads.drain(..) {
            let _a_panic_was_told = thread.join();
        }
    }
}

fn work(model: &Model, queue: &Queue, waker: &ServiceWaker) {
    let (mut recognizer, mut batch) = (Recognizer::default(), Vec::new());
    loop {
        batch.clear();
        queue.take(&mut batch);
        if batch.is_empty() {
            return;
        }
        let closed = || locked(&queue.waiting).1;
        let answer = |hearing: &HeardText, answer| {
            hearing.answer(answer);
            waker.wake();
        };
        let work = || recognize(model, &mut recognizer, &batch, &closed, &answer);
        let heard = catch_unwind(AssertUnwindSafe(work));
        if heard.is_err() {
            recognizer = Recognizer::default();
            batch.iter().for_each(|hearing| answer(hearing, Err("the recogniser panicked".into())));
        }
    }
}

fn recognize(
    model: &Model,
    recognizer: &mut Recognizer,
    batch: &[Arc<HeardText>],
    closed: &dyn Fn() -> bool,
    answer: &dyn Fn(&HeardText, Answer),
) {
    let samples: Vec<&[f32]> = batch.iter().map(|hearing| &hearing.samples[..]).collect();
    let stops = |at: usize| batch[at].is_stopped() || Arc::strong_count(&batch[at]) == 1 || closed();
    recognizer.recognize(model, &samples, &stops, |at, tokens| {
        answer(&batch[at], Ok(model.text(tokens).into()));
    });
}
