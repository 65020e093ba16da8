//! Whether it holds: faults drawn from a seed, invariants after every tick, replay of logs, reports compared.

pub mod compare;
pub mod faults;
pub mod invariants;
pub mod replay;
