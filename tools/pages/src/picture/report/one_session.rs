//! The section about one caller: the words, the gate's judgement, the answers.

use super::shown::{Shown, section};
use crate::picture::figure::moment;
use crate::picture::lane::{self, Lane, Sound};
use crate::picture::plot::{escaped, figures, table};
use crate::picture::session::{Fate, Picture, Span};
use crate::picture::witness::FOLLOWED;
use mynah_sim::simulate::callers::session_name;

pub(super) fn draw(text: &mut String, shown: Shown<'_>) {
    let witness = shown.witness;
    let one = witness.followed.shown();
    let (from_s, to_s) = (one.stretch.0 as f64 / 1e6, one.stretch.1 as f64 / 1e6);
    let name = session_name(FOLLOWED);
    section(
        text,
        "session",
        "One caller",
        &format!(
            "{} from {} to {}, where most happens in the first minutes. The input is what the caller sends, with what is \
             truly said above it; everything below is what the engine made of it. Points and bars say more when pointed at.",
            escaped(&name),
            moment(from_s),
            moment(to_s)
        ),
    );
    let (gates, nodes) = (lane::gates(&witness.plan), mynah_sim::events::node_names(&witness.plan));
    let lane = Lane {
        stretch: one.stretch,
        input: Sound { samples: &one.samples, channels: 1, rate_hz: one.rate_hz, from_us: one.stretch.0 },
        truth: &one.truth,
        picture: &one.picture,
        answers: &one.answers,
        output: &one.peaks,
        gates: &gates,
        nodes: &nodes,
    };
    let seen =
        |span: &&Span| span.from_us < one.stretch.1 && span.to_us.is_none_or(|to_us| to_us >= one.stretch.0);
    let spans: Vec<&Span> = one.picture.spans.iter().filter(seen).collect();
    let answers = one.answers.iter().filter(|a| a.from_us < one.stretch.1 && a.to_us > one.stretch.0).count();
    let told = format!("{} segments, {answers} answers; the table has the segments", spans.len());
    text.push_str(&lane::draw(&lane, &format!("{name} over time"), &told));
    text.push_str(&lane::legend(&gates));
    if !spans.is_empty() {
        let rows = spans.iter().map(|span| segment(span, &one.picture));
        text.push_str(&figures(
            &["segment", "from", "to", "opened", "decided", "as", "ends of speech", "taken back"],
            rows,
        ));
    }
    if !one.truth.is_empty() {
        let seconds = |us: u64| format!("{:.3} s", us as f64 / 1e6);
        let rows = one.truth.iter().map(|u| vec![seconds(u.start_us), seconds(u.end_us), escaped(&u.text)]);
        text.push_str("<details><summary>What is truly said</summary>");
        text.push_str(&table(&["from", "to", "words"], 3, rows));
        text.push_str("</details>\n");
    }
    text.push_str("</section>\n");
}

fn segment(span: &Span, picture: &Picture) -> Vec<String> {
    let seconds = |us: u64| format!("{:.3} s", us as f64 / 1e6);
    let or_open = |us: Option<u64>| us.map_or("open".to_string(), seconds);
    let ends = || picture.ends.iter().filter(|end| end.segment == span.segment);
    vec![
        format!("<span class=\"in-block\">segment </span>{}", span.segment),
        seconds(span.from_us),
        or_open(span.to_us),
        seconds(span.opened_us),
        span.decided_us.map_or("never".to_string(), seconds),
        match span.fate {
            Fate::Speculative => "undecided".into(),
            Fate::Confirmed => "speech".into(),
            Fate::Cancelled(reason) => format!("cancelled: {}", reason.replace('_', " ")),
        },
        ends().count().to_string(),
        ends().filter(|end| end.retracted_us.is_some()).count().to_string(),
    ]
}
