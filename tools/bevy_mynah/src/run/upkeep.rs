//! What is done for open sessions each frame, beside telling.

use std::sync::Arc;

use bevy_asset::{AssetEvent, Assets};
use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::lifecycle::RemovedComponents;
use bevy_ecs::message::MessageReader;
use bevy_ecs::query::{Added, Changed, Has, Or, With};
use bevy_ecs::system::{Commands, Local, Query, Res, ResMut};
use bevy_time::{Real, Time};

use super::engines::{VoiceEngines, now_us};
use crate::components::{Addressed, Closed, Outbox, Voice, VoiceInput, VoiceOutput, VoiceSession};
use crate::cost::VoiceCost;
use crate::scene::VoiceScene;

/// Longest time that is passed unheard at once, microseconds.
const UNHEARD_US: u64 = 1_000_000;

/// A session with what it should be connected to.
type Connected<'a> = (Entity, &'a VoiceSession, Option<&'a VoiceInput>, Option<&'a VoiceOutput>);

type Rewired = Or<(Changed<VoiceInput>, Changed<VoiceOutput>)>;

/// Hangs up where the source or the output is another one, so that the voice is opened anew.
pub(crate) fn reconnect(
    changed: Query<'_, '_, Connected<'_>, Rewired>,
    sessions: Query<'_, '_, (), With<VoiceSession>>,
    mut deaf: RemovedComponents<'_, '_, VoiceInput>,
    mut commands: Commands<'_, '_>,
) {
    for (npc, session, input, output) in &changed {
        let same_input = match (session.input(), input) {
            (Some((feed, _)), Some(input)) => feed.is_same(&input.feed),
            (None, None) => true,
            _ => false,
        };
        let same_output = output.is_none_or(|output| Arc::ptr_eq(output.outlet(), session.outlet()));
        if !(same_input && same_output) {
            commands.entity(npc).try_remove::<VoiceSession>();
        }
    }
    for npc in deaf.read().filter(|npc| sessions.contains(*npc)) {
        commands.entity(npc).try_remove::<VoiceSession>();
    }
}

/// Lets voices try again that could not be opened, or have ended, when they or their scenes have changed.
pub(crate) fn forgive(
    mut changed: Query<'_, '_, (Entity, &mut Outbox, Has<Closed>), Changed<Voice>>,
    closed: Query<'_, '_, (Entity, &Voice), With<Closed>>,
    mut loaded: MessageReader<'_, '_, AssetEvent<VoiceScene>>,
    mut commands: Commands<'_, '_>,
) {
    for (npc, mut outbox, is_closed) in &mut changed {
        // The voice says itself what it goes on with.
        outbox.history = None;
        if is_closed {
            commands.entity(npc).try_remove::<Closed>();
        }
    }
    for event in loaded.read() {
        let (AssetEvent::Added { id } | AssetEvent::Modified { id }) = event else { continue };
        for (npc, _) in closed.iter().filter(|(_, voice)| voice.scene.id() == *id) {
            commands.entity(npc).try_remove::<Closed>();
        }
    }
}

/// Ends engines that nobody needs any more.
pub(crate) fn retire(scenes: Res<'_, Assets<VoiceScene>>, mut engines: ResMut<'_, VoiceEngines>) {
    engines.retire(&scenes);
}

/// A session whose hearing may have changed.
type Redirected = Or<(Added<VoiceSession>, Added<Addressed>, Changed<VoiceInput>)>;

/// Has sources that are heard when addressed heard by those who are. Who stays as he was is not looked at: what a device
/// reads is far away from here.
pub(crate) fn route(
    redirected: Query<'_, '_, (&VoiceSession, &VoiceInput, Has<Addressed>), Redirected>,
    voices: Query<'_, '_, (&VoiceSession, &VoiceInput, Has<Addressed>)>,
    mut left: RemovedComponents<'_, '_, Addressed>,
) {
    let left = left.read().filter_map(|npc| voices.get(npc).ok());
    for (session, input, addressed) in redirected.iter().chain(left) {
        if let Some((_, link)) = session.input() {
            link.set_hears(addressed || !input.when_addressed);
        }
    }
}

/// Reads what nobody else does, so that answers end.
pub(crate) fn pass_unheard(
    mut voices: Query<'_, '_, &mut VoiceSession>,
    time: Res<'_, Time<Real>>,
    cost: Res<'_, VoiceCost>,
    mut scratch: Local<'_, Vec<f32>>,
) {
    cost.measure(|| {
        let to_us = now_us(&time);
        let from_us = to_us.saturating_sub((time.delta().as_micros() as u64).min(UNHEARD_US));
        for mut session in &mut voices {
            let session = session.bypass_change_detection();
            if session.is_read {
                continue;
            }
            let outlet = session.outlet();
            // Counted from the start, so that no fraction of a sample frame is lost.
            let at = |us: u64| us * u64::from(outlet.format().rate_hz) / 1_000_000;
            let frames = (at(to_us) - at(from_us)) as usize;
            session.is_read = !outlet.pass_unheard(frames, &mut scratch);
        }
    });
}
