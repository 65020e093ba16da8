//! The figures of a run: a table for people, one object for programs.

use std::fmt::Write as _;

use mynah_engine::ScenePlan;
use mynah_engine::scene::Override;
use serde::Serialize;

use crate::args::Run;
use mynah_files::failure::Failure;
use mynah_files::terminal;
use mynah_pages::picture::session::Picture;
use mynah_sim::recognition::{self, Recognition};
use mynah_sim::report::Interruption;
use mynah_sim::run::feed::Feed;
use mynah_sim::run::segments::{Outcome, Segment, SpokenAnswer};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    recognition: &'a Option<Recognition>,
    sessions: &'a [Row],
}

/// All that is said of a run.
#[derive(Debug)]
pub struct Sessions<'a> {
    /// The sessions, in order.
    pub rows: &'a [Row],
    /// Their words against labels, where there are any.
    pub recognition: Option<Recognition>,
    /// The run ended before its time.
    pub interrupted: Option<Interruption>,
}

/// Prints the run, a table to stderr if stdout has a file in it.
///
/// # Errors
/// It cannot be written.
pub fn print(
    args: &Run,
    plan: &ScenePlan,
    Sessions { rows, recognition, interrupted }: &Sessions<'_>,
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
            interrupted: *interrupted,
            recognition,
            sessions: rows,
        };
        let json = serde_json::to_string(&summary).map_err(std::io::Error::from)?;
        terminal::print(&(json + "\n"))?;
    } else {
        let words =
            recognition.iter().flat_map(recognition::lines).map(|line| line + "\n").collect::<String>();
        let words = if words.is_empty() { words } else { format!("\n{words}") };
        let answers = rows.iter().flat_map(|row| &row.segments).any(|segment| !segment.answers.is_empty());
        let words = if answers && !args.wall {
            words
                + "\nwhen answers come follows the scene's model of its services; --wall waits for their work\n"
        } else {
            words
        };
        let foot = words + &interrupted.map_or(String::new(), |interruption| format!("{interruption}\n"));
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

/// Most segments of one session in the table; what was said is shown whole.
const SEGMENTS_SHOWN_MAX: usize = 20;
/// Characters of what was said on one line.
const SAID_CHARS: usize = 72;

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
        let speaks = row.segments.iter().any(|segment| segment.said.is_some());
        let shown = if speaks { row.segments.len() } else { SEGMENTS_SHOWN_MAX };
        for segment in row.segments.iter().take(shown) {
            segment_lines(&mut text, segment);
        }
        let more = row.segments.len().saturating_sub(shown);
        if more > 0 {
            let more = mynah_sim::scenes::counted(more, "more segment");
            push(&mut text, format_args!("  {more}; --json lists all\n"));
        }
    }
    text
}

fn seconds(us: u64) -> String {
    format!("{:.3}", us as f64 / 1e6)
}

/// The segment, and the answers to it.
fn segment_lines(text: &mut String, segment: &Segment) {
    let (from_us, to_us) = segment.shown_us();
    let (from, to) = (seconds(from_us), to_us.map_or("-".into(), seconds));
    let what = match (segment.outcome, segment.reason) {
        (Outcome::Cancelled, Some(reason)) => format!("cancelled: {}", reason.replace('_', " ")),
        (outcome, _) => format!("{}{}", outcome.name(), split(segment)),
    };
    let said = segment.said.as_deref().unwrap_or_default();
    line(text, &segment.segment.to_string(), (&from, &to), &what, said);
    for answer in &segment.answers {
        let SpokenAnswer { from_us, to_us: until_us, text: says, holds } = answer;
        let after = to_us.map(|to_us| (*from_us as f64 - to_us as f64) / 1e3);
        let when = match (after, segment.recognition_us) {
            (None, _) => String::new(),
            (Some(after), None) => format!("after {after:.0} ms"),
            (Some(after), Some(us)) => format!("after {after:.0} ms (words {:.0} ms)", us as f64 / 1e3),
        };
        let says = match (says, holds) {
            (Some(says), _) => says,
            (None, true) => "",
            (None, false) => "(answered an end that did not hold)",
        };
        line(text, "answer", (&seconds(*from_us), &seconds(*until_us)), &when, says);
    }
}

/// One line, and as many more as the words need.
fn line(text: &mut String, name: &str, (from, to): (&str, &str), what: &str, words: &str) {
    let mut words = wrapped(words).into_iter();
    let first = format!("  {name:>7}  {from:>8}  {to:>8}  {what:<30} {}", words.next().unwrap_or_default());
    push(text, format_args!("{}\n", first.trim_end()));
    words.for_each(|rest| push(text, format_args!("{:62}{rest}\n", "")));
}

fn split(segment: &Segment) -> &'static str {
    match (segment.continues, segment.split) {
        (false, false) => "",
        (false, true) => ", goes on in the next",
        (true, false) => ", from the one before",
        (true, true) => ", goes on before and after",
    }
}

/// The words in lines, none too long but for a single word; nothing in them steers a terminal.
fn wrapped(said: &str) -> Vec<String> {
    let words = said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let length = |line: &String| line.chars().count() + 1 + word.chars().count();
        match lines.last_mut().filter(|line| length(line) <= SAID_CHARS) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.into()),
        }
    }
    lines
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
    fn what_was_said_is_shown_whole_in_lines_that_fit() {
        assert_eq!(wrapped("  turn\n off\u{1b}[2J\tthe radio "), ["turn off [2J the radio"]);
        let long = wrapped(&"äh ".repeat(100));
        assert!(long.iter().all(|line| line.chars().count() <= SAID_CHARS), "{long:?}");
        assert_eq!(long.join(" "), "äh ".repeat(100).trim());
        let mut text = String::new();
        line(&mut text, "1", ("0.000", "2.000"), "confirmed", &"word ".repeat(20));
        let [first, second] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert_eq!(first.find("word"), second.find("word"), "{text}");
    }
}
