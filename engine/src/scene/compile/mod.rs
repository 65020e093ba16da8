//! Compiles a [`Scene`](crate::scene::Scene) into a plan: nodes configured, wired and checked.

pub(crate) mod batching;
pub(crate) mod check;
pub(crate) mod draw;
pub(crate) mod flow;
pub(crate) mod gates;
pub(crate) mod paths;
pub(crate) mod plan;
pub(crate) mod wiring;
