//! Node kinds: the traits that a kind of node implements, and a configured node as the engine holds it.

use std::sync::Arc;

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;
use bevy_ecs::system::BoxedSystem;
use bevy_ecs::world::EntityWorldMut;
use serde::de::DeserializeOwned;

use crate::base::ids::SessionId;
use crate::media::frame::Frame;
use crate::media::queue::Queue;
use crate::node::context::{NodeContext, ReadyContext};
use crate::node::place::NodePlace;
use crate::node::writer::SegmentWriter;
use crate::scene::{Buffering, Format, Hearing, Issue, NodeCapabilities, NodeSpec, Port, Tick};
use crate::service::reply::Reply;
use crate::speech::cancellation::Cancellation;
use crate::speech::overrides::{GateOverrides, GateSettings};

/// What a node's per-session state is opened with.
#[derive(Clone, Debug)]
pub struct SessionContext {
    /// The session.
    pub session: SessionId,
    /// Its entity.
    pub owner: Entity,
    /// Its name.
    pub name: Arc<str>,
    /// Format of the audio that will arrive at this node.
    pub input: Option<Format>,
    /// Format of the audio that leaves it.
    pub output: Option<Format>,
    /// The engine's seed.
    pub seed: u64,
    /// Whether the scene lets the node lower its quality when a deadline is near.
    pub lowers_quality: bool,
    /// Whether the session's host asked for what a node knows beside its output, such as a gate's probabilities.
    pub traced: bool,
    /// What the session's gate does differently from the scene.
    pub gate: GateOverrides,
}

/// Advice that a node may follow or ignore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The next frame has less time left than the margin.
    DeadlineNear {
        /// Microseconds left; 0 = the deadline has passed.
        left_us: u64,
    },
}

/// A type of node. The value is its configuration as the scene gives it; it is shared by all sessions.
pub trait NodeKind: DeserializeOwned + Send + Sync + Sized + 'static {
    /// Its name in scenes.
    const NAME: &'static str;
    /// What it keeps per session.
    type State: Component<Mutability = Mutable>;

    /// Its input ports; most kinds have one.
    fn inputs(&self) -> &[Port];
    /// Its output ports.
    fn outputs(&self) -> &[Port];
    /// Judges the configuration for the format that arrives, and returns the format that leaves.
    fn check(&self, input: Option<Format>, tick: &Tick, issues: &mut Vec<Issue>) -> Option<Format>;
    /// Defaults, overridable in the scene.
    fn capabilities(&self) -> NodeCapabilities;
    /// How items gather before its service, for kinds whose service works on one batch at a time.
    fn buffering(&self) -> Buffering {
        Buffering::default()
    }
    /// Whether it can give cheaper results when a deadline is near.
    fn lowers_quality(&self) -> bool {
        false
    }
    /// Whether it decides what is speech: it opens segments and gives them their serials, which count up in a session. A
    /// scene has one such node, and `check` refuses a second.
    fn decides_speech(&self) -> bool {
        false
    }
    /// Whether it opens, ends and cancels its segments as the control messages of another engine's gate say, and
    /// decides nothing itself. Frames that wait for such messages may wait for seconds.
    fn follows_sender(&self) -> bool {
        false
    }
    /// The thresholds of its detector. A kind that returns some logs `Event::Probability` for each hop while its
    /// field `trace` is `true`, or [`SessionContext::traced`] is: pages draw these levels, and `--vad-trace` sets
    /// that field.
    fn hearing(&self) -> Option<Hearing> {
        None
    }
    /// Engine time without audio after which no segment that it opened is open, microseconds. `None`: the kind
    /// promises no such time, and no check asks for it.
    fn silence_us(&self) -> Option<u64> {
        None
    }
    /// Whether audio keeps its length and its order: a stream of `n` sample frames leaves as `round(n * rate out /
    /// rate in)`, whatever is done to the values. For a kind that decides what is speech this holds for each of its
    /// segments. Checks count the samples of such kinds.
    fn keeps_length(&self) -> bool {
        false
    }
    /// Whether it mixes the channels of what arrives into one. Such a kind takes a single channel where its field
    /// `channels` names one: users are warned before a run of a recording whose channels cancel each other.
    fn mixes_channels(&self) -> bool {
        false
    }
    /// Most frames a second that it takes of one session, for kinds that are slow on purpose; `None`: no limit.
    fn frames_per_s(&self) -> Option<f64> {
        None
    }
    /// The fields of its configuration that are numbers with a range: `simulate --faults` sets them to the ends of
    /// the range.
    fn numbers(&self) -> &[&'static str] {
        &[]
    }
    /// The effect of its settings in words, as `check` shows it below the scene: rounded durations and the like. The
    /// first line is the summary, the others stand below it.
    fn settled(&self) -> Vec<String> {
        Vec::new()
    }
    /// Whether its text is what the caller said: a recogniser's. Text that a host sends in the caller's name goes where
    /// such text goes.
    fn transcribes(&self) -> bool {
        false
    }
    /// Whether its text answers what the caller said: a language model's. Where a scene has such a node, the engine
    /// remembers the conversation of each session.
    fn replies(&self) -> bool {
        false
    }
    /// Whether it plays recordings that a host sends in place of text; see [`Payload::Clip`](crate::media::Payload).
    fn takes_clips(&self) -> bool {
        false
    }
    /// What a gate is set to, for kinds that [decide](Self::decides_speech) what is speech.
    fn gate_settings(&self) -> Option<GateSettings> {
        None
    }
    /// Judges what a session's host asks of the gate, for kinds that [decide](Self::decides_speech) what is speech.
    ///
    /// # Errors
    /// Names the setting, its value and what would do.
    fn check_overrides(&self, overrides: &GateOverrides) -> Result<(), String> {
        let _unused = overrides;
        Ok(())
    }
    /// Most frames sent per frame taken.
    fn max_out(&self, input: Option<Format>) -> u32;
    /// The service in the scene's `services` that it calls.
    fn service(&self) -> Option<&str> {
        None
    }
    /// Makes the state of one session.
    ///
    /// # Errors
    /// Says why this session's format cannot be handled.
    fn open(&self, context: &SessionContext) -> Result<Self::State, String>;
}

/// A node kind that handles one frame of one session at a time.
pub trait StepNode: NodeKind {
    /// Whether nodes of this kind may call a service. Only the systems of such kinds touch what goes to services and comes
    /// from them.
    const CALLS: bool = false;
    /// Handles one frame. Marks must be passed on (`cx.send`) after the frames that they bound.
    fn step(&self, state: &mut Self::State, frame: Frame, cx: &mut NodeContext<'_>, place: NodePlace);
    /// Drops from the state what a cancellation covers; the queue has been cleared already. A node that does not
    /// support control messages only gets the end of the session.
    fn control(
        &self,
        state: &mut Self::State,
        cancellation: &Cancellation,
        cx: &mut NodeContext<'_>,
        place: NodePlace,
    ) {
        let _unused = (state, cancellation, cx, place);
    }
    /// Whether the state holds anything that a cancellation could cover. If not, and if nothing waits in the queue,
    /// [`StepNode::control`] need not be called.
    fn keeps(&self, state: &Self::State) -> bool {
        let _unused = state;
        true
    }
    /// Handles a reply of the node's service.
    fn reply(&self, state: &mut Self::State, reply: Reply, cx: &mut NodeContext<'_>, place: NodePlace) {
        let _unused = (state, reply, cx, place);
    }
    /// Whether the oldest frame of `queue` may be taken now. While it is `false` that frame and all behind it stay in
    /// the queue, under its bound and policy; asked again every tick.
    fn ready(&self, state: &Self::State, queue: &Queue, look: ReadyContext<'_>) -> bool {
        let _unused = (state, queue, look);
        true
    }
    /// Taken frames that still wait for a service: they count into the queue's depth.
    fn waiting(&self, state: &Self::State) -> u32 {
        let _unused = state;
        0
    }
    /// Handles advice in the tick in which it becomes true, before the frame it is about is taken. Not called for a
    /// node that does not support control messages.
    fn advise(&self, state: &mut Self::State, advice: Advice, cx: &mut NodeContext<'_>, place: NodePlace) {
        let _unused = (state, advice, cx, place);
    }
    /// Passes on a frame that has no time left for an optional node, unchanged and in order with the frames taken
    /// before.
    fn skip(&self, state: &mut Self::State, frame: Frame, cx: &mut NodeContext<'_>, place: NodePlace) {
        let _unused = (state, place);
        cx.send(0, frame);
    }
    /// Engine time from which [`StepNode::wake`] is wanted; `u64::MAX`: never. Asked every tick, so this must only
    /// read a field.
    fn due_us(&self, state: &Self::State) -> u64 {
        let _unused = state;
        u64::MAX
    }
    /// Called once a tick while [`StepNode::due_us`] is not after the tick's time, before frames are taken.
    fn wake(&self, state: &mut Self::State, cx: &mut NodeContext<'_>, place: NodePlace) {
        let _unused = (state, cx, place);
    }
}

/// A node kind that is a plain system over all its lanes, for kernels that batch over sessions.
pub trait SystemNode: NodeKind {
    /// Whether nothing will happen in this state without a frame, a message or a cancellation, not even by time
    /// alone. Where all lanes of a shard are idle, the shard skips ticks.
    fn is_idle(&self, state: &Self::State) -> bool {
        let _unused = state;
        false
    }
    /// Drops from the state what a cancellation covers; the queue has been cleared already. A node that does not
    /// support control messages only gets the end of the session.
    fn control(&self, state: &mut Self::State, cancellation: &Cancellation, cx: &mut NodeContext<'_>) {
        let _unused = (state, cancellation, cx);
    }
    /// Ends the open segment of a session that is over, for kinds that [decide](NodeKind::decides_speech) what is
    /// speech.
    fn hang_up(&self, state: &mut Self::State, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        let _unused = (state, writer);
    }
    /// Builds the system that works off the queues; see [`lane_system`](crate::node::lane_system). In each tick it
    /// runs after the system that cancels, which the engine builds.
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem;
}

/// A configured node as the engine holds it.
pub trait Node: NodeSpec {
    /// See [`NodeKind::gate_settings`].
    fn gate_settings(&self) -> Option<GateSettings>;
    /// See [`NodeKind::check_overrides`].
    ///
    /// # Errors
    /// Names the setting, its value and what would do.
    fn check_overrides(&self, overrides: &GateOverrides) -> Result<(), String>;
    /// Builds the system that runs this node.
    fn install(&self, place: NodePlace, world: &mut World) -> BoxedSystem;
    /// Builds the system that takes what was cancelled out of the node's queues and state.
    fn cancel_system(&self, place: NodePlace, world: &mut World) -> BoxedSystem;
    /// Builds the system that says whether all its lanes are empty and would stay as they are.
    fn idle_check(&self, place: NodePlace, world: &mut World) -> IdleCheck;
    /// Adds one session's state to its queue entity.
    ///
    /// # Errors
    /// Says why this session's format cannot be handled.
    fn open(&self, context: &SessionContext, entity: &mut EntityWorldMut<'_>) -> Result<(), String>;
}

/// A system that says whether all lanes of a node are idle.
pub type IdleCheck = BoxedSystem<(), bool>;
