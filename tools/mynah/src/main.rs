//! `mynah`: reads the command line, runs one command, exits with 0 (done and ok), 1 (invalid scene or missed limit),
//! 2 (could not run) or 130 (interrupted).

use std::process::ExitCode;

/// Counts, so that the report can say what a tick allocates.
#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

fn main() -> ExitCode {
    #[cfg(feature = "moonshine")]
    mynah_systems::moonshine::build_in(
        include_bytes!("../models/moonshine_tiny_en/moonshine_tiny_en.u8"),
        include_bytes!("../models/moonshine_tiny_en/tokenizer.bin"),
    );
    mynah::main()
}
