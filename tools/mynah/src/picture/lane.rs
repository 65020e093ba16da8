//! One session over time: what arrived, how the gate judged it, what was answered.

mod marks;

use mynah_engine::scene::parse_config;
use mynah_engine::{NodeKind, ScenePlan};
use mynah_systems::vad_gate::VadGate;

use crate::load::Utterance;
use crate::picture::peaks::Peaks;
use crate::picture::plot::key;
use crate::picture::scale::time_step_s;
use crate::picture::session::Picture;
use crate::picture::svg::{Escaped, curve, envelope, push};
use crate::run::track::Answer;

/// Audio that arrived; interleaved.
#[derive(Clone, Copy, Debug)]
pub struct Sound<'a> {
    /// The samples.
    pub samples: &'a [f32],
    /// Channels.
    pub channels: usize,
    /// Sample rate, Hz.
    pub rate_hz: u32,
    /// Media time of the first sample.
    pub from_us: u64,
}

impl Sound<'_> {
    /// Media time behind the last sample.
    pub fn to_us(&self) -> u64 {
        let frames = self.samples.len() / self.channels.max(1);
        self.from_us + frames as u64 * 1_000_000 / u64::from(self.rate_hz.max(1))
    }

    /// The sample that fills the row: the greatest one, but hiss is not blown up to speech.
    pub fn most(&self) -> f32 {
        const LEAST: f32 = 0.05;
        self.samples.iter().copied().filter(|s| s.is_finite()).fold(LEAST, |most, s| most.max(s.abs()))
    }
}

/// Everything that is drawn of one session. All times are media time, which began with the session.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// From when to when.
    pub stretch: (u64, u64),
    /// What arrived.
    pub input: Sound<'a>,
    /// What is truly said, where that is known.
    pub truth: &'a [Utterance],
    /// What happened.
    pub picture: &'a Picture,
    /// What was answered.
    pub answers: &'a [Answer],
    /// How it sounded.
    pub output: &'a Peaks,
    /// The gates that judged it.
    pub gates: &'a [VadGate],
    /// Names of the scene's nodes.
    pub nodes: &'a [String],
}

/// The gates of a scene.
pub fn gates(plan: &ScenePlan) -> Vec<VadGate> {
    let gates = plan.scene.nodes.iter().filter(|node| node.kind.name == VadGate::NAME);
    gates.filter_map(|node| parse_config(&node.kind.config).ok()).collect()
}

/// Most segments, ends and answers drawn of one session; the page says when there are more.
pub const MARKS_MAX: usize = 1_000;

/// Pixels: names of the rows, and how wide the time axis may be.
const LEFT: f64 = 84.0;
/// The last time's label stands here.
const RIGHT: f64 = 48.0;
const WIDTH_MIN: f64 = 1_000.0;
const WIDTH_MAX: f64 = 8_000.0;
const PX_PER_S: f64 = 50.0;
/// The first row begins here, below the times.
const TOP: f64 = 24.0;
const GAP: f64 = 8.0;

/// Top and bottom of a row, in pixels; a row that is not there has none.
type Row = Option<(f64, f64)>;

/// The rows that this session has.
#[derive(Clone, Copy, Debug)]
struct Rows {
    said: Row,
    input: Row,
    probability: Row,
    segments: Row,
    ends: Row,
    output: Row,
    height: f64,
}

impl Rows {
    fn of(lane: &Lane<'_>) -> Self {
        let mut y = TOP;
        let mut row = |there: bool, height: f64| {
            there.then(|| {
                let top = y;
                y += height + GAP;
                (top, top + height)
            })
        };
        let gated = !lane.gates.is_empty() || !lane.picture.spans.is_empty();
        let said = row(!lane.truth.is_empty(), 18.0);
        let input = row(true, 80.0);
        let probability = row(!lane.picture.probabilities.is_empty(), 60.0);
        let (segments, ends) = (row(gated, 16.0), row(gated, 16.0));
        let output = row(true, 52.0);
        Self { said, input, probability, segments, ends, output, height: y }
    }

    fn named(&self) -> [(&'static str, Row); 6] {
        [
            ("said", self.said),
            ("input", self.input),
            ("speech", self.probability),
            ("segments", self.segments),
            ("ends", self.ends),
            ("output", self.output),
        ]
    }
}

/// From time to pixels.
#[derive(Clone, Copy)]
struct Axis {
    from_us: u64,
    to_us: u64,
    width: f64,
}

impl Axis {
    fn new((from_us, to_us): (u64, u64)) -> Self {
        let to_us = to_us.max(from_us + 1);
        let width = ((to_us - from_us) as f64 / 1e6 * PX_PER_S).clamp(WIDTH_MIN, WIDTH_MAX);
        Self { from_us, to_us, width }
    }

    fn x(&self, us: u64) -> f64 {
        let inside = us.clamp(self.from_us, self.to_us) - self.from_us;
        LEFT + self.width * inside as f64 / (self.to_us - self.from_us) as f64
    }

    /// Whether any of `from_us..=to_us` is to be seen.
    fn sees(&self, from_us: u64, to_us: u64) -> bool {
        from_us < self.to_us && to_us >= self.from_us
    }

    /// Left edge and width of a stretch, wide enough to be seen.
    fn stretch(&self, from_us: u64, to_us: u64) -> (f64, f64) {
        let x = self.x(from_us);
        (x, (self.x(to_us.max(from_us)) - x).max(1.5))
    }
}

/// Draws the session; `title` and `told` say to who cannot see it what it is and shows.
pub fn draw(lane: &Lane<'_>, title: &str, told: &str) -> String {
    let (axis, rows) = (Axis::new(lane.stretch), Rows::of(lane));
    let mut text = String::new();
    let width = LEFT + axis.width + RIGHT;
    push(
        &mut text,
        format_args!(
            "<div class=\"scroll\" tabindex=\"0\"><svg width=\"{width:.0}\" height=\"{0:.0}\" viewBox=\"0 0 {width:.0} \
             {0:.0}\" role=\"img\"><title>{1}</title><desc>{2}</desc>\n",
            rows.height,
            Escaped(title),
            Escaped(told)
        ),
    );
    grid(&mut text, &axis, &rows);
    if let Some(row) = rows.input {
        marks::bands(&mut text, &axis, row, lane.picture);
        waveform(&mut text, &axis, row, lane.input);
    }
    if let Some(row) = rows.said {
        marks::said(&mut text, &axis, row, lane.truth);
    }
    if let Some(row) = rows.probability {
        probability(&mut text, &axis, row, lane);
    }
    if let Some(row) = rows.segments {
        let spans = lane.picture.spans.iter().take(MARKS_MAX);
        let seen = spans.filter(|span| axis.sees(span.from_us, span.to_us.unwrap_or(u64::MAX)));
        seen.for_each(|span| marks::segment(&mut text, &axis, row, span));
    }
    if let Some(row) = rows.ends {
        let ends = lane.picture.ends.iter().take(MARKS_MAX);
        let seen = ends.filter(|end| axis.sees(end.at_us, end.at_us));
        seen.for_each(|end| marks::endpoint(&mut text, &axis, row, end));
    }
    if let Some(row) = rows.output {
        output(&mut text, &axis, row, lane);
    }
    text.push_str("</svg></div>\n");
    text
}

fn grid(text: &mut String, axis: &Axis, rows: &Rows) {
    for (name, row) in rows.named() {
        let Some((top, bottom)) = row else { continue };
        push(text, format_args!("<text x=\"8\" y=\"{:.1}\">{name}</text>\n", (top + bottom) / 2.0 + 4.0));
    }
    let (from_s, to_s) = (axis.from_us as f64 / 1e6, axis.to_us as f64 / 1e6);
    // About one line in 80 pixels.
    let step_s = time_step_s(to_s - from_s, axis.width / 80.0);
    let first = (from_s / step_s).ceil() as u64;
    for at_s in (first..).map(|line| line as f64 * step_s).take_while(|at_s| *at_s <= to_s) {
        let x = axis.x((at_s * 1e6).round() as u64);
        let label = if step_s < 1.0 { format!("{at_s:.1} s") } else { format!("{at_s:.0} s") };
        push(
            text,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"20\" x2=\"{x:.1}\" y2=\"{:.1}\"/><text x=\"{:.1}\" \
                 y=\"14\">{label}</text>\n",
                rows.height,
                x + 2.0
            ),
        );
    }
}

fn waveform(text: &mut String, axis: &Axis, (top, bottom): (f64, f64), input: Sound<'_>) {
    let left = axis.x(input.from_us);
    let (middle, half) = ((top + bottom) / 2.0, (bottom - top) / 2.0);
    let shape = envelope(
        input.samples,
        input.channels,
        left,
        axis.x(input.to_us()) - left,
        middle,
        half / f64::from(input.most()),
    );
    push(text, format_args!("<path class=\"wave\" d=\"{shape}\"/>\n"));
}

fn probability(text: &mut String, axis: &Axis, (top, bottom): (f64, f64), lane: &Lane<'_>) {
    let y = |p: f32| bottom - (bottom - top) * f64::from(p.clamp(0.0, 1.0));
    for gate in lane.gates {
        for (class, what, level) in
            [("threshold", "opens at", gate.threshold), ("release", "pauses below", gate.release_threshold)]
        {
            push(
                text,
                format_args!(
                    "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{0:.1}\" x2=\"{1:.1}\" y2=\"{0:.1}\"><title>{what} \
                     {level}</title></line>\n",
                    y(level),
                    LEFT + axis.width
                ),
            );
        }
    }
    let all = &lane.picture.probabilities;
    let from = all.partition_point(|(us, _)| *us < axis.from_us);
    let to = all.partition_point(|(us, _)| *us <= axis.to_us);
    let path = curve(&all[from..to.max(from)], |us| axis.x(us), y);
    if !path.is_empty() {
        push(text, format_args!("<path class=\"probability\" d=\"{path}\"/>\n"));
    }
}

/// Most shapes that an output's outline consists of.
const SHAPES_MAX: usize = 1_500;

fn output(text: &mut String, axis: &Axis, row: (f64, f64), lane: &Lane<'_>) {
    let seen = |answer: &&Answer| axis.sees(answer.from_us, answer.to_us);
    let answers = || lane.answers.iter().take(MARKS_MAX).filter(seen);
    answers().for_each(|answer| marks::answer(text, axis, row, answer, lane));
    let (middle, half) = ((row.0 + row.1) / 2.0, (row.1 - row.0) / 2.0);
    let most = lane.output.most(axis.from_us, axis.to_us).max(0.05);
    let stretch = (axis.from_us, axis.to_us);
    let shape = lane.output.outline(stretch, SHAPES_MAX, |us| axis.x(us), middle, half / f64::from(most));
    if !shape.is_empty() {
        push(text, format_args!("<path class=\"sound\" pointer-events=\"none\" d=\"{shape}\"/>\n"));
    }
    answers().for_each(|answer| marks::turn(text, axis, row, answer));
}

/// What the colours and patterns of a lane mean; `gates` are those of its scene.
pub fn legend(gates: &[VadGate]) -> String {
    let gated = [
        (r#"<path class="probability" d="M0 12L8 11L14 2L26 3"/>"#, "probability of speech"),
        (r#"<line class="threshold" x1="0" y1="7" x2="26" y2="7"/>"#, "opens at"),
        (r#"<line class="release" x1="0" y1="7" x2="26" y2="7"/>"#, "pauses below"),
        (r#"<rect class="speculative" x="1" y="2" width="24" height="10"/>"#, "forwarded, not yet decided"),
        (r#"<rect class="confirmed" y="2" width="26" height="10"/>"#, "confirmed speech"),
        (r#"<rect class="cancelled" x="1" y="2" width="24" height="10"/>"#, "cancelled: was no speech"),
        (r#"<line class="end" x1="13" y1="0" x2="13" y2="14"/>"#, "end of speech that held"),
        (r#"<path class="retracted" d="M8 2L18 12M18 2L8 12"/>"#, "end of speech taken back"),
    ];
    let input = (
        r#"<path class="wave" d="M0 7L5 2L10 6L16 1L21 5L26 7L21 9L16 13L10 8L5 12Z"/>"#,
        "waveform of the input",
    );
    let output = (
        r#"<rect class="answer" width="26" height="14"/><path class="sound" d="M3 7L8 3L14 6L20 2L24 7L20 12L14 8L8 11Z"/>"#,
        "output; answers are tinted and have the number of their turn",
    );
    let gated = gated.into_iter().filter(|_| !gates.is_empty());
    key([input].into_iter().chain(gated).chain([output]))
}
