//! What hosts are told of a tick: the events of their sessions, as control messages or as all that happens.

use std::sync::Arc;

use crate::base::ids::NodeId;
use crate::edge::control::Control;
use crate::edge::exchange::Out;
use crate::edge::session_event::{SessionEvent, ToolCall};
use crate::node::plan::ScenePlan;
use crate::record::event::{Event, EventLog, Record, ToldCaption};
use crate::session::components::HostLink;

/// What a record means for the host of its session, if anything.
pub(crate) fn told(record: &Record, link: &mut HostLink, log: &EventLog, plan: &ScenePlan) -> Option<Out> {
    let events = link.wants_events();
    if !events && !link.port.controls {
        return None;
    }
    let late = match record.event {
        Event::SegmentCancelled { segment, .. } => log.was_late(record.session, segment),
        _ => false,
    };
    if events {
        return event(record, link, late, plan).map(Out::Event);
    }
    Control::from_event(&record.event, record.turn, late).map(Out::Control)
}

/// The event for hosts that are told everything.
fn event(record: &Record, link: &mut HostLink, late: bool, plan: &ScenePlan) -> Option<SessionEvent> {
    let turn = record.turn;
    Some(match record.event {
        Event::LineOpened { segment, line } => {
            link.answers.get_or_insert_default().lines.push((segment, line));
            return None;
        }
        Event::LineDropped { line, reason } => SessionEvent::LineDropped { line, reason },
        Event::OutputStarted { segment, revision: 1.. } => {
            let lines = link.answers.as_mut().map(|answers| &mut answers.lines);
            let line = lines.and_then(|lines| {
                let at = lines.iter().position(|(of, _)| *of == segment)?;
                Some(lines.remove(at).1)
            });
            let line = line.unwrap_or(0);
            SessionEvent::AnswerStarted { turn, line }
        }
        Event::AnswerPaused { .. } => SessionEvent::AnswerPaused { turn },
        Event::AnswerResumed { .. } => SessionEvent::AnswerResumed { turn },
        Event::AnswerInterrupted { turn, heard_us, .. } => SessionEvent::AnswerInterrupted { turn, heard_us },
        Event::AnswerWithdrawn { segment } => {
            if let Some(answers) = &mut link.answers {
                answers.lines.retain(|(of, _)| *of != segment);
            }
            return None;
        }
        Event::Text { node, segment, revision, ref text } if transcribes(plan, node) => {
            SessionEvent::Transcript { segment, revision, turn, text: Arc::clone(text), last: false }
        }
        Event::ServiceDone { node, segment, revision: revision @ 1.., .. } if transcribes(plan, node) => {
            SessionEvent::Transcript { segment, revision, turn, text: "".into(), last: true }
        }
        Event::ServiceFailed { node, ref reason, .. } => {
            SessionEvent::ServiceFailed { turn, service: service(plan, node), reason: Arc::clone(reason) }
        }
        Event::PartialText { segment, ref text, .. } => {
            SessionEvent::PartialTranscript { segment, text: Arc::clone(text) }
        }
        Event::ReplyRequested { segment, revision, request, ref text, .. } => {
            let text = Arc::clone(text);
            SessionEvent::ReplyRequested { request, turn, segment, revision, text }
        }
        Event::ReplyOver { request, .. } => SessionEvent::ReplyCancelled { request },
        Event::ToolCall { ref call_id, ref name, ref arguments, .. } => {
            let (call_id, name) = (Arc::clone(call_id), Arc::clone(name));
            let arguments = Arc::clone(arguments);
            SessionEvent::ToolCall(Arc::new(ToolCall { turn, call_id, name, arguments }))
        }
        Event::DeadlineNear { left_us, .. } => SessionEvent::DeadlineWarning { turn, left_us },
        Event::SessionClosed => SessionEvent::Closed { reason: link.reason.clone() },
        ref event => return speech(event, turn, late),
    })
}

/// What happened to a segment in which the user speaks.
fn speech(event: &Event, turn: u32, late: bool) -> Option<SessionEvent> {
    Some(match *event {
        Event::SegmentOpened { segment, from_us } => SessionEvent::SpeechStarted { segment, from_us },
        Event::SegmentConfirmed { segment, from_us, to_us } => {
            SessionEvent::SpeechConfirmed { segment, turn, from_us, to_us }
        }
        Event::SegmentCancelled { segment, reason, from_us, to_us } => {
            SessionEvent::SpeechCancelled { segment, reason, from_us, to_us, late }
        }
        Event::Endpoint { segment, revision, at_us, .. } => {
            SessionEvent::EndOfSpeech { segment, revision, at_us, last: false }
        }
        Event::SegmentEnded { segment, revision, speech_to_us, split, .. } => {
            let revision = if split { 0 } else { revision };
            SessionEvent::EndOfSpeech { segment, revision, at_us: speech_to_us, last: true }
        }
        Event::EndpointRetracted { segment, revision, at_us } => {
            SessionEvent::EndOfSpeechRetracted { segment, revision, at_us }
        }
        _ => return None,
    })
}

/// A caption as its host is told of it: the words, and when they sound.
pub(crate) fn caption(caption: ToldCaption) -> impl Iterator<Item = Out> {
    let ToldCaption { turn, text, from_us, until_us, times, .. } = caption;
    let spoken = (!times.is_empty()).then_some(SessionEvent::Spoken { turn, from_us, times });
    let line = (!text.is_empty()).then_some(SessionEvent::Line { turn, text, from_us, until_us });
    line.into_iter().chain(spoken).map(Out::Event)
}

/// The receipt for a host's own message.
pub(crate) fn applied(link: &HostLink, message_id: u64) -> Out {
    if link.wants_events() {
        Out::Event(SessionEvent::Applied { message_id })
    } else {
        Out::Control(Control::Applied { message_id })
    }
}

fn transcribes(plan: &ScenePlan, node: NodeId) -> bool {
    plan.nodes.get(node.index()).is_some_and(|node| node.spec.transcribes())
}

fn service(plan: &ScenePlan, node: NodeId) -> Arc<str> {
    let service = plan.nodes.get(node.index()).and_then(|node| plan.services.get(node.service?));
    service.map_or("", |service| service.name.as_str()).into()
}
