//! Opens the sessions of voices whose scene is there.

use std::sync::Arc;

use bevy_asset::{AssetId, Assets};
use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::query::{Has, Without};
use bevy_ecs::system::{Commands, Query, Res, ResMut};
use bevy_time::{Real, Time};
use mynah_engine::SessionSpec;
use mynah_engine::edge::OpenError;
use mynah_engine::speech::History;
use mynah_host::Reader;

use super::engines::{SceneEngine, VoiceEngines};
use super::{embedded, in_frame, own_thread};
use crate::commands::deliver;
use crate::components::{Addressed, Closed, Opened, Outbox, Voice, VoiceInput, VoiceOutput, VoiceSession};
use crate::cost::VoiceCost;
use crate::feed::{Feed, HEARERS_MAX};
use crate::messages::{LineAccepted, VoiceFailed, VoiceOpened};
use crate::reader::Outlet;
use crate::scene::VoiceScene;
use crate::settings::Run;
use crate::tell::announce;

/// Frames for which a session waits until another one with its name is over: that takes a tick.
const NAME_TRIES: u32 = 120;

/// A voice without a session.
type Waiting<'a> =
    (Entity, &'a Voice, Option<&'a VoiceInput>, Option<&'a VoiceOutput>, Has<Addressed>, &'a mut Outbox);

/// One of them. `ears`: whom it hears, and whether it does at once.
struct OneWaiting<'a> {
    npc: Entity,
    voice: &'a Voice,
    ears: Option<(&'a Feed, bool)>,
    output: Option<&'a VoiceOutput>,
}

/// Why a voice has no session.
enum Refusal {
    /// Its name is in use: by one that is being closed, as a rule.
    Name(String),
    For(String),
}

/// Opens a session for each voice that has none, and sends what waited for it.
pub(crate) fn open(
    mut waiting: Query<'_, '_, Waiting<'_>, (Without<VoiceSession>, Without<Closed>)>,
    scenes: Res<'_, Assets<VoiceScene>>,
    time: Res<'_, Time<Real>>,
    cost: Res<'_, VoiceCost>,
    mut engines: ResMut<'_, VoiceEngines>,
    mut commands: Commands<'_, '_>,
) {
    cost.measure(|| {
        let engines = &mut *engines;
        engines.measure_frame(&time);
        for (npc, voice, input, output, addressed, mut outbox) in &mut waiting {
            let Some(scene) = scenes.get(&voice.scene) else { continue };
            let outbox = outbox.bypass_change_detection();
            let ears = input.map(|input| (&input.feed, addressed || !input.when_addressed));
            let one = OneWaiting { npc, voice, ears, output };
            let opened = engine(engines, voice.scene.id(), scene).and_then(|at| {
                let spec = spec(engines, &one, outbox.history.as_deref());
                begin(&engines.list[at], spec, &one)
            });
            match opened {
                Ok(session) => introduce(&mut commands, npc, session, outbox),
                Err(Refusal::Name(_)) if outbox.tries < NAME_TRIES => outbox.tries += 1,
                Err(Refusal::Name(reason) | Refusal::For(reason)) => {
                    outbox.tries = 0;
                    refuse(&mut commands, npc, reason);
                }
            }
        }
    });
}

/// The engine of a scene, which is started if there is none: its place in the list.
fn engine(engines: &mut VoiceEngines, id: AssetId<VoiceScene>, scene: &VoiceScene) -> Result<usize, Refusal> {
    if let Some(at) = engines.of(scene) {
        return Ok(at);
    }
    let plan = Arc::clone(scene.plan());
    let place = match engines.run() {
        Run::OwnThread => own_thread::start(engines, plan),
        Run::InFrame => in_frame::build(engines, plan),
        // It cannot be had anew: a scene that has changed goes on as it was.
        Run::Embedded => match engines.list.first() {
            Some(held) if held.id == id => return Ok(0),
            Some(held) => Err(embedded::second_scene(held.scene.plan(), &plan)),
            None => Err("the world holds no scene yet".into()),
        },
    };
    let place = place.map_err(Refusal::For)?;
    engines.list.push(SceneEngine::new(id, scene.clone(), place));
    Ok(engines.list.len() - 1)
}

/// What the session of a voice is to be.
fn spec(engines: &VoiceEngines, one: &OneWaiting<'_>, history: Option<&History>) -> SessionSpec {
    let OneWaiting { npc, voice, ears, output } = *one;
    let buffer_ms = output.map_or(0, |output| output.buffer_ms);
    let settings = &engines.settings;
    SessionSpec {
        name: voice.name.clone().unwrap_or_else(|| format!("npc {npc}")),
        input: ears.map(|(feed, _)| feed.format()),
        lead_ms: Some(settings.lead.ms(settings.run, engines.frame_ms, buffer_ms)),
        latency_ms: output.map_or(0, |output| output.latency_ms),
        gate: voice.gate,
        interruption: voice.interruption,
        params: voice.params.clone(),
        history: history.unwrap_or(&voice.history).clone(),
        ..SessionSpec::default()
    }
}

/// Opens the session of a voice at its engine.
fn begin(engine: &SceneEngine, spec: SessionSpec, one: &OneWaiting<'_>) -> Result<VoiceSession, Refusal> {
    let session = engine.handle.open(spec).map_err(|refused| match refused {
        OpenError::NameInUse(_) => Refusal::Name(refused.to_string()),
        other => Refusal::For(other.to_string()),
    })?;
    let (audio_in, audio_out, control) =
        session.split().map_err(|refused| Refusal::For(refused.to_string()))?;
    let mut input = None;
    if let Some((feed, hears)) = one.ears {
        let link = feed.join(audio_in, hears);
        let most = format!("{HEARERS_MAX} characters wait for its feed to be pushed into");
        input = Some((feed.clone(), link.ok_or(Refusal::For(most))?));
    }
    let outlet = one
        .output
        .map_or_else(|| Arc::new(Outlet::new(audio_out.format())), |output| Arc::clone(output.outlet()));
    let reader = Reader::new(audio_out, outlet.format());
    outlet.connect(reader.map_err(|bad| Refusal::For(format!("VoiceOutput: the device's format: {bad}")))?);
    Ok(VoiceSession::new(Opened { control, input, outlet, engine: Arc::clone(&engine.in_use) }))
}

/// Puts a session in its place, and sends what waited for it.
fn introduce(commands: &mut Commands<'_, '_>, npc: Entity, mut session: VoiceSession, outbox: &mut Outbox) {
    outbox.tries = 0;
    announce(commands, VoiceOpened { npc });
    for control in outbox.take() {
        match deliver(&mut session, control) {
            Ok(Some((line, text))) => announce(commands, LineAccepted { npc, line, text }),
            Ok(None) => {}
            Err(reason) => announce(commands, VoiceFailed { npc, reason }),
        }
    }
    commands.entity(npc).try_insert(session);
}

fn refuse(commands: &mut Commands<'_, '_>, npc: Entity, reason: String) {
    commands.entity(npc).try_insert(Closed);
    announce(commands, VoiceFailed { npc, reason });
}
