//! The kinds that scenes may name, and a configured node of any of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::BoxedSystem;
use bevy_ecs::world::EntityWorldMut;
use ron::error::SpannedError;

use crate::base::unwind::caught;
use crate::node::cancel::{cancel_lanes_of, cancel_step};
use crate::node::kind::{IdleCheck, Node, NodeKind, SessionContext, StepNode, SystemNode};
use crate::node::place::NodePlace;
use crate::node::run::{node_idle_check, step_system};
use crate::scene;
use crate::scene::{
    Buffering, BuildConverter, Catalogue, Format, Hearing, Issue, JoinTexts, NodeCapabilities, NodeSpec,
    Port, Tick,
};
use crate::service::api::ServiceKind;
use crate::speech::overrides::{GateOverrides, GateSettings};

type ParseNode = fn(&str) -> Result<Arc<dyn Node>, SpannedError>;

type CheckTransport = fn(&str) -> Result<(), SpannedError>;

type ParseService = Arc<dyn Fn(&str) -> Result<Arc<dyn ServiceKind>, SpannedError> + Send + Sync>;

/// Two registries have something of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTaken {
    /// What it is: `node kind`, `service`, `transport` or `merge strategy`.
    pub what: &'static str,
    /// The name.
    pub name: &'static str,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name } = self;
        write!(f, "a {what} `{name}` exists already; give the one that is added a name of its own")
    }
}

impl Error for NameTaken {}

/// The kinds that scenes may name, added by a host.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, ParseNode>,
    services: BTreeMap<&'static str, ParseService>,
    merges: BTreeMap<&'static str, JoinTexts>,
    transports: BTreeMap<&'static str, CheckTransport>,
    converters: Option<BuildConverter>,
}

impl Registry {
    /// A registry without any kind.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind that handles one frame at a time.
    pub fn add<K: StepNode>(&mut self) -> &mut Self {
        self.kinds.insert(K::NAME, |config| {
            let config = Arc::new(scene::parse_config::<K>(config)?);
            // Where this panics the lane is not idle, and the node's system, which asks the same, knows whose lane it is.
            let is_idle = |kind: &K, state: &K::State| caught(|| kind.due_us(state)) == Ok(u64::MAX);
            Ok(Arc::new(Configured { config, install: step_system::<K>, cancel: cancel_step::<K>, is_idle }))
        });
        self
    }

    /// Adds a kind that is a plain system over its lanes.
    pub fn add_system<K: SystemNode>(&mut self) -> &mut Self {
        self.kinds.insert(K::NAME, |config| {
            let config = Arc::new(scene::parse_config::<K>(config)?);
            Ok(Arc::new(Configured {
                config,
                install: K::system,
                cancel: cancel_lanes_of::<K>,
                is_idle: K::is_idle,
            }))
        });
        self
    }

    /// Adds a kind of service output; `parse` gets its configuration text.
    pub fn add_service(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<Arc<dyn ServiceKind>, SpannedError> + Send + Sync + 'static,
    ) -> &mut Self {
        self.services.insert(name, Arc::new(parse));
        self
    }

    /// Adds a transport that the host knows; `check` gets its configuration text and finds its errors.
    pub fn add_transport(
        &mut self,
        name: &'static str,
        check: fn(&str) -> Result<(), SpannedError>,
    ) -> &mut Self {
        self.transports.insert(name, check);
        self
    }

    /// Sets what makes converters between formats, for sessions that hear in another format than the scene's.
    pub fn set_converters(&mut self, build: BuildConverter) -> &mut Self {
        self.converters = Some(build);
        self
    }

    /// Adds all that `other` has; the factories are shared.
    ///
    /// # Errors
    /// [`NameTaken`]: both have something of the same name; then nothing is added.
    pub fn extend(&mut self, other: &Self) -> Result<&mut Self, NameTaken> {
        let taken = taken("node kind", &self.kinds, &other.kinds)
            .or_else(|| taken("service", &self.services, &other.services))
            .or_else(|| taken("transport", &self.transports, &other.transports))
            .or_else(|| taken("merge strategy", &self.merges, &other.merges));
        if let Some(taken) = taken {
            return Err(taken);
        }
        self.converters = self.converters.or(other.converters);
        self.kinds.extend(&other.kinds);
        self.transports.extend(&other.transports);
        self.services.extend(other.services.iter().map(|(name, parse)| (*name, Arc::clone(parse))));
        self.merges.extend(other.merges.iter().map(|(name, joins)| (*name, Arc::clone(joins))));
        Ok(self)
    }

    /// Adds a way to make one text of several, for `merge: Custom(name: ...)`.
    pub fn add_merge(&mut self, name: &'static str, joins: JoinTexts) -> &mut Self {
        self.merges.insert(name, joins);
        self
    }
}

/// The first name that both have.
fn taken<T>(
    what: &'static str,
    here: &BTreeMap<&'static str, T>,
    there: &BTreeMap<&'static str, T>,
) -> Option<NameTaken> {
    let name = there.keys().copied().find(|name| here.contains_key(name))?;
    Some(NameTaken { what, name })
}

impl Catalogue for Registry {
    type Node = dyn Node;
    type Service = dyn ServiceKind;

    fn kinds(&self) -> Vec<&'static str> {
        self.kinds.keys().copied().collect()
    }
    fn parse_kind(&self, name: &str, config: &str) -> Result<Arc<dyn Node>, SpannedError> {
        (self.kinds[name])(config)
    }
    fn service_outputs(&self) -> Vec<&'static str> {
        self.services.keys().copied().collect()
    }
    fn keeps_timing(&self, service: &dyn ServiceKind) -> bool {
        service.keeps_timing()
    }
    fn merges(&self) -> Vec<&'static str> {
        self.merges.keys().copied().collect()
    }
    fn merge(&self, name: &str) -> Option<JoinTexts> {
        self.merges.get(name).cloned()
    }
    fn converters(&self) -> Option<BuildConverter> {
        self.converters
    }
    fn transports(&self) -> Option<Vec<&'static str>> {
        Some(self.transports.keys().copied().collect())
    }
    fn check_transport(&self, name: &str, config: &str) -> Result<(), SpannedError> {
        (self.transports[name])(config)
    }
    fn parse_service(&self, name: &str, config: &str) -> Result<Arc<dyn ServiceKind>, SpannedError> {
        (self.services[name])(config)
    }
}

type BuildSystem<K> = fn(Arc<K>, NodePlace, &mut World) -> BoxedSystem;

struct Configured<K: NodeKind> {
    config: Arc<K>,
    install: BuildSystem<K>,
    cancel: BuildSystem<K>,
    is_idle: fn(&K, &K::State) -> bool,
}

impl<K: NodeKind> NodeSpec for Configured<K> {
    fn kind(&self) -> &'static str {
        K::NAME
    }
    fn inputs(&self) -> &[Port] {
        self.config.inputs()
    }
    fn outputs(&self) -> &[Port] {
        self.config.outputs()
    }
    fn check(&self, input: Option<Format>, tick: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        self.config.check(input, tick, issues)
    }
    fn capabilities(&self) -> NodeCapabilities {
        self.config.capabilities()
    }
    fn buffering(&self) -> Buffering {
        self.config.buffering()
    }
    fn lowers_quality(&self) -> bool {
        self.config.lowers_quality()
    }
    fn decides_speech(&self) -> bool {
        self.config.decides_speech()
    }
    fn follows_sender(&self) -> bool {
        self.config.follows_sender()
    }
    fn hearing(&self) -> Option<Hearing> {
        self.config.hearing()
    }
    fn silence_us(&self) -> Option<u64> {
        self.config.silence_us()
    }
    fn keeps_length(&self) -> bool {
        self.config.keeps_length()
    }
    fn mixes_channels(&self) -> bool {
        self.config.mixes_channels()
    }
    fn frames_per_s(&self) -> Option<f64> {
        self.config.frames_per_s()
    }
    fn transcribes(&self) -> bool {
        self.config.transcribes()
    }
    fn replies(&self) -> bool {
        self.config.replies()
    }
    fn takes_clips(&self) -> bool {
        self.config.takes_clips()
    }
    fn numbers(&self) -> &[&'static str] {
        self.config.numbers()
    }
    fn settled(&self) -> Vec<String> {
        self.config.settled()
    }
    fn max_out(&self, input: Option<Format>) -> u32 {
        self.config.max_out(input)
    }
    fn service(&self) -> Option<&str> {
        self.config.service()
    }
}

impl<K: NodeKind> Node for Configured<K> {
    fn gate_settings(&self) -> Option<GateSettings> {
        self.config.gate_settings()
    }
    fn check_overrides(&self, overrides: &GateOverrides) -> Result<(), String> {
        self.config.check_overrides(overrides)
    }
    fn install(&self, place: NodePlace, world: &mut World) -> BoxedSystem {
        (self.install)(Arc::clone(&self.config), place, world)
    }
    fn cancel_system(&self, place: NodePlace, world: &mut World) -> BoxedSystem {
        (self.cancel)(Arc::clone(&self.config), place, world)
    }
    fn idle_check(&self, place: NodePlace, world: &mut World) -> IdleCheck {
        let (config, is_idle) = (Arc::clone(&self.config), self.is_idle);
        node_idle_check(place.node, world, move |state| is_idle(&config, state))
    }
    fn open(&self, context: &SessionContext, entity: &mut EntityWorldMut<'_>) -> Result<(), String> {
        entity.insert(self.config.open(context)?);
        Ok(())
    }
}
