//! Draws one session over time: the audio that arrived, the gate's judgement, the answers.

mod axis;
mod drawn;
mod legend;
mod marks;
mod said;

use mynah_engine::ScenePlan;
use mynah_engine::scene::{Hearing, Override};

use crate::picture::figure::moment;
use crate::picture::labels::{NARROW, width_of};
use crate::picture::svg::{Escaped, curve, envelope, push};
use mynah_files::failure::Failure;
use mynah_sim::run::peaks::COLUMN_US;
use mynah_sim::run::track::Answer;

use self::axis::{Cell, cells};
pub use self::drawn::{Lane, MARKS_MAX, Sound};
pub use self::legend::legend;

/// What the gates of a scene hear by.
pub fn gates(plan: &ScenePlan) -> Vec<Hearing> {
    plan.nodes.iter().filter_map(|node| node.spec.hearing()).collect()
}

/// The settings that make the gates of a scene log their probabilities.
///
/// # Errors
/// A node's name is none that a setting can have.
pub fn traces(plan: &ScenePlan) -> Result<Vec<Override>, Failure> {
    let gates = plan.nodes.iter().filter(|node| node.spec.hearing().is_some());
    gates.map(|node| Override::parse(&format!("{}.trace=true", node.id)).map_err(Failure::unable)).collect()
}

/// The first row begins here, below the times; pixels.
const TOP: f64 = 24.0;
const GAP: f64 = 8.0;
/// Columns of a waveform in one cell.
const COLUMNS: usize = 400;
/// Side of the box that curves are drawn in, stretched to their cell.
const SIDE: f64 = 1_000.0;

/// Top and bottom of a row, in pixels; a row that is not there has none.
type Row = Option<(f64, f64)>;

/// The rows that this session has: those in which anything is to be seen.
#[derive(Clone, Copy, Debug)]
struct Rows {
    said: Row,
    input: Row,
    probability: Row,
    segments: Row,
    ends: Row,
    turns: Row,
    output: Row,
    height: f64,
}

impl Rows {
    fn of(lane: &Lane<'_>) -> Self {
        let whole = Cell::new(lane.stretch);
        let mut y = TOP;
        let mut row = |there: bool, height: f64, gap: f64| {
            there.then(|| {
                let top = y;
                y += height + gap;
                (top, top + height)
            })
        };
        let picture = lane.picture;
        let has_segments = picture.spans.iter().any(|s| whole.sees(s.from_us, s.to_us.unwrap_or(u64::MAX)));
        let has_ends = picture.ends.iter().any(|end| whole.sees(end.at_us, end.at_us));
        let answers = || lane.answers.iter().filter(|answer| whole.sees(answer.from_us, answer.to_us));
        let sounds = lane.output.most(lane.stretch.0, lane.stretch.1) > 0.0;
        let said = row(!lane.truth.is_empty(), said::height(&cells(lane.stretch), lane.truth), GAP);
        let input = row(true, 80.0, GAP);
        let probability = row(!picture.probabilities.is_empty(), 60.0, GAP);
        let (segments, ends) = (row(has_segments, 16.0, GAP), row(has_ends, 16.0, GAP));
        let turns = row(answers().any(|answer| answer.turn > 0), 16.0, 0.0);
        let output = row(sounds || answers().next().is_some(), 48.0, GAP);
        Self { said, input, probability, segments, ends, turns, output, height: y }
    }

    fn named(&self) -> [(&'static str, Row); 7] {
        [
            ("said", self.said),
            ("input", self.input),
            ("speech", self.probability),
            ("segments", self.segments),
            ("ends", self.ends),
            ("turn", self.turns),
            ("output", self.output),
        ]
    }
}

/// Draws the session in one or more cells, side by side where the window is wide and below each other where it is not;
/// `title` and `told` say to who cannot see it what it is and shows.
pub fn draw(lane: &Lane<'_>, title: &str, told: &str) -> String {
    let rows = Rows::of(lane);
    let cells = cells(lane.stretch);
    let most = lane.input.most();
    let one = if cells.len() == 1 { " one" } else { "" };
    let mut text = format!("<div class=\"lane{one}\">\n");
    for (at, cell) in cells.iter().enumerate() {
        // In a wide window two cells share the names.
        let class = if at % 2 == 1 { "names more" } else { "names" };
        push(&mut text, format_args!("<div class=\"{class}\" style=\"height:{:.0}px\">", rows.height));
        for (name, row) in rows.named() {
            let Some((top, bottom)) = row else { continue };
            push(
                &mut text,
                format_args!("<span style=\"top:{:.0}px\">{name}</span>", (top + bottom) / 2.0 - 8.0),
            );
        }
        push(
            &mut text,
            format_args!(
                "</div><div class=\"cell\"><svg width=\"100%\" height=\"{:.0}\" role=\"img\"><title>{}, {}</title>\
                 <desc>{}</desc>\n",
                rows.height,
                Escaped(title),
                cell.told(),
                Escaped(told)
            ),
        );
        fill(&mut text, cell, &rows, lane, most);
        text.push_str("</svg>");
        if let Some(row) = rows.said {
            said::words(&mut text, &cells, at, row, lane.truth);
        }
        text.push_str("</div>\n");
    }
    text.push_str("</div>\n");
    text
}

fn fill(text: &mut String, cell: &Cell, rows: &Rows, lane: &Lane<'_>, most: f32) {
    grid(text, cell, rows);
    if let Some(row) = rows.input {
        marks::bands(text, cell, row, lane.picture);
        waveform(text, cell, row, lane.input, most);
    }
    if let Some(row) = rows.said {
        said::lines(text, cell, row, lane.truth);
    }
    if let Some(row) = rows.probability {
        probability(text, cell, row, lane);
    }
    if let Some(row) = rows.segments {
        let spans = lane.picture.spans.iter().take(MARKS_MAX);
        let seen = spans.filter(|span| cell.sees(span.from_us, span.to_us.unwrap_or(u64::MAX)));
        seen.for_each(|span| marks::segment(text, cell, row, span));
    }
    if let Some(row) = rows.ends {
        let ends = lane.picture.ends.iter().take(MARKS_MAX);
        let seen = ends.filter(|end| cell.sees(end.at_us, end.at_us));
        seen.for_each(|end| marks::endpoint(text, cell, row, end));
    }
    if let Some(row) = rows.output {
        output(text, cell, (rows.turns, row), lane);
    }
}

fn grid(text: &mut String, cell: &Cell, rows: &Rows) {
    /// Between a line and its label, pixels.
    const BESIDE: f64 = 3.0;
    let mut free = 0.0;
    for us in cell.ticks() {
        let at = cell.at(us);
        push(
            text,
            format_args!(
                "<line class=\"grid\" x1=\"{at:.2}%\" y1=\"20\" x2=\"{at:.2}%\" y2=\"{:.0}\"/>\n",
                rows.height
            ),
        );
        // A label that would leave a narrow cell stands left of its line; one without room is left out.
        let label = moment(us as f64 / 1e6);
        let (px, width) = (at / 100.0 * NARROW, width_of(&label));
        let outside = px + BESIDE + width > NARROW;
        let (anchor, dx, left) =
            if outside { ("end", -BESIDE, px - BESIDE - width) } else { ("start", BESIDE, px + BESIDE) };
        if left < free {
            continue;
        }
        free = left + width + BESIDE;
        push(
            text,
            format_args!(
                "<text x=\"{at:.2}%\" dx=\"{dx}\" y=\"14\" text-anchor=\"{anchor}\">{label}</text>\n"
            ),
        );
    }
}

/// Opens a box over `from..to` percent of the cell and the row, in which curves are drawn 1,000 wide.
fn stretched(text: &mut String, (left, width): (f64, f64), (top, bottom): (f64, f64)) {
    let height = bottom - top;
    push(
        text,
        format_args!(
            "<svg x=\"{left:.3}%\" y=\"{top}\" width=\"{width:.3}%\" height=\"{height}\" viewBox=\"0 0 {SIDE} {height}\" \
             preserveAspectRatio=\"none\" pointer-events=\"none\">"
        ),
    );
}

fn waveform(text: &mut String, cell: &Cell, row: (f64, f64), input: Sound<'_>, most: f32) {
    let rate = u64::from(input.rate_hz.max(1));
    let channels = input.channels.max(1);
    let frame = |us: u64| (us.saturating_sub(input.from_us) as u128 * u128::from(rate) / 1_000_000) as usize;
    let frames = input.samples.len() / channels;
    let (from, to) = (frame(cell.from_us).min(frames), frame(cell.to_us).min(frames));
    if from == to {
        return;
    }
    let us = |frame: usize| input.from_us + frame as u64 * 1_000_000 / rate;
    let half = (row.1 - row.0) / 2.0;
    let samples = &input.samples[from * channels..to * channels];
    let shape = envelope(samples, channels, COLUMNS, SIDE, half, half / f64::from(most));
    stretched(text, cell.stretch(us(from), us(to)), row);
    push(text, format_args!("<path class=\"wave\" d=\"{shape}\"/></svg>\n"));
}

fn probability(text: &mut String, cell: &Cell, row: (f64, f64), lane: &Lane<'_>) {
    let height = row.1 - row.0;
    let y = |p: f32| height * (1.0 - f64::from(p.clamp(0.0, 1.0)));
    for gate in lane.gates {
        for (class, what, level) in
            [("threshold", "opens at", gate.opens_at), ("release", "pauses below", gate.closes_below)]
        {
            push(
                text,
                format_args!(
                    "<line class=\"{class}\" x1=\"0\" y1=\"{0:.1}\" x2=\"100%\" y2=\"{0:.1}\"><title>{what} {level}\
                     </title></line>\n",
                    row.0 + y(level),
                ),
            );
        }
    }
    let all = &lane.picture.probabilities;
    // One more on both sides, so that the curve goes on in the next cell.
    let from = all.partition_point(|(us, _)| *us < cell.from_us).saturating_sub(1);
    let to = (all.partition_point(|(us, _)| *us <= cell.to_us) + 1).min(all.len());
    let path = curve(&all[from..to.max(from)], COLUMNS * 2, |us| cell.signed(us) * SIDE, y);
    if !path.is_empty() {
        stretched(text, (0.0, 100.0), row);
        push(text, format_args!("<path class=\"probability\" d=\"{path}\"/></svg>\n"));
    }
}

fn output(text: &mut String, cell: &Cell, (turns, row): (Row, (f64, f64)), lane: &Lane<'_>) {
    let seen = |answer: &&Answer| cell.sees(answer.from_us, answer.to_us);
    let answers = || lane.answers.iter().take(MARKS_MAX).filter(seen);
    let ground = (turns.map_or(row.0, |(top, _)| top), row.1);
    answers().for_each(|answer| marks::answer(text, cell, ground, answer, lane));
    let half = (row.1 - row.0) / 2.0;
    let most = lane.output.most(lane.stretch.0, lane.stretch.1).max(0.05);
    // A shape may reach over the end of the cell: what is outside is cut off.
    let from_us = cell.from_us.saturating_sub(COLUMN_US);
    let x = |us: u64| cell.signed(us) * SIDE;
    let shape = lane.output.outline((from_us, cell.to_us), COLUMNS, x, half, half / f64::from(most));
    if !shape.is_empty() {
        stretched(text, (0.0, 100.0), row);
        push(text, format_args!("<path class=\"sound\" d=\"{shape}\"/></svg>\n"));
    }
    if let Some(row) = turns {
        let starts: Vec<&Answer> = answers().filter(|a| a.turn > 0 && a.from_us >= cell.from_us).collect();
        marks::turns(text, cell, row, &starts);
    }
}
