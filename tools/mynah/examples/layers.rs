//! The layers of the engine with the imports between them; fails if one leads upward. docs/architecture.md shows it.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

#[path = "../../../tests/support/imports.rs"]
mod imports;
#[path = "../../../tests/support/layers.rs"]
mod layers;

use std::path::Path;
use std::process::ExitCode;

/// What is printed, and whether all imports lead downward.
pub(crate) fn report() -> (String, bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engine/src");
    let imports = imports::imports(&layers::sources(&folder));
    let upward = layers::upward(&imports);
    let verdict = if upward.is_empty() { "none upward".to_owned() } else { upward.join("\n") };
    (format!("{}{verdict}\n", layers::drawn(&imports)), upward.is_empty())
}

#[allow(dead_code, reason = "a test asks for the report alone")]
fn main() -> ExitCode {
    let (text, sound) = report();
    print!("{text}");
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
