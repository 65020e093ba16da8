//! Chooses the words that fit below an axis and at its points, in a chart whose width only the window knows: room is
//! counted for the narrowest chart, and for a roomy one, which the style sheet tells apart.

/// Pixels of a character in the words of a chart, on average, in a wide font.
pub const CHARACTER: f64 = 7.3;
/// Height of a line of such words, pixels.
pub const LINE: f64 = 16.0;
/// Width of the narrowest chart between its axes, pixels: that of a window of 360.
pub const NARROW: f64 = 262.0;
/// From this width on a chart is roomy, pixels.
pub const ROOMY: f64 = 400.0;
/// Space between two words, pixels.
const GAP: f64 = 6.0;

/// Width of a text, pixels.
pub fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

/// Where a word below an axis stands against its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It begins there: at the axis' beginning.
    First,
    /// Its middle is there.
    Middle,
    /// It ends there, where it would leave the chart otherwise.
    Last,
}

impl Stand {
    /// For words of `px` pixels at `at` (0..1) of a narrow axis.
    pub fn of(at: f64, px: f64) -> Self {
        match at {
            at if at * NARROW < px / 2.0 => Self::First,
            at if (1.0 - at) * NARROW < px / 2.0 => Self::Last,
            _ => Self::Middle,
        }
    }

    fn left(self, at_px: f64, px: f64) -> f64 {
        match self {
            Self::First => at_px,
            Self::Middle => at_px - px / 2.0,
            Self::Last => at_px - px,
        }
    }
}

/// Which of `words` (place on the axis, 0..1 and rising, and text) stand apart on an axis of `axis_px` pixels. Of words at
/// even distances every second, third, ... one is kept, of others the first of those that would collide.
pub fn apart(words: &[(f64, String)], axis_px: f64) -> Vec<bool> {
    let distances: Vec<f64> = words.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    let even = distances.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.01);
    if even {
        let strides = 1..=words.len();
        let kept = |stride: usize| (0..words.len()).map(move |at| at % stride == 0).collect::<Vec<_>>();
        return strides.map(kept).find(|kept| greedy(words, kept, axis_px) == *kept).unwrap_or_default();
    }
    greedy(words, &vec![true; words.len()], axis_px)
}

fn greedy(words: &[(f64, String)], wanted: &[bool], axis_px: f64) -> Vec<bool> {
    let mut free = f64::MIN;
    let keep = |((at, text), wanted): (&(f64, String), &bool)| {
        let px = width_of(text);
        let left = Stand::of(*at, px).left(at * axis_px, px);
        let kept = *wanted && left >= free;
        if kept {
            free = left + px + GAP;
        }
        kept
    };
    words.iter().zip(wanted).map(keep).collect()
}

/// Words that stand inside a chart, and where: what comes later makes room.
#[derive(Debug, Default)]
pub struct Taken(Vec<[f64; 4]>);

impl Taken {
    /// How far words in the box `left, top, right, bottom` (pixels of a narrow chart) must move by whole lines, downwards
    /// or upwards, to stand free. They count as standing there.
    pub fn shift(&mut self, [left, top, right, bottom]: [f64; 4], step: f64) -> f64 {
        const TRIES: u32 = 8;
        let hits = |by: f64| {
            let meets = |other: &[f64; 4]| {
                left < other[2] && right > other[0] && top + by < other[3] && bottom + by > other[1]
            };
            self.0.iter().any(meets)
        };
        let shifts = (0..TRIES).map(|n| f64::from(n) * step);
        let by = shifts.into_iter().find(|by| !hits(*by)).unwrap_or(0.0);
        self.0.push([left, top + by, right, bottom + by]);
        by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(words: &[(f64, &str)], axis_px: f64) -> Vec<String> {
        let words: Vec<(f64, String)> = words.iter().map(|(at, text)| (*at, (*text).to_string())).collect();
        let kept = apart(&words, axis_px);
        words.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|((_, text), _)| text).collect()
    }

    #[test]
    fn words_that_would_collide_are_left_out_where_there_is_no_room() {
        let nines = [(0.0, "0 %"), (0.106, "50 %"), (0.35, "90 %"), (0.7, "99 %")];
        assert_eq!(kept(&nines, NARROW), ["0 %", "90 %", "99 %"]);
        assert_eq!(kept(&nines, 800.0), ["0 %", "50 %", "90 %", "99 %"]);
        let decades = [(0.0, "10 µs"), (0.2, "100 µs"), (0.4, "1 ms"), (0.6, "10 ms"), (0.8, "100 ms")];
        assert_eq!(kept(&decades, NARROW), ["10 µs", "1 ms", "100 ms"]);
        assert_eq!(kept(&[], NARROW), Vec::<String>::new());
    }

    #[test]
    fn words_inside_a_chart_move_by_lines_until_they_stand_free() {
        let mut taken = Taken::default();
        let at = [0.0, 0.0, 50.0, 16.0];
        assert_eq!(
            [taken.shift(at, LINE), taken.shift(at, LINE), taken.shift(at, -LINE)],
            [0.0, 16.0, -16.0]
        );
        assert_eq!(taken.shift([60.0, 0.0, 90.0, 16.0], LINE), 0.0);
    }
}
