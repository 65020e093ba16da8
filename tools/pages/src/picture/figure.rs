//! Figures on a page: short for the eye, whole for programs, each with its place in the JSON report.

use std::fmt;

use crate::picture::svg::Escaped;

/// How a figure is written for the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count.
    Count,
    /// Milliseconds.
    Ms,
    /// Microseconds; many are written in milliseconds.
    Us,
    /// 0..1, written in percent.
    Ratio,
    /// Bytes, written in the decimal unit that leaves at most three digits before the point.
    Bytes,
    /// Anything else, to three digits.
    Plain,
}

/// One figure of the report. `place` is where the JSON report has it: `latency_ms.speech_end_to_response.p99`.
#[derive(Clone, Copy, Debug)]
pub struct Figure<'a> {
    /// Where the report has it.
    pub place: &'a str,
    /// What it is.
    pub value: f64,
    /// In which unit.
    pub unit: Unit,
}

impl<'a> Figure<'a> {
    /// A count.
    pub fn count(place: &'a str, value: u64) -> Self {
        Self { place, value: value as f64, unit: Unit::Count }
    }

    /// Milliseconds.
    pub fn ms(place: &'a str, value: f64) -> Self {
        Self { place, value, unit: Unit::Ms }
    }
}

impl fmt::Display for Figure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, value, unit } = self;
        write!(
            f,
            "<data value=\"{value}\" data-report=\"{}\">{}</data>",
            Escaped(place),
            written(*value, *unit)
        )
    }
}

/// A value for the eye.
pub fn written(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => grouped(value),
        Unit::Ms => format!("{} ms", short(value)),
        Unit::Us if value >= 10_000.0 => format!("{} ms", short(value / 1_000.0)),
        Unit::Us => format!("{} µs", short(value)),
        Unit::Ratio => format!("{} %", short(value * 100.0)),
        Unit::Bytes => bytes(value),
        Unit::Plain => short(value),
    }
}

/// 1 kB is 1,000 bytes.
fn bytes(value: f64) -> String {
    let (mut value, mut units) = (value, ["bytes", "kB", "MB", "GB"].into_iter().peekable());
    loop {
        let unit = units.next().unwrap_or("TB");
        if value.abs() < 999.5 || units.peek().is_none() {
            return format!("{} {unit}", short(value));
        }
        value /= 1_000.0;
    }
}

/// Three significant digits are all a person reads.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        v if v >= 99.95 => grouped(value),
        v if v >= 9.995 => trimmed(format!("{value:.1}")),
        v if v >= 0.995 => trimmed(format!("{value:.2}")),
        _ => trimmed(format!("{value:.3}")),
    }
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// A whole number in groups of three.
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            // Four digits are read at a glance.
            if digits.len() > 4 {
                text.push('\u{202F}');
            }
        }
        text.push(digit);
    }
    text
}

/// A moment of the run, seconds: `7.5 s`, `2:05`, `1:02:00`.
pub fn moment(s: f64) -> String {
    let whole = s.round() as u64;
    match whole {
        0..=119 => format!("{} s", short(s)),
        120..=3_599 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60),
    }
}

/// A name as people write it: `speech_end_to_response_p99_ms` without the unit and the underscores.
pub fn spoken(name: &str) -> String {
    name.trim_end_matches("_ms").replace("_p9", " P9").replace("_p5", " P5").replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_for_the_eye() {
        let cases = [
            (0.0, "0"),
            (0.0416, "0.042"),
            (1.0, "1"),
            (13.099, "13.1"),
            (222.079, "222"),
            (9_999.0, "9999"),
            (-1_234_567.0, "-1\u{202F}234\u{202F}567"),
        ];
        for (value, want) in cases {
            assert_eq!(short(value), want);
        }
        let bytes = [0.0, 999.0, 417_700.0, -2_500_000.0, 999_600.0].map(|b| written(b, Unit::Bytes));
        assert_eq!(bytes, ["0 bytes", "999 bytes", "418 kB", "-2.5 MB", "1 MB"]);
        assert_eq!([moment(7.5), moment(125.0), moment(3_720.0)], ["7.5 s", "2:05", "1:02:00"]);
    }

    #[test]
    fn a_figure_keeps_its_whole_value_and_its_place() {
        let figure = Figure::ms("latency_ms.onset_hold.p50", 0.123_456).to_string();
        assert_eq!(
            figure,
            "<data value=\"0.123456\" data-report=\"latency_ms.onset_hold.p50\">0.123 ms</data>"
        );
    }
}
