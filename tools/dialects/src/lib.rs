//! The protocols that clients speak, sans-IO: what comes from a client goes in, what it is to be sent comes out, and time
//! is an argument. No socket, no clock, no thread: a server's connection task and a test in virtual time drive the same
//! code.
//!
//! One invariant, that of [`Dialect`]: **whatever was handed in, poll until [`Output::Wait`]; until that time, or the
//! next thing handed in, there is nothing to do.**
//!
//! A dialect owns its session once that is open: it pushes what it hears, polls what the session tells, and hangs up when
//! it is dropped. `docs/protocols.md` has the mapping of each protocol, and what it cannot express.

mod dialect;
pub mod flux;
pub mod native;
pub mod pcm;
pub mod realtime;
mod scene_facts;
mod terms;

pub use dialect::{
    Closing, Dialect, Ending, Figures, Opened, Output, Refusal, Tap, TurnTimes, WantedRecords,
};
pub use scene_facts::SceneFacts;
