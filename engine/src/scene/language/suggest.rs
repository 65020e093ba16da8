//! "Did you mean": suggests the nearest of the valid names.

/// The option that differs from `word` by the fewest edits, if these are few enough for a typo: a third of its
/// letters, at least one. Equal distances: the first in alphabetical order.
pub fn nearest<'a>(word: &str, options: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    options
        .into_iter()
        .map(|option| (distance(&lower, &option.to_lowercase()), option))
        .filter(|(distance, option)| *distance <= (option.chars().count() / 3).max(1))
        .min()
        .map(|(_, option)| option)
}

/// A help line: the nearest name if there is one, then all valid ones.
pub(crate) fn help(word: &str, what: &str, options: &[&str]) -> String {
    let all = list(options);
    match nearest(word, options.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {what}: {all}"),
        None => format!("{what}: {all}"),
    }
}

/// `a`, `b`, `c`; long lists are cut.
pub(crate) fn list(options: &[&str]) -> String {
    const SHOWN_MAX: usize = 24;
    if options.is_empty() {
        return "none".into();
    }
    let shown: Vec<String> = options.iter().take(SHOWN_MAX).map(|option| format!("`{option}`")).collect();
    let more = if options.len() > SHOWN_MAX { ", ..." } else { "" };
    shown.join(", ") + more
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["threshold", "release", "min_speech_ms", "asr"];
        let cases = [
            ("thresold", Some("threshold")),
            ("treshhold", Some("threshold")),
            ("Release", Some("release")),
            ("min_speach_ms", Some("min_speech_ms")),
            ("ars", Some("asr")),
            ("volume", None),
            ("", None),
        ];
        for (word, wanted) in cases {
            assert_eq!(nearest(word, names), wanted, "{word}");
        }
    }
}
