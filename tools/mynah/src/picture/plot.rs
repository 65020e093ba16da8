//! One chart that fits any width: shapes in an SVG that stretches, words beside and above it that do not.

use std::fmt::{self, Write as _};

use crate::picture::scale::Scale;
use crate::picture::svg::{Escaped, push};

/// Side of the square that shapes are drawn in; the page stretches it.
const SIDE: f64 = 1_000.0;

/// Words below an axis are at least so far apart, in percent of its length.
const WORDS_APART: f64 = 8.0;
/// So near an edge, as a share of the axis, words have no room.
const EDGE: f64 = 0.14;

/// Where words stand against their point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Right above it.
    Right,
    /// Below it.
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
}

/// How high a chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Height {
    /// To be studied.
    Tall,
    /// One of several above each other.
    Strip,
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
}

impl Plot {
    /// An empty chart over these axes.
    pub fn new(height: Height, x: Scale, y: Scale) -> Self {
        let [grid, shapes, words, xs, ys] = [const { String::new() }; 5];
        Self { x, y, height, grid, shapes, words, xs, ys }
    }

    fn x(&self, value: f64) -> f64 {
        SIDE * self.x.at(value)
    }

    fn y(&self, value: f64) -> f64 {
        SIDE * (1.0 - self.y.at(value))
    }

    /// Words below the axis at these values, in rising order; the ends are kept inside the chart, and what would stand
    /// on the words before is left out.
    pub fn label_x(mut self, values: impl IntoIterator<Item = (f64, String)>) -> Self {
        let mut free = 0.0;
        for (value, text) in values {
            let at = self.x.at(value) * 100.0;
            if at < free {
                continue;
            }
            free = at + WORDS_APART;
            let class = match at {
                at if at < 2.0 => " class=\"first\"",
                at if at > 98.0 => " class=\"last\"",
                _ => "",
            };
            push(
                &mut self.xs,
                format_args!("<span{class} style=\"left:{at:.2}%\">{}</span>", Escaped(&text)),
            );
        }
        self
    }

    /// Words beside the axis at these values, each with a line across.
    pub fn label_y(mut self, values: impl IntoIterator<Item = (f64, String)>) -> Self {
        for (value, text) in values {
            let at = self.y.at(value);
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

    /// Words at a point; they turn away from the edge that they would leave the chart at.
    pub fn words(&mut self, beside: Beside, (x, y): (f64, f64), text: &str) {
        let beside = match beside {
            Beside::Flag if self.x.at(x) < EDGE => Beside::RightFlag,
            Beside::Below | Beside::After if self.y.at(y) < EDGE => Beside::Right,
            other => other,
        };
        push(
            &mut self.words,
            format_args!(
                "<span class=\"{}\" style=\"left:{:.2}%;top:{:.2}%\">{}</span>",
                beside.class(),
                self.x.at(x) * 100.0,
                (1.0 - self.y.at(y)) * 100.0,
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
                "<div class=\"plot {height}\"><div class=\"ys\">{}</div><div class=\"canvas\">\
                 <svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\">\
                 <title>{}</title><desc>{}</desc>{}{}<path class=\"grid base\" d=\"M0 {SIDE}H{SIDE}\"/></svg>{}</div>\
                 <div class=\"xs\">{}</div></div>\n",
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

/// A table; cells are markup, headings text. The first column names the row; the first `words` columns are read as words,
/// the rest as figures.
pub fn table(headings: &[&str], words: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = String::from("<div class=\"table\"><table><thead><tr>");
    let class = |at: usize| if at < words { " class=\"text\"" } else { "" };
    for (at, heading) in headings.iter().enumerate() {
        push(&mut text, format_args!("<th scope=\"col\"{}>{}</th>", class(at), Escaped(heading)));
    }
    text.push_str("</tr></thead><tbody>\n");
    for row in rows {
        text.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let written = match at {
                0 => write!(text, "<th scope=\"row\" class=\"text\">{cell}</th>"),
                _ => write!(text, "<td{}>{cell}</td>", class(at)),
            };
            written.expect("a string takes everything");
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table></div>\n");
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
