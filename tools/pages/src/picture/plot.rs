//! One chart that fits any width: shapes in an SVG that stretches, words beside and above it that do not.

use std::fmt::{self, Write as _};

use crate::picture::labels::{LINE, NARROW, ROOMY, Stand, Taken, apart, width_of};
use crate::picture::scale::Scale;
use crate::picture::svg::{Escaped, push};

/// Side of the square that shapes are drawn in; the page stretches it.
const SIDE: f64 = 1_000.0;

/// So near the bottom, as a share of the axis, words have no room below their point.
const EDGE: f64 = 0.14;

/// Where words stand against their point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Right above it.
    Right,
    /// Below the point.
    Below,
    /// Below it, from there to the right.
    After,
    /// Left of it, as a flag on a line upwards.
    Flag,
    /// Right of it, as a flag.
    RightFlag,
}

impl Beside {
    fn class(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Below => "below",
            Self::After => "after",
            Self::Flag => "flag",
            Self::RightFlag => "right-flag",
        }
    }

    /// How far the words stand from their point, in widths and heights of their own, as the style sheet moves them.
    fn shift(self) -> (f64, f64) {
        match self {
            Self::Right => (0.0, -1.2),
            Self::Below => (-0.7, 0.5),
            Self::After => (0.0, 0.5),
            Self::Flag => (-1.0, 0.2),
            Self::RightFlag => (0.0, 0.2),
        }
    }

    /// The same, or another side where words of `px` pixels would leave a narrow chart.
    fn inside(self, at_x: f64, at_y: f64, px: f64) -> Self {
        let (left, right) = (at_x * NARROW, (1.0 - at_x) * NARROW);
        match self {
            Self::Flag if left < px => Self::RightFlag,
            Self::RightFlag if right < px => Self::Flag,
            Self::Below | Self::After if at_y < EDGE => Self::Right,
            Self::Below | Self::After if right < px * if self == Self::After { 1.0 } else { 0.3 } => {
                Self::Flag
            }
            Self::Below if left < px * 0.7 => Self::After,
            other => other,
        }
    }
}

/// How high a chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Height {
    /// To be studied.
    Tall,
    /// One of several above each other.
    Strip,
}

impl Height {
    /// Pixels, as the style sheet has them.
    fn px(self) -> f64 {
        match self {
            Self::Tall => 240.0,
            Self::Strip => 54.0,
        }
    }
}

/// A chart while it is drawn.
#[derive(Debug)]
pub struct Plot {
    x: Scale,
    y: Scale,
    height: Height,
    grid: String,
    shapes: String,
    words: String,
    xs: String,
    ys: String,
    /// Characters of the longest word beside the axis.
    ys_width: usize,
    taken: Taken,
}

impl Plot {
    /// An empty chart over these axes.
    pub fn new(height: Height, x: Scale, y: Scale) -> Self {
        let [grid, shapes, words, xs, ys] = [const { String::new() }; 5];
        Self { x, y, height, grid, shapes, words, xs, ys, ys_width: 0, taken: Taken::default() }
    }

    fn x(&self, value: f64) -> f64 {
        SIDE * self.x.at(value)
    }

    fn y(&self, value: f64) -> f64 {
        SIDE * (1.0 - self.y.at(value))
    }

    /// Words below the axis at these values, in rising order. They stay inside the chart; those for which a narrow chart
    /// has no room are seen in a roomy one only, those for which neither has are left out.
    pub fn label_x(mut self, values: impl IntoIterator<Item = (f64, String)>) -> Self {
        let words: Vec<(f64, String)> =
            values.into_iter().map(|(value, text)| (self.x.at(value), text)).collect();
        let (narrow, roomy) = (apart(&words, NARROW), apart(&words, ROOMY));
        for (((at, text), narrow), roomy) in words.iter().zip(narrow).zip(roomy) {
            let stand = match Stand::of(*at, width_of(text)) {
                Stand::First => "first",
                Stand::Middle => "middle",
                Stand::Last => "last",
            };
            let only = match (narrow, roomy) {
                (true, true) => "",
                (false, true) => " roomy",
                (true, false) => " narrow",
                (false, false) => continue,
            };
            push(
                &mut self.xs,
                format_args!(
                    "<span class=\"{stand}{only}\" style=\"left:{:.2}%\">{}</span>",
                    at * 100.0,
                    Escaped(text)
                ),
            );
        }
        self
    }

    /// Words beside the axis at these values, each with a line across.
    pub fn label_y(mut self, values: impl IntoIterator<Item = (f64, String)>) -> Self {
        for (value, text) in values {
            let at = self.y.at(value);
            self.ys_width = self.ys_width.max(text.chars().count());
            push(
                &mut self.ys,
                format_args!("<span style=\"bottom:{:.2}%\">{}</span>", at * 100.0, Escaped(&text)),
            );
            let y = SIDE * (1.0 - at);
            push(&mut self.grid, format_args!("<path class=\"grid\" d=\"M0 {y:.1}H{SIDE}\"/>"));
        }
        self
    }

    /// A line through points; a gap where there is `None`.
    pub fn line(&mut self, class: &str, points: impl IntoIterator<Item = Option<(f64, f64)>>) {
        let mut path = String::new();
        let mut joined = false;
        for point in points {
            if let Some((x, y)) = point {
                let command = if joined { 'L' } else { 'M' };
                push(&mut path, format_args!("{command}{:.1} {:.1}", self.x(x), self.y(y)));
            }
            joined = point.is_some();
        }
        if !path.is_empty() {
            push(&mut self.shapes, format_args!("<path class=\"line {class}\" d=\"{path}\"/>"));
        }
    }

    /// Points one by one, small.
    pub fn dots(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (x, y) in points {
            // A line of no length with round ends is a dot, however the page stretches it.
            push(&mut path, format_args!("M{:.0} {:.1}h0", self.x(x), self.y(y)));
        }
        if !path.is_empty() {
            push(&mut self.shapes, format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }

    /// A column from `low` to `high` over `from..to`.
    pub fn column(&mut self, class: &str, (from, to): (f64, f64), (low, high): (f64, f64)) {
        let (left, right) = (self.x(from), self.x(to));
        let (top, bottom) = (self.y(high), self.y(low));
        if bottom - top < 0.05 {
            return;
        }
        // What is there at all is seen.
        let top = top.min(bottom - 8.0).max(0.0);
        push(
            &mut self.shapes,
            format_args!(
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                ((right - left) * 0.92).max(0.5),
                bottom - top
            ),
        );
    }

    /// A stretch that says `text` to who points at it.
    pub fn hot(&mut self, (from, to): (f64, f64), text: &str) {
        let (left, right) = (self.x(from), self.x(to));
        push(
            &mut self.shapes,
            format_args!(
                "<rect class=\"hot\" x=\"{left:.1}\" y=\"0\" width=\"{:.1}\" height=\"{SIDE}\"><title>{}</title></rect>",
                right - left,
                Escaped(text)
            ),
        );
    }

    /// A line across at a limit.
    pub fn limit(&mut self, value: f64) {
        let y = self.y(value);
        push(&mut self.shapes, format_args!("<path class=\"limit\" d=\"M0 {y:.1}H{SIDE}\"/>"));
    }

    /// A line upwards at a value; `class` is `mark` or `limit`.
    pub fn mark(&mut self, class: &str, value: f64) {
        let x = self.x(value);
        push(&mut self.shapes, format_args!("<path class=\"{class}\" d=\"M{x:.1} 0V{SIDE}\"/>"));
    }

    /// Words at a point; they turn away from the edge that they would leave the chart at, and make room for words before.
    pub fn words(&mut self, beside: Beside, (x, y): (f64, f64), text: &str) {
        let (at_x, at_y) = (self.x.at(x), self.y.at(y));
        let beside = beside.inside(at_x, at_y, width_of(text));
        let (left_px, top_px) = (at_x * NARROW, (1.0 - at_y) * self.height.px());
        let (shift_x, shift_y) = beside.shift();
        let (left, top) = (left_px + shift_x * width_of(text), top_px + shift_y * LINE);
        let step = if beside == Beside::Right { -LINE } else { LINE };
        let by = self.taken.shift([left, top, left + width_of(text), top + LINE], step);
        let by = if by == 0.0 { String::new() } else { format!(";margin-top:{by}px") };
        push(
            &mut self.words,
            format_args!(
                "<span class=\"{}\" style=\"left:{:.2}%;top:{:.2}%{by}\">{}</span>",
                beside.class(),
                at_x * 100.0,
                (1.0 - at_y) * 100.0,
                Escaped(text)
            ),
        );
    }

    /// The chart as markup; `title` and `told` say to who cannot see it what it is and shows.
    pub fn draw(&self, title: &str, told: &str) -> String {
        let height = match self.height {
            Height::Tall => "tall",
            Height::Strip => "strip",
        };
        let mut text = String::with_capacity(self.shapes.len() + 1_000);
        push(
            &mut text,
            format_args!(
                "<div class=\"plot {height}\"><div class=\"ys\" style=\"width:{:.2}rem\">{}</div><div class=\"canvas\">\
                 <svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\">\
                 <title>{}</title><desc>{}</desc>{}{}<path class=\"grid base\" d=\"M0 {SIDE}H{SIDE}\"/></svg>{}</div>\
                 <div class=\"xs\">{}</div></div>\n",
                (self.ys_width as f64 * 0.46 + 0.6).max(3.1),
                self.ys,
                Escaped(title),
                Escaped(told),
                self.grid,
                self.shapes,
                self.words,
                self.xs
            ),
        );
        text
    }
}

/// A table that stands behind a chart, closed until somebody wants the figures.
pub fn figures(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = String::from("<details><summary>Figures</summary>");
    text.push_str(&table(headings, 1, rows));
    text.push_str("</details>\n");
    text
}

/// Most columns of a table that fits a narrow window as it is; of those with more each row becomes a block there.
const COLUMNS_NARROW: usize = 4;

/// A table; cells are markup, headings text. The first column names the row; the first `words` columns are read as words,
/// the rest as figures. In a narrow window a table of many columns says beside each figure what it is.
pub fn table(headings: &[&str], words: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let many = headings.len() > COLUMNS_NARROW;
    let mut text = format!("<div class=\"table{}\"><table><thead><tr>", if many { " many" } else { "" });
    let class = |at: usize| if at < words { " class=\"text\"" } else { "" };
    for (at, heading) in headings.iter().enumerate() {
        push(&mut text, format_args!("<th scope=\"col\"{}>{}</th>", class(at), Escaped(heading)));
    }
    text.push_str("</tr></thead><tbody>\n");
    for row in rows {
        text.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let label = match headings.get(at) {
                Some(heading) if many && !heading.is_empty() => {
                    format!(" data-label=\"{}\"", Escaped(heading))
                }
                _ => String::new(),
            };
            let written = match at {
                0 => write!(text, "<th scope=\"row\" class=\"text\">{cell}</th>"),
                _ => write!(text, "<td{}{label}>{cell}</td>", class(at)),
            };
            written.expect("a string takes everything");
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table></div>\n");
    text
}

/// Figures with their names: (name, markup of the figure, what it means, which may be empty).
pub fn facts<N: AsRef<str>>(rows: impl IntoIterator<Item = (N, String, &'static str)>) -> String {
    let mut text = String::from("<dl class=\"facts\">\n");
    for (name, figure, meaning) in rows {
        push(&mut text, format_args!("<div><dt>{}</dt><dd>{figure}", Escaped(name.as_ref())));
        if !meaning.is_empty() {
            push(&mut text, format_args!("<small>{}</small>", Escaped(meaning)));
        }
        text.push_str("</dd></div>\n");
    }
    text.push_str("</dl>\n");
    text
}

/// A list that says what colours and patterns mean: (markup of a sample, words).
pub fn key<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("<ul class=\"key\">");
    for (sample, words) in entries {
        push(
            &mut text,
            format_args!(
                "<li><svg width=\"26\" height=\"14\" aria-hidden=\"true\">{sample}</svg>{words}</li>"
            ),
        );
    }
    text.push_str("</ul>\n");
    text
}

/// Text inside markup.
pub fn escaped(text: impl fmt::Display) -> String {
    Escaped(&text.to_string()).to_string()
}
