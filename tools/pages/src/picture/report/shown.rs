//! The data of the sections, and drawings that several of them share.

use crate::picture::figure::{Figure, moment, short};
use crate::picture::plot::{Height, Plot};
use crate::picture::scale::{Scale, time_step_s};
use crate::picture::svg::{Escaped, push};
use crate::picture::witness::Witness;
use mynah_sim::report::{Quantiles, Report};

/// What the sections are drawn from.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) report: &'a Report,
    pub(super) witness: &'a Witness,
}

/// Begins a section; `id` is what a link to it says. The text is markup.
pub(super) fn section(text: &mut String, id: &str, title: &str, lead: &str) {
    push(text, format_args!("<section id=\"{id}\">\n<h2>{}</h2>\n", Escaped(title)));
    if !lead.is_empty() {
        push(text, format_args!("<p>{lead}</p>\n"));
    }
}

impl Shown<'_> {
    /// When the last tick was, seconds, and never before the callers were done.
    pub(super) fn until_s(&self) -> f64 {
        self.witness.windows.seen().last().map_or(0.0, |((_, to_s), _)| to_s).max(self.report.duration_s)
    }

    /// The run from its start to its end.
    pub(super) fn time(&self) -> Scale {
        Scale::linear(0.0, self.until_s())
    }

    /// Words below an axis of the run's time.
    pub(super) fn moments(&self) -> Vec<(f64, String)> {
        let until_s = self.until_s();
        let step_s = time_step_s(until_s, 7.0);
        let moments = (0..).map(|n| f64::from(n) * step_s).take_while(|s| *s <= until_s + 1e-9);
        moments.map(|s| (s, moment(s))).collect()
    }

    /// One chart of several above each other: what happened over the run. The values are drawn as columns.
    pub(super) fn strip(&self, style: &Strip<'_>, values: &[((f64, f64), f64)]) -> String {
        let most = values.iter().fold(0.0f64, |most, (_, value)| most.max(*value));
        let scale = Scale::up_to(most.max(style.least));
        let beside = match style.height {
            Height::Tall => scale.ticks(4.0),
            Height::Strip => vec![0.0, scale.to()],
        };
        let mut plot = Plot::new(style.height, self.time(), scale)
            .label_x(self.moments())
            .label_y(beside.into_iter().map(|value| (value, short(value))));
        for (stretch, value) in values {
            plot.column(style.class, *stretch, (0.0, *value));
        }
        for (stretch, value) in values.iter().filter(|(_, value)| *value > 0.0) {
            let value = short(*value);
            plot.hot(*stretch, &format!("{}: {value} {}", from_to(*stretch), style.unit));
        }
        let told = format!("most in one stretch: {} {}", short(most), style.unit);
        plot.draw(style.title, &told)
    }
}

/// What was seen over the run: stretches in seconds, and the value of each.
pub(super) type Seen = Vec<((f64, f64), f64)>;

/// How a strip looks and what it is called.
pub(super) struct Strip<'a> {
    pub(super) title: &'a str,
    pub(super) height: Height,
    pub(super) class: &'a str,
    pub(super) unit: &'a str,
    /// The axis goes at least up to here.
    pub(super) least: f64,
}

/// A row of strips: what it is (markup), the strip, a figure (markup).
pub(super) fn row(text: &mut String, what: &str, strip: &str, figure: &str) {
    push(
        text,
        format_args!(
            "<div class=\"row\"><div class=\"what\">{what}</div>{strip}<div class=\"what\">{figure}</div></div>\n"
        ),
    );
}

pub(super) fn from_to((from_s, to_s): (f64, f64)) -> String {
    format!("{} to {}", moment(from_s), moment(to_s))
}

/// Count, P50, P95, P99, P99.9 and maximum; `place` is where the report has the quantiles.
pub(super) fn quantile_cells(place: &str, q: &Quantiles) -> Vec<String> {
    let ms = |name: &str, value: f64| Figure::ms(&format!("{place}.{name}"), value).to_string();
    vec![
        Figure::count(&format!("{place}.count"), q.count).to_string(),
        ms("p50", q.p50),
        ms("p95", q.p95),
        ms("p99", q.p99),
        ms("p999", q.p999),
        ms("max", q.max),
    ]
}
