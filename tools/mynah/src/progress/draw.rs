//! Draws the live view as lines of text: a function of the state, the width of the terminal, and its colours.

use mynah_engine::scene::Rendering;

use super::sight::Sight;

/// Between two figures in a line.
const GAP: &str = "   ";
/// Narrower than this nothing is worth drawing; wider, a bar says no more.
const WIDTH: std::ops::RangeInclusive<usize> = 20..=100;

/// Draws at most `width` columns, and at most as many lines as there are figures.
pub fn draw(sight: &Sight, width: usize, look: Rendering) -> Vec<String> {
    let width = width.clamp(*WIDTH.start(), *WIDTH.end());
    let mut lines = vec![bar(sight, width)];
    let mut columns = 0;
    for (text, loud) in figures(sight) {
        let text: String = text.chars().take(width).collect();
        let taken = text.chars().count();
        let painted = match (look, loud) {
            (Rendering::Styled, true) => format!("\u{1b}[31m{text}\u{1b}[0m"),
            _ => text,
        };
        match lines.last_mut() {
            Some(line) if columns > 0 && columns + GAP.len() + taken <= width => {
                line.push_str(GAP);
                line.push_str(&painted);
                columns += GAP.len() + taken;
            }
            _ => {
                lines.push(painted);
                columns = taken;
            }
        }
    }
    lines
}

/// `simulated [=====>    ]  43 %  12 s left`
fn bar(sight: &Sight, width: usize) -> String {
    let part = if sight.total == 0 { 0.0 } else { sight.done as f64 / sight.total as f64 }.clamp(0.0, 1.0);
    let left = match sight.elapsed_s * (1.0 - part) / part {
        left_s if part > 0.0 && left_s.is_finite() => format!("  {} left", span(left_s)),
        _ => String::new(),
    };
    let tail = format!("] {:>3.0} %{left}", (part * 100.0).floor());
    let taken = sight.stage.chars().count() + 2 + tail.chars().count();
    let room = width.saturating_sub(taken);
    let done = ((room as f64 * part) as usize).min(room);
    let head = if done > 0 && done < room { ">" } else { "" };
    let line = format!(
        "{} [{}{head}{}{tail}",
        sight.stage,
        "=".repeat(done.saturating_sub(head.len())),
        " ".repeat(room - done)
    );
    line.chars().take(width).collect()
}

/// A time as a person reads it.
fn span(s: f64) -> String {
    match s.round() as u64 {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s => format!("{} h {} min", s / 3_600, s / 60 % 60),
    }
}

/// What is known so far; true: something to be worried about.
fn figures(sight: &Sight) -> Vec<(String, bool)> {
    let mut figures = Vec::new();
    if sight.ticks == 0 {
        return figures;
    }
    let plural = if sight.sessions == 1 { "" } else { "s" };
    figures.push((format!("{} session{plural}", sight.sessions), false));
    if sight.elapsed_s > 0.0 {
        let (speed, ticks) =
            (sight.engine_us as f64 / 1e6 / sight.elapsed_s, sight.ticks as f64 / sight.elapsed_s);
        figures.push((format!("{speed:.1}x real time, {ticks:.0} ticks/s"), false));
    }
    if let Some(response) = sight.response {
        let (p50, p99) = (response.p50_us as f64 / 1e3, response.p99_us as f64 / 1e3);
        let text = format!("response P50 {p50:.0}, P99 {p99:.0} ms ({} by the gate)", response.count);
        figures.push((text, false));
    }
    let decided = sight.confirmed + sight.cancelled;
    if decided > 0 {
        let accepted = (sight.confirmed as f64 * 100.0 / decided as f64).floor();
        figures.push((format!("accepted {accepted:.0} %, {} ends retracted", sight.retracted), false));
    }
    if let Some((node, frames)) = &sight.deepest {
        figures.push((format!("{frames} waiting ({node})"), false));
    }
    if sight.batches > 0 {
        let mean = sight.batched as f64 / sight.batches as f64;
        let plural = if sight.batches == 1 { "" } else { "es" };
        figures.push((format!("{} batch{plural} of {mean:.1}", sight.batches), false));
    }
    figures.push((format!("{} dropped", sight.dropped), sight.dropped > 0));
    figures
}

#[cfg(test)]
mod tests {
    use super::super::sight::Response;
    use super::*;

    fn busy() -> Sight {
        Sight {
            stage: "simulated",
            done: 26_000_000,
            total: 60_000_000,
            elapsed_s: 3.5,
            engine_us: 26_000_000,
            sessions: 100,
            ticks: 5_200,
            response: Some(Response { p50_us: 194_000, p99_us: 240_400, count: 160 }),
            deepest: Some(("asr".into(), 12)),
            batches: 345,
            batched: 380,
            confirmed: 967,
            cancelled: 4,
            retracted: 304,
            dropped: 0,
        }
    }

    #[test]
    fn figures_flow_into_the_width_there_is() {
        let cases: [(usize, &[&str]); 3] = [
            (
                60,
                &[
                    "simulated [============>                   ]  43 %  5 s left",
                    "100 sessions   7.4x real time, 1486 ticks/s",
                    "response P50 194, P99 240 ms (160 by the gate)",
                    "accepted 99 %, 304 ends retracted   12 waiting (asr)",
                    "345 batches of 1.1   0 dropped",
                ],
            ),
            (
                80,
                &[
                    "simulated [=====================>                              ]  43 %  5 s left",
                    "100 sessions   7.4x real time, 1486 ticks/s",
                    "response P50 194, P99 240 ms (160 by the gate)",
                    "accepted 99 %, 304 ends retracted   12 waiting (asr)   345 batches of 1.1",
                    "0 dropped",
                ],
            ),
            (
                120,
                &[
                    "simulated [==============================>                                         ]  43 %  5 s left",
                    "100 sessions   7.4x real time, 1486 ticks/s   response P50 194, P99 240 ms (160 by the gate)",
                    "accepted 99 %, 304 ends retracted   12 waiting (asr)   345 batches of 1.1   0 dropped",
                ],
            ),
        ];
        for (width, want) in cases {
            let lines = draw(&busy(), width, Rendering::Plain);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:#?}");
            assert_eq!(lines, want, "{width}");
        }
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_or_coloured_against_its_will() {
        let sights = [
            Sight::default(),
            busy(),
            Sight { done: 0, elapsed_s: 0.0, ..busy() },
            Sight { done: 90_000_000, dropped: u64::MAX, ..busy() },
            Sight { total: 0, sessions: 1, ticks: u64::MAX, engine_us: u64::MAX, ..busy() },
            Sight { deepest: Some(("ä".repeat(300), u64::MAX)), elapsed_s: 1e9, ..busy() },
        ];
        for sight in &sights {
            for width in [0, 1, 19, 20, 40, 60, 80, 99, 100, 120, 1_000] {
                let lines = draw(sight, width, Rendering::Plain);
                let most = width.clamp(20, 100);
                assert!(lines.iter().all(|line| line.chars().count() <= most), "{width}: {lines:#?}");
                assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "{width}: {lines:#?}");
                assert!(lines.len() <= 8, "{width}: {lines:#?}");
            }
        }
        let loud = draw(&sights[3], 80, Rendering::Styled).concat();
        assert!(loud.contains("\u{1b}[31m18446744073709551615 dropped\u{1b}[0m"), "{loud}");
        assert!(
            !draw(&busy(), 80, Rendering::Styled).concat().contains('\u{1b}'),
            "nothing to be worried about"
        );
    }

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        for (s, want) in [(0.2, "0 s"), (119.0, "119 s"), (150.0, "2 min"), (7_260.0, "2 h 1 min")] {
            assert_eq!(span(s), want);
        }
    }
}
