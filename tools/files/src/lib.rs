//! Reading and writing without harm: texts, outputs that overwrite nobody, failures with their exit code, the terminal.

pub mod failure;
pub mod outputs;
pub mod terminal;
pub mod text;
