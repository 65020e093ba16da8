//! Digests of runs, for comparison.

use std::collections::BTreeMap;

/// Digest of a session's events and released samples, by (session id, opening).
pub type Digests = BTreeMap<(u32, u32), u64>;
