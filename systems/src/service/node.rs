//! `Service`: calls a service for each endpoint revision and sends on the answer.
//!
//! A recogniser and a reply get one call a revision, a synthesis one for every text. Answers leave in the order of
//! the questions: of a session's calls only the first hands anything out. A call whose segment is cancelled or whose
//! revision is retracted is stopped and leaves nothing. With `piece_ms` a recogniser also gets audio in pieces as it
//! comes.

use std::sync::Arc;

use mynah_engine::base::{Mutation, frames_to_us};
use mynah_engine::media::{Mark, Payload, Queue};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, ReadyContext, SessionContext, StepNode};
use mynah_engine::scene::{
    Buffering, Format, Issue, MergeStrategy, NodeCapabilities, OverflowPolicy, Port, PortType, Tick,
};
use mynah_engine::service::{CallKey, Reply, ReplyPart, Request};
use mynah_engine::speech::{CancelScope, Cancellation};
use mynah_engine::{DropReason, Event, Frame};
use serde::Deserialize;

use crate::service::asked::{CALLS_MAX, Playing};
use crate::service::lane::{Asking, Question, ServiceState, advance, answer, ask, hear, pass_on};
use crate::service::piecewise::{ask_piece, gather, let_go, rest};
use crate::service::speaking::{play, speak, time};

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];
const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];
const REPLY: &[Port] = &[Port { name: "reply", kind: PortType::Text }];

/// The task of the service, which decides the types of input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Task {
    /// Audio to text.
    Transcribe,
    /// Text to text.
    Reply,
    /// Text to audio.
    Synthesize,
}

/// Configuration of the kind `Service`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceNode {
    /// Its entry in the scene's `services`.
    pub service: String,
    /// What it does.
    pub task: Task,
    /// Rate of the audio that a synthesis makes, in Hz, mono.
    #[serde(default = "synthesis_rate")]
    pub rate_hz: u32,
    /// Text of a reply waits while more than this much of its audio is unplayed; the end of the reply releases the
    /// rest. 0: no text waits. Synthesis only.
    #[serde(default)]
    pub runway_ms: u32,
    /// Length of the pieces in which a recogniser gets the audio of a segment as it comes, and then the rest at each
    /// end of speech; 0: one call for each end of speech. Recognition only.
    #[serde(default)]
    pub piece_ms: u32,
    /// Most characters of one call, 1 to 1,000,000: a longer text is refused, `too_long`. Replies and syntheses.
    #[serde(default = "text_chars_max")]
    pub text_chars_max: u32,
}

/// The default: ten minutes of speech, or a long question.
fn text_chars_max() -> u32 {
    10_000
}

fn synthesis_rate() -> u32 {
    crate::speech::flite::RATE_HZ
}

impl NodeKind for ServiceNode {
    const NAME: &'static str = "Service";
    type State = ServiceState;

    fn inputs(&self) -> &[Port] {
        match self.task {
            Task::Transcribe => AUDIO,
            Task::Reply | Task::Synthesize => TEXT,
        }
    }
    fn outputs(&self) -> &[Port] {
        match self.task {
            Task::Transcribe => TEXT,
            Task::Reply => REPLY,
            Task::Synthesize => AUDIO,
        }
    }
    fn check(&self, _: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        if !(8_000..=192_000).contains(&self.rate_hz) {
            issues.push(
                Issue::error("rate_hz", format!("{} Hz is out of range", self.rate_hz))
                    .expected("8000 to 192000"),
            );
        }
        if self.runway_ms > RUNWAY_MS_MAX {
            let text = format!("{} ms is out of range", self.runway_ms);
            issues.push(Issue::error("runway_ms", text).expected("0 to 30000 ms"));
        }
        if self.runway_ms > 0 && self.task != Task::Synthesize {
            let text = "only a synthesis makes audio that can be ahead of the ear";
            issues.push(Issue::error("runway_ms", text).expected("0").help("set it on the node that speaks"));
        }
        if self.piece_ms != 0 && !(PIECE_MS_MIN..=PIECE_MS_MAX).contains(&self.piece_ms) {
            let text = format!("{} ms is out of range", self.piece_ms);
            issues.push(Issue::error("piece_ms", text).expected("0, or 100 to 10000 ms"));
        }
        if self.piece_ms > 0 && self.task != Task::Transcribe {
            let text = "only a recogniser hears audio";
            issues.push(
                Issue::error("piece_ms", text).expected("0").help("set it on the node that transcribes"),
            );
        }
        if !(1..=1_000_000).contains(&self.text_chars_max) {
            let text = format!("{} characters are out of range", self.text_chars_max);
            issues.push(Issue::error("text_chars_max", text).expected("1 to 1000000"));
        }
        (self.task == Task::Synthesize).then_some(Format { rate_hz: self.rate_hz, channels: 1 })
    }
    fn capabilities(&self) -> NodeCapabilities {
        let speaks = self.task == Task::Synthesize;
        NodeCapabilities {
            parallelizable: !speaks,
            batch_aware: true,
            avg_processing_us: 20_000,
            // Texts of one session, or the second of audio that may come at once.
            queue_capacity: if speaks { 20 } else { 120 },
            overflow_policy: if speaks {
                OverflowPolicy::MergeOnOverflow
            } else {
                OverflowPolicy::DropOldest
            },
            supports_control_messages: true,
        }
    }
    fn buffering(&self) -> Buffering {
        let merge = match self.task {
            Task::Synthesize => MergeStrategy::ConcatenateText { separator: " ".into() },
            Task::Transcribe | Task::Reply => MergeStrategy::KeepSeparate,
        };
        Buffering { merge, ..Buffering::default() }
    }
    fn lowers_quality(&self) -> bool {
        true
    }
    fn transcribes(&self) -> bool {
        self.task == Task::Transcribe
    }
    fn replies(&self) -> bool {
        self.task == Task::Reply
    }
    fn takes_clips(&self) -> bool {
        self.task == Task::Synthesize
    }
    fn numbers(&self) -> &[&'static str] {
        &["piece_ms", "runway_ms"]
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }
    fn open(&self, _: &SessionContext) -> Result<ServiceState, String> {
        Ok(ServiceState::default())
    }
}

/// Longest runway: half a minute of speech.
const RUNWAY_MS_MAX: u32 = 30_000;
/// Shortest and longest piece: less is no word, and more keeps the recogniser waiting.
const PIECE_MS_MIN: u32 = 100;
/// See `PIECE_MS_MIN`.
const PIECE_MS_MAX: u32 = 10_000;

impl StepNode for ServiceNode {
    const CALLS: bool = true;

    fn step(&self, state: &mut ServiceState, frame: Frame, cx: &mut NodeContext<'_>, place: NodePlace) {
        match &frame.payload {
            Payload::Audio(_) => match cx.lane.input.filter(|_| self.piece_ms > 0) {
                Some(format) => gather(state, frame, self.piece_us(), format, cx, place),
                None => hear(state, frame, cx, place),
            },
            Payload::Text(text) if self.is_too_long(state, &frame, text) => {
                cx.drop_frame(frame, DropReason::TooLong);
            }
            Payload::Text(text) if self.task == Task::Synthesize => {
                let (text, now_tick) = (Arc::clone(text), cx.now.tick);
                if !text.trim().is_empty() {
                    let (range, times) = ((frame.pts_us, frame.pts_us), (frame.queued_us, frame.deadline_us));
                    ask(
                        state,
                        &frame,
                        Question { text, range, times, frames: 1, ..Question::default() },
                        cx,
                        place,
                    );
                    state.asking.open_tick = now_tick;
                }
            }
            Payload::Text(text) => state.gathered.add(&frame, text),
            Payload::Clip(clip) => {
                let clip = Arc::clone(clip);
                state.order.play(Playing { frame, clip, at: 0 });
                play(state, cx);
            }
            Payload::Caption(_) => state.order.pass(frame),
            Payload::Mark(mark) => self.bound(*mark, state, frame, cx, place),
        }
    }

    fn ready(&self, state: &ServiceState, queue: &Queue, look: ReadyContext<'_>) -> bool {
        let Some(front) = queue.front() else { return false };
        let asks = match (&front.payload, self.task) {
            (Payload::Text(_), Task::Synthesize) => {
                if !self.runway_is_open(state, front, queue, look) {
                    return false;
                }
                true
            }
            (Payload::Mark(Mark::Endpoint), Task::Transcribe) => true,
            (Payload::Mark(Mark::Split), Task::Transcribe) => self.piece_ms > 0,
            (Payload::Audio(_), Task::Transcribe) if self.piece_ms > 0 => {
                let closes = |format| state.pieces.closes_before(front, format, self.piece_us());
                look.lane.input.is_some_and(closes)
            }
            (Payload::Mark(Mark::AnswerEnd), Task::Reply) => true,
            _ => false,
        };
        !asks || state.order.calls() < CALLS_MAX
    }

    fn waiting(&self, state: &ServiceState) -> u32 {
        state.order.waiting()
    }

    fn due_us(&self, state: &ServiceState) -> u64 {
        if state.full || state.order.has_clips() { 0 } else { u64::MAX }
    }

    /// Lets the first call go on, as there is room again, and plays on.
    fn wake(&self, state: &mut ServiceState, cx: &mut NodeContext<'_>, place: NodePlace) {
        if std::mem::take(&mut state.full)
            && let (Some(key), Some(service)) = (state.order.front(), place.service)
        {
            cx.request(service, Request::Hold(key, false));
        }
        if state.order.has_clips() {
            play(state, cx);
            advance(state, cx, place);
        }
    }

    fn skip(&self, state: &mut ServiceState, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        state.order.pass(frame);
        pass_on(state, cx);
    }

    fn control(
        &self,
        state: &mut ServiceState,
        cancellation: &Cancellation,
        cx: &mut NodeContext<'_>,
        place: NodePlace,
    ) {
        let session = cx.lane.session;
        let (segment, revision) = state.gathered.origin;
        if cancellation.covers(session, segment, revision) {
            state.gathered.texts.clear();
        }
        let forgets = matches!(cancellation.scope, CancelScope::Segment { .. } | CancelScope::Session);
        if forgets && state.heard.is_some_and(|h| cancellation.covers(session, h.segment.serial, 0)) {
            state.heard = None;
        }
        let before = state.order.front();
        let mut frames = 0;
        // The hub stops the calls.
        state.order.scope(cancellation, session, |frame| {
            frames += u64::from(!matches!(frame.payload, Payload::Mark(_)));
            cx.discard(frame);
        });
        frames += state.pieces.scope(cancellation, cx);
        cx.cancelled(frames);
        if before != state.order.front() {
            advance(state, cx, place);
        }
    }

    fn reply(&self, state: &mut ServiceState, reply: Reply, cx: &mut NodeContext<'_>, place: NodePlace) {
        let key = reply.key;
        let (node, segment, revision, part) = (cx.node, key.segment.serial, key.revision, key.part);
        let Some(reply_part) = tell(reply.part, key, cx) else { return };
        let Some(asked) = state.order.get_mut(key) else {
            if let ReplyPart::Audio(block) = reply_part {
                cx.pool.put(block);
            }
            return;
        };
        if !std::mem::replace(&mut asked.begun, true)
            && !matches!(reply_part, ReplyPart::Merged | ReplyPart::Dropped)
        {
            cx.answered_after(cx.now.us.saturating_sub(asked.entered_us));
            cx.came_out(asked.deadline_us, key.turn);
        }
        let goes_on = reply_part.goes_on();
        match reply_part {
            // The first of the answer, as its listener hears it; the service itself has not begun.
            ReplyPart::Filler(text) => say(state, key, text, cx),
            ReplyPart::Text(text) if self.is_piece(key) => state.pieces.say(segment, text),
            ReplyPart::Text(text) => {
                let first = !std::mem::replace(&mut asked.spoke, true);
                let whole = if first { state.pieces.before(&text) } else { None };
                say(state, key, whole.unwrap_or(text), cx);
            }
            ReplyPart::Audio(block) => speak(state, key, block, self.rate_hz, cx),
            ReplyPart::Times(times) => time(state, key, times, cx),
            ReplyPart::Done { busy_us } => {
                let samples = asked.samples;
                let event = Event::ServiceDone { node, segment, revision, part, samples, busy_us };
                cx.event(key.turn, event);
            }
            ReplyPart::Failed(reason) => {
                cx.event(key.turn, Event::ServiceFailed { node, segment, revision, part, reason });
            }
            ReplyPart::Merged => {
                cx.merged(asked.frames);
                state.order.merge(key);
            }
            ReplyPart::Dropped => {
                // A call that was never begun answers nothing, not even with the text of pieces.
                asked.spoke = true;
                cx.overflowed(asked.frames, asked.heard, key.turn);
            }
            ReplyPart::ToolCall { call_id, name, arguments } => {
                cx.event(key.turn, Event::ToolCall { node, segment, revision, call_id, name, arguments });
            }
            ReplyPart::Requested(request) => {
                let text = Arc::clone(&asked.text);
                cx.event(key.turn, Event::ReplyRequested { node, segment, revision, request, text });
            }
            ReplyPart::Stopped { .. }
            | ReplyPart::Retried(_)
            | ReplyPart::Partial(_)
            | ReplyPart::RequestOver(_) => {}
        }
        if !goes_on {
            self.is_over(state, key, cx, place);
        } else if cx.lane.has_stalled()
            && !std::mem::replace(&mut state.full, true)
            && let Some(service) = place.service
        {
            cx.request(service, Request::Hold(key, true));
        }
    }
}

/// Logs what is told of a call without being part of its answer; gives back everything else.
fn tell(part: ReplyPart, key: CallKey, cx: &mut NodeContext<'_>) -> Option<ReplyPart> {
    let CallKey { node, revision, part: number, turn, .. } = key;
    let segment = key.segment.serial;
    let event = match part {
        ReplyPart::Stopped { wasted_us } => {
            Event::ServiceCancelled { node, segment, revision, part: number, wasted_us }
        }
        ReplyPart::Retried(reason) => Event::ServiceRetried { node, segment, revision, part: number, reason },
        ReplyPart::Partial(text) => Event::PartialText { node, segment, text },
        ReplyPart::RequestOver(request) => Event::ReplyOver { node, segment, request },
        part => return Some(part),
    };
    cx.event(turn, event);
    None
}

/// Sends text of an answer.
fn say(state: &mut ServiceState, key: CallKey, text: Arc<str>, cx: &mut NodeContext<'_>) {
    let CallKey { node, segment, revision, turn, .. } = key;
    cx.event(turn, Event::Text { node, segment: segment.serial, revision, text: Arc::clone(&text) });
    let frame = answer(state, key, 0, Payload::Text(text), cx);
    cx.send(0, frame);
}

impl ServiceNode {
    /// True if a call with `text`, beside the text gathered for it, would be too long.
    fn is_too_long(&self, state: &ServiceState, frame: &Frame, text: &str) -> bool {
        let gathered = if self.task == Task::Reply { state.gathered.chars_with(frame) } else { 0 };
        let limit = (self.text_chars_max as usize).saturating_sub(gathered);
        // Bytes first: few texts are near the limit.
        text.len() > limit && text.chars().count() > limit
    }

    fn piece_us(&self) -> u64 {
        u64::from(self.piece_ms) * 1_000
    }

    /// Whether a call is about a piece, and not about an end of speech.
    fn is_piece(&self, key: CallKey) -> bool {
        self.piece_ms > 0 && key.revision == 0
    }

    /// Ends a call.
    fn is_over(&self, state: &mut ServiceState, key: CallKey, cx: &mut NodeContext<'_>, place: NodePlace) {
        let silent = !self.is_piece(key) && state.order.get_mut(key).is_some_and(|asked| !asked.spoke);
        if let Some(said) = state.pieces.before("").filter(|_| silent) {
            say(state, key, said, cx);
        }
        if let (true, Some(service)) = (state.full, place.service) {
            // The service may have been told to hold in this very tick: nothing is remembered of a call that is over.
            cx.request(service, Request::Hold(key, false));
        }
        let was_first = state.order.front() == Some(key);
        state.order.remove(key);
        if was_first {
            advance(state, cx, place);
        }
    }

    /// True if text may be asked for: little enough of the answer is unplayed, or the reply is complete.
    fn runway_is_open(
        &self,
        state: &ServiceState,
        front: &Frame,
        queue: &Queue,
        look: ReadyContext<'_>,
    ) -> bool {
        let origin = (front.segment.serial, front.revision);
        let Asking { origin: current, open_tick, .. } = state.asking;
        if self.runway_ms == 0 || origin != current || open_tick == look.now.tick {
            return true;
        }
        let complete = queue.iter().any(|frame| {
            matches!(frame.payload, Payload::Mark(Mark::AnswerEnd))
                && (frame.segment.serial, frame.revision) == origin
        });
        if complete {
            return true;
        }
        // The calls under way will become audio of unknown length.
        if state.order.has(origin.0, origin.1) {
            return false;
        }
        let spoken = Some(state.speaking).filter(|speaking| speaking.origin == origin);
        let made_us = frames_to_us(spoken.map_or(0, |s| s.frames_out), self.rate_hz);
        let unplayed_us = if look.now.is_broken(Mutation::ForgetPlayed) {
            made_us
        } else {
            look.playout().unplayed_us(origin.0, origin.1, made_us, look.now.us)
        };
        unplayed_us <= u64::from(self.runway_ms) * 1_000
    }

    fn bound(
        &self,
        mark: Mark,
        state: &mut ServiceState,
        frame: Frame,
        cx: &mut NodeContext<'_>,
        place: NodePlace,
    ) {
        match (mark, self.task) {
            (Mark::Endpoint, Task::Transcribe) => {
                let heard = state.heard.filter(|h| h.segment.serial == frame.segment.serial);
                let range = heard.map_or((frame.pts_us, frame.pts_us), |h| (h.from_us, h.to_us));
                let asks = rest(state, &frame, cx).unwrap_or(Question { range, ..Question::default() });
                let (to_us, times) = (asks.range.1, (frame.queued_us, 0));
                ask(state, &frame, Question { times, ..asks }, cx, place);
                let end = frame.with(Payload::Mark(Mark::AnswerEnd));
                state.order.pass(Frame { pts_us: to_us, ..end });
            }
            (Mark::AnswerEnd, Task::Reply) => {
                let (text, frames, times) = state.gathered.take(&frame);
                // Without words there is nothing to answer: the turn is empty.
                // Who asks for an answer without words gets one.
                if !text.is_empty() || frame.segment.is_typed() {
                    let range = (frame.pts_us, frame.pts_us);
                    let asks = Question { text, range, times, frames, answers: true, ..Question::default() };
                    ask(state, &frame, asks, cx, place);
                }
                state.order.pass(frame);
            }
            (Mark::StreamEnd, _) => {
                let_go(state, cx);
                state.order.pass(frame);
            }
            (Mark::AnswerEnd, Task::Synthesize) => state.order.pass(frame),
            (Mark::SegmentEnd, Task::Transcribe) if self.piece_ms > 0 => {
                let_go(state, cx);
                state.order.pass(frame);
            }
            (Mark::Split, _) => {
                ask_piece(state, cx, place);
                if let Some(heard) = &mut state.heard {
                    heard.goes_on = true;
                }
            }
            (Mark::Endpoint | Mark::SegmentEnd | Mark::AnswerEnd, _) => {}
        }
        pass_on(state, cx);
    }
}
