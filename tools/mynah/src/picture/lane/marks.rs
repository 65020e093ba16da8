//! What stands on a session's rows: segments, ends of speech, answers, what was said.

use crate::load::Utterance;
use crate::picture::session::{EndMark, Fate, Picture, Span};
use crate::picture::svg::{Escaped, push};
use crate::run::track::Answer;

use super::{Axis, Lane, MARKS_MAX};

fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}

/// A segment behind the waveform.
pub(super) fn bands(text: &mut String, axis: &Axis, (top, bottom): (f64, f64), picture: &Picture) {
    for span in picture.spans.iter().take(MARKS_MAX) {
        let to_us = span.to_us.unwrap_or(axis.to_us);
        if !axis.sees(span.from_us, to_us) {
            continue;
        }
        let (x, width) = axis.stretch(span.from_us, to_us);
        let class = if matches!(span.fate, Fate::Cancelled(_)) { "band off" } else { "band" };
        push(
            text,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{}\"/>\n",
                bottom - top
            ),
        );
    }
}

/// What the caller truly says, as far as it fits; all of it for who points at it.
pub(super) fn said(text: &mut String, axis: &Axis, (top, bottom): (f64, f64), truth: &[Utterance]) {
    /// Pixels of a character, about.
    const CHARACTER: f64 = 6.6;
    for utterance in truth.iter().filter(|u| axis.sees(u.start_us, u.end_us)).take(MARKS_MAX) {
        let (x, width) = axis.stretch(utterance.start_us, utterance.end_us);
        let room = (width / CHARACTER) as usize;
        let whole: &str = &utterance.text;
        let fits = match whole.char_indices().nth(room) {
            None => whole.to_string(),
            Some(_) if room < 4 => String::new(),
            Some(_) => {
                let end = whole.char_indices().nth(room - 1).map_or(0, |(at, _)| at);
                format!("{}…", whole[..end].trim_end())
            }
        };
        push(
            text,
            format_args!(
                "<g><title>said from {} to {}: {}</title><path class=\"line quiet\" d=\"M{x:.1} {bottom}h{width:.1}\"/><text \
                 class=\"on\" x=\"{x:.1}\" y=\"{:.1}\">{}</text></g>\n",
                seconds(utterance.start_us),
                seconds(utterance.end_us),
                Escaped(whole),
                top + 12.0,
                Escaped(&fits)
            ),
        );
    }
}

pub(super) fn segment(text: &mut String, axis: &Axis, (top, bottom): (f64, f64), span: &Span) {
    let to_us = span.to_us.unwrap_or(axis.to_us);
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
        if !axis.sees(from_us, to_us) {
            return;
        }
        let (x, width) = axis.stretch(from_us, to_us);
        push(
            text,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{}\"/>",
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

pub(super) fn endpoint(text: &mut String, axis: &Axis, (top, bottom): (f64, f64), end: &EndMark) {
    let x = axis.x(end.at_us);
    let middle = (top + bottom) / 2.0;
    let (class, fate, shape) = match end.retracted_us {
        None => ("end", "held".to_string(), format!("M{x:.1} {top}V{bottom}")),
        Some(us) => {
            let (left, right, up, down) = (x - 4.5, x + 4.5, middle - 4.5, middle + 4.5);
            let cross =
                format!("M{left:.1} {up:.1}L{right:.1} {down:.1}M{right:.1} {up:.1}L{left:.1} {down:.1}");
            ("retracted", format!("taken back at {}", seconds(us)), cross)
        }
    };
    push(
        text,
        format_args!(
            "<g><title>segment {}, revision {}: speech ended at {}, seen at {}; {fate}</title><rect class=\"hot\" x=\"{:.1}\" \
             y=\"{top}\" width=\"12\" height=\"{}\"/><path class=\"{class}\" d=\"{shape}\"/></g>\n",
            end.segment,
            end.revision,
            seconds(end.at_us),
            seconds(end.told_us),
            x - 6.0,
            bottom - top
        ),
    );
}

/// The ground that an answer stands on, and what it says.
pub(super) fn answer(
    text: &mut String,
    axis: &Axis,
    (top, bottom): (f64, f64),
    answer: &Answer,
    lane: &Lane<'_>,
) {
    let (x, width) = axis.stretch(answer.from_us, answer.to_us);
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
            "</title><rect class=\"answer\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{}\"/><path \
             class=\"answer-edge\" d=\"M{x:.1} {top}V{bottom}\"/></g>\n",
            bottom - top
        ),
    );
}

/// The number of the turn that an answer belongs to.
pub(super) fn turn(text: &mut String, axis: &Axis, (top, _): (f64, f64), answer: &Answer) {
    if answer.turn == 0 {
        return;
    }
    let x = axis.x(answer.from_us) + 4.0;
    push(
        text,
        format_args!(
            "<text class=\"on\" pointer-events=\"none\" x=\"{x:.1}\" y=\"{:.1}\">turn {}</text>\n",
            top + 11.0,
            answer.turn
        ),
    );
}
