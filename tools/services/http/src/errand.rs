//! One call as a task: it works until it is done, has failed, or nobody wants it any more.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::http::Extensions;
use hyper_util::client::legacy::connect::CaptureConnection;
use mynah_engine::service::ServiceWaker;
use mynah_systems::service::{AnswerWriter, OutsideAnswer};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::ConnectionLife;
use crate::runtime::runtime;

/// Longest wait for a connection to close. It is closed by the next turn of its task.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// A call under way.
pub(crate) struct Errand {
    /// Where its answer goes.
    pub(crate) writer: AnswerWriter,
    /// Changes when the answer is not wanted any more, and when the host has answered.
    news: watch::Receiver<()>,
    /// The connection of the request under way.
    line: Mutex<Option<CaptureConnection>>,
    /// When it has had its time.
    ends: Mutex<Instant>,
    /// When the call's own deadline is, if it has one.
    pub(crate) due: Option<Instant>,
}

/// What is to be done for a call.
pub(crate) trait Work: Send + 'static {
    /// Does it. Dropped where it stands when nobody wants it any more.
    ///
    /// # Errors
    /// Why the call fails.
    fn run(self, errand: &Errand) -> impl Future<Output = Result<(), String>> + Send;
}

/// The times of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTimes {
    /// The longest of all of it.
    pub(crate) call: Duration,
    /// Time until its own deadline, if it has one.
    pub(crate) left: Option<Duration>,
}

/// Begins `work`, on the thread of all requests. What it writes, its end and the end of its connection go to `writer`.
pub(crate) fn begin(writer: AnswerWriter, times: CallTimes, work: impl Work) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => return writer.fail(why),
    };
    let (sender, news) = watch::channel(());
    writer.on_notice(move || {
        sender.send_replace(());
    });
    let now = Instant::now();
    let (line, ends) = (Mutex::default(), Mutex::new(now + times.call));
    let due = times.left.map(|left| now + left);
    runtime.spawn(Errand { writer, news, line, ends, due }.carry_out(work));
}

impl Errand {
    /// One that nobody can take back, and whose answer nobody reads.
    pub(crate) fn alone(times: CallTimes) -> Self {
        let (writer, _answer) = OutsideAnswer::begin(16_000, &ServiceWaker::default());
        let (_, news) = watch::channel(());
        let ends = Mutex::new(Instant::now() + times.call);
        Self { writer, news, line: Mutex::default(), ends, due: None }
    }

    async fn carry_out(self, work: impl Work) {
        let end = tokio::select! {
            biased;
            () = self.until_unwanted() => None,
            end = work.run(&self) => Some(end),
        };
        // The request was dropped with the work.
        match end {
            Some(Ok(())) => self.writer.done(),
            Some(Err(reason)) => self.writer.fail(reason),
            None => self.until_closed().await,
        }
    }

    async fn until_unwanted(&self) {
        let mut news = self.news.clone();
        while self.writer.is_wanted() {
            if news.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }

    async fn until_closed(&self) {
        if let Some(life) = self.life() {
            let _known_as_far_as_it_can_be = timeout(CLOSING_MAX, life.over()).await;
        }
    }

    /// Results of the tool calls `ids`, in their order, once the host has given all of them. Its time is not the call's.
    pub(crate) async fn results(&self, ids: &[Arc<str>]) -> Vec<Arc<str>> {
        let (mut news, began) = (self.news.clone(), Instant::now());
        let mut results: Vec<Option<Arc<str>>> = vec![None; ids.len()];
        loop {
            for (id, result) in self.writer.tool_results() {
                // Some servers give two calls one id.
                let fits = |at: &usize| ids[*at] == id && results[*at].is_none();
                if let Some(at) = (0..ids.len()).find(fits) {
                    results[at] = Some(result);
                }
            }
            if results.iter().all(Option::is_some) {
                *self.ends.lock().unwrap_or_else(PoisonError::into_inner) += began.elapsed();
                return results.into_iter().flatten().collect();
            }
            if news.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// When the call has had its time.
    pub(crate) fn ends(&self) -> Instant {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request under way uses `line`.
    pub(crate) fn uses(&self, line: CaptureConnection) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    /// The answer of the request under way was read to its end: its connection is free for others.
    pub(crate) fn has_read_all(&self) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The connection of the request under way.
    pub(crate) fn life(&self) -> Option<ConnectionLife> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        life_of(&line)
    }

    /// `work`, for as long as the call's time lasts and until `by`, where there is such a time.
    ///
    /// # Errors
    /// Which of the two has passed.
    pub(crate) async fn within<T>(
        &self,
        by: Option<Instant>,
        work: impl Future<Output = T>,
    ) -> Result<T, Overdue> {
        let ends = self.ends();
        let first = by.map_or(ends, |by| by.min(ends));
        timeout_at(first, work).await.map_err(|_| if first == ends { Overdue::Call } else { Overdue::Step })
    }
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// This step.
    Step,
    /// The whole call.
    Call,
}

/// The connection that a request has got, if it has one.
pub(crate) fn life_of(line: &CaptureConnection) -> Option<ConnectionLife> {
    let mut extras = Extensions::new();
    line.connection_metadata().as_ref()?.get_extras(&mut extras);
    extras.remove::<ConnectionLife>()
}
