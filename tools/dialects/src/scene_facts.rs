//! What a dialect must know of a scene to say what a session in it does.

use mynah_engine::ScenePlan;
use mynah_engine::scene::PortType;
use mynah_engine::speech::GateSettings;

/// The facts of a scene that clients are told; a server takes them from its plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SceneFacts {
    /// The scene's name.
    pub name: String,
    /// Whether it uses the audio that comes in.
    pub hears: bool,
    /// Whether audio leaves it.
    pub speaks: bool,
    /// Whether text leaves at its output.
    pub writes: bool,
    /// Whether it answers: what leaves is a reply, not just what was heard.
    pub answers: bool,
    /// Speech of this length withdraws an answer, 100 to 5,000 ms; `None`: no speech does.
    pub interrupt_min_ms: Option<u32>,
    /// Its gate, the first where there are several; `None`: nothing decides what is speech.
    pub gate: Option<GateSettings>,
}

impl SceneFacts {
    /// Those of a compiled scene.
    #[must_use]
    pub fn of(plan: &ScenePlan) -> Self {
        let output = &plan.scene.session.output;
        Self {
            name: plan.scene.name.clone(),
            hears: plan.nodes.iter().any(|node| node.spec.decides_speech() || node.spec.transcribes()),
            speaks: plan.output.audio.is_some(),
            writes: plan.output.kinds.contains(&PortType::Text),
            answers: plan.remembers(),
            interrupt_min_ms: output.interrupt_min_ms,
            gate: plan.nodes.iter().find_map(|node| node.spec.gate_settings()),
        }
    }
}
