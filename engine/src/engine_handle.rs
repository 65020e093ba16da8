//! The handle through which hosts reach an engine.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::base::ids::NAME_BYTES_MAX;
use crate::config::EngineConfig;
use crate::edge::open_sessions::{OpenError, OpenSessions};
use crate::edge::opening::{Opening, Terms};
use crate::edge::params::Params;
use crate::edge::session_handle::SessionHandle;
use crate::edge::session_spec::SessionSpec;
use crate::edge::shard_inbox::Bell;
use crate::edge::voice::Voice;
use crate::node::plan::ScenePlan;
use crate::scene::{CHANNELS, Format, FormatConverter, Pace};
use crate::speech::overrides::Interruption;

/// Longest lead, and longest latency of a device: 10 s.
const AHEAD_MS_MAX: u32 = 10_000;
/// Speech that may interrupt, ms.
const INTERRUPT_MS: RangeInclusive<u32> = 100..=5_000;

/// The part of an engine that its handles share.
pub(crate) struct Shared {
    pub(crate) plan: Arc<ScenePlan>,
    pub(crate) open: Arc<OpenSessions>,
    voice: Arc<Voice>,
    /// For sessions without parameters.
    no_params: Arc<Params>,
}

impl Shared {
    pub(crate) fn new(plan: Arc<ScenePlan>, config: &EngineConfig) -> Arc<Self> {
        let voice = Voice {
            speaks: !plan.said_targets.is_empty(),
            clips: plan.clip_format(),
            build: plan.converters,
        };
        let open = OpenSessions::new(config.placement(), config.sessions_max);
        Arc::new(Self { plan, open, voice: Arc::new(voice), no_params: Arc::default() })
    }
}

/// Opens sessions; may be cloned and sent to any thread.
#[derive(Clone)]
pub struct EngineHandle {
    pub(crate) shared: Arc<Shared>,
}

impl EngineHandle {
    /// Opens a session, which takes audio at once and is admitted by the next tick.
    ///
    /// # Errors
    /// [`OpenError`] names what is wrong and what to do.
    pub fn open(&self, spec: SessionSpec) -> Result<SessionHandle, OpenError> {
        let shared = &*self.shared;
        if spec.name.is_empty() || spec.name.len() > NAME_BYTES_MAX {
            return Err(OpenError::BadName { bytes: spec.name.len() });
        }
        let input = spec.input.unwrap_or(shared.plan.input);
        self.judge(input)?;
        let terms = self.terms(&spec, input)?;
        shared.open.open(&spec, terms)
    }

    /// Judges what the session asks for beside its input.
    fn terms(&self, spec: &SessionSpec, input: Format) -> Result<Terms, OpenError> {
        let plan = &*self.shared.plan;
        let setting = |reason: String| OpenError::Setting { reason };
        for node in &plan.nodes {
            let refused = node.spec.check_overrides(&spec.gate);
            refused.map_err(|reason| setting(format!("node `{}`: {reason}", node.id)))?;
        }
        spec.params.check().map_err(|error| setting(format!("params: {error}")))?;
        for (name, ms) in [("lead_ms", spec.lead_ms.unwrap_or(0)), ("latency_ms", spec.latency_ms)] {
            if ms > AHEAD_MS_MAX {
                return Err(setting(format!(
                    "{name}: {ms} ms is out of range; expected 0 to {AHEAD_MS_MAX} ms"
                )));
            }
        }
        let made = plan.delivered(input);
        let output = spec.output.filter(|_| made.is_some()).or(made);
        Ok(Terms {
            input,
            output,
            lead_us: lead_us(plan, spec),
            voice: Arc::clone(&self.shared.voice),
            opening: Box::new(Opening {
                gate: spec.gate,
                params: if spec.params.is_empty() {
                    Arc::clone(&self.shared.no_params)
                } else {
                    Arc::new(spec.params.clone())
                },
                latency_us: spec.latency_ms * 1_000,
                interrupt_min_us: interrupt_min_us(plan, spec).map_err(setting)?,
                converter: converter(plan, made, output).map_err(setting)?,
            }),
        })
    }

    fn judge(&self, format: Format) -> Result<(), OpenError> {
        let plan = &*self.shared.plan;
        let bad = |reason: String| OpenError::Format { format, reason };
        if !(8_000..=192_000).contains(&format.rate_hz) || !CHANNELS.contains(&format.channels) {
            return Err(bad("expected 8000 to 192000 Hz, 1 to 8 channels".into()));
        }
        for (node, (input, _)) in plan.nodes.iter().zip(plan.formats(format)) {
            let mut issues = Vec::new();
            node.spec.check(input, &plan.scene.tick, &mut issues);
            if let Some(issue) = issues.iter().find(|i| i.severity == crate::scene::Severity::Error) {
                let expected = issue.expected.as_ref().map(|would| format!("; expected {would}"));
                let expected = expected.unwrap_or_default();
                return Err(bad(format!("node `{}`: {}{expected}", node.id, issue.message)));
            }
        }
        Ok(())
    }

    /// The bell that rings when something arrives, for hosts with a loop of their own.
    pub fn bell(&self) -> &Bell {
        &self.shared.open.bell
    }
}

/// How far ahead of the ear answers leave, microseconds; `u32::MAX`: as fast as they are made.
fn lead_us(plan: &ScenePlan, spec: &SessionSpec) -> u32 {
    let scene_ms = match plan.scene.session.output.pace {
        Pace::RealTime { lead_ms } => Some(lead_ms),
        Pace::Burst => None,
    };
    spec.lead_ms.or(scene_ms).map_or(u32::MAX, |ms| ms * 1_000)
}

/// Speech of this length interrupts, microseconds; `u32::MAX`: none does.
fn interrupt_min_us(plan: &ScenePlan, spec: &SessionSpec) -> Result<u32, String> {
    let scene_ms = plan.scene.session.output.interrupt_min_ms;
    match spec.interruption {
        None => Ok(scene_ms.map_or(u32::MAX, |ms| ms * 1_000)),
        Some(Interruption::Never) => Ok(u32::MAX),
        Some(Interruption::AfterMs(_)) if scene_ms.is_none() => Err(
            "interruption: the scene interrupts no answers; expected `session.output.interrupt_min_ms` in the scene"
                .into(),
        ),
        Some(Interruption::AfterMs(ms)) if INTERRUPT_MS.contains(&ms) => Ok(ms * 1_000),
        Some(Interruption::AfterMs(ms)) => {
            let (least, most) = (INTERRUPT_MS.start(), INTERRUPT_MS.end());
            Err(format!("interruption: {ms} ms is out of range; expected {least} to {most} ms"))
        }
    }
}

/// From the format that the scene makes to the one the session wants; `None`: they are the same.
fn converter(
    plan: &ScenePlan,
    made: Option<Format>,
    wanted: Option<Format>,
) -> Result<Option<Box<dyn FormatConverter>>, String> {
    let (Some(from), Some(to)) = (made, wanted) else { return Ok(None) };
    if from == to {
        return Ok(None);
    }
    let Some(build) = plan.converters else {
        return Err(format!(
            "output: the registry has no converters; expected the scene's own format, {from}"
        ));
    };
    build(from, to).map(Some).map_err(|reason| format!("output: {to}: {reason}"))
}
