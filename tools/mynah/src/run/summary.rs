//! The figures of a run: a table for people, one object for programs.

use std::fmt::Write as _;

use mynah_engine::ScenePlan;
use mynah_engine::scene::Override;
use serde::Serialize;

use crate::args::Run;
use crate::failure::Failure;
use crate::picture::session::Picture;
use crate::report::Interruption;
use crate::run::feed::Feed;
use crate::run::track::Track;
use crate::terminal;

/// One session in the table and in the JSON object.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name.
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
}

impl Row {
    /// The figures of one session; `track`: what it put out, if the scene puts out audio.
    pub fn new(name: &str, feed: &Feed, picture: &Picture, track: Option<&Track>) -> Self {
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
        args.table_to().show(|_| table(rows) + &foot)?;
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
        };
        let text = table(&[row("a.wav", 2), row("a longer name.wav", 12)]);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|w| *w == widths[0]), "{text}");
    }
}
