//! The built program.

use std::process::Command;

use serde_json::Value;

/// The command line as one can type it, to replay a failure.
pub(crate) fn replay(arguments: &[&str]) -> String {
    format!("cargo run --release -- {}", arguments.join(" "))
}

/// The report of `mynah simulate ... --json`.
pub(crate) fn simulate(arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["simulate"].iter().chain(arguments).chain(&["--json"]).copied().collect();
    let out = Command::new(env!("CARGO_BIN_EXE_mynah")).args(&all).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code().is_some(), "{}\n{errors}", replay(&all));
    serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{}: {error}\n{errors}", replay(&all)))
}

/// The number at `path` (`a.b.c`) of a report.
pub(crate) fn number(report: &Value, path: &str) -> f64 {
    let value = path.split('.').fold(report, |at, key| &at[key]);
    value.as_f64().unwrap_or_else(|| panic!("no number at {path}: {value}"))
}
