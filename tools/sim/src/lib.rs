//! The load simulator: callers on a clock, an engine, and a report; recordings through a scene; events as lines.

pub mod clock;
pub mod events;
pub mod flight;
pub mod interrupt;
pub mod report;
pub mod run;
pub mod scenes;
pub mod simulate;
pub mod transport;
