//! Draws the true words of a caller above their sound. They have room up to the next words: they run over several
//! lines, and the browser cuts what does not fit.

use crate::picture::labels::{CHARACTER, NARROW};
use crate::picture::svg::{Escaped, push};
use mynah_load::load::Utterance;

use super::axis::Cell;
use super::drawn::MARKS_MAX;
use super::marks::seconds;

/// Most lines of words.
const LINES: usize = 4;
/// Pixels of a line, as in the style sheet.
const LINE: f64 = 15.0;
/// The line below the words.
const UNDER: f64 = 4.0;
/// Space between two texts, percent of a cell.
const GAP: f64 = 2.0;

/// Height of the row: for as many lines as the words take in narrow cells.
pub(super) fn height(cells: &[Cell], truth: &[Utterance]) -> f64 {
    let lines = |(utterance, (_, width)): &(&Utterance, (f64, f64))| {
        (1..LINES).find(|lines| needed(&utterance.text, *lines) <= *width).unwrap_or(LINES)
    };
    let all = (0..cells.len()).flat_map(|at| placed(cells, at, truth).iter().map(lines).max());
    all.max().unwrap_or(1) as f64 * LINE + UNDER
}

/// From when to when something is said.
pub(super) fn lines(text: &mut String, cell: &Cell, (_, bottom): (f64, f64), truth: &[Utterance]) {
    for utterance in truth.iter().filter(|u| cell.sees(u.start_us, u.end_us)).take(MARKS_MAX) {
        let (left, width) = cell.stretch(utterance.start_us, utterance.end_us);
        push(
            text,
            format_args!(
                "<line class=\"line quiet\" x1=\"{left:.2}%\" x2=\"{:.2}%\" y1=\"{bottom}\" y2=\"{bottom}\"/>\n",
                left + width
            ),
        );
    }
}

/// The words that stand in cell `at`: each text stands in the cell that has most room for it.
pub(super) fn words(text: &mut String, cells: &[Cell], at: usize, row: (f64, f64), truth: &[Utterance]) {
    for (utterance, (left, width)) in placed(cells, at, truth) {
        push(
            text,
            format_args!(
                "<span class=\"said\" style=\"left:{left:.2}%;width:{width:.2}%;top:{}px;height:{}px\"><span title=\"said from \
                 {} to {}: {}\">{}</span></span>",
                row.0,
                row.1 - row.0 - UNDER,
                seconds(utterance.start_us),
                seconds(utterance.end_us),
                Escaped(&utterance.text),
                Escaped(&utterance.text)
            ),
        );
    }
}

/// The utterances of a cell, each with left edge and width in percent.
fn placed<'a>(cells: &[Cell], at: usize, truth: &'a [Utterance]) -> Vec<(&'a Utterance, (f64, f64))> {
    let mut placed: Vec<(&Utterance, (f64, f64))> = Vec::new();
    for (index, utterance) in truth.iter().enumerate().take(MARKS_MAX) {
        let next_us = truth.get(index + 1).map_or(u64::MAX, |next| next.start_us);
        let room = |cell: &Cell| cell.at(next_us) - cell.at(utterance.start_us);
        let seen = |cell: &Cell| cell.sees(utterance.start_us, utterance.end_us);
        let rooms = cells.iter().enumerate().filter(|(_, cell)| seen(cell));
        let most = rooms.max_by(|(i, a), (j, b)| room(a).total_cmp(&room(b)).then(j.cmp(i)));
        let Some((_, cell)) = most.filter(|(home, _)| *home == at) else { continue };
        let (mut left, right) = (cell.at(utterance.start_us), cell.at(next_us));
        // Too little room up to the next words: then from where those before end.
        if right - left < needed(&utterance.text, LINES) {
            let free = placed
                .last()
                .map_or(0.0, |(before, (x, width))| x + needed(&before.text, LINES).min(*width) + GAP);
            left = (right - needed(&utterance.text, LINES)).max(free).min(left);
            if let Some((_, (x, width))) = placed.last_mut() {
                *width = width.min(left - *x - GAP).max(0.0);
            }
        } else if let Some((_, (x, width))) = placed.last_mut() {
            *width = width.min(left - *x - GAP).max(0.0);
        }
        placed.push((utterance, (left, (right - left).max(0.0))));
    }
    placed
}

/// Percent of a narrow cell that a text needs to be seen as a whole in so many lines; words break where lines are not full.
fn needed(text: &str, lines: usize) -> f64 {
    let characters = text.chars().count();
    let longest = text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let line = characters.div_ceil(lines) + if lines > 1 { longest / 2 } else { 0 };
    (line.max(longest) as f64 * CHARACTER / NARROW * 100.0).min(100.0)
}

#[cfg(test)]
mod tests {
    use super::super::axis::cells;
    use super::*;

    fn utterance(start_s: u64, end_s: u64, text: &str) -> Utterance {
        let (start_us, end_us) = (start_s * 1_000_000, end_s * 1_000_000);
        Utterance { start_us, end_us, text: text.into(), voice: "".into(), pauses: Vec::new(), clip: 0 }
    }

    #[test]
    fn words_use_the_room_up_to_the_next_ones() {
        let cells = cells((0, 20_000_000));
        let truth = [
            utterance(1, 2, "Is there any way to see it?"),
            utterance(6, 9, "Yes."),
            utterance(9, 12, "So, what happens to the reactor then?"),
        ];
        let homes: Vec<Vec<(&str, i64, i64)>> = (0..2)
            .map(|at| {
                let placed = placed(&cells, at, &truth);
                placed.iter().map(|(u, (x, w))| (&*u.text, *x as i64, *w as i64)).collect()
            })
            .collect();
        // Up to the next words, and in the cell that has more room.
        assert_eq!(homes[0], [(&*truth[0].text, 10, 48), ("Yes.", 60, 30)]);
        assert_eq!(homes[1], [(&*truth[2].text, 0, 100)]);
    }

    #[test]
    fn words_at_the_end_of_a_cell_reach_back_over_what_is_free() {
        let cells = cells((0, 10_000_000));
        let truth = [utterance(1, 2, "No."), utterance(9, 10, "I asked for the blue kettle.")];
        let placed = placed(&cells, 0, &truth);
        let [(_, (first, width)), (_, (second, room))] = placed[..] else { panic!("{placed:?}") };
        assert!(second + room > 99.9 && room >= needed(&truth[1].text, LINES) - 0.01, "{placed:?}");
        assert!(first + width + GAP <= second + 0.01, "{placed:?}");
    }
}
