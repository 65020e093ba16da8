//! What the user says, as clients are told of it: an item for each segment of speech whose end holds, and its transcript
//! once that is complete.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::realtime::items::{Conversation, message};
use crate::realtime::outbox::Outbox;

/// Most segments that are remembered: of the oldest no transcript will come any more.
const KEPT: usize = 64;
/// Most texts of a segment that are remembered; a recogniser that gives more has those joined.
const TEXTS_MAX: usize = 256;

/// A segment of speech.
#[derive(Default)]
struct Utterance {
    item_id: String,
    from_us: u64,
    turn: u32,
    /// Told as started, and not as stopped yet.
    sounds: bool,
    /// The client has cleared it: no item becomes of it.
    discarded: bool,
    /// Revision and text, in order.
    texts: Vec<(u32, Arc<str>)>,
    partial: Arc<str>,
    /// Revisions whose recognition is complete; the newest.
    complete: Option<u32>,
    /// Revision (0: split there) and end, once that holds.
    end: Option<(u32, u64)>,
}

/// The user's side of the conversation.
#[derive(Default)]
pub(super) struct Utterances {
    segments: BTreeMap<u32, Utterance>,
    /// Somebody seems to speak, in this segment; nothing is decided.
    suspected: Option<u32>,
}

/// What an end of speech means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing yet, or nothing that counts.
    Nothing,
    /// Something was said, and is going to be answered.
    Said,
    /// What was said has no words: there will be no answer.
    Wordless,
}

fn ms(us: u64) -> u64 {
    us / 1_000
}

impl Utterances {
    /// Whether somebody speaks, or seems to.
    pub(super) fn is_spoken(&self) -> bool {
        self.suspected.is_some() || self.segments.values().any(|said| said.end.is_none() && !said.discarded)
    }

    pub(super) fn suspect(&mut self, segment: u32) {
        self.suspected = Some(segment);
    }

    /// It is speech. `told`: the client is told of starts and stops.
    pub(super) fn confirm(&mut self, segment: u32, turn: u32, from_us: u64, told: bool, out: &mut Outbox) {
        self.suspected = None;
        let item_id = format!("item_{}", out.number());
        if told {
            let fields = json!({"audio_start_ms": ms(from_us), "item_id": item_id});
            out.event("input_audio_buffer.speech_started", fields);
        }
        let said = self.segments.entry(segment).or_default();
        (said.item_id, said.from_us, said.turn, said.sounds) = (item_id, from_us, turn, told);
        while self.segments.len() > KEPT {
            self.segments.pop_first();
        }
    }

    /// It was no speech.
    pub(super) fn cancel(&mut self, segment: u32, to_us: u64, out: &mut Outbox) {
        self.suspected.take_if(|suspected| *suspected == segment);
        if let Some(mut said) = self.segments.remove(&segment) {
            said.stop(to_us, out);
        }
    }

    /// The client forgets what is being said.
    pub(super) fn discard(&mut self) {
        self.segments.values_mut().filter(|said| said.end.is_none()).for_each(|said| said.discarded = true);
    }

    /// The end of a segment holds: what was said becomes an item.
    pub(super) fn end(
        &mut self,
        segment: u32,
        (revision, at_us): (u32, u64),
        items: &mut Conversation,
        out: &mut Outbox,
    ) -> Heard {
        self.suspected.take_if(|suspected| *suspected == segment);
        let Some(said) = self.segments.get_mut(&segment) else { return Heard::Nothing };
        said.stop(at_us, out);
        if said.discarded {
            self.segments.remove(&segment);
            return Heard::Nothing;
        }
        if said.end.replace((revision, at_us)).is_some() {
            return Heard::Nothing;
        }
        let (id, previous) = (said.item_id.clone(), items.last().map(String::from));
        let body = said.body(Value::Null);
        items.put(&id, None, body.clone());
        let place = json!({"item_id": id, "previous_item_id": previous});
        out.event("input_audio_buffer.committed", place);
        for kind in ["conversation.item.added", "conversation.item.done"] {
            out.event(kind, json!({"previous_item_id": previous, "item": body}));
        }
        match self.transcribed(segment, items, out) {
            Heard::Nothing => Heard::Said,
            heard => heard,
        }
    }

    /// What is recognised so far.
    pub(super) fn partial(&mut self, segment: u32, text: &Arc<str>) {
        if let Some(said) = self.segments.get_mut(&segment) {
            said.partial = Arc::clone(text);
        }
    }

    /// What was recognised of a revision. `last`: its recognition is complete.
    pub(super) fn recognised(
        &mut self,
        segment: u32,
        (revision, turn): (u32, u32),
        text: &Arc<str>,
        last: bool,
        items: &mut Conversation,
        out: &mut Outbox,
    ) -> Heard {
        let Some(said) = self.segments.get_mut(&segment) else { return Heard::Nothing };
        said.turn = turn;
        if last {
            said.complete = Some(revision);
        } else if said.texts.len() < TEXTS_MAX {
            said.texts.push((revision, Arc::clone(text)));
        } else if let Some((_, newest)) = said.texts.last_mut() {
            *newest = format!("{newest} {text}").into();
        }
        self.transcribed(segment, items, out)
    }

    /// Who speaks into an answer begins the next turn with that.
    pub(super) fn interrupted(&mut self, turn: u32) {
        let open = self.segments.values_mut().filter(|said| said.turn == turn && said.end.is_none());
        open.for_each(|said| said.turn += 1);
    }

    /// No transcript will come of what was said in the turn.
    pub(super) fn failed(&mut self, turn: u32, reason: &str, out: &mut Outbox) {
        self.segments.retain(|_, said| {
            let fails = said.turn == turn && said.end.is_some();
            if fails {
                let error = json!({"type": "server_error", "code": "transcription_failed", "message": reason,
                    "param": null});
                let fields = json!({"item_id": said.item_id, "content_index": 0, "error": error});
                out.event("conversation.item.input_audio_transcription.failed", fields);
            }
            !fails
        });
    }

    /// Tells the transcript once the end holds and all of it is recognised.
    fn transcribed(&mut self, segment: u32, items: &mut Conversation, out: &mut Outbox) -> Heard {
        let Some(said) = self.segments.get_mut(&segment) else { return Heard::Nothing };
        let (Some((end, at_us)), Some(complete)) = (said.end, said.complete) else { return Heard::Nothing };
        // Where a segment was split, its newest revision is what was recognised up to there.
        if end != 0 && end != complete {
            return Heard::Nothing;
        }
        let texts = said.texts.iter().filter(|(revision, _)| *revision == complete);
        let texts: Vec<&str> = texts.map(|(_, text)| text.trim()).filter(|text| !text.is_empty()).collect();
        let transcript = texts.join(" ");
        let id = said.item_id.clone();
        if !transcript.is_empty() {
            let fields = json!({"item_id": id, "content_index": 0, "delta": transcript});
            out.event("conversation.item.input_audio_transcription.delta", fields);
        }
        let seconds = at_us.saturating_sub(said.from_us) as f64 / 1e6;
        let fields = json!({"item_id": id, "content_index": 0, "transcript": transcript,
            "usage": {"type": "duration", "seconds": seconds}});
        out.event("conversation.item.input_audio_transcription.completed", fields);
        if items.find(&id).is_some() {
            items.put(&id, None, said.body(json!(transcript)));
        }
        self.segments.remove(&segment);
        if transcript.is_empty() { Heard::Wordless } else { Heard::Said }
    }
}

impl Utterance {
    fn stop(&mut self, at_us: u64, out: &mut Outbox) {
        if std::mem::take(&mut self.sounds) {
            let fields = json!({"audio_end_ms": ms(at_us), "item_id": self.item_id});
            out.event("input_audio_buffer.speech_stopped", fields);
        }
    }

    fn body(&self, transcript: Value) -> Value {
        message(
            &self.item_id,
            "user",
            "completed",
            json!([{"type": "input_audio", "transcript": transcript}]),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(out: &mut Outbox) -> Vec<Value> {
        let texts = std::iter::from_fn(|| out.next());
        texts.map(|text| serde_json::from_str(&text).expect("JSON")).collect()
    }

    #[test]
    fn what_cannot_be_recognised_is_told_of_what_was_said_to_the_end() {
        let (mut said, mut items, mut out) =
            (Utterances::default(), Conversation::default(), Outbox::default());
        for (segment, turn) in [(1, 1), (2, 2)] {
            said.confirm(segment, turn, 0, true, &mut out);
        }
        assert_eq!(said.end(1, (1, 500_000), &mut items, &mut out), Heard::Said);
        told(&mut out);
        said.failed(1, "it is deaf", &mut out);
        said.failed(2, "it is deaf", &mut out);
        let [failed] = &told(&mut out)[..] else { panic!("one") };
        assert_eq!(failed["type"], "conversation.item.input_audio_transcription.failed");
        assert_eq!((&failed["error"]["message"], said.is_spoken()), (&json!("it is deaf"), true));
    }

    #[test]
    fn words_of_an_end_that_does_not_hold_are_no_transcript() {
        let (mut said, mut items, mut out) =
            (Utterances::default(), Conversation::default(), Outbox::default());
        said.confirm(1, 1, 0, true, &mut out);
        for (revision, text) in [(1, "I seek"), (2, "I seek"), (2, " a dragon. ")] {
            said.recognised(1, (revision, 1), &text.into(), false, &mut items, &mut out);
            if revision == 1 {
                said.recognised(1, (1, 1), &"".into(), true, &mut items, &mut out);
            }
        }
        assert_eq!(said.end(1, (2, 900_000), &mut items, &mut out), Heard::Said);
        assert!(
            !told(&mut out).iter().any(|event| event["transcript"].is_string()),
            "revision 2 is not complete"
        );
        assert_eq!(said.recognised(1, (2, 1), &"".into(), true, &mut items, &mut out), Heard::Said);
        let last = told(&mut out).pop().expect("the transcript");
        assert_eq!(last["transcript"], "I seek a dragon.");
        assert_eq!(last["usage"]["seconds"], 0.9);
    }

    #[test]
    fn a_segment_that_was_split_has_what_was_recognised_up_to_there() {
        let (mut said, mut items, mut out) =
            (Utterances::default(), Conversation::default(), Outbox::default());
        said.confirm(1, 1, 0, true, &mut out);
        said.end(1, (0, 900_000), &mut items, &mut out);
        said.recognised(1, (1, 1), &"One two".into(), false, &mut items, &mut out);
        said.recognised(1, (1, 1), &"".into(), true, &mut items, &mut out);
        assert_eq!(told(&mut out).pop().expect("the transcript")["transcript"], "One two");
        assert!(!said.is_spoken());
    }
}
