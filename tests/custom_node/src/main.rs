//! `mynah` with the kinds of this crate: `mynah-custom simulate parrot.ron`.

use std::process::ExitCode;

/// Counts, so that reports say what a tick allocates.
#[global_allocator]
static ALLOCATOR: mynah::Counting = mynah::Counting;

fn main() -> ExitCode {
    mynah::main_with(mynah_custom_node::own())
}
