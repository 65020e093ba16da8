//! Tells the game what happened in its sessions.

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use bevy_ecs::message::Message;
use bevy_ecs::system::{Commands, Query, Res};
use bevy_ecs::world::World;
use bevy_time::{Real, Time};
use mynah_engine::SessionEvent;
use mynah_engine::edge::CloseReason;

use crate::components::{Closed, VoiceSession, VoiceState};
use crate::cost::VoiceCost;
use crate::messages as told;

/// Writes a message, and triggers it for the observers of the character.
pub(crate) fn announce<M>(commands: &mut Commands<'_, '_>, message: M)
where
    M: Message + Clone + for<'a> EntityEvent<Trigger<'a>: Default>,
{
    commands.queue(move |world: &mut World| {
        world.write_message(message.clone());
        world.trigger(message);
    });
}

/// Tells what happened since the last frame, session by session, and brings the states up to date.
pub(crate) fn tell(
    mut voices: Query<'_, '_, (Entity, &mut VoiceSession, &mut VoiceState)>,
    time: Res<'_, Time<Real>>,
    cost: Res<'_, VoiceCost>,
    mut commands: Commands<'_, '_>,
) {
    cost.measure(|| {
        let us = time.delta().as_micros() as usize;
        for (npc, mut session, mut state) in &mut voices {
            let session = session.bypass_change_detection();
            let mut now = VoiceState { open: true, ..*state };
            while let Some(event) = session.poll() {
                follow(&mut now, &event);
                if let SessionEvent::Closed { reason } = &event {
                    close(&mut commands, npc, reason);
                }
                by_kind(&mut commands, npc, &event);
                announce(&mut commands, told::VoiceEvent { npc, event });
            }
            // Of who is silent nothing is asked: what a device writes is far away from here.
            if now.speaks || now.level > 0.0 {
                now.level = session.level();
            }
            now.duck = session.duck(now.speaks, us);
            now.viseme = session.viseme(now.speaks, us as u64);
            state.set_if_neq(now);
        }
    });
}

/// What an event makes of a voice's state.
fn follow(state: &mut VoiceState, event: &SessionEvent) {
    match event {
        SessionEvent::SpeechConfirmed { .. } | SessionEvent::EndOfSpeechRetracted { .. } => {
            state.hears = true
        }
        SessionEvent::EndOfSpeech { .. } | SessionEvent::SpeechCancelled { .. } => state.hears = false,
        SessionEvent::AnswerStarted { .. } | SessionEvent::AnswerResumed { .. } => state.speaks = true,
        SessionEvent::AnswerPaused { .. }
        | SessionEvent::AnswerInterrupted { .. }
        | SessionEvent::AnswerEnded { .. } => state.speaks = false,
        SessionEvent::Closed { .. } => (state.open, state.hears, state.speaks) = (false, false, false),
        _ => {}
    }
}

/// A session that is over makes way, and is not opened again by itself.
fn close(commands: &mut Commands<'_, '_>, npc: Entity, reason: &CloseReason) {
    commands.entity(npc).try_remove::<VoiceSession>().try_insert(Closed);
    if !matches!(reason, CloseReason::Finished | CloseReason::HungUp) {
        let reason =
            format!("the session has ended: {reason}; it is opened again when `Voice` or its scene changes");
        announce(commands, told::VoiceFailed { npc, reason });
    }
}

/// The message of an event's own kind. What has none is told by [`told::VoiceEvent`] alone.
fn by_kind(commands: &mut Commands<'_, '_>, npc: Entity, event: &SessionEvent) {
    match event.clone() {
        SessionEvent::AnswerStarted { turn, line } => {
            announce(commands, told::AnswerStarted { npc, turn, line })
        }
        SessionEvent::AnswerPaused { turn } => announce(commands, told::AnswerPaused { npc, turn }),
        SessionEvent::AnswerResumed { turn } => announce(commands, told::AnswerResumed { npc, turn }),
        SessionEvent::AnswerInterrupted { turn, heard_us } => {
            announce(commands, told::AnswerInterrupted { npc, turn, heard_us })
        }
        SessionEvent::AnswerEnded { turn, heard_us } => {
            announce(commands, told::AnswerEnded { npc, turn, heard_us })
        }
        SessionEvent::Line { turn, text, from_us, until_us } => {
            announce(commands, told::Line { npc, turn, text, from_us, until_us })
        }
        SessionEvent::Spoken { turn, from_us, times } => {
            announce(commands, told::Spoken { npc, turn, from_us, times })
        }
        SessionEvent::LineDropped { line, reason } => {
            announce(commands, told::LineDropped { npc, line, reason })
        }
        SessionEvent::ToolCall(call) => announce(commands, told::ToolCalled { npc, call }),
        SessionEvent::ReplyRequested { request, turn, segment, revision, text } => {
            announce(commands, told::ReplyRequested { npc, request, turn, segment, revision, text })
        }
        SessionEvent::ReplyCancelled { request } => announce(commands, told::ReplyCancelled { npc, request }),
        SessionEvent::ServiceFailed { turn, service, reason } => {
            announce(commands, told::ServiceFailed { npc, turn, service, reason })
        }
        SessionEvent::Applied { message_id } => announce(commands, told::CommandApplied { npc, message_id }),
        SessionEvent::Closed { reason } => announce(commands, told::VoiceClosed { npc, reason }),
        other => of_speech(commands, npc, other),
    }
}

/// What is heard of the player.
fn of_speech(commands: &mut Commands<'_, '_>, npc: Entity, event: SessionEvent) {
    match event {
        SessionEvent::SpeechStarted { segment, from_us } => {
            announce(commands, told::SpeechStarted { npc, segment, from_us })
        }
        SessionEvent::SpeechConfirmed { segment, turn, from_us, to_us } => {
            announce(commands, told::SpeechConfirmed { npc, segment, turn, from_us, to_us })
        }
        SessionEvent::SpeechCancelled { segment, reason, from_us, to_us, late } => {
            announce(commands, told::SpeechCancelled { npc, segment, reason, from_us, to_us, late })
        }
        SessionEvent::EndOfSpeech { segment, revision, at_us, last } => {
            announce(commands, told::SpeechEnded { npc, segment, revision, at_us, last })
        }
        SessionEvent::EndOfSpeechRetracted { segment, revision, at_us } => {
            announce(commands, told::SpeechEndRetracted { npc, segment, revision, at_us })
        }
        SessionEvent::PartialTranscript { segment, text } => {
            announce(commands, told::PartialTranscript { npc, segment, text })
        }
        SessionEvent::Transcript { segment, revision, turn, text, last } => {
            announce(commands, told::Transcript { npc, segment, revision, turn, text, last })
        }
        _ => {}
    }
}
