//! Prints `mynah.h` as the sources say it is.
//!
//! Run: `cargo run -p mynah-capi --example header >tools/capi/mynah.h`

use std::io::Write as _;
use std::path::Path;

/// The header.
pub(crate) fn header() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("it is TOML");
    let made = cbindgen::Builder::new().with_crate(folder).with_config(config).generate();
    let mut text = Vec::new();
    made.expect("the sources are Rust").write(&mut text);
    text
}

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(&header())
}
