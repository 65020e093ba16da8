//! A client of any protocol: its engine, its clock, and what holds for all that it is sent.

use std::sync::{Arc, OnceLock};

use mynah_dialects::{Dialect, Opened, Output, Refusal};
use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, ScenePlan};
use serde_json::Value;

use crate::operations::tone;

/// A gate, a recogniser, a reply and a voice, all simulated.
const SCENE: &str = include_str!("../../scenes/talk.ron");
/// Engine time between two ticks, microseconds.
pub(super) const TICK_US: u64 = 5_000;
/// Most outputs of one moment: everything that may wait, and its answers.
const OUTPUTS_MAX: usize = 4_000;

/// What a client is sent.
#[derive(Debug)]
pub(super) enum Sent {
    Text(Value),
    Audio(usize),
    Close,
}

/// One client and its engine.
pub(super) struct Client<D> {
    pub(super) engine: Engine,
    pub(super) now_us: u64,
    pub(super) dialect: D,
    /// The next session is refused.
    pub(super) refuses: bool,
    /// The connection was closed.
    pub(super) closed: bool,
    /// A session that is to be found.
    pub(super) resumes: bool,
    opened: u32,
}

impl<D: Dialect> Client<D> {
    pub(super) fn new(dialect: D) -> Self {
        Self::in_scene(plan(), dialect)
    }

    pub(super) fn in_scene(plan: Arc<ScenePlan>, dialect: D) -> Self {
        let config = EngineConfig { shards: Some(1), sessions_max: 2, ..EngineConfig::simulated() };
        let engine = Engine::new(plan, config);
        Self { engine, now_us: 0, dialect, refuses: false, closed: false, resumes: false, opened: 0 }
    }

    /// Everything that the client is to be sent now, in order.
    pub(super) fn poll(&mut self, mut sent: impl FnMut(Sent)) {
        for _ in 0..OUTPUTS_MAX {
            let got = match self.dialect.poll(self.now_us) {
                Output::Open(mut spec) => {
                    self.opened += 1;
                    if spec.name.is_empty() {
                        spec.name = format!("any-{}", self.opened);
                    }
                    let refused = Refusal::new("capacity", "there is no room: try again later");
                    let opened = if self.refuses {
                        Err(refused)
                    } else {
                        let session = self.engine.handle().open(*spec);
                        let opened = |session| Opened {
                            session,
                            scene: "talk".into(),
                            token: Some("t".into()),
                            tap: None,
                        };
                        session.map(opened).map_err(|error| Refusal::new("bad_request", error.to_string()))
                    };
                    self.dialect.opened(self.now_us, opened);
                    continue;
                }
                Output::Resume { .. } => {
                    self.resumes = true;
                    return;
                }
                Output::Text { text, sound_us } => {
                    assert!(sound_us <= 20_000, "{sound_us} us of sound");
                    Sent::Text(serde_json::from_str(text).expect("a message is JSON"))
                }
                Output::Binary { bytes, sound_us } => {
                    assert!(sound_us > 0 && sound_us <= 20_000, "{sound_us} us of sound");
                    Sent::Audio(bytes.len())
                }
                Output::Close(closing) => {
                    assert!(closing.reason.len() <= 123, "{closing:?}");
                    Sent::Close
                }
                Output::Wait { until_us } => {
                    assert!(
                        until_us.is_none_or(|us| us > self.now_us),
                        "a driver would spin at {until_us:?}"
                    );
                    return;
                }
            };
            assert!(!self.closed, "{got:?} behind the end");
            self.closed = matches!(got, Sent::Close);
            sent(got);
        }
        panic!("it never comes to rest");
    }

    pub(super) fn tick(&mut self) {
        self.now_us += TICK_US;
        self.engine.tick(self.now_us);
    }
}

/// The scene, compiled once.
fn plan() -> Arc<ScenePlan> {
    static PLAN: OnceLock<Arc<ScenePlan>> = OnceLock::new();
    Arc::clone(PLAN.get_or_init(|| compiled(SCENE)))
}

/// The same for audio of any rate, compiled once.
pub(super) fn resampling() -> Arc<ScenePlan> {
    static PLAN: OnceLock<Arc<ScenePlan>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let node = "nodes: [\n        (id: \"resample\", kind: Resample(rate_hz: 16000)),";
        let edges = "(\"input\", \"resample\"),\n        (\"resample\", \"gate\")";
        compiled(&SCENE.replace("nodes: [", node).replace("(\"input\", \"gate\")", edges))
    });
    Arc::clone(plan)
}

fn compiled(scene: &str) -> Arc<ScenePlan> {
    let mut registry = mynah_systems::registry(None);
    tone::register(&mut registry);
    let made = compile(&Source::new("talk.ron", scene), &[], None, &registry);
    Arc::new(made.unwrap_or_else(|found| panic!("{found}")).0)
}

/// 16-bit audio of so many milliseconds at 16 kHz: noise that is speech, or nearly none.
pub(super) fn audio(ms: usize, loud: bool) -> Vec<u8> {
    let mut state = 1_u32;
    let level = if loud { 2_u32 } else { 12 };
    let mut bytes = Vec::with_capacity(ms * 32);
    for _ in 0..ms * 16 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&((state >> 16) as i16 >> level).to_le_bytes());
    }
    bytes
}
