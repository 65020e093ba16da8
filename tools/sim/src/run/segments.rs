//! The segments of one session for people: when somebody spoke, whether it was speech, the words. Collected from the
//! event records; the table, the JSON object and the page all read them.

use mynah_engine::{Event, Record, ScenePlan};
use serde::Serialize;

use super::track::Answer;

/// What became of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was decided before the end of the run.
    #[default]
    Open,
    /// The segment is speech.
    Confirmed,
    /// The segment is not speech.
    Cancelled,
}

impl Outcome {
    /// The word in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What one node put out about a segment: of the end of speech that holds, or of the last one announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeText {
    /// The node, as the scene calls it.
    pub node: String,
    /// Its texts, in order, as one.
    pub text: String,
    /// It hears audio: these are the caller's own words.
    #[serde(skip)]
    pub recognised: bool,
}

/// An answer to a segment as it sounded, engine time in microseconds; media time 0 is engine time 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpokenAnswer {
    /// When it begins to sound.
    pub from_us: u64,
    /// When it is over, or was taken back.
    pub to_us: u64,
    /// What it says, as the last node puts it that makes words of words; `None`: nothing does, or the end of speech that it
    /// answered did not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The end of speech that it answered holds.
    pub holds: bool,
}

/// One segment. All times are media time of the session, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Its serial within the session.
    pub segment: u32,
    /// The turn it belongs to; 0 = none.
    pub turn: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// First sample of speech, and first sample behind it; `None`: it was no speech, or its end was not reached.
    pub speech_from_us: Option<u64>,
    /// See `speech_from_us`.
    pub speech_to_us: Option<u64>,
    /// What was forwarded: speech with the pre-roll before it and the silence behind it.
    pub from_us: u64,
    /// `None`: its end was not reached.
    pub to_us: Option<u64>,
    /// Too long: the next segment goes on without a gap, in the same turn.
    pub split: bool,
    /// It goes on from the one before, which was split.
    pub continues: bool,
    /// What the recognisers made of it; `None`: the scene has none, or they said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// From the end of speech that holds, as the gate believed it, to the last of these words, engine time in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recognition_us: Option<u64>,
    /// What every node that puts out text made of it, in the order of the scene's graph.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<NodeText>,
    /// The answers to it that sounded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<SpokenAnswer>,
    /// The end of speech that holds, or the last one announced.
    #[serde(skip)]
    pub revision: u32,
}

impl Segment {
    /// Takes those of a session's answers that are to this segment.
    pub fn answered(&mut self, answers: &[Answer]) {
        let text = self.texts.iter().rfind(|text| !text.recognised).map(|last| last.text.trim().to_owned());
        let mine = answers.iter().filter(|answer| answer.segment == self.segment);
        self.answers.extend(mine.map(|answer| SpokenAnswer {
            from_us: answer.from_us,
            to_us: answer.to_us,
            text: text.clone().filter(|_| answer.revision == self.revision),
            holds: answer.revision == self.revision,
        }));
    }

    /// The stretch to show: speech where it is known, what was forwarded otherwise.
    pub fn shown_us(&self) -> (u64, Option<u64>) {
        (self.speech_from_us.unwrap_or(self.from_us), self.speech_to_us.or(self.to_us))
    }
}

/// A text as it came.
#[derive(Clone, Debug)]
struct Told {
    t_us: u64,
    node: usize,
    revision: u32,
    text: String,
}

/// The segment, the revision that counts, and every text about it.
#[derive(Clone, Debug, Default)]
struct Story {
    segment: Segment,
    revision: u32,
    /// When that end of speech was believed.
    believed_us: u64,
    told: Vec<Told>,
}

/// Collects the segments of one session.
#[derive(Clone, Debug, Default)]
pub struct SegmentList {
    stories: Vec<Story>,
}

impl SegmentList {
    /// Takes one record of this session.
    pub fn take(&mut self, record: &Record) {
        self.note(record.t_us, record.turn, &record.event);
    }

    fn note(&mut self, t_us: u64, turn: u32, event: &Event) {
        match event {
            Event::SegmentOpened { segment, from_us } => {
                let before = self.stories.last().map(|story| &story.segment);
                let continues = before.is_some_and(|before| before.split && before.to_us == Some(*from_us));
                let (segment, from_us) = (*segment, *from_us);
                let segment = Segment { segment, turn, from_us, continues, ..Segment::default() };
                self.stories.push(Story { segment, ..Story::default() });
            }
            Event::SegmentConfirmed { segment, .. } => self.with(*segment, |story| {
                (story.segment.outcome, story.segment.turn) = (Outcome::Confirmed, turn);
            }),
            Event::SegmentCancelled { segment, reason, to_us, .. } => self.with(*segment, |story| {
                story.segment.outcome = Outcome::Cancelled;
                (story.segment.reason, story.segment.to_us) = (Some(reason.name()), Some(*to_us));
            }),
            Event::Endpoint { segment, revision, .. } => {
                self.with(*segment, |story| (story.revision, story.believed_us) = (*revision, t_us));
            }
            Event::SegmentEnded { segment, to_us, speech_from_us, speech_to_us, split, .. } => {
                self.with(*segment, |story| {
                    let segment = &mut story.segment;
                    (segment.turn, segment.to_us, segment.split) = (turn, Some(*to_us), *split);
                    segment.speech_from_us = Some(*speech_from_us);
                    segment.speech_to_us = Some(*speech_to_us);
                });
            }
            Event::Text { node, segment, revision, text } => self.with(*segment, |story| {
                story.told.push(Told {
                    t_us,
                    node: node.index(),
                    revision: *revision,
                    text: text.to_string(),
                });
            }),
            _ => {}
        }
    }

    fn with(&mut self, segment: u32, change: impl FnOnce(&mut Story)) {
        if let Some(story) = self.stories.iter_mut().rev().find(|story| story.segment.segment == segment) {
            change(story);
        }
    }

    /// When somebody spoke in each segment, as far as it is known; the end of an open one is `u64::MAX`.
    pub fn speech_us(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let shown = |story: &Story| story.segment.shown_us();
        self.stories.iter().map(shown).map(|(from_us, to_us)| (from_us, to_us.unwrap_or(u64::MAX)))
    }

    /// Takes out the segments in which speech begins before `us` of media time.
    pub fn take_before(&mut self, us: u64) -> Self {
        let count = self.speech_us().take_while(|(from_us, _)| *from_us < us).count();
        Self { stories: self.stories.drain(..count).collect() }
    }

    /// The segments in the order of their opening, with what the nodes of `plan` said of them.
    pub fn rows(&self, plan: &ScenePlan) -> Vec<Segment> {
        let nodes: Vec<(&str, bool)> =
            plan.nodes.iter().map(|node| (node.id.as_str(), node.input.is_some())).collect();
        self.rows_of(&nodes)
    }

    /// `nodes`: their names, and whether they hear audio.
    fn rows_of(&self, nodes: &[(&str, bool)]) -> Vec<Segment> {
        let row = |story: &Story| {
            let mut segment = Segment { revision: story.revision, ..story.segment.clone() };
            for (at, (node, recognised)) in nodes.iter().enumerate() {
                let mut text = String::new();
                let counts = |told: &&Told| told.node == at && told.revision == story.revision;
                story.told.iter().filter(counts).for_each(|told| join(&mut text, &told.text));
                if let Some(last) = story.told.iter().rfind(counts).filter(|_| *recognised) {
                    segment.recognition_us = Some(last.t_us.saturating_sub(story.believed_us));
                }
                if !text.is_empty() {
                    let (node, recognised) = ((*node).to_owned(), *recognised);
                    segment.texts.push(NodeText { node, text, recognised });
                }
            }
            let said = segment.texts.iter().filter(|text| text.recognised).map(|text| text.text.as_str());
            segment.said = Some(said.collect::<Vec<_>>().join(" ")).filter(|said| !said.is_empty());
            segment
        };
        self.stories.iter().map(row).collect()
    }
}

/// Appends `more`, after a space where neither side has one.
fn join(text: &mut String, more: &str) {
    let apart = text.ends_with(char::is_whitespace) || more.starts_with(char::is_whitespace);
    if !text.is_empty() && !apart {
        text.push(' ');
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use mynah_engine::NodeId;
    use mynah_engine::speech::CancelReason;

    use super::*;

    const NODES: [(&str, bool); 3] = [("gate", true), ("asr", true), ("reply", false)];

    fn text(node: u8, revision: u32, text: &str) -> (u32, Event) {
        (1, Event::Text { node: NodeId(node), segment: 1, revision, text: text.into() })
    }

    fn rows(story: &[(u32, Event)]) -> Vec<Segment> {
        let mut list = SegmentList::default();
        story.iter().zip(1..).for_each(|((turn, event), tick)| list.note(tick * 5_000, *turn, event));
        list.rows_of(&NODES)
    }

    fn ended(segment: u32, revision: u32, (from_us, to_us): (u64, u64), speech: (u64, u64)) -> (u32, Event) {
        let (speech_from_us, speech_to_us) = speech;
        let split = revision == 0;
        (1, Event::SegmentEnded { segment, revision, from_us, to_us, speech_from_us, speech_to_us, split })
    }

    #[test]
    fn what_was_said_is_what_was_made_of_the_end_that_holds() {
        let rows = rows(&[
            (0, Event::SegmentOpened { segment: 1, from_us: 10 }),
            (1, Event::SegmentConfirmed { segment: 1, from_us: 10, to_us: 40 }),
            (1, Event::Endpoint { segment: 1, revision: 1, at_us: 45, seen_us: 48 }),
            text(1, 1, "turn off"),
            text(2, 1, "All is off."),
            (1, Event::EndpointRetracted { segment: 1, revision: 1, at_us: 45 }),
            (1, Event::Endpoint { segment: 1, revision: 2, at_us: 66, seen_us: 69 }),
            text(1, 2, "turn off the radio"),
            text(2, 2, "The radio "),
            text(2, 2, "is off."),
            ended(1, 2, (10, 80), (20, 66)),
        ]);
        let texts: Vec<_> = rows[0].texts.iter().map(|t| (t.node.as_str(), t.text.as_str())).collect();
        assert_eq!(texts, [("asr", "turn off the radio"), ("reply", "The radio is off.")]);
        assert_eq!(rows[0].said.as_deref(), Some("turn off the radio"));
        assert_eq!(rows[0].recognition_us, Some(5_000), "from the end that holds");
        assert_eq!((rows[0].turn, rows[0].outcome), (1, Outcome::Confirmed));
        assert_eq!(rows[0].shown_us(), (20, Some(66)));
    }

    #[test]
    fn what_was_taken_back_has_its_reason_and_no_speech() {
        let reason = CancelReason::NotSustained;
        let rows = rows(&[
            (0, Event::SegmentOpened { segment: 1, from_us: 4 }),
            (0, Event::SegmentCancelled { segment: 1, reason, from_us: 4, to_us: 18 }),
            (0, Event::SegmentOpened { segment: 2, from_us: 30 }),
        ]);
        let told: Vec<_> = rows.iter().map(|r| (r.outcome.name(), r.reason, r.shown_us())).collect();
        assert_eq!(told, [("cancelled", Some("not_sustained"), (4, Some(18))), ("open", None, (30, None))]);
        assert!(rows.iter().all(|row| row.speech_from_us.is_none() && row.said.is_none()));
    }

    #[test]
    fn a_split_is_marked_on_both_of_its_sides() {
        let rows = rows(&[
            (0, Event::SegmentOpened { segment: 1, from_us: 0 }),
            ended(1, 0, (0, 30), (5, 30)),
            (0, Event::SegmentOpened { segment: 2, from_us: 30 }),
            ended(2, 1, (30, 50), (30, 42)),
            (0, Event::SegmentOpened { segment: 3, from_us: 50 }),
        ]);
        let marks: Vec<_> = rows.iter().map(|row| (row.split, row.continues)).collect();
        assert_eq!(marks, [(true, false), (false, true), (false, false)]);
    }
}
