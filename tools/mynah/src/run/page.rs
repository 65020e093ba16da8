//! What happened, as one self-contained page: inline SVG, no script, nothing fetched, readable in light and dark.

use mynah_engine::scene::parse_config;
use mynah_engine::{NodeKind, ScenePlan};
use mynah_systems::vad_gate::VadGate;

use crate::run::picture::{EndMark, Fate, Picture, Span};
use crate::run::svg::{Escaped, curve, envelope, push};
use crate::run::track::Answer;
use crate::wav::Recording;

/// One session on the page.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// The session's name.
    pub name: &'a str,
    /// What arrived.
    pub recording: &'a Recording,
    /// What happened.
    pub picture: &'a Picture,
    /// What was answered.
    pub answers: &'a [Answer],
}

const TEMPLATE: &str = include_str!("page.html");

/// Most segments, ends and answers drawn of one session; the page says when there are more.
const MARKS_MAX: usize = 1_000;

/// Pixels: names of the rows, and how wide the time axis may be.
const LEFT: f64 = 84.0;
/// The last time's label stands here.
const RIGHT: f64 = 48.0;
const WIDTH_MIN: f64 = 1_000.0;
const WIDTH_MAX: f64 = 8_000.0;
const PX_PER_S: f64 = 60.0;

/// Vertical places of the rows, in pixels.
const WAVE: (f64, f64) = (24.0, 104.0);
const PROBABILITY: (f64, f64) = (114.0, 174.0);
const SEGMENTS: (f64, f64) = (184.0, 200.0);
const ENDS: (f64, f64) = (206.0, 222.0);
const ANSWERS: (f64, f64) = (228.0, 244.0);
const HEIGHT: f64 = 252.0;

/// The whole page.
pub fn page(plan: &ScenePlan, lanes: &[Lane<'_>]) -> String {
    let title = format!("{}: {}", plan.scene.name, crate::scenes::counted(lanes.len(), "recording"));
    let gates = gates(plan);
    let nodes = crate::events::node_names(plan);
    let mut drawn = String::new();
    for lane in lanes {
        draw(&mut drawn, lane, &gates, &nodes);
    }
    let mut text = String::with_capacity(TEMPLATE.len() + drawn.len());
    for (at, part) in TEMPLATE.split("{{").enumerate() {
        let (name, rest) = if at == 0 { ("", part) } else { part.split_once("}}").unwrap_or(("", part)) };
        match name {
            "title" => push(&mut text, format_args!("{}", Escaped(&title))),
            "about" => push(&mut text, format_args!("{}", Escaped(&plan.scene.description))),
            "lanes" => text.push_str(&drawn),
            _ => {}
        }
        text.push_str(rest);
    }
    text
}

fn gates(plan: &ScenePlan) -> Vec<VadGate> {
    let gates = plan.scene.nodes.iter().filter(|node| node.kind.name == VadGate::NAME);
    gates.filter_map(|node| parse_config(&node.kind.config).ok()).collect()
}

/// From time to pixels.
#[derive(Clone, Copy)]
struct Axis {
    end_us: u64,
    width: f64,
}

impl Axis {
    fn new(lane: &Lane<'_>) -> Self {
        let recording = lane.recording;
        let frames = recording.samples.len() / usize::from(recording.channels);
        let heard_us = frames as u64 * 1_000_000 / u64::from(recording.rate);
        let answered_us = lane.answers.iter().map(|answer| answer.to_us).max().unwrap_or(0);
        let end_us = heard_us.max(answered_us).max(1);
        Self { end_us, width: (end_us as f64 / 1e6 * PX_PER_S).clamp(WIDTH_MIN, WIDTH_MAX) }
    }

    fn x(&self, us: u64) -> f64 {
        LEFT + self.width * us.min(self.end_us) as f64 / self.end_us as f64
    }

    /// Seconds between two lines of the grid: about one in 80 pixels.
    fn step_s(&self) -> f64 {
        let wanted = self.end_us as f64 / 1e6 / (self.width / 80.0);
        let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0];
        steps.into_iter().find(|step| *step >= wanted).unwrap_or(3_600.0)
    }
}

fn draw(page: &mut String, lane: &Lane<'_>, gates: &[VadGate], nodes: &[String]) {
    let axis = Axis::new(lane);
    let (recording, picture) = (lane.recording, lane.picture);
    let counts = picture.counts;
    push(page, format_args!("<section>\n<h2>{}</h2>\n", Escaped(lane.name)));
    push(
        page,
        format_args!(
            "<p>{} Hz, {} channel(s), waveform to {:.2} of full scale. Segments: \
             {} opened, {} confirmed, {} cancelled. Ends of speech: {}, of which \
             {} taken back. Answers: {}.{}</p>\n",
            recording.rate,
            recording.channels,
            scale(recording),
            counts.opened,
            counts.confirmed,
            counts.cancelled,
            counts.endpoints,
            counts.retracted,
            counts.answers,
            cut_note(lane)
        ),
    );
    let width = LEFT + axis.width + RIGHT;
    push(
        page,
        format_args!(
            "<div class=\"scroll\"><svg width=\"{width:.0}\" height=\"{HEIGHT:.0}\" role=\"img\" \
             aria-label=\"what happened over time\">\n"
        ),
    );
    grid(page, &axis);
    bands(page, &axis, picture);
    waveform(page, &axis, recording);
    probability(page, &axis, picture, gates);
    for span in picture.spans.iter().take(MARKS_MAX) {
        segment(page, &axis, span);
    }
    for end in picture.ends.iter().take(MARKS_MAX) {
        endpoint(page, &axis, end);
    }
    for answer in lane.answers.iter().take(MARKS_MAX) {
        sounded(page, &axis, answer, picture, nodes);
    }
    page.push_str("</svg></div>\n</section>\n");
}

fn cut_note(lane: &Lane<'_>) -> String {
    let most = lane.picture.spans.len().max(lane.picture.ends.len()).max(lane.answers.len());
    if most > MARKS_MAX { format!(" The first {MARKS_MAX} of each are drawn.") } else { String::new() }
}

fn grid(page: &mut String, axis: &Axis) {
    let rows = [
        ("input", WAVE),
        ("speech", PROBABILITY),
        ("segments", SEGMENTS),
        ("ends", ENDS),
        ("answers", ANSWERS),
    ];
    for (name, (top, bottom)) in rows {
        push(page, format_args!("<text x=\"8\" y=\"{:.1}\">{name}</text>\n", (top + bottom) / 2.0 + 4.0));
    }
    let step_s = axis.step_s();
    let lines = (axis.end_us as f64 / 1e6 / step_s) as u64;
    for line in 0..=lines {
        let at_s = line as f64 * step_s;
        let x = axis.x((at_s * 1e6) as u64);
        let label = if step_s < 1.0 { format!("{at_s:.1} s") } else { format!("{at_s:.0} s") };
        push(
            page,
            format_args!("<line class=\"grid\" x1=\"{x:.1}\" y1=\"20\" x2=\"{x:.1}\" y2=\"{HEIGHT}\"/>"),
        );
        push(page, format_args!("<text x=\"{:.1}\" y=\"14\">{label}</text>\n", x + 2.0));
    }
}

/// A segment behind the waveform.
fn bands(page: &mut String, axis: &Axis, picture: &Picture) {
    for span in picture.spans.iter().take(MARKS_MAX) {
        let (x, width) = stretch(axis, span.from_us, span.to_us.unwrap_or(axis.end_us));
        let class = if matches!(span.fate, Fate::Cancelled(_)) { "band off" } else { "band" };
        let (top, height) = (WAVE.0, WAVE.1 - WAVE.0);
        push(
            page,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"/>\n"
            ),
        );
    }
}

fn waveform(page: &mut String, axis: &Axis, recording: &Recording) {
    let channels = usize::from(recording.channels);
    let frames = (recording.samples.len() / channels) as u64;
    let width = axis.x(frames * 1_000_000 / u64::from(recording.rate)) - LEFT;
    let (middle, half) = ((WAVE.0 + WAVE.1) / 2.0, (WAVE.1 - WAVE.0) / 2.0);
    let shape =
        envelope(&recording.samples, channels, LEFT, width, middle, half / f64::from(scale(recording)));
    push(page, format_args!("<path class=\"wave\" d=\"{shape}\"/>\n"));
}

/// The sample that fills the row: the greatest one, but hiss is not blown up to speech.
fn scale(recording: &Recording) -> f32 {
    const LEAST: f32 = 0.05;
    recording.samples.iter().copied().filter(|s| s.is_finite()).fold(LEAST, |most, s| most.max(s.abs()))
}

fn probability(page: &mut String, axis: &Axis, picture: &Picture, gates: &[VadGate]) {
    let y = |p: f32| PROBABILITY.1 - (PROBABILITY.1 - PROBABILITY.0) * f64::from(p.clamp(0.0, 1.0));
    for gate in gates {
        for (class, what, level) in
            [("threshold", "opens at", gate.threshold), ("release", "pauses below", gate.release_threshold)]
        {
            push(
                page,
                format_args!(
                    "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{0:.1}\" x2=\"{1:.1}\" y2=\"{0:.1}\"><title>{what} \
                     {level}</title></line>\n",
                    y(level),
                    LEFT + axis.width
                ),
            );
        }
    }
    let path = curve(&picture.probabilities, |us| axis.x(us), y);
    if !path.is_empty() {
        push(page, format_args!("<path class=\"probability\" d=\"{path}\"/>\n"));
    }
}

/// Left edge and width of a stretch, wide enough to be seen.
fn stretch(axis: &Axis, from_us: u64, to_us: u64) -> (f64, f64) {
    let x = axis.x(from_us);
    (x, (axis.x(to_us.max(from_us)) - x).max(1.5))
}

fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}

fn segment(page: &mut String, axis: &Axis, span: &Span) {
    let to_us = span.to_us.unwrap_or(axis.end_us);
    let decided_us = span.decided_us.unwrap_or(to_us);
    let (fate, waited) = (
        match &span.fate {
            Fate::Speculative => "never decided".to_string(),
            Fate::Confirmed => format!("confirmed at {}", seconds(decided_us)),
            Fate::Cancelled(reason) => format!("cancelled ({reason}) at {}", seconds(decided_us)),
        },
        decided_us.saturating_sub(span.opened_us) / 1_000,
    );
    push(
        page,
        format_args!(
            "<g><title>segment {}: {} to {}; opened at {}, {fate}, after {waited} ms</title>",
            span.segment,
            seconds(span.from_us),
            seconds(to_us),
            seconds(span.opened_us)
        ),
    );
    let (top, height) = (SEGMENTS.0, SEGMENTS.1 - SEGMENTS.0);
    let mut bar = |class: &str, from_us: u64, to_us: u64| {
        let (x, width) = stretch(axis, from_us, to_us);
        push(
            page,
            format_args!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"/>"
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
    page.push_str("</g>\n");
}

fn endpoint(page: &mut String, axis: &Axis, end: &EndMark) {
    let (class, fate) = match end.retracted_us {
        None => ("end", "held".to_string()),
        Some(us) => ("retracted", format!("taken back at {}", seconds(us))),
    };
    let x = axis.x(end.at_us);
    push(
        page,
        format_args!(
            "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{}\"><title>segment {}, revision {}: \
             speech ended at {}, seen at {}; {fate}</title></line>\n",
            ENDS.0,
            ENDS.1,
            end.segment,
            end.revision,
            seconds(end.at_us),
            seconds(end.told_us)
        ),
    );
}

fn sounded(page: &mut String, axis: &Axis, answer: &Answer, picture: &Picture, nodes: &[String]) {
    let (x, width) = stretch(axis, answer.from_us, answer.to_us);
    let (top, height) = (ANSWERS.0, ANSWERS.1 - ANSWERS.0);
    push(
        page,
        format_args!(
            "<rect class=\"answer\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"><title>answer to \
             segment {}, revision {}: {} to {}",
            answer.segment,
            answer.revision,
            seconds(answer.from_us),
            seconds(answer.to_us)
        ),
    );
    let of_it = picture.words.iter().filter(|w| (w.segment, w.revision) == (answer.segment, answer.revision));
    for words in of_it {
        let node = nodes.get(words.node).map_or("?", String::as_str);
        push(page, format_args!("\n{}: {}", Escaped(node), Escaped(&words.text)));
    }
    page.push_str("</title></rect>\n");
}
