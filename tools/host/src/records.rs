//! The events of a runner's ticks, for one reader on any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use crossbeam::sync::{Parker, Unparker};
use mynah_engine::Record;

/// What both ends share. Written by the tick's thread alone, which never waits for the reader.
#[derive(Debug)]
struct Ring {
    waiting: ArrayQueue<Record>,
    lost: AtomicU64,
    over: AtomicBool,
}

/// The events of all ticks, in their order: by tick, within a tick by session id, within a session as they happened. Up
/// to a bound they wait for the reader; then the oldest are lost, and [counted](Self::lost).
#[derive(Debug)]
pub struct Records {
    ring: Arc<Ring>,
    parker: Parker,
}

impl Records {
    /// The next event; `None`: there is none yet, or none any more.
    pub fn poll(&self) -> Option<Record> {
        self.ring.waiting.pop()
    }

    /// The next event, waited for as long as `timeout` or until the runner stops. `None` may come sooner, when events
    /// came that are taken already.
    pub fn wait(&self, timeout: Duration) -> Option<Record> {
        let next = self.poll();
        if next.is_some() || self.ring.over.load(Ordering::Acquire) {
            // What came before the end came before this was seen.
            return next.or_else(|| self.poll());
        }
        self.parker.park_timeout(timeout);
        self.poll()
    }

    /// Events that were lost because the reader was so far behind.
    pub fn lost(&self) -> u64 {
        self.ring.lost.load(Ordering::Acquire)
    }

    /// Whether the runner has stopped and every event was taken.
    pub fn is_over(&self) -> bool {
        self.ring.over.load(Ordering::Acquire) && self.ring.waiting.is_empty()
    }
}

/// The other end of [`Records`], on the tick's thread; when it is dropped the reader learns that no more come.
#[derive(Debug)]
pub(crate) struct RecordSink {
    ring: Arc<Ring>,
    reader: Unparker,
}

impl RecordSink {
    /// Takes the events of a tick.
    pub(crate) fn take(&self, records: &[Record]) {
        let mut lost = 0;
        for record in records {
            lost += u64::from(self.ring.waiting.force_push(record.clone()).is_some());
        }
        if lost > 0 {
            self.ring.lost.fetch_add(lost, Ordering::AcqRel);
        }
        if !records.is_empty() {
            self.reader.unpark();
        }
    }
}

impl Drop for RecordSink {
    fn drop(&mut self) {
        self.ring.over.store(true, Ordering::Release);
        self.reader.unpark();
    }
}

/// Both ends, with room for `bound` events, at least one.
pub(crate) fn records(bound: usize) -> (RecordSink, Records) {
    let waiting = ArrayQueue::new(bound.max(1));
    let ring = Arc::new(Ring { waiting, lost: AtomicU64::new(0), over: AtomicBool::new(false) });
    let parker = Parker::new();
    let sink = RecordSink { ring: Arc::clone(&ring), reader: parker.unparker().clone() };
    (sink, Records { ring, parker })
}

#[cfg(test)]
mod tests {
    use mynah_engine::{Event, SessionId};

    use super::*;

    fn record(t_us: u64) -> Record {
        Record::new(t_us, SessionId(0), 0, Event::SessionClosed)
    }

    fn times(records: &Records) -> Vec<u64> {
        std::iter::from_fn(|| records.poll()).map(|record| record.t_us).collect()
    }

    #[test]
    fn the_oldest_are_lost_beyond_the_bound_and_counted() {
        let (sink, records) = records(3);
        sink.take(&[1, 2].map(record));
        assert_eq!((times(&records), records.lost()), (vec![1, 2], 0));
        sink.take(&[3, 4, 5, 6, 7].map(record));
        assert_eq!((records.lost(), times(&records)), (2, vec![5, 6, 7]));
        assert!(!records.is_over());
        sink.take(&[8].map(record));
        drop(sink);
        assert!(!records.is_over(), "one is left");
        assert_eq!(records.wait(Duration::from_secs(60)).map(|record| record.t_us), Some(8));
        assert_eq!(records.wait(Duration::from_secs(60)), None, "nobody waits for what cannot come");
        assert!(records.is_over());
    }
}
