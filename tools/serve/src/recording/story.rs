//! What was said in a call, and where the time of its turns went, as JSON.

use mynah_engine::SessionEvent;
use serde::Serialize;

/// Most entries of one call; the later ones are counted.
const ENTRIES_MAX: usize = 10_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Entry {
    /// What the caller said, complete.
    Caller { at_us: u64, turn: u32, segment: u32, text: String },
    /// What the scene begins to say.
    Scene { at_us: u64, turn: u32, text: String },
    /// The caller broke in after so much was heard.
    Interrupted { at_us: u64, turn: u32, heard_us: u64 },
    /// The end of speech came, as the gate says; what follows is counted from here.
    EndOfSpeech { at_us: u64, segment: u32, revision: u32, last: bool },
    /// The caller went on.
    Retracted { at_us: u64, segment: u32, revision: u32 },
    /// The answer began to sound.
    AnswerStarted { at_us: u64, turn: u32 },
    /// It was heard to its end.
    AnswerEnded { at_us: u64, turn: u32, heard_us: u64 },
    /// Where the time went from the end of speech to the first sample of the answer.
    Turn { at_us: u64, turn: u32, response_us: u64, stages: Vec<Took> },
    /// A service failed.
    Failed { at_us: u64, turn: u32, service: String, reason: String },
}

/// A stage of a turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Took {
    stage: String,
    us: u64,
}

/// A call.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    schema: u32,
    session: String,
    scene: String,
    /// Microseconds since the Unix epoch; times of entries count from here.
    began_us: u64,
    entries: Vec<Entry>,
    #[serde(skip_serializing_if = "is_none")]
    entries_left_out: u64,
    /// What was heard of each segment so far.
    #[serde(skip)]
    texts: Vec<(u32, u32, String)>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Story {
    pub(super) fn new(session: &str, scene: &str, began_us: u64) -> Self {
        let (session, scene) = (session.into(), scene.into());
        Self {
            schema: 1,
            session,
            scene,
            began_us,
            entries: Vec::new(),
            entries_left_out: 0,
            texts: Vec::new(),
        }
    }

    fn add(&mut self, entry: Entry) {
        if self.entries.len() < ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            self.entries_left_out += 1;
        }
    }

    /// Takes what happened at `at_us` since the beginning.
    pub(super) fn take(&mut self, at_us: u64, event: &SessionEvent) {
        let entry = match event {
            SessionEvent::Transcript { segment, revision, turn, text, last } => {
                return self.transcript(at_us, (*segment, *revision), *turn, text, *last);
            }
            SessionEvent::EndOfSpeech { segment, revision, last, .. } => {
                Entry::EndOfSpeech { at_us, segment: *segment, revision: *revision, last: *last }
            }
            SessionEvent::EndOfSpeechRetracted { segment, revision, .. } => {
                self.texts.retain(|one| (one.0, one.1) != (*segment, *revision));
                Entry::Retracted { at_us, segment: *segment, revision: *revision }
            }
            SessionEvent::Line { turn, text, .. } => {
                // A line whose length was not known is told again at its end.
                let again = |entry: &Entry| matches!(entry, Entry::Scene { turn: other, text: said, .. } if (*other, said.as_str()) == (*turn, &**text));
                if self.entries.last().is_some_and(again) {
                    return;
                }
                Entry::Scene { at_us, turn: *turn, text: text.to_string() }
            }
            SessionEvent::AnswerStarted { turn, .. } => Entry::AnswerStarted { at_us, turn: *turn },
            SessionEvent::AnswerEnded { turn, heard_us } => {
                Entry::AnswerEnded { at_us, turn: *turn, heard_us: *heard_us }
            }
            SessionEvent::AnswerInterrupted { turn, heard_us } => {
                Entry::Interrupted { at_us, turn: *turn, heard_us: *heard_us }
            }
            SessionEvent::ServiceFailed { turn, service, reason } => {
                let (service, reason) = (service.to_string(), reason.to_string());
                Entry::Failed { at_us, turn: *turn, service, reason }
            }
            _ => return,
        };
        self.add(entry);
    }

    /// Takes where the time of a turn went.
    pub(super) fn turn(&mut self, at_us: u64, turn: u32, response_us: u64, stages: Vec<(String, u64)>) {
        let stages = stages.into_iter().map(|(stage, us)| Took { stage, us }).collect();
        self.add(Entry::Turn { at_us, turn, response_us, stages });
    }

    /// Texts come in parts; with the last one the utterance is complete.
    fn transcript(&mut self, at_us: u64, end: (u32, u32), turn: u32, text: &str, last: bool) {
        let (segment, revision) = end;
        let known = self.texts.iter_mut().find(|one| (one.0, one.1) == end);
        match known {
            Some(one) if !text.is_empty() => {
                one.2.push(' ');
                one.2.push_str(text);
            }
            Some(_) => {}
            None => self.texts.push((segment, revision, text.into())),
        }
        if last && let Some(at) = self.texts.iter().position(|one| (one.0, one.1) == end) {
            let text = self.texts.remove(at).2;
            self.texts.retain(|one| one.0 != segment);
            self.add(Entry::Caller { at_us, turn, segment, text });
        }
    }

    pub(super) fn json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("strings and numbers can be written");
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_utterance_is_told_once_it_is_complete_and_a_retracted_one_never() {
        let mut story = Story::new("a", "assistant", 0);
        let said = |revision, text: &str, last| SessionEvent::Transcript {
            segment: 1,
            revision,
            turn: 1,
            text: text.into(),
            last,
        };
        story.take(1, &said(1, "good", false));
        story.take(2, &SessionEvent::EndOfSpeechRetracted { segment: 1, revision: 1, at_us: 0 });
        story.take(3, &said(2, "good morning", false));
        story.take(4, &said(2, "", true));
        let line = SessionEvent::Line { turn: 1, text: "Hello.".into(), from_us: 0, until_us: None };
        story.take(5, &line);
        story.take(6, &line);
        let told: Vec<&str> = story
            .entries
            .iter()
            .map(|entry| match entry {
                Entry::Caller { text, .. } | Entry::Scene { text, .. } => text.as_str(),
                _ => "-",
            })
            .collect();
        assert_eq!(told, ["-", "good morning", "Hello."]);
    }
}
