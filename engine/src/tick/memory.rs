//! What sessions remember: feeds their conversations with the tick's events, captions and asides, and shows hosts what is
//! committed. A part of `Stage::Settle`.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::base::ids::{NodeId, SessionId};
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::node::plan::ScenePlan;
use crate::record::aside::Aside;
use crate::record::event::{Event, EventLog, Record};
use crate::session::components::{HostLink, Phase, Session};
use crate::session::conversation::Conversation;
use crate::session::index::SessionIndex;
use crate::session::settling::Unheard;
use crate::speech::heard::Heard;
use crate::speech::history::HistoryEntry;
use crate::speech::playout::Playout;
use crate::tick::resources::ShardConfig;

/// The components of a session that settle its answers.
pub(super) type Listeners = (&'static Session, &'static Phase, &'static HostLink, &'static Playout);

/// The conversations of a shard, and what they are fed with.
#[derive(SystemParam)]
pub(crate) struct Memory<'w, 's> {
    now: Res<'w, Now>,
    index: Res<'w, SessionIndex>,
    config: Res<'w, ShardConfig>,
    log: ResMut<'w, EventLog>,
    conversations: Query<'w, 's, &'static mut Conversation>,
    /// Sessions of whose conversation something was said in this tick; the storage is kept.
    touched: Local<'s, Vec<Entity>>,
}

impl Memory<'_, '_> {
    /// Takes in what was said in this tick. What the user said becomes part of the history, as far as its end holds.
    pub(crate) fn listen(&mut self) {
        if !self.log.remembers() {
            return;
        }
        let Self { now, index, config, log, conversations, touched } = self;
        let log = &mut **log;
        let mut with = |session: SessionId, what: &mut dyn FnMut(&mut Conversation)| {
            let Some(entity) = index.entity(session) else { return };
            let Ok(mut conversation) = conversations.get_mut(entity) else { return };
            what(&mut conversation);
            if touched.last() != Some(&entity) && !touched.contains(&entity) {
                touched.push(entity);
            }
        };
        for record in log.records.iter().filter(|record| concerns(&record.event)) {
            with(record.session, &mut |conversation| event(conversation, record, &config.plan, now));
        }
        for caption in &log.captions {
            with(caption.session, &mut |conversation| {
                if !caption.text.is_empty() {
                    conversation.speaks(caption.origin, &caption.text, caption.from_us, caption.until_us);
                }
                conversation.times(caption.origin, &caption.times);
            });
        }
        for (session, aside) in log.asides.drain(..) {
            with(session, &mut |conversation| match &aside {
                Aside::Typed { segment, turn, text } => conversation.typed(*segment, *turn, text),
                Aside::ToolResult { call_id, result } => conversation.tool_result(call_id, result),
                Aside::Written { origin, text } => conversation.writes(*origin, text),
                Aside::Cut { origin, made_us, is_all } => conversation.is_cut(*origin, *made_us, *is_all),
            });
        }
        for entity in touched.iter() {
            if let Ok(mut conversation) = conversations.get_mut(*entity) {
                conversation.commit_spoken();
            }
        }
    }

    /// An answer is settled: what was heard of it becomes part of the history. Returns these words.
    pub(crate) fn settle(&mut self, unheard: &Unheard, heard: &Heard) -> Arc<str> {
        let Ok(mut conversation) = self.conversations.get_mut(unheard.owner) else { return "".into() };
        if !self.touched.contains(&unheard.owner) {
            self.touched.push(unheard.owner);
        }
        let origin = (unheard.segment.serial, unheard.revision);
        let words_of_all = self.now.is_broken(Mutation::RememberUnheard);
        let us = if words_of_all { u64::MAX } else { heard.us };
        conversation.settle(origin, unheard.turn, us, heard.whole)
    }

    /// Shows the hosts what has become part of their sessions' histories.
    pub(crate) fn publish(&mut self, sessions: &Query<'_, '_, Listeners>) {
        for entity in self.touched.drain(..) {
            let Ok(mut conversation) = self.conversations.get_mut(entity) else { continue };
            if let (Some(history), Ok((.., link, _))) = (conversation.changed(), sessions.get(entity)) {
                link.port.history.store(Some(Arc::clone(history)));
            }
        }
    }
}

/// Whether conversations are about such an event.
fn concerns(event: &Event) -> bool {
    matches!(
        event,
        Event::Text { .. }
            | Event::ServiceDone { .. }
            | Event::ServiceFailed { .. }
            | Event::SegmentCancelled { .. }
            | Event::EndpointRetracted { .. }
            | Event::SegmentEnded { .. }
            | Event::ToolCall { .. }
    )
}

fn event(conversation: &mut Conversation, record: &Record, plan: &ScenePlan, now: &Now) {
    let turn = record.turn;
    let transcribes = |node: NodeId| plan.nodes.get(node.index()).is_some_and(|node| node.spec.transcribes());
    let calls = |node: NodeId| plan.nodes.get(node.index()).is_some_and(|node| node.service.is_some());
    match record.event {
        Event::Text { node, segment, revision: revision @ 1.., ref text } if transcribes(node) => {
            conversation.hears((segment, revision), turn, node, text);
            if !calls(node) {
                conversation.is_heard((segment, revision), node);
            }
        }
        Event::ServiceDone { node, segment, revision: revision @ 1.., .. }
        | Event::ServiceFailed { node, segment, revision: revision @ 1.., .. }
            if transcribes(node) =>
        {
            conversation.is_heard((segment, revision), node);
        }
        Event::EndpointRetracted { segment, revision, .. } if now.is_broken(Mutation::RememberRetracted) => {
            conversation.holds((segment, revision), turn);
        }
        Event::EndpointRetracted { segment, revision, .. } => conversation.retract((segment, revision)),
        Event::SegmentCancelled { segment, .. } => conversation.cancel(segment),
        Event::SegmentEnded { segment, revision, split, .. } => {
            conversation.holds((segment, if split { 0 } else { revision }), turn);
        }
        Event::ToolCall { segment, revision, ref call_id, ref name, ref arguments, .. } => {
            let (call_id, name, arguments) = (Arc::clone(call_id), Arc::clone(name), Arc::clone(arguments));
            let entry = HistoryEntry::ToolCall { turn, call_id, name, arguments };
            conversation.tool_call((segment, revision), entry);
        }
        _ => {}
    }
}
