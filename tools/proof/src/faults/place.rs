//! The place of one caller: who calls from it, when they come and how they leave.

use std::sync::Arc;

use mynah_engine::scene::Format;
use mynah_engine::{
    EngineHandle, Event, OpenError, Record, ScenePlan, SessionHandle, SessionId, SessionSpec,
};

use super::behind::Behind;
use super::call::Call;
use super::doorway::{Doorway, LAPS, Visit};
use super::host::Heard;
use super::plan::{Dice, Drawn, Hazard};
use super::site::Site;
use super::totals::Totals;
use mynah_load::load::Stream;
use mynah_sim::simulate::Observer;
use mynah_sim::simulate::callers::session_name;

/// Who has left comes again after at most this long.
const AWAY_US: u64 = 3_000_000;
/// Callers leave this often when only the manner of leaving is disturbed: share a second.
const LEAVING: f64 = 0.2;
/// Who comes in the middle of a tick hangs up there this often.
const HANGS_UP: f64 = 0.1;
/// Formats that sessions may be opened with.
const GOOD: [(u32, u8); 6] = [(8_000, 1), (16_000, 1), (22_050, 2), (44_100, 1), (48_000, 1), (48_000, 2)];
/// And some that none may.
const BAD: [(u32, u8); 4] = [(4_000, 1), (200_000, 1), (48_000, 9), (16_000, 0)];

#[derive(Debug)]
enum State {
    /// Nobody calls until then.
    Away(u64),
    /// Somebody comes in during this tick.
    Coming(Box<Visitor>),
    /// A call is under way, with its input open.
    In(Box<Call>),
    /// The input has ended, or the host has hung up or gone.
    Leaving(Box<Call>),
}

/// Somebody for whom a session is opened.
#[derive(Debug)]
struct Visitor {
    told: bool,
    stream: Stream,
    dice: Dice,
    /// The session at the far end, where there is one.
    far: Option<SessionHandle>,
}

/// A place from which one caller after another calls.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    openings: u64,
    /// Which of its two names was used last.
    name: u32,
    state: State,
    dice: Dice,
}

/// What all places share.
pub(super) struct Town<'a> {
    /// The engine's door.
    pub engine: EngineHandle,
    /// Where sessions are opened in the middle of a tick; `None`: none are.
    pub doorway: Option<Doorway>,
    /// The compiled scene.
    pub plan: &'a ScenePlan,
    /// What callers say, by the number of their name.
    pub streams: &'a [Stream],
    /// How many places there are.
    pub places: u32,
    /// Somebody is told what the gate decides.
    pub told: bool,
    /// Nobody comes any more, and who is there ends.
    pub closing: bool,
}

impl Place {
    /// The `number`-th, still empty.
    pub(super) fn new(number: u64, hazard: &mut Hazard<'_>) -> Self {
        let mut dice = Dice::new(hazard.plan.seed, number << 20);
        let mut comes_us = 0;
        if hazard.acts(Site::JoinLate).is_some() {
            hazard.tally.add(Site::JoinLate);
            comes_us = hazard.up_to_us(Site::JoinLate, &mut dice);
        }
        Self { number, openings: 0, name: 0, state: State::Away(comes_us), dice }
    }

    /// Whether nobody is here.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.state, State::Away(_))
    }

    /// Whether the call of the place has a session of this number.
    pub(super) fn has(&self, id: SessionId) -> bool {
        self.call().is_some_and(|call| call.id == id)
    }

    /// The call that is going on.
    pub(super) fn call(&self) -> Option<&Call> {
        match &self.state {
            State::Away(_) | State::Coming(_) => None,
            State::In(call) | State::Leaving(call) => Some(call),
        }
    }

    fn call_mut(&mut self) -> Option<&mut Call> {
        match &mut self.state {
            State::Away(_) | State::Coming(_) => None,
            State::In(call) | State::Leaving(call) => Some(call),
        }
    }

    /// What happens here before a tick: somebody comes, sends, says something or leaves.
    pub(super) fn before(
        &mut self,
        town: &Town<'_>,
        behind: Option<&mut Behind>,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
        observer: &mut dyn Observer,
    ) {
        if let State::Away(until_us) = self.state
            && !town.closing
            && (hazard.now_us >= until_us || hazard.is_over())
        {
            self.come(town, behind, hazard, totals);
        }
        if let Some(call) = self.call_mut() {
            call.carry(hazard, totals);
        }
        match &mut self.state {
            State::In(call) => {
                if !town.closing {
                    call.talk(hazard, totals);
                } else if call.all_has_arrived() {
                    call.finish(observer);
                    self.leaves();
                    return;
                }
            }
            State::Away(_) | State::Coming(_) | State::Leaving(_) => return,
        }
        self.perhaps_leaves(town.plan.scene.tick.period_ms, hazard, observer);
    }

    /// The host gives up on its session.
    pub(super) fn hang_up(&mut self) {
        if let Some(call) = self.call_mut() {
            call.hang_up();
        }
        self.leaves();
    }

    fn leaves(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Away(0)) {
            State::In(call) => State::Leaving(call),
            other => other,
        };
    }

    /// A share of the callers leaves every second.
    fn perhaps_leaves(&mut self, tick_ms: u32, hazard: &mut Hazard<'_>, observer: &mut dyn Observer) {
        let tick_s = f64::from(tick_ms) / 1_000.0;
        let manners = [Site::Rejoin, Site::DropHandle];
        let gone = match hazard.acts(Site::Leave) {
            Some(drawn) => hazard.strikes_with(Site::Leave, drawn.ratio * tick_s, &mut self.dice).is_some(),
            None => {
                hazard.plan.any(&manners)
                    && !hazard.is_over()
                    && self.dice.of(Site::Leave).chance(LEAVING * tick_s)
            }
        };
        if !gone {
            return;
        }
        let vanishes = hazard.strikes(Site::DropHandle, &mut self.dice).is_some();
        let hangs_up = self.dice.of(Site::Leave).chance(0.5);
        if let State::In(call) = &mut self.state {
            match (vanishes, hangs_up) {
                (true, _) => call.vanish(),
                (false, true) => call.hang_up(),
                (false, false) => call.finish(observer),
            }
        }
        self.leaves();
    }

    /// Looks at what the tick did: events of this place's session.
    pub(super) fn after(&mut self, record: &Record, hazard: &mut Hazard<'_>) {
        if !self.has(record.session) {
            return;
        }
        match record.event {
            Event::SessionClosed => {
                if let Some(call) = self.call_mut() {
                    call.closed = true;
                }
                // The engine may let go of a session that nobody has ended.
                self.leaves();
            }
            Event::SegmentOpened { .. } => {
                if let State::In(call) = &mut self.state
                    && hazard.strikes(Site::LeaveInSpeech, &mut self.dice).is_some()
                {
                    call.hang_up();
                    self.leaves();
                }
            }
            _ => {}
        }
    }

    /// The host looks at what came out; `take` sees each thing.
    pub(super) fn listen(
        &mut self,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
        take: impl FnMut(Heard<'_>),
    ) {
        let Some(call) = self.call_mut() else { return };
        call.listen(hazard, totals, take);
    }

    /// If the session is over: the account of the call is closed, and the place is free. Returns the session's number.
    pub(super) fn settle(&mut self, hazard: &mut Hazard<'_>, totals: &mut Totals) -> Option<SessionId> {
        let State::Leaving(call) = &self.state else { return None };
        if !call.closed {
            return None;
        }
        let id = call.id;
        call.settle(totals);
        let again = hazard.strikes(Site::Rejoin, &mut self.dice).is_some();
        let away_us = if again { 0 } else { self.dice.of(Site::Leave).below(AWAY_US) };
        if !again {
            self.name = self.dice.of(Site::Rejoin).below(2) as u32;
        }
        self.state = State::Away(hazard.now_us + away_us);
        Some(id)
    }

    fn come(
        &mut self,
        town: &Town<'_>,
        behind: Option<&mut Behind>,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
    ) {
        let index = self.name * town.places + self.number as u32;
        let name = session_name(index);
        let dice = Dice::new(hazard.plan.seed, self.number << 20 | (self.openings + 1));
        let format = self.format(town, &name, hazard, totals);
        let told = town.told || self.number % 2 == 1;
        let spec = SessionSpec { input: Some(format), controls: told, ..SessionSpec::named(name.clone()) };
        let far = match &behind {
            Some(behind) => match behind.open(&name, format) {
                Ok(far) => Some(far),
                Err(OpenError::NameInUse(_)) => {
                    // The last answers of who called under this name still sound at the far end.
                    self.name = 1 - self.name;
                    return;
                }
                Err(error) => return totals.wrong.push(format!("the far end refuses {name}: {error}")),
            },
            None => None,
        };
        let visitor = Visitor { told, stream: town.streams[index as usize].clone(), dice, far };
        let struck = hazard.strikes(Site::OpenInTick, &mut self.dice).zip(town.doorway.as_ref());
        if let Some((drawn, doorway)) = struck {
            let (visit, visitor) = self.visit(spec, drawn, visitor);
            doorway.awaits(visit);
            self.state = State::Coming(visitor);
            return;
        }
        match town.engine.open(spec) {
            Ok(handle) => {
                let call = self.opened(handle, visitor, town, behind, hazard, totals);
                self.state = State::In(Box::new(call));
            }
            Err(error) => refused(&name, &error, totals),
        }
    }

    /// What a visitor does in the middle of a tick: sends up to a drawn time of audio at once, and may hang up.
    fn visit(&mut self, spec: SessionSpec, drawn: Drawn, mut visitor: Visitor) -> (Visit, Box<Visitor>) {
        let format = spec.input.expect("it is given for every session here");
        let rng = self.dice.of(Site::OpenInTick);
        let us = rng.range_u64(0..drawn.amount_us() + 1);
        let mut mono = vec![0.0; (us * u64::from(format.rate_hz) / 1_000_000) as usize];
        let (lap, hangs_up) = (rng.below(LAPS), rng.chance(HANGS_UP));
        visitor.stream.fill(&mut mono);
        let samples =
            mono.iter().flat_map(|sample| std::iter::repeat_n(*sample, usize::from(format.channels)));
        let samples = samples.collect();
        let place = self.number;
        (Visit { place, lap, spec, samples, hangs_up, opened: None, pushed: None }, Box::new(visitor))
    }

    /// The tick in which somebody came in is over.
    pub(super) fn comes_in(
        &mut self,
        visit: Visit,
        town: &Town<'_>,
        behind: Option<&mut Behind>,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
    ) {
        let name = visit.spec.name;
        let State::Coming(visitor) = std::mem::replace(&mut self.state, State::Away(0)) else { return };
        let handle = match visit.opened {
            Some(Ok(handle)) => handle,
            Some(Err(error)) => return refused(&name, &error, totals),
            None => return totals.wrong.push(format!("{name}: the tick had no step {}", visit.lap)),
        };
        let mut call = self.opened(handle, *visitor, town, behind, hazard, totals);
        match visit.pushed {
            Some(Ok(())) => call.has_pushed(visit.samples.len()),
            other => totals.wrong.push(format!("{name}: what it sends in its first tick: {other:?}")),
        }
        let call = Box::new(call);
        self.state = if visit.hangs_up { State::Leaving(call) } else { State::In(call) };
    }

    /// A session was opened for a visitor.
    fn opened(
        &mut self,
        handle: SessionHandle,
        visitor: Visitor,
        town: &Town<'_>,
        behind: Option<&mut Behind>,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
    ) -> Call {
        let Visitor { told, stream, dice, far } = visitor;
        self.openings += 1;
        totals.opened += 1;
        if let (Some(behind), Some(far)) = (behind, far) {
            behind.connect(&handle, far, hazard);
        }
        Call::new(handle, told, stream, town.plan, dice, hazard, totals)
    }

    /// The format to open with; impossible ones are tried, and must be refused.
    fn format(
        &mut self,
        town: &Town<'_>,
        name: &str,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
    ) -> Format {
        let usual = town.plan.input;
        if hazard.strikes(Site::FormatAtOpen, &mut self.dice).is_none() {
            return usual;
        }
        let rng = self.dice.of(Site::FormatAtOpen);
        let pick = |from: &[(u32, u8)], at: u64| {
            let (rate_hz, channels) = from[at as usize];
            Format { rate_hz, channels }
        };
        let (bad, good) =
            (pick(&BAD, rng.below(BAD.len() as u64)), pick(&GOOD, rng.below(GOOD.len() as u64)));
        let open = |format| town.engine.open(SessionSpec { input: Some(format), ..SessionSpec::named(name) });
        match open(bad) {
            Err(OpenError::Format { .. }) => totals.refused += 1,
            other => totals.wrong.push(format!("{name} opened as {bad:?}: {other:?}")),
        }
        good
    }
}

fn refused(name: &str, error: &OpenError, totals: &mut Totals) {
    totals.refused += 1;
    totals.wrong.push(format!("{name} cannot be opened: {error}"));
}

/// The streams of all names: two for each place.
pub(super) fn streams(places: u32, mut caller: impl FnMut(u64) -> Stream) -> Arc<[Stream]> {
    (0..u64::from(places) * 2).map(&mut caller).collect()
}
