//! Formats words and figures of the tables.

use mynah_engine::scene::Rendering;

/// A word in green or red where colours are wanted.
pub fn paint(word: &str, good: bool, look: Rendering) -> String {
    match (look, good) {
        (Rendering::Plain, _) => word.to_string(),
        (Rendering::Styled, true) => format!("\u{1b}[32m{word}\u{1b}[0m"),
        (Rendering::Styled, false) => format!("\u{1b}[31;1m{word}\u{1b}[0m"),
    }
}

/// Three significant digits are all a person reads.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        v if v == 0.0 || v >= 100.0 && v.fract() == 0.0 => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
