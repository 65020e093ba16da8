//! What every piece of outside input is held to, as plain functions of bytes.
//!
//! A target panics when a promise is broken and returns otherwise; what it is given, valid or not, is never an excuse.
//! Three things call them: the corpus replay and the property tests of this crate, and libFuzzer (`cargo-fuzz/`).

mod accepted;
mod bytes;
mod c_calls;
mod control;
mod dialects;
mod faults;
mod http;
mod label;
mod operations;
mod peer;
mod recogniser;
mod resampler;
mod scene;
mod set;
mod wav;

pub use c_calls::c_calls;
pub use control::{control_binary, control_json};
pub use dialects::{dialect_flux, dialect_native, dialect_realtime};
pub use faults::faults;
pub use http::http;
pub use label::label;
pub use operations::operations;
pub use peer::peer;
pub use recogniser::recogniser;
pub use resampler::resampler;
pub use scene::scene;
pub use set::set;
pub use wav::wav;

/// A target: panics when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also the name of its folder in `corpus/`. In alphabetical order.
pub const TARGETS: [(&str, Target); 16] = [
    ("c_calls", c_calls),
    ("control_binary", control_binary),
    ("control_json", control_json),
    ("dialect_flux", dialect_flux),
    ("dialect_native", dialect_native),
    ("dialect_realtime", dialect_realtime),
    ("faults", faults),
    ("http", http),
    ("label", label),
    ("operations", operations),
    ("peer", peer),
    ("recogniser", recogniser),
    ("resampler", resampler),
    ("scene", scene),
    ("set", set),
    ("wav", wav),
];
