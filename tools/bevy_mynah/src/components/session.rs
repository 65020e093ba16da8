//! The open session of a voice.

use std::sync::Arc;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::component::Component;
use bevy_ecs::lifecycle::HookContext;
use bevy_ecs::world::DeferredWorld;
use mynah_engine::edge::SessionControl;
use mynah_engine::media::Viseme;
use mynah_engine::speech::History;
use mynah_engine::{Control, ControlError, SessionEvent, SessionId};
use mynah_host::sound::Duck;

use super::outbox::Outbox;
use super::state::VoiceState;
use crate::cost::Totals;
use crate::feed::{Feed, Link};
use crate::lips::Lips;
use crate::reader::Outlet;

/// The duck's steps are microseconds.
const DUCK_HZ: u32 = 1_000_000;
const RISE_MS: f32 = 60.0;
const FALL_MS: f32 = 600.0;

/// The session of a voice, so long as it is open. Removing it hangs up, and the voice is opened anew: that is how a
/// running character takes over a scene that has changed.
#[derive(Component, Debug)]
#[component(on_remove = hang_up)]
pub struct VoiceSession {
    control: SessionControl,
    /// Whom it hears.
    input: Option<(Feed, Arc<Link>)>,
    outlet: Arc<Outlet>,
    /// Somebody has taken the reader.
    pub(crate) is_read: bool,
    duck: Duck,
    lips: Lips,
    /// Its engine is kept so long as this is.
    _engine: Arc<()>,
}

/// What a session is made of.
pub(crate) struct Opened {
    pub(crate) control: SessionControl,
    pub(crate) input: Option<(Feed, Arc<Link>)>,
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) engine: Arc<()>,
}

impl VoiceSession {
    pub(crate) fn new(opened: Opened) -> Self {
        let Opened { control, input, outlet, engine } = opened;
        Self {
            control,
            input,
            outlet,
            is_read: false,
            duck: Duck::new(DUCK_HZ, RISE_MS, FALL_MS),
            lips: Lips::default(),
            _engine: engine,
        }
    }

    /// The session's name.
    pub fn name(&self) -> &str {
        self.control.name()
    }

    /// The session's number in its engine, by which an embedded one finds its entities.
    pub fn id(&self) -> SessionId {
        self.control.id()
    }

    /// What was said and what was heard, to be kept and to go on with later: [`Voice::history`](crate::Voice::history).
    pub fn history(&self) -> Arc<History> {
        self.control.history()
    }

    /// Sends any message at once, and returns its number; what is told of it bears that number.
    ///
    /// # Errors
    /// As the calls of `SessionControl`.
    pub fn send(&mut self, control: Control) -> Result<u64, ControlError> {
        match control {
            // The one message that is prepared on its way.
            Control::Say(line) => self.control.say(line.words.clone(), line.say),
            other => self.control.send(other),
        }
    }

    /// Times that the listener heard a hole in an answer.
    pub fn holes(&self) -> u64 {
        self.outlet.meter().holes()
    }

    /// Pushes that had no room.
    pub fn refused(&self) -> u64 {
        self.input.as_ref().map_or(0, |(_, link)| link.refused())
    }

    pub(crate) fn poll(&mut self) -> Option<SessionEvent> {
        let event = self.control.poll()?;
        self.lips.follow(&event);
        if matches!(event, SessionEvent::AnswerResumed { .. }) {
            self.outlet.meter().note_resumed();
        }
        Some(event)
    }

    /// The shape of the mouth after `us` microseconds in which it `speaks` or does not.
    pub(crate) fn viseme(&mut self, speaks: bool, us: u64) -> Viseme {
        self.lips.viseme(speaks, us)
    }

    pub(crate) fn input(&self) -> Option<&(Feed, Arc<Link>)> {
        self.input.as_ref()
    }

    pub(crate) fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }

    /// How loud it was where it was read last.
    pub(crate) fn level(&self) -> f32 {
        self.outlet.meter().level()
    }

    /// The ducking after `us` microseconds in which it `speaks` or does not.
    pub(crate) fn duck(&mut self, speaks: bool, us: usize) -> f32 {
        self.duck.follow(speaks, us).to
    }
}

fn hang_up(mut world: DeferredWorld<'_>, context: HookContext) {
    let Some(session) = world.get::<VoiceSession>(context.entity) else { return };
    session.control.close();
    let (holes, refused, history) = (session.holes(), session.refused(), session.history());
    if let Some((feed, link)) = &session.input {
        link.leave();
        feed.free();
    }
    if let Some(mut totals) = world.get_resource_mut::<Totals>() {
        totals.holes += holes;
        totals.refused += refused;
    }
    if let Some(mut state) = world.get_mut::<VoiceState>(context.entity) {
        state.set_if_neq(VoiceState::default());
    }
    // The conversation goes on with the next session.
    if let Some(mut outbox) = world.get_mut::<Outbox>(context.entity) {
        outbox.history = Some(history);
    }
}
