//! Runs recordings through an engine, until each has been heard and every session has closed itself.

use mynah_engine::driver::Deadlines;
use mynah_engine::{Engine, Out, SessionHandle};

use crate::course::{self, Course, TickCost};
use crate::observer::Observer;
use crate::run::feed::Feed;
use mynah_files::failure::Failure;
use mynah_host::clock::Epoch;

/// Whose clock the engine follows.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// A tick ends, the next one begins.
    Virtual,
    /// Each tick waits for its time.
    Wall(Epoch),
}

/// Engine time behind the end of the longest recording after which nobody waits any more: 10 minutes.
const PATIENCE_US: u64 = 600_000_000;

/// Runs until all sessions are closed, or `observer` wants no more. `feeds` are the sessions, in order.
///
/// # Errors
/// A node refuses a recording's format, or sessions are still open 10 minutes after the end of the longest recording.
pub fn drive(
    engine: &mut Engine,
    feeds: &mut [Feed],
    pace: Pace,
    observer: &mut dyn Observer,
) -> Result<(), Failure> {
    let tick = engine.plan().scene.tick;
    let epoch = match pace {
        Pace::Virtual => Epoch::start(),
        Pace::Wall(epoch) => epoch,
    };
    let mut recordings = Recordings {
        end_us: feeds.iter().map(Feed::end_us).max().unwrap_or(0),
        feeds,
        pace,
        // The sessions exist from time 0 on.
        opened: false,
        deadlines: Deadlines::new(0, u64::from(tick.period_ms) * 1_000, tick.catch_up_max),
        failure: None,
    };
    course::run(engine, epoch, &mut recordings, observer);
    recordings.failure.map_or(Ok(()), Err)
}

/// A run of recordings.
struct Recordings<'a> {
    feeds: &'a mut [Feed],
    pace: Pace,
    opened: bool,
    deadlines: Deadlines,
    end_us: u64,
    failure: Option<Failure>,
}

impl Course for Recordings<'_> {
    fn next_us(&mut self) -> u64 {
        if !std::mem::replace(&mut self.opened, true) {
            return 0;
        }
        let due_us = self.deadlines.next_us();
        let now_us = match self.pace {
            Pace::Virtual => due_us,
            Pace::Wall(epoch) => {
                epoch.sleep_until(due_us);
                epoch.now_us().max(due_us)
            }
        };
        self.deadlines.ticked(now_us);
        now_us
    }

    fn feed(&mut self, now_us: u64, _: &mut dyn Observer) {
        self.feeds.iter_mut().for_each(|feed| feed.push_until(now_us));
    }

    fn take(&mut self, engine: &Engine, _: TickCost, observer: &mut dyn Observer) {
        observer.records(engine.records());
        for (index, feed) in self.feeds.iter().enumerate() {
            drain(&feed.handle, index, observer);
            if feed.handle.is_closed() && !feed.is_finished() {
                let name = feed.handle.name();
                let text =
                    "the engine closed the session in the middle of the recording: a node refuses its format";
                self.failure.get_or_insert_with(|| Failure::unable(format_args!("`{name}`: {text}")));
            }
        }
    }

    fn end_us(&self) -> u64 {
        self.end_us
    }

    fn cut(&mut self, now_us: u64) {
        self.feeds.iter_mut().for_each(Feed::cut);
        self.end_us = now_us;
    }

    fn is_over(&mut self, _: &Engine, now_us: u64) -> bool {
        let all_closed = self.feeds.iter().all(|feed| feed.handle.is_closed());
        if !all_closed && self.failure.is_none() && now_us > self.end_us + PATIENCE_US {
            self.failure = Some(too_long(self.feeds));
        }
        all_closed || self.failure.is_some()
    }

    fn name(&self) -> &'static str {
        "recordings"
    }
}

fn drain(handle: &SessionHandle, index: usize, observer: &mut dyn Observer) {
    while let Some(out) = handle.poll() {
        if let Out::Audio(audio) = out {
            observer.audio(index, &audio);
            handle.give_back(audio.block);
        }
    }
}

fn too_long(feeds: &[Feed]) -> Failure {
    let open = feeds.iter().filter(|feed| !feed.handle.is_closed());
    let names: Vec<String> = open.map(|feed| format!("`{}`", feed.handle.name())).collect();
    Failure::unable(format_args!(
        "{}: still open {} minutes of engine time after the end of the recordings; expected every session to close \
         once its answers are given: does a service of the scene never finish?",
        names.join(", "),
        PATIENCE_US / 60_000_000
    ))
}
