//! The events of one session, kept for the table and the page.

use mynah_engine::{Event, Record};

use mynah_sim::run::segments::SegmentList;

/// How a segment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was decided yet.
    Speculative,
    /// The segment is speech.
    Confirmed,
    /// It was not; why.
    Cancelled(&'static str),
}

/// One segment on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its serial within the session.
    pub segment: u32,
    /// Media time of its first sample, pre-roll included.
    pub from_us: u64,
    /// Media time of its end; `None`: it is still open.
    pub to_us: Option<u64>,
    /// Engine time at which it was opened.
    pub opened_us: u64,
    /// Engine time of the decision.
    pub decided_us: Option<u64>,
    /// The verdict on the segment.
    pub fate: Fate,
}

/// An end of speech as the gate believed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndMark {
    /// Of which segment.
    pub segment: u32,
    /// How often it had been taken back before, plus 1.
    pub revision: u32,
    /// Media time of the end.
    pub at_us: u64,
    /// Engine time of the belief.
    pub told_us: u64,
    /// Engine time at which it was taken back.
    pub retracted_us: Option<u64>,
}

/// Words that a node put out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Position of the node in the scene.
    pub node: usize,
    /// From which segment they come.
    pub segment: u32,
    /// And which revision.
    pub revision: u32,
    /// The text that was put out.
    pub text: String,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments.
    pub opened: u64,
    /// Segments that were speech.
    pub confirmed: u64,
    /// Segments that were not.
    pub cancelled: u64,
    /// Ends of speech.
    pub endpoints: u64,
    /// Ends that were taken back.
    pub retracted: u64,
    /// Answers that began to leave.
    pub answers: u64,
    /// Frames that ended before their time because a queue was full.
    pub overflowed: u64,
    /// Samples that were no numbers.
    pub non_finite: u64,
}

/// What happened in one session.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Number of each kind of event.
    pub counts: Counts,
    /// Segments in the order of their opening.
    pub spans: Vec<Span>,
    /// Ends in the order they were believed.
    pub ends: Vec<EndMark>,
    /// Media time of each hop's end, and the probability of speech in it.
    pub probabilities: Vec<(u64, f32)>,
    /// Everything that was recognised or replied.
    pub words: Vec<Words>,
    /// The segments as people ask for them.
    pub segments: SegmentList,
}

impl Picture {
    /// Takes one record of this session.
    pub fn take(&mut self, record: &Record) {
        self.note(record.t_us, &record.event);
        self.segments.take(record);
    }

    fn note(&mut self, t_us: u64, event: &Event) {
        let counts = &mut self.counts;
        match event {
            Event::SegmentOpened { segment, from_us } => {
                counts.opened += 1;
                self.spans.push(Span {
                    segment: *segment,
                    from_us: *from_us,
                    to_us: None,
                    opened_us: t_us,
                    decided_us: None,
                    fate: Fate::Speculative,
                });
            }
            Event::SegmentConfirmed { segment, .. } => {
                counts.confirmed += 1;
                self.decide(*segment, t_us, Fate::Confirmed, None);
            }
            Event::SegmentCancelled { segment, reason, to_us, .. } => {
                counts.cancelled += 1;
                self.decide(*segment, t_us, Fate::Cancelled(reason.name()), Some(*to_us));
            }
            Event::SegmentEnded { segment, to_us, .. } => {
                if let Some(span) = self.span(*segment) {
                    span.to_us = Some(*to_us);
                }
            }
            Event::Endpoint { segment, revision, at_us, .. } => {
                counts.endpoints += 1;
                let (segment, revision, at_us) = (*segment, *revision, *at_us);
                self.ends.push(EndMark { segment, revision, at_us, told_us: t_us, retracted_us: None });
            }
            Event::EndpointRetracted { segment, revision, .. } => {
                counts.retracted += 1;
                let mut ends = self.ends.iter_mut().rev();
                if let Some(end) = ends.find(|e| (e.segment, e.revision) == (*segment, *revision)) {
                    end.retracted_us = Some(t_us);
                }
            }
            Event::OutputStarted { revision, .. } if *revision > 0 => counts.answers += 1,
            Event::FrameDropped { reason: mynah_engine::DropReason::Overflow, .. } => counts.overflowed += 1,
            Event::NonFinite { samples } => counts.non_finite += samples,
            Event::Probability { at_us, p } => self.probabilities.push((*at_us, *p)),
            Event::Text { node, segment, revision, text } => self.words.push(Words {
                node: node.index(),
                segment: *segment,
                revision: *revision,
                text: text.to_string(),
            }),
            _ => {}
        }
    }

    fn span(&mut self, segment: u32) -> Option<&mut Span> {
        self.spans.iter_mut().rev().find(|span| span.segment == segment)
    }

    fn decide(&mut self, segment: u32, t_us: u64, fate: Fate, to_us: Option<u64>) {
        if let Some(span) = self.span(segment) {
            span.decided_us = Some(t_us);
            span.fate = fate;
            span.to_us = to_us.or(span.to_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use mynah_engine::speech::CancelReason;

    use super::*;

    #[test]
    fn a_segments_life_becomes_one_span() {
        let mut picture = Picture::default();
        let story = [
            (10, Event::SegmentOpened { segment: 1, from_us: 4 }),
            (
                20,
                Event::SegmentCancelled {
                    segment: 1,
                    reason: CancelReason::NotSustained,
                    from_us: 4,
                    to_us: 18,
                },
            ),
            (30, Event::SegmentOpened { segment: 2, from_us: 15 }),
            (40, Event::SegmentConfirmed { segment: 2, from_us: 0, to_us: 40 }),
            (50, Event::Endpoint { segment: 2, revision: 1, at_us: 45, seen_us: 48 }),
            (60, Event::EndpointRetracted { segment: 2, revision: 1, at_us: 45 }),
            (70, Event::Endpoint { segment: 2, revision: 2, at_us: 66, seen_us: 69 }),
            (
                80,
                Event::SegmentEnded {
                    segment: 2,
                    revision: 2,
                    from_us: 15,
                    to_us: 66,
                    speech_from_us: 20,
                    speech_to_us: 60,
                    split: false,
                },
            ),
            (81, Event::OutputStarted { segment: 2, revision: 0 }),
            (90, Event::OutputStarted { segment: 2, revision: 2 }),
        ];
        for (t_us, event) in &story {
            picture.note(*t_us, event);
        }
        let want = Counts {
            opened: 2,
            confirmed: 1,
            cancelled: 1,
            endpoints: 2,
            retracted: 1,
            answers: 1,
            overflowed: 0,
            non_finite: 0,
        };
        assert_eq!(picture.counts, want);
        let spans: Vec<_> = picture.spans.iter().map(|s| (s.from_us, s.to_us, s.fate.clone())).collect();
        assert_eq!(spans, [(4, Some(18), Fate::Cancelled("not_sustained")), (15, Some(66), Fate::Confirmed)]);
        let ends: Vec<_> = picture.ends.iter().map(|e| (e.at_us, e.retracted_us)).collect();
        assert_eq!(ends, [(45, Some(60)), (66, None)]);
    }
}
