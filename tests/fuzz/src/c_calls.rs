//! The C interface: a host that calls anything at any time.

/// Calls, each a byte, and what they are given: see `mynah_capi::strange_calls`.
///
/// # Panics
/// When a call panics inside, gives no status that there is, or fails without saying why.
pub fn c_calls(data: &[u8]) {
    mynah_capi::strange_calls(data);
}
