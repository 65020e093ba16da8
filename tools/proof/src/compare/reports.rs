//! One side of a comparison: the reports of a file.

use std::path::Path;

use serde_json::Value;

use mynah_files::failure::Failure;
use mynah_files::text;

/// Version of reports that can be compared.
const SCHEMA: u64 = 1;

/// One or several reports of one configuration, mostly from several seeds.
#[derive(Clone, Debug)]
pub struct Side {
    /// Where they come from.
    pub name: String,
    /// At least one.
    pub reports: Vec<Value>,
}

impl Side {
    /// Reads a file of reports: one JSON object, or several one after the other (JSON Lines).
    ///
    /// # Errors
    /// It cannot be read, or has something else in it: exit code 2.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let wanted = "expected what `mynah simulate --json` writes";
        let unreadable = |error: std::io::Error| Failure::unable(format_args!("{name}: {error}; {wanted}"));
        let text = text::read(path).map_err(unreadable)?;
        let mut reports = Vec::new();
        for report in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let report = report.map_err(|error| {
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or(&what);
                let (line, column) = (error.line(), error.column());
                Failure::unable(format_args!("{name}:{line}:{column}: {what}; {wanted}"))
            })?;
            fits(&report).map_err(|what| {
                Failure::unable(format_args!("{name}: report {}: {what}", reports.len() + 1))
            })?;
            reports.push(report);
        }
        if reports.is_empty() {
            return Err(Failure::unable(format_args!("{name}: no report; {wanted}")));
        }
        Ok(Self { name, reports })
    }

    /// The first report, which stands for what all of them have in common.
    pub fn first(&self) -> &Value {
        &self.reports[0]
    }

    /// Whether what the machine did shows in the latencies, too: they were measured, not modelled.
    pub fn is_wall(&self) -> bool {
        self.reports.iter().any(|report| report["clock"] != "virtual")
    }

    /// Whether a report says of itself that its load generator was late.
    pub fn is_noisy(&self) -> bool {
        self.reports.iter().any(|report| report["noisy"] == true)
    }

    /// The seeds, in order.
    pub fn seeds(&self) -> Vec<u64> {
        self.reports.iter().filter_map(|report| report["seed"].as_u64()).collect()
    }
}

fn fits(report: &Value) -> Result<(), String> {
    let schema = &report["schema"];
    if !report.is_object() || !report["latency_ms"].is_object() || !report["cost"].is_object() {
        return Err("no report of a simulation; expected what `mynah simulate --json` writes".into());
    }
    if *schema != SCHEMA {
        return Err(format!(
            "schema {schema}; this mynah compares schema {SCHEMA}: measure both with one mynah"
        ));
    }
    Ok(())
}

/// What the two were asked for and is not the same: each a name, and both values.
pub fn sides_differ(a: &Side, b: &Side) -> Vec<(&'static str, String, String)> {
    let fields =
        ["scene", "load", "sessions", "duration_s", "clock", "scene_hash", "set", "cpu_features", "version"];
    let mut found: Vec<(&str, String, String)> = Vec::new();
    for field in fields {
        let values = |side: &Side| {
            let mut all: Vec<String> = side.reports.iter().map(|report| plain(&report[field])).collect();
            all.dedup();
            all.join(" | ")
        };
        let (one, other) = (values(a), values(b));
        // The hash says only of one scene that it was changed.
        let told = found.iter().any(|(name, ..)| *name == "scene");
        if one != other && !(field == "scene_hash" && told) {
            found.push((field, one, other));
        }
    }
    found
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".into(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
