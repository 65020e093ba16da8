//! An engine and what its host has of it: the drive, the sessions, the events that wait.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use mynah_engine::edge::MEDIA_US_MAX;
use mynah_engine::scene::{Override, Rendering, Source, compile};
use mynah_engine::service::TimeMode;
use mynah_engine::{Engine, EngineConfig, EngineHandle, ScenePlan, SessionSpec};
use mynah_host::{AfterTick, Runner, RunnerError, RunnerOptions};

use crate::config::{
    Config, LogFn, MYNAH_DRIVE_REAL, MYNAH_DRIVE_THREAD, MYNAH_DRIVE_VIRTUAL, MYNAH_LOG_ERROR,
    MYNAH_LOG_WARNING,
};
use crate::event::{Arena, Event};
use crate::sessions::{ControlEnd, SESSIONS, busy, close_session, locked, taken};
use crate::status::{
    Done, Fault, MYNAH_BAD_DRIVE, MYNAH_BAD_SCENE, MYNAH_BAD_SETTING, MYNAH_ENDED, MYNAH_NO_ROOM,
    MYNAH_UNAVAILABLE,
};
use crate::told::Told;

/// An engine as its host has it.
pub(crate) struct Host {
    door: EngineHandle,
    plan: Arc<ScenePlan>,
    drive: Mutex<Drive>,
    /// Whether the host has ticked: time begins with 0.
    has_ticked: AtomicBool,
    /// Engine time of the last tick.
    now_us: AtomicU64,
    told: Mutex<Told>,
    fetched: Mutex<Arena>,
    log: Log,
}

/// Who ticks.
enum Drive {
    /// The host.
    Caller(Box<Engine>),
    /// A thread.
    Thread(Runner),
    /// Nobody any more.
    Stopped,
}

/// Whom to tell what is no event.
#[derive(Clone, Copy)]
struct Log {
    call: LogFn,
    user: usize,
}

impl Log {
    fn say(self, level: i32, text: &str) {
        let Some(call) = self.call else { return };
        let text: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
        if let Ok(text) = CString::new(text) {
            // SAFETY: the host gave the function for such calls, and its own pointer with it.
            unsafe { call(std::ptr::with_exposed_provenance_mut(self.user), level, text.as_ptr()) };
        }
    }
}

/// Latest engine time: 142 years.
const TIME_MAX_US: u64 = MEDIA_US_MAX;
/// Longest step: an hour.
const STEP_MAX_US: u64 = 3_600_000_000;

fn within_time(now_us: u64) -> Done {
    if now_us <= TIME_MAX_US {
        return Ok(());
    }
    Err(Fault::argument(format!("engine time is {now_us} us; expected at most {TIME_MAX_US}")))
}

/// Refuses a number out of its range.
fn within(name: &str, value: u32, least: u32, most: u32) -> Done {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Fault::argument(format!("mynah_config.{name} is {value}; expected {least} to {most}")))
}

fn overrides(settings: &str) -> Done<Vec<Override>> {
    let lines = settings.lines().map(str::trim).filter(|line| !line.is_empty());
    let parsed = lines.map(|line| {
        let refused =
            |error| Fault::new(MYNAH_BAD_SCENE, format!("mynah_config.settings: `{line}`: {error}"));
        Override::parse(line).map_err(refused)
    });
    parsed.collect()
}

impl Host {
    /// Compiles the scene and starts it.
    pub(crate) fn open(config: &Config, name: &str, scene: &str, settings: &str) -> Done<Arc<Self>> {
        within("sessions_max", config.sessions_max, 1, 1_000_000)?;
        within("threads", config.threads, 1, 256)?;
        within("events_max", config.events_max, 64, 1 << 20)?;
        let time = match config.drive {
            MYNAH_DRIVE_REAL | MYNAH_DRIVE_THREAD => TimeMode::Wall,
            MYNAH_DRIVE_VIRTUAL => TimeMode::Virtual,
            other => {
                return Err(Fault::argument(format!("mynah_config.drive is {other}; expected 0, 1 or 2")));
            }
        };
        let log = Log { call: config.log, user: config.log_user.expose_provenance() };
        build_in();
        let (source, sets) = (Source::new(name, scene), overrides(settings)?);
        let compiled = compile(&source, &sets, None, &mynah_systems::registry(None));
        let (plan, warnings) = compiled.map_err(|found| Fault::new(MYNAH_BAD_SCENE, found.to_string()))?;
        for warning in &warnings {
            log.say(MYNAH_LOG_WARNING, &warning.render(Rendering::Plain));
        }
        let plan = Arc::new(plan);
        let (threads, sessions_max) = (config.threads as usize, config.sessions_max);
        let engine = EngineConfig { threads, shards: None, sessions_max, seed: config.seed, time };
        let events_max = config.events_max as usize;
        let make = |door: EngineHandle, drive: Drive| Self {
            door,
            plan: Arc::clone(&plan),
            drive: Mutex::new(drive),
            has_ticked: AtomicBool::new(false),
            now_us: AtomicU64::new(0),
            told: Mutex::new(Told::new(events_max)),
            fetched: Mutex::default(),
            log,
        };
        if config.drive == MYNAH_DRIVE_THREAD {
            return Self::threaded(&plan, engine, make);
        }
        let engine = Engine::try_new(Arc::clone(&plan), engine);
        let engine = engine.map_err(|refused| Fault::new(MYNAH_UNAVAILABLE, refused.to_string()))?;
        Ok(Arc::new(make(engine.handle(), Drive::Caller(Box::new(engine)))))
    }

    /// An engine with a thread of its own, which collects the events after each tick.
    fn threaded(
        plan: &Arc<ScenePlan>,
        config: EngineConfig,
        make: impl FnOnce(EngineHandle, Drive) -> Self,
    ) -> Done<Arc<Self>> {
        // The thread begins before there is anything for it to find.
        let found: Arc<Mutex<Weak<Self>>> = Arc::default();
        let of_thread = Arc::clone(&found);
        let after_tick = AfterTick::new(move |now_us| {
            let host = locked(&of_thread).upgrade();
            if let Some(host) = host {
                host.collect(now_us);
            }
        });
        let options = RunnerOptions { after_tick: Some(after_tick), ..RunnerOptions::default() };
        let runner = Runner::spawn(Arc::clone(plan), config, options);
        let runner = runner.map_err(|error: RunnerError| Fault::new(MYNAH_UNAVAILABLE, error.to_string()))?;
        let host = Arc::new(make(runner.handle().clone(), Drive::Thread(runner)));
        *locked(&found) = Arc::downgrade(&host);
        Ok(host)
    }

    /// Ticks.
    pub(crate) fn tick(&self, now_us: u64) -> Done {
        within_time(now_us)?;
        let mut drive = taken(&self.drive).map_err(|_| busy("engine"))?;
        self.tick_at(caller(&mut drive)?, now_us);
        Ok(())
    }

    /// Ticks at every period of the scene before `until_us`, then at `until_us` with what `arrive` pushes.
    pub(crate) fn step(&self, until_us: u64, arrive: impl FnOnce()) -> Done {
        within_time(until_us)?;
        let mut drive = taken(&self.drive).map_err(|_| busy("engine"))?;
        let engine = caller(&mut drive)?;
        let period_us = u64::from(self.plan.scene.tick.period_ms) * 1_000;
        let first_us = if self.has_ticked.load(Ordering::Acquire) {
            engine.now_us().saturating_add(period_us)
        } else {
            0
        };
        if until_us.saturating_sub(first_us) > STEP_MAX_US {
            let now_us = engine.now_us();
            return Err(Fault::argument(format!(
                "until_us is {until_us}, and engine time {now_us}: expected a step of an hour at most; time begins with 0"
            )));
        }
        for now_us in (first_us..until_us).step_by(period_us as usize) {
            self.tick_at(engine, now_us);
        }
        arrive();
        self.tick_at(engine, until_us);
        Ok(())
    }

    fn tick_at(&self, engine: &mut Engine, now_us: u64) {
        engine.tick(now_us);
        self.has_ticked.store(true, Ordering::Release);
        self.collect(engine.now_us());
    }

    /// Engine time of the last tick, microseconds.
    pub(crate) fn now_us(&self) -> u64 {
        self.now_us.load(Ordering::Acquire)
    }

    /// Takes what sessions have to tell since the last tick.
    fn collect(&self, now_us: u64) {
        self.now_us.store(now_us, Ordering::Release);
        locked(&self.told).collect(now_us);
    }

    /// Of an engine whose thread is over nobody else takes the last words of its sessions.
    fn collect_last_words(&self) {
        if let Ok(drive) = taken(&self.drive)
            && let Drive::Thread(runner) = &*drive
            && !runner.is_running()
        {
            self.collect(self.now_us());
        }
    }

    /// Writes the oldest events that wait, at most as many as `out` has room for; returns how many.
    pub(crate) fn events(&self, out: &mut [std::mem::MaybeUninit<Event>]) -> Done<usize> {
        let mut arena = taken(&self.fetched).map_err(|_| busy("engine"))?;
        arena.clear();
        self.collect_last_words();
        let mut told = locked(&self.told);
        let count = told.waiting.len().min(out.len());
        told.waiting.drain(..count).for_each(|event| arena.lay_out(event));
        drop(told);
        for (to, event) in out.iter_mut().zip(arena.events()) {
            to.write(*event);
        }
        Ok(count)
    }

    /// Opens a session, splits it, and puts it into the table; returns its handle. `engine`: that of this host.
    pub(crate) fn open_session(&self, engine: usize, spec: SessionSpec, user: usize) -> Done<usize> {
        use mynah_engine::OpenError;
        let opened = self.door.open(spec).map_err(|error| {
            let status = match error {
                OpenError::NameInUse(_) | OpenError::EngineFull { .. } => MYNAH_NO_ROOM,
                OpenError::EngineGone => MYNAH_ENDED,
                _ => MYNAH_BAD_SETTING,
            };
            Fault::new(status, error.to_string())
        })?;
        let (input, output, control) =
            opened.split().map_err(|error| Fault::new(MYNAH_BAD_SETTING, error.to_string()))?;
        let full = || Fault::new(MYNAH_NO_ROOM, "the process has as many sessions as the library can name");
        let (key, place) = SESSIONS.take().ok_or_else(full)?;
        place.thing.input.with_soon(|place| *place = Some(input));
        place.thing.output.with_soon(|place| *place = Some(output));
        *locked(&place.thing.control) = Some(ControlEnd { control, user, engine });
        place.publish(key);
        let handle = SESSIONS.handle(key);
        if !locked(&self.told).add(handle) {
            close_session(handle);
            return Err(Fault::new(MYNAH_ENDED, "the engine is being closed"));
        }
        Ok(handle)
    }

    /// Forgets a session that is closed, and what it has told.
    pub(crate) fn forget(&self, session: usize) {
        locked(&self.told).forget(session);
    }

    /// Ends the sessions and the thread.
    pub(crate) fn shut(&self) {
        let sessions = locked(&self.told).end();
        for session in sessions {
            close_session(session);
        }
        let drive = std::mem::replace(&mut *locked(&self.drive), Drive::Stopped);
        if let Drive::Thread(runner) = drive
            && let Err(panicked) = runner.stop()
        {
            self.log.say(MYNAH_LOG_ERROR, &panicked.to_string());
        }
    }
}

fn caller(drive: &mut Drive) -> Done<&mut Engine> {
    match drive {
        Drive::Caller(engine) => Ok(engine),
        Drive::Thread(_) => Err(Fault::new(
            MYNAH_BAD_DRIVE,
            "the engine ticks on its own thread; open it with MYNAH_DRIVE_REAL or MYNAH_DRIVE_VIRTUAL to tick it",
        )),
        Drive::Stopped => Err(Fault::new(MYNAH_ENDED, "the engine is being closed")),
    }
}

/// Gives scenes the recogniser that is part of the library.
fn build_in() {
    #[cfg(feature = "moonshine")]
    mynah_systems::moonshine::build_in(
        include_bytes!("../../mynah/models/moonshine_tiny_en/moonshine_tiny_en.u8"),
        include_bytes!("../../mynah/models/moonshine_tiny_en/tokenizer.bin"),
    );
}
