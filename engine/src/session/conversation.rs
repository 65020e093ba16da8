//! What a session remembers of its conversation, and what may still come to be remembered: words whose end does not
//! hold yet, answers that are being heard.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SegmentKey};
use crate::media::spoken::SpokenTime;
use crate::speech::history::{HISTORY_ENTRIES_MAX, History, HistoryEntry, Speaker};

mod words;

use words::Answer;

/// Utterances whose words may wait for their end, or their end for its words; of more, the oldest are told as they are.
const SPOKEN_MAX: usize = 16;

/// The conversation of a session, in scenes that answer. A component of the session entity.
#[derive(Component, Debug)]
pub(crate) struct Conversation {
    latest: Arc<History>,
    /// The segment of each entry; 0 = of an earlier session.
    origins: Vec<u32>,
    /// What the user says, in order.
    spoken: Vec<Spoken>,
    answers: Vec<Answer>,
    /// Calls of tools, and their results, of answers to an end that does not hold yet: (segment, revision).
    tools: Vec<((u32, u32), HistoryEntry)>,
    /// The newest segment whose answer is settled.
    settled: u32,
    /// Voices that speak each answer.
    voices: usize,
    /// Entries were added since they were last [taken](Self::changed).
    is_changed: bool,
}

/// What the user says in one revision of a segment.
#[derive(Debug)]
struct Spoken {
    origin: (u32, u32),
    turn: u32,
    /// The recogniser.
    node: Option<NodeId>,
    texts: Vec<Arc<str>>,
    /// The recogniser has said all.
    is_complete: bool,
    /// The end of the revision holds.
    holds: bool,
    /// It is an entry.
    is_told: bool,
}

impl Conversation {
    /// A conversation that goes on from `history`, in a scene with so many voices.
    pub(crate) fn new(history: Arc<History>, voices: usize) -> Self {
        let origins = vec![0; history.entries().len()];
        let (spoken, answers, tools) = (Vec::new(), Vec::new(), Vec::new());
        Self { latest: history, origins, spoken, answers, tools, settled: 0, voices, is_changed: false }
    }

    /// What a call about `segment` is to know: all that is committed but what the call itself is about.
    pub(crate) fn before(&self, segment: u32) -> Arc<History> {
        if !self.origins.contains(&segment) {
            return Arc::clone(&self.latest);
        }
        let entries = self.latest.entries().iter().zip(&self.origins);
        let others = entries.filter(|(_, origin)| **origin != segment).map(|(entry, _)| entry.clone());
        Arc::new(others.collect())
    }

    /// All that is committed, if that has changed since the last time.
    pub(crate) fn changed(&mut self) -> Option<&Arc<History>> {
        std::mem::take(&mut self.is_changed).then_some(&self.latest)
    }

    /// A recogniser has said some of what it heard of a revision. Where there are several, the first in the scene counts.
    pub(crate) fn hears(&mut self, origin: (u32, u32), turn: u32, node: NodeId, text: &Arc<str>) {
        let is_known = self.spoken.iter().any(|spoken| spoken.origin == origin);
        if !is_known && origin.0 <= self.settled {
            // Another recogniser was slower.
            return;
        }
        let spoken = self.spoken_of(origin, turn);
        if spoken.is_told || spoken.node.is_some_and(|other| other < node) {
            return;
        }
        if spoken.node.replace(node) != Some(node) {
            spoken.texts.clear();
        }
        spoken.texts.push(Arc::clone(text));
    }

    /// A recogniser has said all that it heard of a revision.
    pub(crate) fn is_heard(&mut self, origin: (u32, u32), node: NodeId) {
        let spoken = self.spoken.iter_mut().find(|spoken| spoken.origin == origin);
        if let Some(spoken) = spoken.filter(|spoken| spoken.node == Some(node)) {
            spoken.is_complete = true;
        }
    }

    /// The speaker went on: what was derived from the revision is void.
    pub(crate) fn retract(&mut self, origin: (u32, u32)) {
        self.spoken.retain(|spoken| spoken.origin != origin);
        self.answers.retain(|answer| answer.origin != origin);
        self.tools.retain(|(of, _)| *of != origin);
    }

    /// The segment was no speech.
    pub(crate) fn cancel(&mut self, segment: u32) {
        self.spoken.retain(|spoken| spoken.origin.0 != segment);
        self.answers.retain(|answer| answer.origin.0 != segment);
        self.tools.retain(|((of, _), _)| *of != segment);
    }

    /// The end of a revision holds. Revision 0: the segment gets no answer, and no words of its own.
    pub(crate) fn holds(&mut self, origin: (u32, u32), turn: u32) {
        self.spoken.retain(|spoken| spoken.origin.0 != origin.0 || spoken.origin == origin);
        if origin.1 > 0 {
            let spoken = self.spoken_of(origin, turn);
            (spoken.holds, spoken.turn) = (true, turn);
        }
    }

    /// The user has typed something.
    pub(crate) fn typed(&mut self, segment: u32, turn: u32, text: &Arc<str>) {
        self.say(segment, Speaker::User, turn, Arc::clone(text), false);
    }

    /// A service asks for something in an answer.
    pub(crate) fn tool_call(&mut self, origin: (u32, u32), entry: HistoryEntry) {
        let holds = |spoken: &Spoken| spoken.origin == origin && spoken.holds;
        if origin.0 & SegmentKey::LINES != 0 || self.spoken.iter().any(holds) {
            self.add(origin.0, entry);
        } else {
            self.wait_for_end(origin, entry);
        }
    }

    /// The host says what came of a tool call.
    pub(crate) fn tool_result(&mut self, call_id: &Arc<str>, result: &Arc<str>) {
        let of = |entry: &HistoryEntry| matches!(entry, HistoryEntry::ToolCall { call_id: id, .. } if id == call_id);
        let known = self.latest.entries().iter().rposition(of);
        let waits = self.tools.iter().find(|(_, entry)| of(entry));
        let Some(turn) = known.map(|at| &self.latest.entries()[at]).or(waits.map(|(_, entry)| entry)) else {
            return;
        };
        let entry = HistoryEntry::ToolResult {
            turn: turn.turn(),
            call_id: Arc::clone(call_id),
            result: Arc::clone(result),
        };
        match (known, waits) {
            (None, Some((origin, _))) => self.wait_for_end(*origin, entry),
            (Some(at), _) => self.add(self.origins[at], entry),
            (None, None) => {}
        }
    }

    /// Some of an answer is being spoken from `from_us` of it on.
    pub(crate) fn speaks(
        &mut self,
        origin: (u32, u32),
        text: &Arc<str>,
        from_us: u64,
        until_us: Option<u64>,
    ) {
        self.answer_of(origin).speaks(text, from_us, until_us);
    }

    /// When words of what is being spoken sound.
    pub(crate) fn times(&mut self, origin: (u32, u32), times: &Arc<[SpokenTime]>) {
        self.answer_of(origin).times(times);
    }

    /// What is being spoken was cut; `made_us` of its sound are known, and whether that is all.
    pub(crate) fn is_cut(&mut self, origin: (u32, u32), made_us: u64, is_all: bool) {
        self.answer_of(origin).is_cut(made_us, is_all);
    }

    /// Text of an answer has left, where nothing speaks it. What a recogniser said is no answer.
    pub(crate) fn writes(&mut self, origin: (u32, u32), text: &Arc<str>) {
        let own = self.spoken.iter().filter(|spoken| spoken.origin == origin);
        if !own.flat_map(|spoken| &spoken.texts).any(|own| Arc::ptr_eq(own, text)) {
            self.answer_of(origin).writes(text);
        }
    }

    /// Makes entries of what the user has said, as far as it is complete and its end holds, in order.
    pub(crate) fn commit_spoken(&mut self) {
        while let Some(at) = self.spoken.iter().position(|spoken| !spoken.is_told) {
            let crowded = self.spoken.len() > SPOKEN_MAX;
            let ready = self.spoken[at].holds && self.spoken[at].is_complete;
            if !crowded && !ready {
                return;
            }
            self.tell(at);
            if crowded {
                self.spoken.remove(0);
            }
        }
    }

    /// An answer is settled after `us` of it were heard; the words of it that were heard.
    pub(crate) fn settle(&mut self, origin: (u32, u32), turn: u32, us: u64, whole: bool) -> Arc<str> {
        while let Some(at) =
            self.spoken.iter().position(|spoken| spoken.origin.0 == origin.0 && !spoken.is_told)
        {
            self.tell(at);
        }
        self.spoken.retain(|spoken| spoken.origin.0 != origin.0);
        self.tools.retain(|((of, _), _)| *of != origin.0);
        if origin.0 & SegmentKey::LINES == 0 {
            self.settled = self.settled.max(origin.0);
        }
        let answer = self.answers.iter().find(|answer| answer.origin == origin);
        let text: Arc<str> =
            answer.map_or_else(|| "".into(), |answer| answer.heard(us, whole, self.voices).into());
        self.answers.retain(|answer| answer.origin.0 != origin.0);
        self.say(origin.0, Speaker::Assistant, turn, Arc::clone(&text), !whole);
        text
    }

    /// Makes an entry of what was said in the revision at `at`, if its end holds.
    fn tell(&mut self, at: usize) {
        let spoken = &mut self.spoken[at];
        spoken.is_told = true;
        if !spoken.holds {
            return;
        }
        let (origin, turn) = (spoken.origin, spoken.turn);
        let text: Arc<str> = match spoken.texts.as_slice() {
            [one] => Arc::clone(one),
            many => many.concat().into(),
        };
        self.say(origin.0, Speaker::User, turn, text, false);
        while let Some(at) = self.tools.iter().position(|(of, _)| *of == origin) {
            let (_, entry) = self.tools.remove(at);
            self.add(origin.0, entry);
        }
    }

    fn say(&mut self, segment: u32, by: Speaker, turn: u32, text: Arc<str>, interrupted: bool) {
        if !text.trim().is_empty() {
            let text = if text.trim().len() < text.len() { text.trim().into() } else { text };
            self.add(segment, HistoryEntry::Said { by, turn, text, interrupted });
        }
    }

    /// Adds an entry behind all others of its turn and of those before.
    fn add(&mut self, segment: u32, entry: HistoryEntry) {
        let turn = entry.turn();
        let not_later = |(old, origin): (&HistoryEntry, &u32)| *origin == 0 || old.turn() <= turn;
        let after = self.latest.entries().iter().zip(&self.origins).rposition(not_later);
        let at = after.map_or(0, |after| after + 1);
        let origins = &mut self.origins;
        origins.insert(at, segment);
        let added = Arc::make_mut(&mut self.latest).insert(at, entry, |gone| {
            origins.remove(gone);
        });
        if !added {
            self.origins.remove(at);
        }
        self.is_changed |= added;
    }

    fn wait_for_end(&mut self, origin: (u32, u32), entry: HistoryEntry) {
        if self.tools.len() == HISTORY_ENTRIES_MAX {
            self.tools.remove(0);
        }
        self.tools.push((origin, entry));
    }

    fn spoken_of(&mut self, origin: (u32, u32), turn: u32) -> &mut Spoken {
        let at = self.spoken.iter().position(|spoken| spoken.origin == origin).unwrap_or_else(|| {
            let (node, texts, is_complete, holds, is_told) = (None, Vec::new(), false, false, false);
            self.spoken.push(Spoken { origin, turn, node, texts, is_complete, holds, is_told });
            self.spoken.len() - 1
        });
        &mut self.spoken[at]
    }

    fn answer_of(&mut self, origin: (u32, u32)) -> &mut Answer {
        let at = self.answers.iter().position(|answer| answer.origin == origin).unwrap_or_else(|| {
            self.answers.push(Answer::new(origin));
            self.answers.len() - 1
        });
        &mut self.answers[at]
    }
}
