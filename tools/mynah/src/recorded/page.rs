//! The page of `run`: the events of all recordings, self-contained.

use mynah_engine::ScenePlan;
use mynah_engine::scene::{Port, PortType};

use mynah_load::wav::Recording;
use mynah_pages::picture::document::document;
use mynah_pages::picture::figure::{grouped, moment, short};
use mynah_pages::picture::lane::{self, Lane, MARKS_MAX, Sound};
use mynah_pages::picture::player::{Budget, Heard, player};
use mynah_pages::picture::plot::{escaped, facts, table};
use mynah_pages::picture::session::Picture;
use mynah_pages::picture::svg::{Escaped, push};
use mynah_sim::report::Interruption;
use mynah_sim::run::peaks::Peaks;
use mynah_sim::run::segments::{Outcome, Segment};
use mynah_sim::run::track::{Answer, Track};

/// One recording on the page.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The session's name.
    pub name: &'a str,
    /// The recording that arrived.
    pub recording: &'a Recording,
    /// The events to draw.
    pub picture: &'a Picture,
    /// What was put out.
    pub track: Option<&'a Track>,
}

/// The whole page. `interrupted`: the run ended before its time.
pub fn page(plan: &ScenePlan, sessions: &[Recorded<'_>], interrupted: Option<Interruption>) -> String {
    let title = format!("{}: {}", plan.scene.name, mynah_sim::scenes::counted(sessions.len(), "recording"));
    let mut body = String::new();
    push(
        &mut body,
        format_args!(
            "<header><h1>{}</h1>\n<p class=\"lead\">{}</p>\n{}",
            Escaped(&title),
            Escaped(&plan.scene.description),
            interrupted.map_or(String::new(), |interruption| format!("<p>{interruption}</p>\n"))
        ),
    );
    if sessions.len() > 1 {
        body.push_str(&overview(sessions));
    }
    push(&mut body, format_args!("{}</header>\n<main>\n", lane::legend(&lane::gates(plan))));
    let mut budget = Budget::default();
    for (at, session) in sessions.iter().enumerate() {
        section(&mut body, plan, (at, session), &mut budget);
    }
    body.push_str("</main>\n");
    document(&title, &body)
}

/// Where a link to a recording leads.
fn anchor(at: usize) -> String {
    format!("recording-{}", at + 1)
}

/// All recordings in a table, each with a link to its section.
fn overview(sessions: &[Recorded<'_>]) -> String {
    let rows = sessions.iter().enumerate().map(|(at, session)| {
        let counts = session.picture.counts;
        let count = |value: u64| grouped(value as f64);
        vec![
            format!("<a href=\"#{}\">{}</a>", anchor(at), Escaped(session.name)),
            length(session.recording),
            count(counts.opened),
            count(counts.confirmed),
            count(counts.cancelled),
            count(counts.retracted),
            count(counts.answers),
        ]
    });
    let headings =
        ["recording", "length", "segments", "confirmed", "cancelled", "ends taken back", "answers"];
    table(&headings, 1, rows)
}

fn section(body: &mut String, plan: &ScenePlan, (at, session): (usize, &Recorded<'_>), budget: &mut Budget) {
    push(body, format_args!("<section id=\"{}\">\n<h2>{}</h2>\n", anchor(at), Escaped(session.name)));
    // What the words mean is said once.
    let of_recording = of_recording(session).into_iter();
    body.push_str(&facts(
        of_recording.map(|(n, figure, meaning)| (n, figure, if at == 0 { meaning } else { "" })),
    ));
    body.push_str(&players(session, budget));
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
        gates: &lane::gates(plan),
        nodes: &mynah_sim::events::node_names(plan),
    };
    let told = told(session, answers);
    body.push_str(&lane::draw(&lane, &format!("{} over time", session.name), &told));
    let segments = session.picture.segments.rows(plan);
    if !segments.is_empty() {
        body.push_str(&list(&segments, session.picture, said(plan)));
    }
    body.push_str("</section>\n");
}

fn sound(recording: &Recording) -> Sound<'_> {
    let channels = usize::from(recording.channels);
    Sound { samples: &recording.samples, channels, rate_hz: recording.rate, from_us: 0 }
}

fn length(recording: &Recording) -> String {
    moment((sound(recording).to_us() as f64 / 1e4).round() / 1e2)
}

/// For whoever cannot see the drawing.
fn told(session: &Recorded<'_>, answers: &[Answer]) -> String {
    let counts = session.picture.counts;
    let most = session.picture.spans.len().max(session.picture.ends.len()).max(answers.len());
    let cut =
        if most > MARKS_MAX { format!("; the first {MARKS_MAX} of each are drawn") } else { String::new() };
    format!("{} segments, {} answers{cut}", counts.opened, counts.answers)
}

fn of_recording(session: &Recorded<'_>) -> Vec<(&'static str, String, &'static str)> {
    let (recording, counts) = (session.recording, session.picture.counts);
    let count = |value: u64| grouped(value as f64);
    let channels = match recording.channels {
        1 => "mono".to_string(),
        2 => "stereo".to_string(),
        many => format!("{many} channels"),
    };
    let mut facts = vec![
        ("length", length(recording), ""),
        ("format", format!("{} Hz, {channels}", recording.rate), ""),
        ("loudest sample", short(f64::from(peak(recording))), "of full scale"),
        ("segments", count(counts.opened), "forwarded as speech"),
        ("confirmed", count(counts.confirmed), "it was speech"),
        ("cancelled", count(counts.cancelled), "it was none"),
        ("ends of speech", count(counts.endpoints), "work on an answer began"),
        ("taken back", count(counts.retracted), "retracted: the speaker went on"),
        ("answers", count(counts.answers), "began to sound"),
    ];
    let most = session.picture.spans.len().max(session.picture.ends.len());
    if most > MARKS_MAX {
        facts.push(("drawn and listed", count(MARKS_MAX as u64), "the first of each"));
    }
    facts
}

fn peak(recording: &Recording) -> f32 {
    recording.samples.iter().filter(|s| s.is_finite()).fold(0.0, |most, s| most.max(s.abs()))
}

/// What was heard and what was put out, to be listened to.
fn players(session: &Recorded<'_>, budget: &mut Budget) -> String {
    let mut text = String::from("<div class=\"pair players\">\n");
    let recording = session.recording;
    text.push_str(&player(
        budget,
        Heard {
            name: "Recording",
            samples: &recording.samples,
            channels: usize::from(recording.channels),
            rate_hz: recording.rate,
            elsewhere: "Play the recording itself.",
        },
    ));
    if let Some(track) = session.track {
        let format = track.format();
        text.push_str(&player(
            budget,
            Heard {
                name: if track.is_packed() { "Output, gaps left out" } else { "Output, at its time" },
                samples: &track.samples(),
                channels: usize::from(format.channels),
                rate_hz: format.rate_hz,
                elsewhere: "<code>--output FOLDER</code> writes it as a file.",
            },
        ));
    }
    text.push_str("</div>\n");
    text
}

/// What the words in the list are called: a simulated recogniser hears none.
fn said(plan: &ScenePlan) -> &'static str {
    let hears = |ports: &[Port]| ports.iter().any(|port| port.kind == PortType::Audio);
    let asked = plan.nodes.iter().filter(|node| hears(node.spec.inputs())).filter_map(|node| node.service);
    let simulated = asked.into_iter().any(|service| plan.services[service].output.modelled());
    if simulated { "what was said, simulated" } else { "what was said" }
}

/// When somebody spoke, whether it was speech, what was said and what was replied.
fn list(segments: &[Segment], picture: &Picture, said: &str) -> String {
    let spoken = segments.iter().any(|segment| !segment.texts.is_empty());
    let rows = segments.iter().take(MARKS_MAX).map(|segment| {
        let (from_us, to_us) = segment.shown_us();
        let seconds = |us: u64| format!("{:.3} s", us as f64 / 1e6);
        let ends = picture.ends.iter().filter(|end| end.segment == segment.segment);
        let mut row = vec![
            format!("<span class=\"in-block\">segment </span>{}", segment.segment),
            seconds(from_us),
            to_us.map_or("open".into(), seconds),
            outcome(segment),
            if segment.turn > 0 { segment.turn.to_string() } else { String::new() },
            ends.filter(|end| end.retracted_us.is_some()).count().to_string(),
        ];
        if spoken {
            row.push(words(segment));
        }
        row
    });
    let headings = ["segment", "speech from", "to", "outcome", "turn", "ends taken back", said];
    let headings = if spoken { &headings[..] } else { &headings[..6] };
    format!(
        "<figure><figcaption>Segments <small>speech itself, without the silence before and behind it</small></figcaption>{}\
         </figure>\n",
        table(headings, headings.len(), rows)
    )
}

fn outcome(segment: &Segment) -> String {
    let split = match (segment.continues, segment.split) {
        (false, false) => "",
        (true, false) => ", goes on from the one before",
        (_, true) => ", the next one goes on",
    };
    match (segment.outcome, segment.reason) {
        (Outcome::Cancelled, Some(reason)) => format!("cancelled: {}", escaped(reason.replace('_', " "))),
        (outcome, _) => format!("{}{split}", outcome.name()),
    }
}

/// What was said, and below it what other nodes made of it; those that pass on what they were told are left out.
fn words(segment: &Segment) -> String {
    let mut text = segment.said.as_ref().map(escaped).unwrap_or_default();
    let mut before = "";
    for other in segment.texts.iter().filter(|other| !other.recognised) {
        if other.text != before {
            push(
                &mut text,
                format_args!("<small>{}: {}</small>", Escaped(&other.node), Escaped(&other.text)),
            );
        }
        before = &other.text;
    }
    text
}
