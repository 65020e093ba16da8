//! What waits for a client to read: messages ahead of sound, and never lost; sound, which is left out when it is late.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::Status;

use crate::proto::ServerPart;

/// Sound that waits for longer is late, and left out. Its age counts and not its length: a second of sound may come at once
/// where answers are sent far ahead, and who reads gets all of it.
pub(crate) const LATE_AFTER: Duration = Duration::from_millis(200);
/// Most sound that waits, microseconds; then the oldest is left out, however new.
pub(crate) const SOUND_US_MAX: u64 = 10_000_000;
/// Most messages that wait; one more, and the client reads too little to be served.
pub(crate) const MESSAGES_MAX: usize = 256;

/// Messages wait for too long: the stream is to be ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// How far the end of a stream has come.
#[derive(Debug, Default)]
enum End {
    #[default]
    NotYet,
    /// Behind everything that waits.
    Waits(Result<(), Status>),
    Told,
}

/// Sound that waits.
#[derive(Debug)]
struct Sound {
    part: ServerPart,
    us: u32,
    since: Instant,
}

#[derive(Debug, Default)]
struct Waiting {
    ahead: VecDeque<ServerPart>,
    /// Since when the first message waits.
    since: Option<Instant>,
    sound: VecDeque<Sound>,
    sound_us: u64,
    dropped_us: u64,
    /// Goes behind all sound.
    last: Option<ServerPart>,
    end: End,
    reader: Option<Waker>,
    /// The stream was given up, or its end was told.
    gone: bool,
}

/// The end of the task that fills it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    waiting: Arc<Mutex<Waiting>>,
    over: Arc<Notify>,
}

/// The end of the client, polled by its connection while there is room for more.
#[derive(Debug)]
pub(crate) struct Outgoing(Outbox);

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client's end; there is one.
    pub(crate) fn outgoing(&self) -> Outgoing {
        Outgoing(self.clone())
    }

    /// Puts a message behind those that wait, and ahead of sound.
    pub(crate) fn put(&self, part: ServerPart) -> Result<(), Overflow> {
        let mut waiting = self.waiting();
        if waiting.ahead.len() >= MESSAGES_MAX {
            return Err(Overflow);
        }
        waiting.ahead.push_back(part);
        waiting.since.get_or_insert_with(Instant::now);
        waiting.wake();
        Ok(())
    }

    /// Puts the last message of all, behind all sound.
    pub(crate) fn put_last(&self, part: ServerPart) {
        let mut waiting = self.waiting();
        waiting.last = Some(part);
        waiting.wake();
    }

    /// Puts sound of this length behind the sound that waits.
    pub(crate) fn put_sound(&self, part: ServerPart, sound_us: u32) {
        let mut waiting = self.waiting();
        let since = Instant::now();
        waiting.sound.push_back(Sound { part, us: sound_us, since });
        waiting.sound_us += u64::from(sound_us);
        waiting.leave_out(since);
        waiting.wake();
    }

    /// Ends the stream behind what waits. The first end counts.
    pub(crate) fn end(&self, end: Result<(), Status>) {
        let mut waiting = self.waiting();
        if matches!(waiting.end, End::NotYet) {
            waiting.end = End::Waits(end);
        }
        waiting.wake();
    }

    /// Ends the stream in place of what waits.
    pub(crate) fn cut(&self, status: Status) {
        let mut waiting = self.waiting();
        waiting.clear();
        drop(waiting);
        self.end(Err(status));
    }

    /// Sound that was left out so far, microseconds.
    pub(crate) fn dropped_us(&self) -> u64 {
        self.waiting().dropped_us
    }

    /// Since when the first message waits; `None`: none does.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.waiting().since
    }

    /// Ready when nobody reads any more: the client has given up, or was told the end.
    pub(crate) async fn over(&self) {
        loop {
            let told = self.over.notified();
            if self.waiting().gone {
                return;
            }
            told.await;
        }
    }

    fn leave(&self) {
        let mut waiting = self.waiting();
        waiting.gone = true;
        waiting.clear();
        drop(waiting);
        self.over.notify_one();
    }
}

impl Waiting {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Leaves out what is late, or too much.
    fn leave_out(&mut self, now: Instant) {
        while let Some(first) = self.sound.front() {
            if now.duration_since(first.since) <= LATE_AFTER && self.sound_us <= SOUND_US_MAX {
                return;
            }
            let late_us = u64::from(first.us);
            self.sound.pop_front();
            self.sound_us -= late_us;
            self.dropped_us += late_us;
        }
    }

    fn clear(&mut self) {
        self.ahead.clear();
        self.since = None;
        self.dropped_us += std::mem::take(&mut self.sound_us);
        self.sound.clear();
        self.last = None;
    }

    fn next(&mut self) -> Option<ServerPart> {
        if let Some(part) = self.ahead.pop_front() {
            self.since = (!self.ahead.is_empty()).then(Instant::now);
            return Some(part);
        }
        self.leave_out(Instant::now());
        if let Some(Sound { part, us, .. }) = self.sound.pop_front() {
            self.sound_us -= u64::from(us);
            return Some(part);
        }
        self.last.take()
    }
}

impl Stream for Outgoing {
    type Item = Result<ServerPart, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut waiting = self.0.waiting();
        if let Some(part) = waiting.next() {
            return Poll::Ready(Some(Ok(part)));
        }
        match std::mem::replace(&mut waiting.end, End::Told) {
            End::NotYet => {
                waiting.end = End::NotYet;
                waiting.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Waits(Err(status)) => Poll::Ready(Some(Err(status))),
            End::Waits(Ok(())) | End::Told => Poll::Ready(None),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use tokio_stream::StreamExt as _;

    use super::*;
    use crate::proto::{Audio, Note, server_part::Part};

    fn note(json: &str) -> ServerPart {
        let part = Part::Note(Note { kind: "turn".into(), json: json.into() });
        ServerPart { part: Some(part), ..ServerPart::default() }
    }

    fn sound(pts_us: u64) -> ServerPart {
        let part = Part::Audio(Audio { pts_us, ..Audio::default() });
        ServerPart { part: Some(part), ..ServerPart::default() }
    }

    #[tokio::test]
    async fn messages_go_ahead_of_sound_and_the_last_one_behind_it() {
        let outbox = Outbox::default();
        let outgoing = outbox.outgoing();
        outbox.put_sound(sound(0), 20_000);
        outbox.put_last(note("last"));
        outbox.put(note("a")).expect("there is room");
        outbox.put_sound(sound(20_000), 20_000);
        outbox.put(note("b")).expect("there is room");
        outbox.end(Ok(()));
        outbox.end(Err(Status::internal("too late")));
        let read: Vec<ServerPart> = outgoing.map(|part| part.expect("no error")).collect().await;
        assert_eq!(read, [note("a"), note("b"), sound(0), sound(20_000), note("last")]);
        outbox.over().await;
    }

    #[tokio::test(start_paused = true)]
    async fn late_sound_is_left_out_and_counted() {
        let outbox = Outbox::default();
        let mut outgoing = outbox.outgoing();
        for piece in 0..15 {
            outbox.put_sound(sound(piece), 20_000);
            advance(Duration::from_millis(20)).await;
        }
        assert_eq!(outbox.dropped_us(), 80_000, "what is older than 200 ms when the last comes");
        let next = outgoing.next().await.expect("it waits").expect("no error");
        assert_eq!(next, sound(5), "and what is older when it is read");
        drop(outgoing);
        assert_eq!(outbox.dropped_us(), 280_000, "what nobody reads any more is left out, too");
        outbox.over().await;
    }

    #[tokio::test(start_paused = true)]
    async fn sound_that_comes_at_once_is_not_late_and_has_a_bound() {
        let outbox = Outbox::default();
        let mut outgoing = outbox.outgoing();
        for piece in 0..12 {
            outbox.put_sound(sound(piece), 1_000_000);
        }
        assert_eq!(outbox.dropped_us(), 2_000_000);
        assert_eq!(outgoing.next().await.expect("it waits").expect("no error"), sound(2));
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up() {
        let outbox = Outbox::default();
        let mut outgoing = outbox.outgoing();
        assert_eq!(outbox.waits_since(), None);
        for _ in 0..MESSAGES_MAX {
            outbox.put(note("a")).expect("there is room");
        }
        assert!(outbox.waits_since().is_some());
        assert_eq!(outbox.put(note("a")), Err(Overflow));
        outbox.cut(Status::resource_exhausted("control_overflow"));
        let end = outgoing.next().await.expect("there is an end").expect_err("it is an error");
        assert_eq!(end.code(), tonic::Code::ResourceExhausted);
        assert!(outgoing.next().await.is_none());
    }
}
