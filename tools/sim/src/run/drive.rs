//! Ticks an engine until every recording has been heard and every session has closed itself.

use mynah_engine::driver::Deadlines;
use mynah_engine::{Engine, Out, Record, SessionHandle};

use crate::clock::Epoch;
use crate::run::feed::Feed;
use mynah_files::failure::Failure;

/// Whose clock the engine follows.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// A tick ends, the next one begins.
    Virtual,
    /// Each tick waits for its time.
    Wall(Epoch),
}

/// Who looks at what comes out.
pub trait Listener {
    /// What happened in a tick.
    ///
    /// # Errors
    /// It cannot be kept: the run ends.
    fn records(&mut self, records: &[Record]) -> Result<(), Failure>;
    /// Something left session `index`. Blocks are given back behind this call.
    fn out(&mut self, index: usize, out: &Out);
    /// The tick is over.
    ///
    /// # Errors
    /// See [`Self::records`].
    fn ticked(&mut self, now_us: u64) -> Result<(), Failure> {
        let _unused = now_us;
        Ok(())
    }
    /// A tick is over; the recordings end at `end_us` of engine time.
    fn tick(&mut self, engine: &Engine, end_us: u64) {
        let _unused = (engine, end_us);
    }
    /// Asked behind every tick. True: the recordings end here, before their time.
    fn interrupts(&mut self) -> bool {
        false
    }
    /// Behind the tick at `now_us` they have ended, because the listener wanted it.
    ///
    /// # Errors
    /// See [`Self::records`].
    fn interrupted(&mut self, now_us: u64) -> Result<(), Failure> {
        let _unused = now_us;
        Ok(())
    }
}

/// Engine time behind the end of the longest recording after which nobody waits any more: 10 minutes.
const PATIENCE_US: u64 = 600_000_000;

/// Runs until all sessions are closed; returns the engine time of the last tick. `feeds` are the sessions, in order.
///
/// # Errors
/// The listener's, or that sessions are still open 10 minutes after the end of the longest recording.
pub fn drive(
    engine: &mut Engine,
    feeds: &mut [Feed],
    pace: Pace,
    listener: &mut dyn Listener,
) -> Result<u64, Failure> {
    let tick = engine.plan().scene.tick;
    let mut deadlines = Deadlines::new(0, u64::from(tick.period_ms) * 1_000, tick.catch_up_max);
    let mut end_us = feeds.iter().map(Feed::end_us).max().unwrap_or(0);
    // The sessions exist from time 0 on.
    step(engine, feeds, 0, listener)?;
    loop {
        let due_us = deadlines.next_us();
        let now_us = match pace {
            Pace::Virtual => due_us,
            Pace::Wall(epoch) => {
                epoch.sleep_until(due_us);
                epoch.now_us().max(due_us)
            }
        };
        deadlines.ticked(now_us);
        step(engine, feeds, now_us, listener)?;
        listener.tick(engine, end_us);
        if now_us < end_us && listener.interrupts() {
            listener.interrupted(now_us)?;
            feeds.iter_mut().for_each(Feed::cut);
            end_us = now_us;
        }
        if feeds.iter().all(|feed| feed.handle.is_closed()) {
            return Ok(now_us);
        }
        if now_us > end_us + PATIENCE_US {
            return Err(too_long(feeds));
        }
    }
}

fn step(
    engine: &mut Engine,
    feeds: &mut [Feed],
    now_us: u64,
    listener: &mut dyn Listener,
) -> Result<(), Failure> {
    for feed in &mut *feeds {
        feed.push_until(now_us);
    }
    engine.tick(now_us);
    listener.records(engine.records())?;
    for (index, feed) in feeds.iter().enumerate() {
        drain(&feed.handle, |out| listener.out(index, out));
        if feed.handle.is_closed() && !feed.is_finished() {
            let name = feed.handle.name();
            let text =
                "the engine closed the session in the middle of the recording: a node refuses its format";
            return Err(Failure::unable(format_args!("`{name}`: {text}")));
        }
    }
    listener.ticked(now_us)
}

fn drain(handle: &SessionHandle, mut take: impl FnMut(&Out)) {
    while let Some(out) = handle.poll() {
        take(&out);
        if let Out::Audio(audio) = out {
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
