//! The cost of mynah on this machine: the claims with their ratios, and how many sessions hold in real time.

pub mod callers;
pub mod capacity;
pub mod claims;
pub mod kernels;
pub mod machine;
pub mod median;
pub mod point;
pub mod search;
pub mod show;
