//! `mynah.h` is what the sources say.

#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../examples/header.rs"]
mod header;

use std::path::Path;

#[test]
fn the_header_is_generated_from_the_sources() {
    let kept = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("mynah.h")).expect("it can be read");
    assert!(
        kept == header::header(),
        "mynah.h is not what the sources say: cargo run -p mynah-capi --example header >tools/capi/mynah.h"
    );
}
