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

/// One page of metrics, family by family. A family may be gone on with later: its samples stand together, in the order in
/// which they came.
#[derive(Debug)]
pub struct Exposition {
    families: Vec<Family>,
    form: Form,
    /// The place of the family that samples go to.
    at: usize,
    /// A label of all samples.
    scene: Option<String>,
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    kind: Kind,
    out: String,
}

impl Exposition {
    /// An empty page.
    pub fn new(form: Form) -> Self {
        Self { families: Vec::new(), form, at: 0, scene: None }
    }

    /// Samples from here on have the label `scene` first, or none.
    pub fn of_scene(&mut self, scene: Option<&str>) {
        self.scene = scene.map(Into::into);
    }

    /// Declares the metric that the following samples are of, or goes on with it. `name` is without `_total` and `_info`;
    /// `help` is one line, that of the first declaration.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let known = self.families.iter().position(|family| family.name == name);
        self.at = known.unwrap_or_else(|| {
            let suffix = if self.form == Form::Text { kind.suffix() } else { "" };
            let mut out = String::new();
            put(&mut out, format_args!("# HELP {name}{suffix} {help}\n"));
            put(&mut out, format_args!("# TYPE {name}{suffix} {}\n", kind.word(self.form)));
            self.families.push(Family { name, kind, out });
            self.families.len() - 1
        });
    }

    /// A sample that counts.
    pub fn count(&mut self, labels: &[Label<'_>], value: u64) {
        let suffix = self.suffix();
        let out = self.series(suffix, labels, None);
        put(out, format_args!(" {value}\n"));
    }

    /// A sample that measures; NaN where nothing is known.
    pub fn measure(&mut self, labels: &[Label<'_>], value: f64) {
        let suffix = self.suffix();
        number(self.series(suffix, labels, None), value);
    }

    /// One quantile of a summary.
    pub fn quantile(&mut self, labels: &[Label<'_>], quantile: f64, value: f64) {
        let quantile = float(quantile);
        number(self.series("", labels, Some(("quantile", &quantile))), value);
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
            let out = self.series("_bucket", labels, Some(("le", bound)));
            put(out, format_args!(" {count}\n"));
            all = count;
        }
        number(self.series("_sum", labels, None), sum);
        put(self.series("_count", labels, None), format_args!(" {all}\n"));
    }

    /// Ends the page and returns it.
    pub fn finish(self) -> String {
        let mut out: String = self.families.into_iter().map(|family| family.out).collect();
        if self.form == Form::OpenMetrics {
            out.push_str("# EOF\n");
        }
        out
    }

    fn suffix(&self) -> &'static str {
        self.families.get(self.at).map_or("", |family| family.kind.suffix())
    }

    /// Writes a sample as far as its value.
    ///
    /// # Panics
    /// No family was declared.
    fn series(&mut self, suffix: &str, labels: &[Label<'_>], last: Option<Label<'_>>) -> &mut String {
        let Family { name, out, .. } = self.families.get_mut(self.at).expect("samples are of a family");
        out.push_str(name);
        out.push_str(suffix);
        let mut opens = '{';
        let scene = self.scene.as_deref().map(|scene| ("scene", scene));
        // A sample that names its scene itself need not do so twice.
        let scene = scene.filter(|_| labels.iter().all(|(name, _)| *name != "scene"));
        for (name, value) in scene.into_iter().chain(labels.iter().copied()).chain(last) {
            out.push(opens);
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
            opens = ',';
        }
        if opens == ',' {
            out.push('}');
        }
        out
    }
}

fn number(out: &mut String, value: f64) {
    out.push(' ');
    out.push_str(&float(value));
    out.push('\n');
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
