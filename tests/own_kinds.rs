//! Kinds of one's own get the reports and the checks of those that come with mynah: what they are, they say themselves.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::BoxedSystem;
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode, SystemNode};
use mynah_engine::scene::{
    Buffering, Format, Hearing, Issue, NodeCapabilities, OverflowPolicy, Override, Port, PortType, Source,
    Tick,
};
use mynah_engine::{Engine, EngineConfig, Event, Frame, Out, Record, ScenePlan, SessionSpec};
use mynah_pages::picture::lane;
use mynah_proof::invariants::Invariants;
use mynah_sim::report::Report;
use mynah_sim::scenes::{self, SHIPPED};
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Observer, Options, Simulation, TickView};
use mynah_systems::vad_gate::{GateLane, VadGate};
use serde::Deserialize;

/// A gate that is none of mynah's kinds. `PROMISED_US`: the silence after which it says that nothing is open; 0: what it
/// does keep.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Doorman<const PROMISED_US: u64>(VadGate);

impl<const PROMISED_US: u64> NodeKind for Doorman<PROMISED_US> {
    const NAME: &'static str = if PROMISED_US == 0 { "Doorman" } else { "HastyDoorman" };
    type State = GateLane;

    fn inputs(&self) -> &[Port] {
        self.0.inputs()
    }
    fn outputs(&self) -> &[Port] {
        self.0.outputs()
    }
    fn check(&self, input: Option<Format>, tick: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        self.0.check(input, tick, issues)
    }
    fn capabilities(&self) -> NodeCapabilities {
        self.0.capabilities()
    }
    fn buffering(&self) -> Buffering {
        self.0.buffering()
    }
    fn decides_speech(&self) -> bool {
        true
    }
    fn hearing(&self) -> Option<Hearing> {
        self.0.hearing()
    }
    fn silence_us(&self) -> Option<u64> {
        if PROMISED_US == 0 { self.0.silence_us() } else { Some(PROMISED_US) }
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn settled(&self) -> Vec<String> {
        self.0.settled()
    }
    fn max_out(&self, input: Option<Format>) -> u32 {
        self.0.max_out(input)
    }
    fn open(&self, context: &SessionContext) -> Result<GateLane, String> {
        self.0.open(context)
    }
}

impl<const PROMISED_US: u64> SystemNode for Doorman<PROMISED_US> {
    fn is_idle(&self, state: &GateLane) -> bool {
        self.0.is_idle(state)
    }
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        Arc::new(self.0).system(place, world)
    }
}

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

/// Takes the last sample off every block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cutter {
    /// Whether it says that it does not.
    denies: bool,
}

#[derive(Component)]
struct Cut;

impl NodeKind for Cutter {
    const NAME: &'static str = "Cutter";
    type State = Cut;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            queue_capacity: 100,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn keeps_length(&self) -> bool {
        self.denies
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, _: &SessionContext) -> Result<Cut, String> {
        Ok(Cut)
    }
}

impl StepNode for Cutter {
    fn step(&self, _: &mut Cut, mut frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        if let Payload::Audio(block) = &mut frame.payload {
            block.set_len(block.len() - 1);
        }
        cx.send(0, frame);
    }
}

fn plan(text: &str, sets: &[Override], script: &Arc<CallerScript>) -> Arc<ScenePlan> {
    let mut registry = scenes::registry(Some(script.clone()));
    registry.add_system::<Doorman<0>>().add_system::<Doorman<200_000>>().add::<Cutter>();
    let compiled = scenes::compile_source(&Source::new("own.ron", text), sets, None, &registry);
    compiled.unwrap_or_else(|failure| panic!("{failure}")).0
}

/// Counts probabilities.
#[derive(Default)]
struct Probabilities(usize);

impl Observer for Probabilities {
    fn records(&mut self, records: &[Record]) {
        self.0 += records.iter().filter(|record| matches!(record.event, Event::Probability { .. })).count();
    }
}

/// The shipped assistant with this kind of gate: its plan, its report, and how many probabilities it told.
fn assistant(kind: &str) -> (Arc<ScenePlan>, Report, usize) {
    let (_, text) = SHIPPED.iter().find(|(name, _)| *name == "voice_assistant").expect("it is shipped");
    let text = text.replace("kind: VadGate(", &format!("kind: {kind}("));
    let script = Arc::new(CallerScript::default());
    let traces = lane::traces(&plan(&text, &[], &script)).expect("a name that can be set");
    let plan = plan(&text, &traces, &script);
    let options = Options { threads: 1, ..Options::in_virtual_time(6, 20_000_000, 1) };
    let mut told = Probabilities::default();
    let simulation = Simulation::new(Arc::clone(&plan), &script, options, &mut told).expect("it fits");
    let report = simulation.run(&mut told);
    (plan, report, told.0)
}

#[test]
fn a_gate_of_ones_own_gets_the_reports_of_the_one_that_comes_with_mynah() {
    let (plan, report, told) = assistant(Doorman::<0>::NAME);
    let (shipped_plan, shipped, shipped_told) = assistant(VadGate::NAME);
    let latency = &report.latency_ms;
    assert!(latency.speech_end_to_response.as_ref().is_some_and(|response| response.quantiles.count > 4));
    let figures = |report: &Report| {
        let parts = (&report.latency_ms, &report.segments, &report.turns, &report.limits);
        serde_json::to_string(&parts).expect("figures are JSON")
    };
    assert_eq!(figures(&report), figures(&shipped), "stages of the response and verdicts of the gate");
    assert_eq!(report.event_hash, shipped.event_hash);
    assert!(told > 1_000, "{told} probabilities were told");
    assert_eq!(told, shipped_told);
    assert_eq!(lane::gates(&plan), lane::gates(&shipped_plan), "levels that the page draws");
    let settled = |plan: &ScenePlan| plan.nodes[plan.node("gate").expect("a gate")].spec.settled();
    assert_eq!(settled(&plan), settled(&shipped_plan), "what `check` says of it");
}

/// Half a second of silence, two of a tone; then a microphone that delivers nothing for as long, and the end.
fn checked(nodes: &str) -> Vec<&'static str> {
    let text = format!(
        "(name: \"own\", session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
          nodes: [{nodes}], edges: [(\"input\", \"own\"), (\"own\", \"output\")])"
    );
    let plan = plan(&text, &[], &Arc::default());
    let mut engine =
        Engine::new(Arc::clone(&plan), EngineConfig { shards: Some(1), ..EngineConfig::simulated() });
    engine.keep_metrics();
    let mut invariants = Invariants::new(&plan);
    let session = engine.handle().open(SessionSpec::named("caller")).expect("there is room");
    let mut pushed = 0;
    for tick in 0..400_u64 {
        if tick < 125 {
            let level = if tick < 25 { 0.000_1 } else { 0.5 };
            let tone: Vec<f32> = (0..320).map(|at| level * (at as f32 * 0.3).sin()).collect();
            session.try_push(&tone).expect("20 ms in 20 ms");
            pushed += tone.len() as u64;
        } else if tick == 250 {
            session.finish();
            invariants.fed(session.id(), session.generation(), pushed);
        }
        engine.tick(tick * 20_000);
        invariants.records(engine.records());
        while let Some(out) = session.poll() {
            if let Out::Audio(audio) = out {
                invariants.audio(0, &audio);
            }
        }
        let (work_ns, late_us, started_us) = (0, 0, 0);
        invariants.tick(TickView { engine: &engine, lines: &[], work_ns, late_us, started_us });
    }
    invariants.finish(&engine);
    invariants.counts().keys().copied().collect()
}

#[test]
fn checks_hold_a_gate_of_ones_own_to_what_it_promises() {
    assert_eq!(checked("(id: \"own\", kind: Doorman(vad: Energy))"), Vec::<&str>::new());
    assert_eq!(checked("(id: \"own\", kind: HastyDoorman(vad: Energy))"), ["silence"]);
}

#[test]
fn checks_count_the_samples_of_a_kind_of_ones_own_that_says_it_keeps_them() {
    assert_eq!(checked("(id: \"own\", kind: Cutter(denies: false))"), Vec::<&str>::new());
    let found = checked("(id: \"own\", kind: Cutter(denies: true))");
    assert!(found.contains(&"streams") && found.contains(&"conservation"), "{found:?}");
}
