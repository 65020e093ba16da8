//! A service as an entity of the engine's world: its name, its instance, its figures.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::service::api::Service;

/// The name of a service in the scene.
#[derive(Component)]
pub(crate) struct ServiceName(pub(crate) Arc<str>);

/// The running service.
#[derive(Component)]
pub(crate) struct ServiceInstance(pub(crate) Box<dyn Service>);

/// Figures of one service.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct ServiceFigures {
    /// Calls started: a batch is one call.
    pub calls: u64,
    /// Items in these batches.
    pub items: u64,
    /// Items that failed.
    pub failed: u64,
    /// Items stopped by a cancellation.
    pub cancelled: u64,
    /// Time of the service spent on items that were used, in microseconds.
    pub busy_us: u64,
    /// Time of the service spent on cancelled items, in microseconds.
    pub wasted_us: u64,
}
