//! The observers of a running engine, in any loop: files, progress, metrics, checkers. None of them changes what
//! happens.

use mynah_engine::wire::delivery::OutgoingFigures;
use mynah_engine::{Control, Engine, OutAudio, Record, SessionId};

use crate::report::Report;
use crate::simulate::callers::Line;
use crate::simulate::measure::Measurement;

/// What a tick was, once it is over.
#[derive(Clone, Copy)]
pub struct TickView<'a> {
    /// The engine as the tick left it.
    pub engine: &'a Engine,
    /// The callers, in session order; none where there are none, or another thread has them (wall clock).
    pub lines: &'a [Line],
    /// What the tick took on the wall clock, nanoseconds.
    pub work_ns: u64,
    /// By how much it began after it was due, microseconds; 0 in virtual time.
    pub late_us: u64,
    /// Engine time at which the run began (0 in virtual time).
    pub started_us: u64,
}

/// What is known once a run is over.
#[derive(Clone, Copy)]
pub struct Ending<'a> {
    /// The report of the run.
    pub report: &'a Report,
    /// What it was drawn up from.
    pub measured: &'a Measurement,
}

/// Observes a run. For each tick: the records, the audio, what happened behind a link, then the tick as a whole.
pub trait Observer: Send {
    /// Whether the gates of session number `session` are to log every probability for it.
    fn traces(&self, session: u32) -> bool {
        let _unused = session;
        false
    }
    /// Takes the events of one tick.
    fn records(&mut self, records: &[Record]) {
        let _unused = records;
    }
    /// Takes a block that session number `session` has released.
    fn audio(&mut self, session: usize, audio: &OutAudio) {
        let _unused = (session, audio);
    }
    /// Takes what is said of the speech of session number `session`, where the scene's output goes to another engine.
    fn control(&mut self, session: usize, control: &Control) {
        let _unused = (session, control);
    }
    /// The host of the `generation`-th session of this id has ended its input; all in all it pushed `frames` sample frames
    /// that were not refused. Who hangs up says nothing.
    fn fed(&mut self, session: SessionId, generation: u32, frames: u64) {
        let _unused = (session, generation, frames);
    }
    /// Takes the events of the engine behind a simulated link in one tick.
    fn far_records(&mut self, records: &[Record]) {
        let _unused = records;
    }
    /// Takes a block that the engine behind a simulated link has released for session number `session`.
    fn far_audio(&mut self, session: usize, audio: &OutAudio) {
        let _unused = (session, audio);
    }
    /// A tick is over.
    fn tick(&mut self, view: TickView<'_>) {
        let _unused = view;
    }
    /// At engine time `now_us` something lies between two engines; `figures` adds up, over all sessions, what has become
    /// of the control messages. Comes before the tick is over.
    fn link(&mut self, now_us: u64, figures: &dyn Fn() -> OutgoingFigures) {
        let _unused = (now_us, figures);
    }
    /// The run is over; no tick follows.
    fn over(&mut self, engine: &Engine) {
        let _unused = engine;
    }
    /// Something of `total` is done.
    fn progress(&mut self, what: &'static str, done: u64, total: u64) {
        let _unused = (what, done, total);
    }
    /// False: what is still to come is of no use any more. A run in virtual time ends once one of its observers says so.
    fn wants_more(&self) -> bool {
        true
    }
    /// Asked behind every tick. True: the input ends here, before its time, and the run with what it has shown so far.
    fn interrupts(&mut self) -> bool {
        false
    }
    /// Behind the tick at `now_us` the input has ended, because one of those who observe wanted it.
    fn interrupted(&mut self, now_us: u64) {
        let _unused = now_us;
    }
    /// The report has been drawn up.
    fn reported(&mut self, ending: Ending<'_>) {
        let _unused = ending;
    }
}

/// Several that observe one run, told in this order.
#[derive(Default)]
pub struct Observers<'a>(pub Vec<&'a mut dyn Observer>);

/// Methods that tell each one in turn.
macro_rules! each {
    ($($told:ident($($what:ident: $of:ty),*);)*) => {
        $(fn $told(&mut self, $($what: $of),*) {
            self.0.iter_mut().for_each(|one| one.$told($($what),*));
        })*
    };
}

impl Observer for Observers<'_> {
    each! {
        records(records: &[Record]);
        audio(session: usize, audio: &OutAudio);
        control(session: usize, control: &Control);
        fed(session: SessionId, generation: u32, frames: u64);
        far_records(records: &[Record]);
        far_audio(session: usize, audio: &OutAudio);
        tick(view: TickView<'_>);
        link(now_us: u64, figures: &dyn Fn() -> OutgoingFigures);
        over(engine: &Engine);
        progress(what: &'static str, done: u64, total: u64);
        interrupted(now_us: u64);
        reported(ending: Ending<'_>);
    }

    fn traces(&self, session: u32) -> bool {
        self.0.iter().any(|one| one.traces(session))
    }

    fn wants_more(&self) -> bool {
        self.0.iter().all(|one| one.wants_more())
    }

    fn interrupts(&mut self) -> bool {
        self.0.iter_mut().any(|one| one.interrupts())
    }
}
