//! The course of a faulted run: callers who come and go, the engine, the hosts who read; first with faults, then
//! without, then without callers.

use std::sync::Arc;

use cpu_time::ProcessTime;
use mynah_engine::base::NodeStrikes;
use mynah_engine::observe::Census;
use mynah_engine::workers::NoThreads;
use mynah_engine::{Engine, EngineConfig, Event, ScenePlan, SessionId};

use super::behind::Behind;
use super::doorway::Doorway;
use super::fingerprint::{Fingerprint, Seen};
use super::host::Heard;
use super::place::{Place, Town};
use super::plan::{Dice, FaultPlan, Hazard};
use super::services;
use super::site::{Site, Tally};
use super::totals::Totals;
use mynah_load::load::Stream;
use mynah_sim::clock::Epoch;
use mynah_sim::course::{self, Course, TickCost};
use mynah_sim::observer::Observer;
use mynah_sim::simulate::balance::imbalances_inside;

/// Stream of the dice that belong to nobody.
const STREAM: u64 = 1 << 42;

/// All that a run is made of.
pub(super) struct Setting {
    /// The scene, with the faults of this run in it.
    pub plan: Arc<ScenePlan>,
    /// The scene behind its link.
    pub far: Option<Arc<ScenePlan>>,
    /// What was drawn.
    pub faults: FaultPlan,
    /// How often services went wrong, and what they heard.
    pub watch: services::Watch,
    /// What callers say, two names for each place.
    pub streams: Arc<[Stream]>,
    /// Callers at once.
    pub sessions: u32,
    /// Until when they talk.
    pub duration_us: u64,
    /// Queues that were made small.
    pub capped: u64,
    /// Numbers that were set to an end of their range.
    pub numbers: u64,
    /// Ticks that draining may take.
    pub drain_ticks_max: u64,
    /// Threads of the engines.
    pub threads: usize,
    /// Shards of the engines.
    pub shards: Option<u32>,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Ticks in all.
    pub ticks: u64,
    /// When it was interrupted, microseconds: then it was not drained, and nothing is said about that.
    pub cut_us: Option<u64>,
    /// Ticks from the end of the input until nothing was left; `None`: something was.
    pub drained_after_ticks: Option<u64>,
    /// Strikes by site.
    pub tally: Tally,
    /// Calls and pushes.
    pub totals: Totals,
    /// Events of the first engine.
    pub seen: Seen,
    /// Blocks that came into the first engine and left it.
    pub frames: (u64, u64),
    /// What does not hold.
    pub violations: Vec<String>,
    /// Hash of everything.
    pub event_hash: String,
    /// CPU time of the process, seconds.
    pub cpu_s: f64,
}

struct Run<'a> {
    setting: &'a Setting,
    town: Town<'a>,
    places: Vec<Place>,
    behind: Option<Behind>,
    dice: Dice,
    tally: Tally,
    totals: Totals,
    seen: Seen,
    print: Fingerprint,
    now_us: u64,
    ticks: u64,
    cut_us: Option<u64>,
    /// Ticks until the input had ended.
    ended_ticks: Option<u64>,
    /// Ticks from there until nothing was left.
    drained_after_ticks: Option<u64>,
}

/// The engine of a run, and the one behind its link.
pub(super) struct Engines {
    near: Engine,
    behind: Option<Behind>,
}

impl Engines {
    /// Both with nobody in them.
    ///
    /// # Errors
    /// The operating system refuses their threads.
    pub(super) fn start(setting: &Setting) -> Result<Self, NoThreads> {
        let config = EngineConfig {
            threads: setting.threads,
            shards: setting.shards.or(setting.plan.scene.tick.shards),
            sessions_max: setting.sessions,
            seed: setting.faults.seed,
            ..EngineConfig::simulated()
        };
        let mut near = Engine::try_new(Arc::clone(&setting.plan), config)?;
        if let Some(drawn) = setting.faults.on(Site::NodePanics) {
            let (seed, until_us) = (setting.faults.seed, setting.faults.heal_us);
            near.strike_nodes(NodeStrikes { seed, ratio: drawn.ratio, until_us });
        }
        let link = mynah_sim::transport::LinkedScene::of(&setting.plan).zip(setting.far.clone());
        let behind = link.map(|(link, far)| Behind::new(link, far, config)).transpose()?;
        Ok(Self { near, behind })
    }

    /// Breaks both engines.
    #[cfg(feature = "mutations")]
    pub(super) fn mutate(&mut self, mutation: mynah_engine::base::Mutation) {
        self.near.mutate(mutation);
        if let Some(behind) = &mut self.behind {
            behind.engine.mutate(mutation);
        }
    }
}

/// Runs one plan to its end.
pub(super) fn run(setting: &Setting, engines: Engines, observer: &mut dyn Observer) -> Outcome {
    let began = ProcessTime::now();
    let Engines { near: mut engine, behind } = engines;
    let (mut tally, faults) = (Tally::default(), &setting.faults);
    let mut hazard = Hazard { plan: faults, now_us: 0, tally: &mut tally };
    let places = (0..u64::from(setting.sessions)).map(|number| Place::new(number, &mut hazard)).collect();
    let doorway = faults.on(Site::OpenInTick).map(|_| Doorway::of(&mut engine));
    let town = Town {
        engine: engine.handle(),
        doorway,
        plan: &setting.plan,
        streams: &setting.streams,
        places: setting.sessions,
        told: behind.is_some(),
        closing: false,
    };
    let (totals, seen, print) = (Totals::default(), Seen::default(), Fingerprint::default());
    let dice = Dice::new(faults.seed, STREAM);
    let mut run = Run {
        setting,
        town,
        places,
        behind,
        dice,
        tally,
        totals,
        seen,
        print,
        now_us: 0,
        ticks: 0,
        cut_us: None,
        ended_ticks: None,
        drained_after_ticks: None,
    };
    engine.within(|engine| {
        course::run(engine, Epoch::start(), &mut run, observer);
        if run.cut_us.is_none() {
            observer.over(engine);
        }
        run.conclude(engine, began.elapsed().as_secs_f64())
    })
}

impl Course for Run<'_> {
    fn next_us(&mut self) -> u64 {
        let Self { setting, dice, tally, now_us, .. } = self;
        let mut hazard = Hazard { plan: &setting.faults, now_us: *now_us, tally };
        if hazard.strikes(Site::TickOverrun, dice).is_some() {
            *now_us += hazard.up_to_us(Site::TickOverrun, dice);
        }
        *now_us += u64::from(setting.plan.scene.tick.period_ms) * 1_000;
        self.ticks += 1;
        *now_us
    }

    fn feed(&mut self, now_us: u64, observer: &mut dyn Observer) {
        let Self { setting, town, places, behind, tally, totals, .. } = self;
        let mut hazard = Hazard { plan: &setting.faults, now_us, tally };
        for place in places.iter_mut() {
            place.before(town, behind.as_mut(), &mut hazard, totals, observer);
        }
        if let Some(doorway) = &town.doorway {
            doorway.begins();
        }
    }

    fn take(&mut self, engine: &Engine, _: TickCost, observer: &mut dyn Observer) {
        let Self { setting, town, places, behind, tally, totals, seen, print, now_us, .. } = self;
        let mut hazard = Hazard { plan: &setting.faults, now_us: *now_us, tally };
        for record in engine.records() {
            seen.event(record);
            print.event(record);
            if matches!(record.event, Event::SessionFailed { .. }) {
                hazard.tally.add(Site::NodePanics);
            }
            places.iter_mut().for_each(|place| place.after(record, &mut hazard));
        }
        observer.records(engine.records());
        for place in places.iter_mut() {
            let Some(id) = place.call().map(|call| call.id) else { continue };
            let mut holds = true;
            place.listen(&mut hazard, totals, |heard| {
                let out = match heard {
                    Heard::Out(out) => out,
                    Heard::Sound(samples) => return print.samples(samples),
                };
                if let mynah_engine::Out::Audio(audio) = out {
                    print.audio(audio);
                    observer.audio(id.0 as usize, audio);
                }
                if let Some(behind) = behind.as_mut() {
                    holds &= behind.take(*now_us, id, out);
                }
            });
            if !holds {
                totals.links_overflowed += 1;
                place.hang_up();
            }
        }
        if let Some(behind) = behind.as_mut() {
            behind.tick(engine.records(), &mut hazard, print, observer);
        }
        for place in places.iter_mut() {
            let over: Option<SessionId> = place.settle(&mut hazard, totals);
            if let (Some(behind), Some(id)) = (behind.as_mut(), over) {
                behind.gone(id);
            }
        }
        // They live from the next tick on. What this one did and said under their numbers was of those who had these
        // before: a number is free again before the end of the tick that closes its session.
        for visit in town.doorway.iter().flat_map(Doorway::leaves) {
            places[visit.place as usize].comes_in(visit, town, behind.as_mut(), &mut hazard, totals);
        }
    }

    fn end_us(&self) -> u64 {
        self.setting.duration_us
    }

    fn cut(&mut self, now_us: u64) {
        self.cut_us = Some(now_us);
    }

    /// First callers talk, then all of them end, and then nothing may be left within so many ticks.
    fn is_over(&mut self, engine: &Engine, now_us: u64) -> bool {
        if self.cut_us.is_some() || now_us < self.setting.duration_us {
            return self.cut_us.is_some();
        }
        let Some(ended_ticks) = self.ended_ticks else {
            self.town.closing = true;
            self.ended_ticks = Some(self.ticks);
            return false;
        };
        let ticks = self.ticks - ended_ticks;
        self.drained_after_ticks = self.is_drained(engine).then_some(ticks);
        self.drained_after_ticks.is_some() || ticks > self.setting.drain_ticks_max
    }
}

impl Run<'_> {
    /// Whether nothing is left, here and behind the link.
    fn is_drained(&self, engine: &Engine) -> bool {
        self.places.iter().all(Place::is_empty)
            && self.behind.as_ref().is_none_or(Behind::is_empty)
            && self.engines(engine).all(|(_, engine)| is_idle(engine))
    }

    fn engines<'e>(&'e self, engine: &'e Engine) -> impl Iterator<Item = (&'static str, &'e Engine)> {
        let far = self.behind.as_ref().map(|behind| ("the far end", &behind.engine));
        std::iter::once(("the engine", engine)).chain(far)
    }

    /// What left the engine and did not come to any host, in words.
    fn unaccounted(&self, engine: &Engine) -> Option<String> {
        let Totals { samples, beside, unheard, .. } = self.totals;
        let mut census = Census::default();
        let out = engine.census(&mut census).nodes.last().map_or(0, |output| output.samples_out);
        let all_is_known = self.drained_after_ticks.is_some() && !unheard;
        (all_is_known && out != samples + beside).then(|| {
            format!(
                "{out} samples left; hosts were given {samples}, and {beside} were withdrawn or left unread"
            )
        })
    }

    /// What services heard of and what did not end once, in words.
    fn endless(&self) -> Vec<String> {
        let endings = &self.setting.watch.endings;
        let mut wrong: Vec<String> =
            endings.wrong().iter().map(|wrong| format!("endings: {wrong}")).collect();
        let (sessions, segments, calls) = endings.open();
        if self.drained_after_ticks.is_some() && sessions + segments + calls > 0 {
            wrong.push(format!("endings: {sessions} sessions, {segments} segments, {calls} calls are open"));
        }
        wrong
    }

    fn conclude(mut self, engine: &Engine, cpu_s: f64) -> Outcome {
        let drained_after_ticks = self.drained_after_ticks;
        services::count(&self.setting.watch, &mut self.tally);
        self.tally.add_many(Site::QueueCapacity, self.setting.capped);
        self.tally.add_many(Site::Numbers, self.setting.numbers);
        let mut violations = std::mem::take(&mut self.totals.wrong);
        if let Some(behind) = &mut self.behind {
            violations.append(&mut behind.broken);
        }
        violations.extend(self.unaccounted(engine));
        violations.extend(self.endless());
        for (name, engine) in self.engines(engine) {
            violations.extend(imbalances_inside(engine).into_iter().map(|wrong| format!("{name}: {wrong}")));
            if drained_after_ticks.is_none() && self.cut_us.is_none() {
                violations.push(left(name, engine, self.setting.drain_ticks_max));
            }
        }
        if drained_after_ticks.is_some() && self.seen.open() > 0 {
            violations.push(format!("{} segments were opened and never closed", self.seen.open()));
        }
        let mut census = Census::default();
        let census = engine.census(&mut census);
        let taken = census.edge.frames;
        if drained_after_ticks.is_some() && taken > self.totals.pushed.frames {
            violations
                .push(format!("edge: {} sample frames pushed, {taken} taken", self.totals.pushed.frames));
        }
        let out = census.nodes.last().map_or(0, mynah_engine::record::NodeCounts::created_all);
        Outcome {
            ticks: self.ticks,
            cut_us: self.cut_us,
            drained_after_ticks,
            tally: self.tally,
            totals: self.totals,
            seen: self.seen,
            frames: (census.edge.blocks, out),
            violations,
            event_hash: self.print.hex(),
            cpu_s,
        }
    }
}

/// Whether nothing is under way in an engine. Cheap first: the queues are looked at only when the rest is quiet.
fn is_idle(engine: &Engine) -> bool {
    if engine.hub().next_due_us().is_some() {
        return false;
    }
    let mut census = Census::default();
    let census = engine.census(&mut census);
    census.sessions_open == 0
        && census.segments_active == 0
        && engine.queued(&mut Vec::new()).iter().all(|queued| *queued == 0)
}

/// What is still there, in words.
fn left(name: &str, engine: &Engine, ticks: u64) -> String {
    let (mut census, mut queued) = (Census::default(), Vec::new());
    let census = engine.census(&mut census);
    let queued: Vec<String> = engine
        .queued(&mut queued)
        .iter()
        .enumerate()
        .filter(|(_, queued)| **queued > 0)
        .map(|(at, queued)| {
            let node = engine.plan().nodes.get(at).map_or("output", |node| &node.id);
            format!("{queued} frames at {node}")
        })
        .collect();
    format!(
        "{name} is not drained {ticks} ticks after the end of the input: {} sessions open, {} segments, {}{}",
        census.sessions_open,
        census.segments_active,
        if queued.is_empty() { "queues empty".into() } else { queued.join(", ") },
        if engine.hub().next_due_us().is_some() { ", a service has work" } else { "" }
    )
}
