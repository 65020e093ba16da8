//! Which shape the mouth of a character has.

use std::collections::VecDeque;

use mynah_engine::SessionEvent;
use mynah_engine::media::Viseme;

/// Shapes that are known ahead: half a minute of speech. What comes beyond leaves the mouth at rest.
const SHAPES_MAX: usize = 512;

/// A shape, and when it is seen: microseconds from the first sample of the turn's answer.
#[derive(Clone, Copy, Debug)]
struct Shape {
    turn: u32,
    from_us: u64,
    to_us: u64,
    viseme: Viseme,
}

/// Follows an answer by the times that its voice tells.
#[derive(Debug, Default)]
pub(crate) struct Lips {
    turn: u32,
    at_us: u64,
    shapes: VecDeque<Shape>,
}

impl Lips {
    /// Takes what an event says of an answer.
    pub(crate) fn follow(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Spoken { turn, from_us, times } => {
                let shapes = times.iter().filter_map(|time| {
                    let viseme = time.what.viseme()?;
                    let (from_us, to_us) = (from_us + time.from_us, from_us + time.until_us);
                    Some(Shape { turn: *turn, from_us, to_us, viseme })
                });
                let room = SHAPES_MAX.saturating_sub(self.shapes.len());
                self.shapes.extend(shapes.take(room));
            }
            SessionEvent::AnswerStarted { turn, .. } => {
                (self.turn, self.at_us) = (*turn, 0);
                self.shapes.retain(|shape| shape.turn >= *turn);
            }
            SessionEvent::AnswerInterrupted { turn, .. } | SessionEvent::AnswerEnded { turn, .. } => {
                self.shapes.retain(|shape| shape.turn != *turn);
            }
            _ => {}
        }
    }

    /// The shape after `us` microseconds in which the character `speaks` or does not.
    pub(crate) fn viseme(&mut self, speaks: bool, us: u64) -> Viseme {
        if !speaks {
            return Viseme::Rest;
        }
        self.at_us += us;
        let (turn, at_us) = (self.turn, self.at_us);
        while self.shapes.pop_front_if(|shape| shape.turn == turn && shape.to_us <= at_us).is_some() {}
        let now = self.shapes.front().filter(|shape| shape.turn == turn && shape.from_us <= at_us);
        now.map_or(Viseme::Rest, |shape| shape.viseme)
    }
}
