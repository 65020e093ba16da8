//! The C interface of mynah: `mynah.h`, and the calls that it declares. `libmynah` (in `lib/`) makes a library of them.
//!
//! Everything unsafe of mynah is in this crate, and here it is what the border to C demands: pointers of a host are followed
//! in [`arguments`](crate) and [`config`](crate), handles are numbers that are never followed, and no panic leaves a call.

mod arguments;
mod host;
mod table;

// In this order the header tells of them.
mod status;

mod config;

mod handles;

mod event;

mod calls;

pub use calls::*;
pub use config::*;
pub use event::*;
pub use handles::{EngineHandle, SessionHandle};
pub use status::*;
