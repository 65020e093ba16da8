//! `mynah.h` is what the sources say.

use std::path::Path;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_header_is_generated_from_the_sources() {
    let config = cbindgen::Config::from_file(Path::new(FOLDER).join("cbindgen.toml")).expect("it is TOML");
    let made = cbindgen::Builder::new()
        .with_crate(FOLDER)
        .with_config(config)
        .generate()
        .expect("the sources are read");
    let mut text = Vec::new();
    made.write(&mut text);
    let text = String::from_utf8(text).expect("a header is text");
    let path = Path::new(FOLDER).join("mynah.h");
    if std::env::var_os("MYNAH_HEADER").is_some_and(|value| value == "overwrite") {
        std::fs::write(&path, &text).expect("the header can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "mynah.h is not what the sources say: MYNAH_HEADER=overwrite cargo test -p mynah-capi --test header"
    );
}
