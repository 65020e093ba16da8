//! What happened to the recordings, as one self-contained page.

use mynah_engine::ScenePlan;

use crate::picture::document::document;
use crate::picture::lane::{self, Lane, MARKS_MAX, Sound};
use crate::picture::peaks::Peaks;
use crate::picture::session::Picture;
use crate::picture::svg::{Escaped, push};
use crate::report::Interruption;
use crate::run::track::{Answer, Track};
use crate::wav::Recording;

/// One recording on the page.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The session's name.
    pub name: &'a str,
    /// What arrived.
    pub recording: &'a Recording,
    /// What happened.
    pub picture: &'a Picture,
    /// What was put out.
    pub track: Option<&'a Track>,
}

/// The whole page. `interrupted`: the run ended before its time.
pub fn page(plan: &ScenePlan, sessions: &[Recorded<'_>], interrupted: Option<Interruption>) -> String {
    let title = format!("{}: {}", plan.scene.name, crate::scenes::counted(sessions.len(), "recording"));
    let gates = lane::gates(plan);
    let nodes = crate::events::node_names(plan);
    let mut body = String::new();
    push(
        &mut body,
        format_args!(
            "<header><h1>{}</h1>\n<p class=\"lead\">{}</p>\n{}{}</header>\n<main>\n",
            Escaped(&title),
            Escaped(&plan.scene.description),
            interrupted.map_or(String::new(), |interruption| format!("<p>{interruption}</p>\n")),
            lane::legend(&gates)
        ),
    );
    for session in sessions {
        let answers = session.track.map_or(&[][..], Track::answers);
        let output = session.track.map_or_else(Peaks::default, Track::peaks);
        let input = sound(session.recording);
        let answered_us = answers.iter().map(|answer| answer.to_us).max().unwrap_or(0);
        let lane = Lane {
            stretch: (0, input.to_us().max(answered_us)),
            input,
            truth: &[],
            picture: session.picture,
            answers,
            output: &output,
            gates: &gates,
            nodes: &nodes,
        };
        push(&mut body, format_args!("<section>\n<h2>{}</h2>\n", Escaped(session.name)));
        let told = told(session, answers);
        push(&mut body, format_args!("<p>{told}</p>\n"));
        body.push_str(&lane::draw(&lane, &format!("{} over time", session.name), &told));
        body.push_str("</section>\n");
    }
    body.push_str("</main>\n");
    document(&title, &body)
}

fn sound(recording: &Recording) -> Sound<'_> {
    let channels = usize::from(recording.channels);
    Sound { samples: &recording.samples, channels, rate_hz: recording.rate, from_us: 0 }
}

fn told(session: &Recorded<'_>, answers: &[Answer]) -> String {
    let (recording, counts) = (session.recording, session.picture.counts);
    let most = session.picture.spans.len().max(session.picture.ends.len()).max(answers.len());
    let cut =
        if most > MARKS_MAX { format!(" The first {MARKS_MAX} of each are drawn.") } else { String::new() };
    format!(
        "{} Hz, {} channel(s), waveform to {:.2} of full scale. Segments: {} opened, {} confirmed, {} cancelled. Ends of \
         speech: {}, of which {} taken back. Answers: {}.{cut}",
        recording.rate,
        recording.channels,
        sound(recording).most(),
        counts.opened,
        counts.confirmed,
        counts.cancelled,
        counts.endpoints,
        counts.retracted,
        counts.answers
    )
}
