//! Draws the live view as lines of text: a function of the state, the width of the terminal, and its colours.

use mynah_engine::scene::Rendering;
use mynah_host::sound::Level;

/// Between two figures in a line.
const GAP: &str = "   ";
/// Narrower than this nothing is worth drawing; wider, a bar says no more.
const WIDTH: std::ops::RangeInclusive<usize> = 20..=100;
/// What the left end of a bar stands for.
const FLOOR_DBFS: f32 = -60.0;

/// One end of the conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct End {
    pub(super) level: Level,
    /// Somebody, or something, speaks.
    pub(super) speaks: bool,
    /// The device is lost.
    pub(super) lost: bool,
}

/// A conversation at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sight {
    pub(super) elapsed_s: u64,
    /// When it ends by itself.
    pub(super) duration_s: Option<u64>,
    pub(super) half_duplex: bool,
    pub(super) microphone: End,
    /// `None`: the scene puts out no audio.
    pub(super) loudspeaker: Option<End>,
    /// What is being said, as far as it is recognised.
    pub(super) heard: String,
    pub(super) turns: u64,
    pub(super) answered: u64,
    pub(super) interrupted: u64,
    /// Median and 95 %, milliseconds.
    pub(super) latency_ms: Option<(f64, f64)>,
    pub(super) holes: u64,
    /// Sample frames.
    pub(super) refused: u64,
}

/// Draws at most `width` columns.
pub(super) fn draw(sight: &Sight, width: usize, look: Rendering) -> Vec<String> {
    let width = width.clamp(*WIDTH.start(), *WIDTH.end());
    let mut head = clock(sight.elapsed_s);
    if let Some(end_s) = sight.duration_s {
        head += &format!(" of {}", clock(end_s));
    }
    if sight.half_duplex {
        head += &format!("{GAP}half duplex");
    }
    let mut lines = vec![cut(&head, width), meter("microphone", &sight.microphone, width, look)];
    if let Some(end) = &sight.loudspeaker {
        lines.push(meter("loudspeaker", end, width, look));
    }
    if !sight.heard.is_empty() {
        lines.push(cut(&format!("> {}", sight.heard), width));
    }
    flow(&mut lines, &figures(sight), width, look);
    lines
}

fn clock(s: u64) -> String {
    format!("{}:{:02}", s / 60, s % 60)
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

/// `microphone  [#####     ] -31 dBFS  speaks`
fn meter(name: &str, end: &End, width: usize, look: Rendering) -> String {
    let dbfs = end.level.rms_dbfs();
    let state = if end.lost {
        "lost"
    } else if end.speaks {
        "speaks"
    } else {
        ""
    };
    let tail = format!("] {:>4.0} dBFS  {state:<6}", dbfs.max(-99.0));
    let room = width.saturating_sub(13 + tail.len());
    let part = ((dbfs - FLOOR_DBFS) / -FLOOR_DBFS).clamp(0.0, 1.0);
    let full = (room as f32 * part).round() as usize;
    let line = format!("{name:<11} [{}{}{tail}", "#".repeat(full), " ".repeat(room - full));
    paint(cut(line.trim_end(), width), end.lost, look)
}

/// True: something to be worried about.
fn figures(sight: &Sight) -> Vec<(String, bool)> {
    let plural = if sight.turns == 1 { "" } else { "s" };
    let mut figures = vec![
        (format!("{} turn{plural}", sight.turns), false),
        (format!("{} answered", sight.answered), false),
        (format!("{} interrupted", sight.interrupted), false),
    ];
    if let Some((p50, p95)) = sight.latency_ms {
        figures.push((format!("latency P50 {p50:.0}, P95 {p95:.0} ms"), false));
    }
    let plural = if sight.holes == 1 { "" } else { "s" };
    figures.push((format!("{} hole{plural}", sight.holes), sight.holes > 0));
    figures.push((format!("{} refused", sight.refused), sight.refused > 0));
    figures
}

/// As many figures in a line as fit.
fn flow(lines: &mut Vec<String>, figures: &[(String, bool)], width: usize, look: Rendering) {
    let mut columns = 0;
    for (text, loud) in figures {
        let text = cut(text, width);
        let taken = text.chars().count();
        let painted = paint(text, *loud, look);
        match lines.last_mut() {
            Some(line) if columns > 0 && columns + GAP.len() + taken <= width => {
                *line += GAP;
                *line += &painted;
                columns += GAP.len() + taken;
            }
            _ => {
                lines.push(painted);
                columns = taken;
            }
        }
    }
}

fn paint(text: String, loud: bool, look: Rendering) -> String {
    if loud && look == Rendering::Styled { format!("\u{1b}[31m{text}\u{1b}[0m") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> Sight {
        Sight {
            elapsed_s: 72,
            duration_s: Some(120),
            half_duplex: true,
            microphone: End { level: Level { rms: 0.0316, peak: 0.2 }, speaks: true, lost: false },
            loudspeaker: Some(End::default()),
            heard: "my order number is four seven nine".into(),
            turns: 3,
            answered: 2,
            interrupted: 1,
            latency_ms: Some((312.4, 402.0)),
            holes: 0,
            refused: 0,
        }
    }

    #[test]
    fn the_view_is_what_a_person_wants_to_know() {
        let wanted = [
            "1:12 of 2:00   half duplex",
            "microphone  [####################                    ]  -30 dBFS  speaks",
            "loudspeaker [                                        ]  -99 dBFS",
            "> my order number is four seven nine",
            "3 turns   2 answered   1 interrupted   latency P50 312, P95 402 ms",
            "0 holes   0 refused",
        ];
        assert_eq!(draw(&busy(), 72, Rendering::Plain), wanted);
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_or_coloured_against_its_will() {
        let lost = End { lost: true, ..End::default() };
        let sights = [
            Sight::default(),
            busy(),
            Sight { holes: u64::MAX, refused: 7, microphone: lost, heard: "ä".repeat(300), ..busy() },
        ];
        for sight in &sights {
            for width in [0, 1, 19, 20, 40, 72, 80, 100, 120, 1_000] {
                let lines = draw(sight, width, Rendering::Plain);
                let most = width.clamp(20, 100);
                assert!(lines.iter().all(|line| line.chars().count() <= most), "{width}: {lines:#?}");
                assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "{width}: {lines:#?}");
            }
        }
        let loud = draw(&sights[2], 80, Rendering::Styled).concat();
        assert!(
            loud.contains("\u{1b}[31m7 refused\u{1b}[0m") && loud.contains("\u{1b}[31mmicrophone"),
            "{loud}"
        );
        assert!(
            !draw(&busy(), 80, Rendering::Styled).concat().contains('\u{1b}'),
            "nothing to be worried about"
        );
    }
}
