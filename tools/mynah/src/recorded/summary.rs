//! The figures of a run: a table for people, one object for programs.

use std::fmt::Write as _;

use mynah_engine::ScenePlan;
use mynah_engine::scene::Override;
use serde::Serialize;

use crate::args::Run;
use mynah_files::failure::Failure;
use mynah_files::terminal;
use mynah_pages::picture::session::Picture;
use mynah_sim::report::Interruption;
use mynah_sim::run::feed::Feed;
use mynah_sim::run::segments::{Outcome, Segment};
use mynah_sim::run::track::Track;

/// One session in the table and in the JSON object.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Name of the session.
    pub session: String,
    /// Length of the recording.
    pub seconds: f64,
    /// Segments.
    pub segments_opened: u64,
    /// Segments that were speech.
    pub segments_confirmed: u64,
    /// Segments that were not.
    pub segments_cancelled: u64,
    /// Ends of speech, as believed.
    pub endpoints: u64,
    /// Ends that were taken back.
    pub endpoints_retracted: u64,
    /// Answers that began to leave.
    pub answers: u64,
    /// Audio that left, of all kinds.
    pub released_s: f64,
    /// Frames dropped at full queues.
    pub frames_overflowed: u64,
    /// Samples of the recording that were no numbers; silence took their place.
    pub non_finite_samples: u64,
    /// One by one, in the order of their opening.
    pub(crate) segments: Vec<Segment>,
}

impl Row {
    /// The figures of one session; `track`: what it put out, if the scene puts out audio.
    pub(crate) fn new(
        name: &str,
        feed: &Feed,
        picture: &Picture,
        track: Option<&Track>,
        segments: Vec<Segment>,
    ) -> Self {
        let counts = picture.counts;
        let released = track.map_or(0.0, |t| t.frames() as f64 / f64::from(t.format().rate_hz));
        let thousandths = |seconds: f64| (seconds * 1_000.0).round() / 1_000.0;
        Self {
            session: name.into(),
            seconds: thousandths(feed.end_us() as f64 / 1e6),
            segments_opened: counts.opened,
            segments_confirmed: counts.confirmed,
            segments_cancelled: counts.cancelled,
            endpoints: counts.endpoints,
            endpoints_retracted: counts.retracted,
            answers: counts.answers,
            released_s: thousandths(released),
            frames_overflowed: counts.overflowed,
            non_finite_samples: counts.non_finite,
            segments,
        }
    }
}

/// The run as one JSON object.
#[derive(Serialize)]
struct Summary<'a> {
    schema: u32,
    version: &'static str,
    scene: &'a str,
    set: Vec<&'a str>,
    seed: u64,
    clock: &'static str,
    chunk: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<Interruption>,
    sessions: &'a [Row],
}

/// Prints the run, a table to stderr if stdout has a file in it. `interrupted`: it ended before its time.
///
/// # Errors
/// It cannot be written.
pub fn print(
    args: &Run,
    plan: &ScenePlan,
    rows: &[Row],
    interrupted: Option<Interruption>,
) -> Result<(), Failure> {
    if args.json {
        let summary = Summary {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            scene: &plan.scene.name,
            set: args.sets.sets.iter().map(Override::text).collect(),
            seed: args.seed,
            clock: if args.wall { "wall" } else { "virtual" },
            chunk: args.chunk.to_string(),
            interrupted,
            sessions: rows,
        };
        let json = serde_json::to_string(&summary).map_err(std::io::Error::from)?;
        terminal::print(&(json + "\n"))?;
    } else {
        let foot = interrupted.map_or(String::new(), |interruption| format!("{interruption}\n"));
        args.table_to().show(|_| table(rows) + &segments(rows) + &foot)?;
    }
    Ok(())
}

fn table(rows: &[Row]) -> String {
    const HEAD: [&str; 8] =
        ["seconds", "opened", "confirmed", "cancelled", "endpoints", "retracted", "answers", "released s"];
    let width = rows.iter().map(|row| row.session.chars().count()).max().unwrap_or(0).max("session".len());
    let mut text = format!("{:width$}", "session");
    for head in HEAD {
        push(&mut text, format_args!("  {head}"));
    }
    text.push('\n');
    for row in rows {
        let cells = [
            format!("{:.3}", row.seconds),
            row.segments_opened.to_string(),
            row.segments_confirmed.to_string(),
            row.segments_cancelled.to_string(),
            row.endpoints.to_string(),
            row.endpoints_retracted.to_string(),
            row.answers.to_string(),
            format!("{:.3}", row.released_s),
        ];
        push(&mut text, format_args!("{:width$}", row.session));
        for (head, cell) in HEAD.iter().zip(cells) {
            push(&mut text, format_args!("  {cell:>w$}", w = head.len()));
        }
        text.push('\n');
    }
    text
}

/// Most segments of one session in the table.
const SEGMENTS_SHOWN_MAX: usize = 20;
/// Most characters of what was said in the table.
const SAID_CHARS_MAX: usize = 60;

/// The segments of every session that has some.
fn segments(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows.iter().filter(|row| !row.segments.is_empty()) {
        push(
            &mut text,
            format_args!(
                "\n{}\n  segment    from s      to s  {:<30} said\n",
                row.session, "speech, or what was taken back"
            ),
        );
        for segment in row.segments.iter().take(SEGMENTS_SHOWN_MAX) {
            push(&mut text, format_args!("{}\n", segment_line(segment).trim_end()));
        }
        let more = row.segments.len().saturating_sub(SEGMENTS_SHOWN_MAX);
        if more > 0 {
            let more = mynah_sim::scenes::counted(more, "more segment");
            push(&mut text, format_args!("  {more}; --json lists all\n"));
        }
    }
    text
}

fn segment_line(segment: &Segment) -> String {
    let seconds = |us: u64| format!("{:.3}", us as f64 / 1e6);
    let (from_us, to_us) = segment.shown_us();
    let (from, to) = (seconds(from_us), to_us.map_or("-".into(), seconds));
    let what = match (segment.outcome, segment.reason) {
        (Outcome::Cancelled, Some(reason)) => format!("cancelled: {}", reason.replace('_', " ")),
        (outcome, _) => format!("{}{}", outcome.name(), split(segment)),
    };
    let said = shortened(segment.said.as_deref().unwrap_or_default());
    format!("  {:>7}  {from:>8}  {to:>8}  {what:<30} {said}", segment.segment)
}

fn split(segment: &Segment) -> &'static str {
    match (segment.continues, segment.split) {
        (false, false) => "",
        (false, true) => ", goes on in the next",
        (true, false) => ", from the one before",
        (true, true) => ", goes on before and after",
    }
}

/// On one line, and not too long.
fn shortened(said: &str) -> String {
    let words = said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let said = words.collect::<Vec<_>>().join(" ");
    match said.char_indices().nth(SAID_CHARS_MAX) {
        Some((at, _)) => format!("{}...", said[..at].trim_end()),
        None => said,
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_heads() {
        let row = |session: &str, answers| Row {
            session: session.into(),
            seconds: 12.5,
            segments_opened: 3,
            segments_confirmed: 2,
            segments_cancelled: 1,
            endpoints: 4,
            endpoints_retracted: 2,
            answers,
            released_s: 7.25,
            frames_overflowed: 0,
            non_finite_samples: 0,
            segments: Vec::new(),
        };
        let text = table(&[row("a.wav", 2), row("a longer name.wav", 12)]);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|w| *w == widths[0]), "{text}");
    }

    #[test]
    fn what_was_said_stays_on_one_line() {
        assert_eq!(shortened("  turn\n off\u{1b}[2J\tthe radio "), "turn off [2J the radio");
        let long = shortened(&"ä ".repeat(100));
        assert_eq!((long.chars().count(), long.ends_with("...")), (SAID_CHARS_MAX - 1 + 3, true), "{long}");
    }
}
