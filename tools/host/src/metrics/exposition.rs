//! Writes metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0.
//!
//! The two differ in how counters and facts are declared and in how they end; samples are the same, to the letter, so
//! that a series keeps its name whichever is asked for.

use std::fmt::Write as _;

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Form {
    /// What an HTTP response says it is.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its samples end in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bounds, with a sum.
    Histogram,
    /// A metric with quantiles.
    Summary,
    /// A constant fact; its one sample ends in `_info` and is 1.
    Info,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram | Self::Summary => "",
        }
    }

    fn word(self, form: Form) -> &'static str {
        match (self, form) {
            (Self::Counter, _) => "counter",
            (Self::Gauge, _) | (Self::Info, Form::Text) => "gauge",
            (Self::Histogram, _) => "histogram",
            (Self::Summary, _) => "summary",
            (Self::Info, Form::OpenMetrics) => "info",
        }
    }
}

/// A name with its value; values may hold anything.
pub type Label<'a> = (&'a str, &'a str);

/// One page of metrics, family by family.
#[derive(Debug)]
pub struct Exposition {
    out: String,
    form: Form,
    name: &'static str,
    kind: Kind,
}

impl Exposition {
    /// An empty page.
    pub fn new(form: Form) -> Self {
        Self { out: String::new(), form, name: "", kind: Kind::Gauge }
    }

    /// Declares the metric that the following samples are of. `name` is without `_total` and `_info`; `help` is one line.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        (self.name, self.kind) = (name, kind);
        let suffix = if self.form == Form::Text { kind.suffix() } else { "" };
        put(&mut self.out, format_args!("# HELP {name}{suffix} {help}\n"));
        put(&mut self.out, format_args!("# TYPE {name}{suffix} {}\n", kind.word(self.form)));
    }

    /// A sample that counts.
    pub fn count(&mut self, labels: &[Label<'_>], value: u64) {
        let suffix = self.kind.suffix();
        self.series(suffix, labels, None);
        put(&mut self.out, format_args!(" {value}\n"));
    }

    /// A sample that measures; NaN where nothing is known.
    pub fn measure(&mut self, labels: &[Label<'_>], value: f64) {
        let suffix = self.kind.suffix();
        self.series(suffix, labels, None);
        self.number(value);
    }

    /// One quantile of a summary.
    pub fn quantile(&mut self, labels: &[Label<'_>], quantile: f64, value: f64) {
        let quantile = float(quantile);
        self.series("", labels, Some(("quantile", &quantile)));
        self.number(value);
    }

    /// One histogram: the bounds with what lies at or below each, the last one of all, and the sum.
    pub fn histogram(
        &mut self,
        labels: &[Label<'_>],
        bounds: &[String],
        counts: impl Iterator<Item = u64>,
        sum: f64,
    ) {
        let mut all = 0;
        for (bound, count) in bounds.iter().zip(counts) {
            self.series("_bucket", labels, Some(("le", bound)));
            put(&mut self.out, format_args!(" {count}\n"));
            all = count;
        }
        self.series("_sum", labels, None);
        self.number(sum);
        self.series("_count", labels, None);
        put(&mut self.out, format_args!(" {all}\n"));
    }

    /// Ends the page and returns it.
    pub fn finish(mut self) -> String {
        if self.form == Form::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    fn series(&mut self, suffix: &str, labels: &[Label<'_>], last: Option<Label<'_>>) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        let mut opens = '{';
        for (name, value) in labels.iter().copied().chain(last) {
            self.out.push(opens);
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
            opens = ',';
        }
        if opens == ',' {
            self.out.push('}');
        }
    }

    fn number(&mut self, value: f64) {
        self.out.push(' ');
        self.out.push_str(&float(value));
        self.out.push('\n');
    }
}

/// Both forms ask for the same three escapes; everything else stands for itself.
fn escape(value: &str, out: &mut String) {
    let mut plain = 0;
    for (at, byte) in value.bytes().enumerate() {
        let escaped = match byte {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            b'\n' => "\\n",
            _ => continue,
        };
        out.push_str(&value[plain..at]);
        out.push_str(escaped);
        plain = at + 1;
    }
    out.push_str(&value[plain..]);
}

/// A number as both forms have it: `1.0` and not `1`, so that bounds are canonical, and `+Inf`, `-Inf`, `NaN`.
pub fn float(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".into(),
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        _ => format!("{value:?}"),
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes everything");
}
