//! `libmynah`: see `mynah.h`.

pub use mynah_capi::*;
