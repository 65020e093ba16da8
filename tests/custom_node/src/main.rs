//! `mynah` with the kinds of this crate: `mynah-custom simulate parrot.ron`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mynah::main_with(mynah_custom_node::own())
}
