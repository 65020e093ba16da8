//! Makes Rust of the protocol's definition, without protoc.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let definition = protox::compile(["mynah/v1/voice.proto"], ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // For clients that ask what there is.
    fs::write(out.join("voice.descriptors"), definition.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").compile_fds(definition)?;
    Ok(())
}
