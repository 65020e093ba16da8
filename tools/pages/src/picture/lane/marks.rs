//! Draws the marks on a session's rows: segments, ends of speech, answers.

use crate::picture::labels::{NARROW, width_of};
use crate::picture::session::{EndMark, Fate, Picture, Span};
use crate::picture::svg::{Escaped, push};
use mynah_sim::run::track::Answer;

use super::axis::Cell;
use super::drawn::{Lane, MARKS_MAX};

/// A moment to the millisecond.
pub(super) fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}

/// A segment behind the waveform.
pub(super) fn bands(text: &mut String, cell: &Cell, (top, bottom): (f64, f64), picture: &Picture) {
    for span in picture.spans.iter().take(MARKS_MAX) {
        let to_us = span.to_us.unwrap_or(cell.to_us);
        if !cell.sees(span.from_us, to_us) {
            continue;
        }
        let (x, width) = cell.stretch(span.from_us, to_us);
        let class = if matches!(span.fate, Fate::Cancelled(_)) { "band off" } else { "band" };
        push(
            text,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.2}%\" y=\"{top}\" width=\"{width:.2}%\" height=\"{}\"/>\n",
                bottom - top
            ),
        );
    }
}

pub(super) fn segment(text: &mut String, cell: &Cell, (top, bottom): (f64, f64), span: &Span) {
    let to_us = span.to_us.unwrap_or(cell.to_us);
    let decided_us = span.decided_us.unwrap_or(to_us);
    let fate = match &span.fate {
        Fate::Speculative => "never decided".to_string(),
        Fate::Confirmed => format!("confirmed at {}", seconds(decided_us)),
        Fate::Cancelled(reason) => format!("cancelled ({reason}) at {}", seconds(decided_us)),
    };
    push(
        text,
        format_args!(
            "<g><title>segment {}: {} to {}; opened at {}, {fate}, after {} ms</title>",
            span.segment,
            seconds(span.from_us),
            seconds(to_us),
            seconds(span.opened_us),
            decided_us.saturating_sub(span.opened_us) / 1_000
        ),
    );
    let mut bar = |class: &str, from_us: u64, to_us: u64| {
        if !cell.sees(from_us, to_us) {
            return;
        }
        let (x, width) = cell.stretch(from_us, to_us);
        push(
            text,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.2}%\" y=\"{top}\" width=\"{width:.2}%\" height=\"{}\"/>",
                bottom - top
            ),
        );
    };
    match span.fate {
        Fate::Cancelled(_) => bar("cancelled", span.from_us, to_us),
        Fate::Speculative => bar("speculative", span.from_us, to_us),
        Fate::Confirmed => {
            let split_us = decided_us.clamp(span.from_us, to_us.max(span.from_us));
            bar("speculative", span.from_us, split_us);
            bar("confirmed", split_us, to_us);
        }
    }
    text.push_str("</g>\n");
}

pub(super) fn endpoint(text: &mut String, cell: &Cell, (top, bottom): (f64, f64), end: &EndMark) {
    let x = cell.at(end.at_us);
    let height = bottom - top;
    let (fate, shape) = match end.retracted_us {
        None => ("held".to_string(), format!("<path class=\"end\" d=\"M0 0V{height}\"/>")),
        Some(us) => (
            format!("taken back at {}", seconds(us)),
            format!(
                "<path class=\"retracted\" d=\"M-4.5 {0}L4.5 {1}M4.5 {0}L-4.5 {1}\"/>",
                height / 2.0 - 4.5,
                height / 2.0 + 4.5
            ),
        ),
    };
    push(
        text,
        format_args!(
            "<svg x=\"{x:.2}%\" y=\"{top}\" overflow=\"visible\"><g><title>segment {}, revision {}: speech ended at {}, seen \
             at {}; {fate}</title><rect class=\"hot\" x=\"-6\" width=\"12\" height=\"{height}\"/>{shape}</g></svg>\n",
            end.segment,
            end.revision,
            seconds(end.at_us),
            seconds(end.told_us),
        ),
    );
}

/// The ground that an answer stands on, and what it says.
pub(super) fn answer(
    text: &mut String,
    cell: &Cell,
    (top, bottom): (f64, f64),
    answer: &Answer,
    lane: &Lane<'_>,
) {
    let (x, width) = cell.stretch(answer.from_us, answer.to_us);
    push(
        text,
        format_args!(
            "<g><title>answer to segment {}, revision {}: {} to {}",
            answer.segment,
            answer.revision,
            seconds(answer.from_us),
            seconds(answer.to_us)
        ),
    );
    let mine = |words: &&crate::picture::session::Words| {
        (words.segment, words.revision) == (answer.segment, answer.revision)
    };
    for words in lane.picture.words.iter().filter(mine) {
        let node = lane.nodes.get(words.node).map_or("?", String::as_str);
        push(text, format_args!("\n{}: {}", Escaped(node), Escaped(&words.text)));
    }
    push(
        text,
        format_args!(
            "</title><rect class=\"answer\" x=\"{x:.2}%\" y=\"{top}\" width=\"{width:.2}%\" height=\"{}\"/>",
            bottom - top
        ),
    );
    if answer.from_us >= cell.from_us {
        push(
            text,
            format_args!(
                "<line class=\"answer-edge\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{top}\" y2=\"{bottom}\"/>"
            ),
        );
    }
    text.push_str("</g>\n");
}

/// Space of a turn's number beside its line, pixels.
const BESIDE: f64 = 4.0;

/// The numbers of the turns that answers belong to, in order; those too near each other stand together: `5–6`.
pub(super) fn turns(text: &mut String, cell: &Cell, (top, _): (f64, f64), starts: &[&Answer]) {
    let mut at = 0;
    while let Some(first) = starts.get(at) {
        let px = |answer: &Answer| cell.at(answer.from_us) / 100.0 * NARROW;
        let mut label = first.turn.to_string();
        at += 1;
        while let Some(next) =
            starts.get(at).filter(|next| px(next) < px(first) + BESIDE * 2.0 + width_of(&label))
        {
            if next.turn != first.turn {
                label = format!("{}–{}", first.turn, next.turn);
            }
            at += 1;
        }
        let outside = px(first) + BESIDE + width_of(&label) > NARROW;
        let (anchor, dx) = if outside { ("end", -BESIDE) } else { ("start", BESIDE) };
        push(
            text,
            format_args!(
                "<text class=\"on\" pointer-events=\"none\" x=\"{:.2}%\" dx=\"{dx}\" y=\"{:.0}\" text-anchor=\"{anchor}\">\
                 {label}</text>\n",
                cell.at(first.from_us),
                top + 12.0
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_turns_do_not_stand_on_each_other() {
        let cell = Cell::new((0, 10_000_000));
        let answer = |turn: u32, from_ms: u64| {
            let from_us = from_ms * 1_000;
            Answer { segment: turn, revision: 1, turn, from_us, to_us: from_us + 100_000 }
        };
        let labels = |answers: &[Answer]| {
            let mut text = String::new();
            turns(&mut text, &cell, (0.0, 16.0), &answers.iter().collect::<Vec<_>>());
            let texts = text.split("<text ").skip(1).filter_map(|part| part.split_once('>'));
            texts.map(|(_, rest)| rest.replace("</text>\n", "")).collect::<Vec<_>>()
        };
        // 26 pixels a second: a digit and its space take 15.
        let near = [answer(4, 5_000), answer(5, 6_000), answer(6, 6_300), answer(7, 6_700), answer(8, 9_900)];
        assert_eq!(labels(&near), ["4", "5–7", "8"]);
        // Two answers of one turn have its number once.
        assert_eq!(labels(&[answer(3, 1_000), answer(3, 1_200)]), ["3"]);
        assert_eq!(labels(&[]), Vec::<String>::new());
    }
}
