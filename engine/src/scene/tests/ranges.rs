//! Numbers of a scene at the ends of their ranges, just beyond, and where no number stands.
use super::*;

/// What holds the field in [`SCENE`], and what takes its place, `#` for the value; then the field's least and greatest
/// value, and what the refusal calls the range.
type Row = (&'static str, &'static str, f64, f64, &'static str);

const TIMING: &str = "parallelism: 64";
const NODE: &str = "kind: Call(service: \"asr\")";

const ROWS: &[Row] = &[
    ("period_ms: 5", "min_gap_us: #", 0.0, 100_000.0, "0..=100000 us"),
    ("period_ms: 5", "catch_up_max: #", 0.0, 1_000.0, "0..=1000 ticks"),
    ("LogNormal(p50_ms: 20, p99_ms: 27)", "Fixed(ms: #)", 0.001, 60_000.0, "0.001..=60000 ms"),
    ("p50_ms: 20, p99_ms: 27", "p50_ms: #, p99_ms: 60000", 0.001, 60_000.0, "0.001..=60000 ms"),
    ("p50_ms: 20, p99_ms: 27", "p50_ms: 0.001, p99_ms: #", 0.001, 60_000.0, "0.001..=60000 ms"),
    (TIMING, "scale: #", 0.001, 100.0, "0.001..=100"),
    (TIMING, "speed: #", 0.01, 10_000.0, "0.01..=10000"),
    (TIMING, "words_per_s: #", 0.1, 10_000.0, "0, or 0.1..=10000"),
    (TIMING, "batch_item_cost: #", 0.0, 10.0, "0..=10"),
    (TIMING, "reduced_cost: #", 0.001, 1.0, "above 0 to 1"),
    (
        NODE,
        "kind: Call(service: \"asr\"), deadline: (budget_ms: #, policy: Warn)",
        0.001,
        600_000.0,
        "0.001..=600000 ms",
    ),
    (
        NODE,
        "kind: Call(service: \"asr\"), deadline: (budget_ms: 5, margin_ms: #, policy: Warn)",
        0.001,
        600_000.0,
        "0.001..=600000 ms",
    ),
    (
        NODE,
        "kind: Call(service: \"asr\"), capabilities: (parallelizable: false), buffering: (max_wait_ms: #)",
        0.001,
        60_000.0,
        "0.001..=60000 ms",
    ),
    (
        NODE,
        "kind: Call(service: \"asr\"), capabilities: (parallelizable: false), buffering: (max_buffer_size: #)",
        1.0,
        1_000_000.0,
        "at least min_batch_size, at most 1000000 items",
    ),
    (
        NODE,
        "kind: Call(service: \"asr\"), capabilities: (avg_processing_us: #)",
        0.0,
        60_000_000.0,
        "0..=60000000 us",
    ),
    ("p99_ms: 250", "p99_ms: #", 0.0, 1e308, "a number from 0 up"),
];

#[test]
fn the_ends_of_a_range_fit_and_what_is_beyond_is_told_the_range() {
    let mut failed = Vec::new();
    for (from, to, least, most, range) in ROWS {
        let titles = |value: &str| -> Vec<String> {
            let found = findings(&changed(from, &to.replace('#', value)), &[]);
            found.iter().filter(|one| one.severity == Severity::Error).map(|one| one.title.clone()).collect()
        };
        for value in [least, most] {
            let said = titles(&value.to_string());
            if !said.is_empty() {
                failed.push(format!("{to}: {value} is refused: {said:?}"));
            }
        }
        // Whole numbers that are below 0 or none at all do not even parse.
        let whole = to.contains("_us: #") || to.contains("max: #") || to.contains("size: #");
        let beyond = match (whole, *most == 1e308) {
            (true, _) => vec![format!("{}", most + 1.0)],
            (false, true) => vec!["-0.001".into(), "NaN".into(), "inf".into()],
            (false, false) => {
                let above_0 = range.starts_with("above 0");
                let below = if above_0 { 0.0 } else { least - 0.000_1 - least.abs() * 0.2 };
                vec![
                    format!("{}", most * 1.001),
                    format!("{below}"),
                    "NaN".into(),
                    "inf".into(),
                    "1e300".into(),
                ]
            }
        };
        for value in beyond {
            let said = titles(&value);
            if !said.iter().any(|title| title.contains(range)) {
                failed.push(format!("{to}: {value} is told {said:?}, not {range}"));
            }
        }
    }
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}
