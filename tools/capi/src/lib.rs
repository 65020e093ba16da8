//! The C interface of mynah: `mynah.h`, and the calls that it declares. `libmynah` (in `lib/`) makes a library of them.
//!
//! Everything unsafe of mynah is in this crate, and here it is what the border to C demands: pointers of a host are followed
//! in `arguments` and `config`, handles are numbers that are never followed, and no panic leaves a call.

mod arguments;
mod engines;
mod gate;
mod host;
mod sessions;
mod table;
mod told;

// In this order the header tells of them.
mod status;

mod config;

mod opaque;

mod event;

mod calls;

#[cfg(feature = "strange-calls")]
mod strange_calls;

pub use calls::*;
pub use config::*;
pub use event::*;
pub use opaque::{EngineHandle, SessionHandle};
pub use status::*;
#[cfg(feature = "strange-calls")]
pub use strange_calls::strange_calls;
