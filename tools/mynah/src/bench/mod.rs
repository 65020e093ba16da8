//! What mynah costs here: the claims with their ratios, and how many sessions hold in real time.

pub mod capacity;
pub mod machine;
pub mod point;
pub mod search;
