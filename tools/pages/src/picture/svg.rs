//! Shapes of the page: curves that stay small however long the recording is.

use std::fmt::{self, Write as _};

/// Appends formatted text.
pub fn push(text: &mut String, what: fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes everything");
}

/// Text inside HTML and SVG.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() && c != '\n' => f.write_str("\u{FFFD}")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The path around the least and greatest sample of each of at most `columns_max` columns: a closed shape, drawn between 0
/// and `width`; a sample of 1.0 is `half` above `middle`.
pub fn envelope(
    samples: &[f32],
    channels: usize,
    columns_max: usize,
    width: f64,
    middle: f64,
    half: f64,
) -> String {
    let frames = samples.len() / channels.max(1);
    let columns = frames.min(columns_max);
    let x = |column: usize| width * column as f64 / columns.max(1) as f64;
    let y = |sample: f32| middle - half * f64::from(sample);
    let bound = |column: usize| column * frames / columns.max(1) * channels;
    let (mut upper, mut lower) = (String::new(), Vec::with_capacity(columns));
    for column in 0..columns {
        let part = &samples[bound(column)..bound(column + 1)];
        let finite = part.iter().copied().filter(|s| s.is_finite());
        let (least, most) = finite.fold((f32::MAX, f32::MIN), |(lo, hi), s| (lo.min(s), hi.max(s)));
        let (least, most) = if least > most { (0.0, 0.0) } else { (least, most) };
        let command = if column == 0 { 'M' } else { 'L' };
        push(&mut upper, format_args!("{command}{:.1} {:.1}", x(column), y(most)));
        lower.push((x(column), y(least)));
    }
    for (x, y) in lower.into_iter().rev() {
        push(&mut upper, format_args!("L{x:.1} {y:.1}"));
    }
    if columns > 0 {
        upper.push('Z');
    }
    upper
}

/// The path through values, thinned to at most `points_max` points; of each stretch the extremes are kept, so that no peak
/// is lost.
pub fn curve(
    points: &[(u64, f32)],
    points_max: usize,
    x: impl Fn(u64) -> f64,
    y: impl Fn(f32) -> f64,
) -> String {
    let mut path = String::new();
    let mut draw = |&(us, value): &(u64, f32)| {
        let command = if path.is_empty() { 'M' } else { 'L' };
        push(&mut path, format_args!("{command}{:.1} {:.1}", x(us), y(value)));
    };
    if points.len() <= points_max {
        points.iter().for_each(&mut draw);
        return path;
    }
    let stretches = points_max / 2;
    for stretch in 0..stretches {
        let part = &points[stretch * points.len() / stretches..(stretch + 1) * points.len() / stretches];
        let least = (0..part.len()).min_by(|&a, &b| part[a].1.total_cmp(&part[b].1));
        let most = (0..part.len()).max_by(|&a, &b| part[a].1.total_cmp(&part[b].1));
        if let (Some(least), Some(most)) = (least, most) {
            draw(&part[least.min(most)]);
            if least != most {
                draw(&part[least.max(most)]);
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stay_small_and_keep_their_peaks() {
        let mut points: Vec<(u64, f32)> = (0..100_000).map(|i| (i, 0.1)).collect();
        points[54_321].1 = 0.9;
        let path = curve(&points, 2_000, |us| us as f64, f64::from);
        assert!(path.matches(['M', 'L']).count() <= 2_000);
        assert!(path.contains("54321.0 0.9"), "the peak is lost");
        let mut samples = vec![0.0; 480_000];
        samples[400_001] = -0.5;
        let shape = envelope(&samples, 2, 1_000, 100.0, 0.0, 10.0);
        assert_eq!(shape.matches(['M', 'L']).count(), 2_000);
        assert!(shape.contains(" 5.0"), "the peak is lost");
        assert_eq!(envelope(&[], 1, 10, 1.0, 0.0, 1.0), "");
    }

    #[test]
    fn names_of_files_cannot_become_markup() {
        let name = "<b onload=\"x\">&'\u{7}";
        assert_eq!(Escaped(name).to_string(), "&lt;b onload=&quot;x&quot;&gt;&amp;&#39;\u{FFFD}");
    }
}
