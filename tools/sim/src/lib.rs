//! The load simulator: callers on a clock, an engine, and a report; recordings through a scene; events as lines.

pub mod clock;
pub mod course;
pub mod events;
pub mod flight;
pub mod interrupt;
pub mod observer;
pub mod report;
pub mod run;
pub mod scenes;
pub mod shipped;
pub mod simulate;
pub mod transport;
