//! What the game has a character do.

use std::sync::Arc;

use bevy_ecs::entity::Entity;
use bevy_ecs::system::EntityCommands;
use bevy_ecs::world::World;
use mynah_engine::edge::{Line, Words};
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::{Control, Params, Say};

use crate::components::{Closed, Outbox, Voice, VoiceSession};
use crate::messages::{LineAccepted, VoiceFailed};

/// Commands for a character with a [`Voice`]. Before its session is open they wait, 32 at most. What cannot be done comes
/// back as [`VoiceFailed`].
pub trait VoiceCommands {
    /// Speaks a line, a text by the scene's voice or a clip: a turn of its own, for which nobody need have spoken.
    /// [`LineAccepted`] tells its number. The scene needs an edge from `said`.
    fn say(&mut self, words: impl Into<Words>, say: Say) -> &mut Self;

    /// Withdraws what sounds or is to be answered.
    fn interrupt(&mut self, mode: InterruptMode) -> &mut Self;

    /// Answers a [`ReplyRequested`](crate::ReplyRequested), in one part or in many; `last`: nothing follows.
    fn reply_to(&mut self, request: u64, text: impl Into<Arc<str>>, last: bool) -> &mut Self;

    /// Sets who decides what is speech. For push to talk: [`GateMode::Shut`] at rest, [`GateMode::Open`] while the key is
    /// down.
    fn gate(&mut self, mode: GateMode) -> &mut Self;

    /// Sends what the player typed: answered like speech.
    fn send_text(&mut self, text: impl Into<Arc<str>>) -> &mut Self;

    /// Answers a [`ToolCalled`](crate::ToolCalled), by the number it bears.
    fn tool_result(&mut self, call_id: impl Into<Arc<str>>, result: impl Into<Arc<str>>) -> &mut Self;

    /// Changes parameters of the session; a value of `null` removes one.
    fn set_params(&mut self, params: Params) -> &mut Self;

    /// Sends any message.
    fn control(&mut self, control: Control) -> &mut Self;
}

impl VoiceCommands for EntityCommands<'_> {
    fn say(&mut self, words: impl Into<Words>, say: Say) -> &mut Self {
        self.control(Control::Say(Arc::new(Line { words: words.into(), say })))
    }

    fn interrupt(&mut self, mode: InterruptMode) -> &mut Self {
        self.control(Control::Interrupt { mode })
    }

    fn reply_to(&mut self, request: u64, text: impl Into<Arc<str>>, last: bool) -> &mut Self {
        self.control(Control::ReplyTo { request, text: text.into(), last })
    }

    fn gate(&mut self, mode: GateMode) -> &mut Self {
        self.control(Control::Gate { mode })
    }

    fn send_text(&mut self, text: impl Into<Arc<str>>) -> &mut Self {
        self.control(Control::SendText { text: text.into() })
    }

    fn tool_result(&mut self, call_id: impl Into<Arc<str>>, result: impl Into<Arc<str>>) -> &mut Self {
        self.control(Control::ToolResult { call_id: call_id.into(), result: result.into() })
    }

    fn set_params(&mut self, params: Params) -> &mut Self {
        self.control(Control::Set { params: Arc::new(params) })
    }

    fn control(&mut self, control: Control) -> &mut Self {
        let npc = self.id();
        // Not a command of the entity: one that is gone is told, and no error of the game's.
        self.commands().queue(move |world: &mut World| send(world, npc, control));
        self
    }
}

/// Sends a message to the session of `npc`, or keeps it until there is one.
fn send(world: &mut World, npc: Entity, control: Control) {
    let Ok(mut entity) = world.get_entity_mut(npc) else {
        return fail(world, npc, "the entity is gone: check that it is there before commanding it");
    };
    if let Some(mut session) = entity.get_mut::<VoiceSession>() {
        let sent = deliver(&mut session, control);
        return told(world, npc, sent);
    }
    if !entity.contains::<Voice>() {
        return fail(world, npc, "the entity has no `Voice`: insert one");
    }
    if entity.contains::<Closed>() {
        return fail(
            world,
            npc,
            "the session has ended or could not be opened: see the `VoiceFailed` before this",
        );
    }
    let kept = entity.get_mut::<Outbox>().is_some_and(|mut outbox| outbox.keep(control));
    if !kept {
        fail(world, npc, "too many commands wait for the session to open: wait for `VoiceOpened`");
    }
}

/// Sends a message; a line that was accepted is its number and text.
pub(crate) fn deliver(
    session: &mut VoiceSession,
    control: Control,
) -> Result<Option<(u64, Arc<str>)>, String> {
    let text = if let Control::Say(line) = &control { Some(Arc::clone(line.words.text())) } else { None };
    let number = session.send(control).map_err(|refused| refused.to_string())?;
    Ok(text.map(|text| (number, text)))
}

fn told(world: &mut World, npc: Entity, sent: Result<Option<(u64, Arc<str>)>, String>) {
    match sent {
        Ok(Some((line, text))) => {
            let accepted = LineAccepted { npc, line, text };
            world.write_message(accepted.clone());
            world.trigger(accepted);
        }
        Ok(None) => {}
        Err(reason) => fail(world, npc, &reason),
    }
}

fn fail(world: &mut World, npc: Entity, reason: &str) {
    let failed = VoiceFailed { npc, reason: reason.to_owned() };
    world.write_message(failed.clone());
    world.trigger(failed);
}
