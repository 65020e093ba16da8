//! Sound at the ends of a session, on plain slices of interleaved samples: [adapted](Adapt) to what a device wants,
//! [faded](Fade) where it has holes, [measured](Level), and [in the way of](Duck) a host's other sounds.
//!
//! Made for audio threads: after the first call nothing here allocates, locks or waits.

mod adapt;
mod duck;
mod fade;
mod holes;
mod level;

pub use adapt::Adapt;
pub use duck::{Duck, Ramp};
pub use fade::{FADE_MS, Fade, Piece};
pub(crate) use holes::HoleFinder;
pub use holes::Holes;
pub use level::{Level, SILENCE_DBFS};

/// Most channels that audio may have.
const CHANNELS_MAX: usize = 8;
