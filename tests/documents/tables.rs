//! Tables of figures against the runs they come from, to the last digit that is shown.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{read, run};

/// A row of a table: its page, how it begins, the command behind it, and for each column of figures the place in the
/// report.
struct Row {
    page: &'static str,
    begins: &'static str,
    command: &'static str,
    cells: &'static [(usize, &'static str)],
    /// Takes long: asked where `MYNAH_EVERY_FIGURE` is set.
    long: bool,
}

const QUEUES: &str = "docs/queues.md";
const AUDIO: &[(usize, &str)] = &[
    (1, "nodes.slow_audio.in"),
    (2, "nodes.slow_audio.out"),
    (3, "nodes.slow_audio.queue.dropped"),
    (4, "nodes.slow_audio.queue.merged"),
    (5, "nodes.slow_audio.queue.wait_ms.p50"),
    (6, "nodes.slow_audio.queue.wait_ms.p99"),
];
const TEXT: &[(usize, &str)] = &[
    (1, "nodes.slow_text.in"),
    (2, "nodes.slow_text.out"),
    (3, "nodes.slow_text.queue.dropped"),
    (4, "nodes.slow_text.queue.merged"),
    (5, "nodes.slow_text.queue.wait_ms.p50"),
    (6, "nodes.slow_text.queue.wait_ms.p95"),
];
const BATCHES: &[(usize, &str)] = &[
    (1, "nodes.tts.batch.offered_per_s"),
    (2, "nodes.tts.batch.items_per_s"),
    (3, "nodes.tts.batch.capacity_per_s.batched"),
    (4, "nodes.tts.latency_ms.p50"),
    (5, "nodes.tts.latency_ms.p95"),
    (6, "nodes.tts.queue.depth_p99"),
    (7, "nodes.tts.queue.dropped"),
];
const DEADLINES: &[(usize, &str)] = &[
    (1, "nodes.tts.deadlines_near"),
    (2, "nodes.tts.deadlines_missed"),
    (3, "nodes.tts.latency_ms.p50"),
    (4, "nodes.tts.latency_ms.p95"),
    (5, "nodes.tts.batch.items_per_s"),
    (6, "nodes.tts.batch.size_mean"),
    (7, "latency_ms.speech_end_to_response.p50"),
];
const POLISH: &[(usize, &str)] = &[
    (1, "nodes.polish.deadlines_near"),
    (2, "nodes.polish.deadlines_missed"),
    (3, "nodes.polish.queue.wait_ms.p50"),
    (4, "nodes.polish.queue.wait_ms.p99"),
];
const RESPONSE: &[(usize, &str)] = &[
    (1, "latency_ms.speech_end_to_response.p50"),
    (2, "latency_ms.speech_end_to_response.p99"),
    (3, "turns.premature_ratio"),
];
const QUIET: &[(usize, &str)] =
    &[(1, "latency_ms.speech_to_silence.p50"), (2, "latency_ms.speech_to_silence.p95")];
const GIVING_WAY: &[(usize, &str)] =
    &[(1, "turns.paused"), (2, "turns.resumed"), (3, "turns.interrupted"), (4, "turns.interrupted_by_noise")];

const fn row(
    page: &'static str,
    begins: &'static str,
    command: &'static str,
    cells: &'static [(usize, &'static str)],
) -> Row {
    Row { page, begins, command, cells, long: false }
}

const fn long(
    page: &'static str,
    begins: &'static str,
    command: &'static str,
    cells: &'static [(usize, &'static str)],
) -> Row {
    Row { page, begins, command, cells, long: true }
}

const ROWS: &[Row] = &[
    row(
        QUEUES,
        "| `DropOldest` | 6",
        "overflow --sessions 20 --set slow_audio.capabilities.overflow_policy=DropOldest",
        AUDIO,
    ),
    row(
        QUEUES,
        "| `DropNewest` | 6",
        "overflow --sessions 20 --set slow_audio.capabilities.overflow_policy=DropNewest",
        AUDIO,
    ),
    row(
        QUEUES,
        "| `Block` | 2",
        "overflow --sessions 20 --set slow_audio.capabilities.overflow_policy=Block",
        AUDIO,
    ),
    row(
        QUEUES,
        "| `MergeOnOverflow`, blocks of 20 ms",
        "overflow --sessions 20 --set slow_audio.capabilities.overflow_policy=MergeOnOverflow",
        AUDIO,
    ),
    row(
        QUEUES,
        "| `MergeOnOverflow`, blocks of 5 ms",
        "overflow --sessions 20 --set slow_audio.capabilities.overflow_policy=MergeOnOverflow --set session.input.chunk_ms=5",
        AUDIO,
    ),
    row(QUEUES, "| `MergeOnOverflow` (the scene)", "overflow --sessions 20", TEXT),
    row(
        QUEUES,
        "| `DropOldest` | 45",
        "overflow --sessions 20 --set slow_text.capabilities.overflow_policy=DropOldest",
        TEXT,
    ),
    row(
        QUEUES,
        "| `DropNewest` | 45",
        "overflow --sessions 20 --set slow_text.capabilities.overflow_policy=DropNewest",
        TEXT,
    ),
    row(
        QUEUES,
        "| `Block` | 44",
        "overflow --sessions 20 --set slow_text.capabilities.overflow_policy=Block",
        TEXT,
    ),
    long(QUEUES, "| batches of up to 5", "batched_tts", BATCHES),
    long(
        QUEUES,
        "| one by one (`max_batch_size=1`)",
        "batched_tts --set tts.buffering.max_batch_size=1",
        BATCHES,
    ),
    long(
        QUEUES,
        "| one by one, two instances",
        "batched_tts --set tts.buffering.max_batch_size=1 --set services.tts.timing.parallelism=2",
        BATCHES,
    ),
    long(
        QUEUES,
        "| one by one, `Block`",
        "batched_tts --set tts.buffering.max_batch_size=1 --set tts.capabilities.overflow_policy=Block",
        BATCHES,
    ),
    row(QUEUES, "| 20 sessions, batches", "batched_tts --sessions 20", BATCHES),
    row(
        QUEUES,
        "| 20 sessions, one by one",
        "batched_tts --sessions 20 --set tts.buffering.max_batch_size=1",
        BATCHES,
    ),
    long(
        QUEUES,
        "| 60 sessions, batches of at least 3: `Warn`",
        "deadlines --sessions 60 --set tts.deadline.policy=Warn",
        DEADLINES,
    ),
    row(QUEUES, "| 60 sessions: `FlushEarly`", "deadlines --sessions 60", DEADLINES),
    long(
        QUEUES,
        "| 170 sessions, `min_batch_size=1`: `Warn`",
        "deadlines --sessions 170 --set tts.buffering.min_batch_size=1 --set tts.deadline.policy=Warn",
        DEADLINES,
    ),
    long(
        QUEUES,
        "| 170 sessions: `GrowBatch(max:10)`",
        "deadlines --sessions 170 --set tts.buffering.min_batch_size=1 --set tts.deadline.policy=GrowBatch(max:10)",
        DEADLINES,
    ),
    long(
        QUEUES,
        "| 170 sessions: `LowerQuality`",
        "deadlines --sessions 170 --set tts.buffering.min_batch_size=1 --set tts.deadline.policy=LowerQuality",
        DEADLINES,
    ),
    long(QUEUES, "| `Warn` | 570", "deadlines --sessions 60 --set polish.deadline.policy=Warn", POLISH),
    row(QUEUES, "| `SkipOptional` | 570", "deadlines --sessions 60", POLISH),
    long("README.md", "| `voice_assistant`, services modelled as local", "voice_assistant", RESPONSE),
    long(
        "README.md",
        "| `--set gate.min_silence_ms=512`",
        "voice_assistant --set gate.min_silence_ms=512",
        RESPONSE,
    ),
    long(
        "README.md",
        "| services x2: 120 ms",
        "voice_assistant --set services.asr.timing.scale=2 --set services.reply.timing.scale=2 --set services.tts.timing.scale=2",
        RESPONSE,
    ),
    long(
        "README.md",
        "| services x5: 300 ms",
        "voice_assistant --set services.asr.timing.scale=5 --set services.reply.timing.scale=5 --set services.tts.timing.scale=5",
        RESPONSE,
    ),
    long(
        "README.md",
        "| services 1 s",
        "voice_assistant --set services.asr.timing.scale=16.7 --set services.reply.timing.scale=16.7 --set services.tts.timing.scale=16.7",
        RESPONSE,
    ),
    long("README.md", "| `voice_assistant_cloud`, services", "voice_assistant_cloud", RESPONSE),
    long("docs/latency.md", "| as shipped: `lead_ms` 20", "barge_in --sessions 50", QUIET),
    long(
        "docs/latency.md",
        "| `--set 'session.output.pace=RealTime(lead_ms:40)'`",
        "barge_in --sessions 50 --set session.output.pace=RealTime(lead_ms:40)",
        QUIET,
    ),
    long(
        "docs/latency.md",
        "| `--set 'session.output.pace=RealTime(lead_ms:100)'`",
        "barge_in --sessions 50 --set session.output.pace=RealTime(lead_ms:100)",
        QUIET,
    ),
    long(
        "docs/latency.md",
        "| `--set 'session.output.pace=RealTime(lead_ms:200)'`",
        "barge_in --sessions 50 --set session.output.pace=RealTime(lead_ms:200)",
        QUIET,
    ),
    long(
        "docs/latency.md",
        "| 150 | 35",
        "barge_in --sessions 50 --set session.output.interrupt_min_ms=150",
        GIVING_WAY,
    ),
    long("docs/latency.md", "| 300, as shipped", "barge_in --sessions 50", GIVING_WAY),
    long(
        "docs/latency.md",
        "| 600 | 35",
        "barge_in --sessions 50 --set session.output.interrupt_min_ms=600",
        GIVING_WAY,
    ),
    long(
        "docs/latency.md",
        "| 1000 | 34",
        "barge_in --sessions 50 --set session.output.interrupt_min_ms=1000",
        GIVING_WAY,
    ),
];

/// The value at `a.b.c` of a report; nodes go by their id.
fn figure(report: &Value, path: &str) -> Option<f64> {
    let step = |at: &Value, key: &str| match at.as_array() {
        Some(all) => all.iter().find(|one| one["id"] == key).cloned().unwrap_or(Value::Null),
        None => at[key].clone(),
    };
    path.split('.').fold(report.clone(), |at, key| step(&at, key)).as_f64()
}

/// The figure as the cell would show it: with its decimals and in its unit.
fn as_in(cell: &str, value: f64) -> Option<String> {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let scale = match unit {
        "s" => 0.001,
        "%" => 100.0,
        "ms" | "" => 1.0,
        _ => return None,
    };
    let decimals = number.split_once('.').map_or(0, |(_, behind)| behind.len());
    let shown = format!("{:.decimals$}", value * scale);
    Some(if unit.is_empty() { shown } else { format!("{shown} {unit}") })
}

/// What of a row is not what its report has. `text`: the page.
fn faults(text: &str, row: &Row, report: &Value) -> Vec<String> {
    let mut lines = text.lines().filter(|line| line.starts_with(row.begins));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return vec![format!("{}: no row, or more than one, begins with {:?}", row.page, row.begins)];
    };
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let fault = |(column, path): &(usize, &str)| {
        let cell = *cells.get(*column)?;
        let wanted = figure(report, path).and_then(|value| as_in(cell, value));
        (wanted.as_deref() != Some(cell))
            .then(|| format!("{}: {:?}: {cell}, the run has {wanted:?} ({path})", row.page, row.begins))
    };
    let mut found: Vec<String> = row.cells.iter().filter_map(fault).collect();
    if cells.len() <= row.cells.last().map_or(0, |(column, _)| *column) {
        found.push(format!("{}: {line:?} has too few cells", row.page));
    }
    found
}

fn report(command: &str) -> Value {
    let line = format!("simulate {command} --json");
    let words: Vec<String> = line.split(' ').map(Into::into).collect();
    let (code, text) = run(&words, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let object = text.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(object).unwrap_or_else(|error| panic!("{line} ended with {code:?}: {error}\n{text}"))
}

/// Whether this machine rounds like the one the pages were written on; says so if it does not.
fn rounds_alike(report: &Value) -> bool {
    let features = report["cpu_features"].as_array().cloned().unwrap_or_default();
    let features: Vec<&str> = features.iter().filter_map(Value::as_str).collect();
    let alike = read("README.md").contains(&format!("({})\n", features.join(", ")));
    if !alike {
        println!("another processor, other bits: {features:?} is not compared");
    }
    alike
}

#[test]
fn the_figures_of_tables_are_those_of_their_runs() {
    let every = std::env::var_os("MYNAH_EVERY_FIGURE").is_some();
    let (asked, left): (Vec<&Row>, Vec<&Row>) = ROWS.iter().partition(|row| every || !row.long);
    for row in left {
        println!("not repeated here, MYNAH_EVERY_FIGURE asks for it: {} ({})", row.command, row.page);
    }
    let mut reports: BTreeMap<&str, Value> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in &asked {
        let report = reports.entry(row.command).or_insert_with(|| report(row.command));
        if !rounds_alike(report) {
            return;
        }
        wrong.extend(faults(&read(row.page), row, report));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    // Another figure in any cell is seen.
    for row in &asked {
        let text = read(row.page);
        let line = text.lines().find(|line| line.starts_with(row.begins)).expect("it was found before");
        for (column, path) in row.cells {
            let mut cells: Vec<String> = line.split('|').map(Into::into).collect();
            cells[column + 1] = cells[column + 1].replacen(|c: char| c.is_ascii_digit(), "77", 1);
            let edited = text.replace(line, &cells.join("|"));
            let begins = edited.lines().any(|line| line.starts_with(row.begins));
            let seen = !begins || !faults(&edited, row, &reports[row.command]).is_empty();
            assert!(seen, "{}: an edited {path} is not seen", row.begins);
        }
    }
}
