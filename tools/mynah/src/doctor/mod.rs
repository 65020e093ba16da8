//! Examines this machine for real-time voice: each finding with what to do about it.
//!
//! `machine` looks at processor, memory and files, `time` measures the clock and how late sleeping ends, `ports` tries
//! the network of this machine, `served` asks a server of models, `show` prints.

mod finding;
mod machine;
mod ports;
mod served;
mod show;
mod time;

pub use finding::{Finding, Standing};
pub use served::examine as examine_service;
pub use show::{Examined, json, text};

/// Looks at everything; takes less than two seconds.
pub fn examine() -> Vec<Finding> {
    let found = [
        machine::engine(),
        machine::cores(),
        machine::cpu_features(),
        machine::memory(),
        time::resolution(),
        time::overshoot(),
        machine::shared_memory(),
        machine::temporary(),
        ports::metrics(),
        ports::loopback(),
        machine::python(),
        machine::terminal(),
    ];
    found.into_iter().chain(machine::worker()).collect()
}
