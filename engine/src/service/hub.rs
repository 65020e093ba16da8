//! A view of all services of a scene and their stations between two ticks.

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::service::api::{CallKey, Commit};
use crate::service::batch::BatchQueue;
use crate::service::calls::{Calls, ServiceOrder};
use crate::service::slot::{ServiceFigures, ServiceInstance, ServiceName};
use crate::service::station::{BatchFigures, ProcessingTime, Station, StationView};

/// The services of a scene and the stations before them: a view of entities of the engine's world.
#[derive(Clone, Copy)]
pub struct Hub<'w> {
    world: &'w World,
    order: &'w ServiceOrder,
}

impl<'w> Hub<'w> {
    /// A view of the engine's world.
    pub(crate) fn new(world: &'w World) -> Self {
        Self { world, order: world.resource() }
    }

    /// Name and figures of every service, in scene order.
    pub fn figures(self) -> impl Iterator<Item = (&'w str, ServiceFigures)> {
        self.order.services.iter().filter_map(move |&service| {
            let entity = self.world.get_entity(service).ok()?;
            let (ServiceName(name), figures) = (entity.get()?, entity.get::<ServiceFigures>()?);
            Some((&**name, *figures))
        })
    }

    /// The figures of the batches of a node behind the hub.
    pub fn batches(self, node: NodeId) -> Option<&'w BatchFigures> {
        self.world.get(self.order.node(node)?)
    }

    /// The station of a node behind the hub.
    pub fn station(self, node: NodeId) -> Option<StationView> {
        let station = self.world.get::<Station>(self.order.node(node)?)?;
        let queue = self.queue(node)?;
        Some(StationView {
            waiting: queue.len(),
            at_door: queue.at_door(),
            oldest_us: queue.oldest_us(),
            free: self.is_free(station),
        })
    }

    /// The calls that wait at the station of a node behind the hub.
    pub fn calls_waiting(self, node: NodeId) -> impl Iterator<Item = CallKey> + 'w {
        self.queue(node).into_iter().flat_map(BatchQueue::keys)
    }

    /// The segments that were settled before the last tick's batches, by session.
    pub fn commits(self) -> impl Iterator<Item = &'w Commit> {
        self.world.resource::<Calls>().commits.iter().map(|(_, commit)| commit)
    }

    /// Calls that services have not answered yet.
    pub fn under_way(self) -> usize {
        self.world.resource::<Calls>().flights.len()
    }

    /// Items waiting for their service, over all sessions, at a node behind the hub.
    pub fn waiting(self, node: NodeId) -> usize {
        self.queue(node).map_or(0, |queue| queue.len() + queue.at_door())
    }

    /// Typical time of an item of `node` from submission to its last part, in microseconds of engine time: a moving
    /// average with weight 0.1.
    pub fn avg_processing_us(self, node: NodeId) -> u64 {
        let time = self.order.node(node).and_then(|node| self.world.get::<ProcessingTime>(node));
        time.map_or(0, ProcessingTime::avg_us)
    }

    /// Whether each service, in scene order, wants audio pushed.
    pub fn wants_audio(self) -> Vec<bool> {
        self.instances().map(|instance| instance.0.wants_audio()).collect()
    }

    /// The earliest time at which a service has a reply or a batch is due.
    pub fn next_due_us(self) -> Option<u64> {
        let services = self.instances().filter_map(|instance| instance.0.next_due_us());
        let stations = self.order.stations.iter().filter_map(|&entity| {
            let station = self.world.get::<Station>(entity).filter(|station| self.is_free(station))?;
            self.queue(station.node)?.next_due_us(self.avg_processing_us(station.node))
        });
        services.chain(stations).min()
    }

    fn queue(self, node: NodeId) -> Option<&'w BatchQueue> {
        self.world.get(self.order.node(node)?)
    }

    fn instances(self) -> impl Iterator<Item = &'w ServiceInstance> {
        self.order.services.iter().filter_map(move |&service| self.world.get(service))
    }

    fn is_free(self, station: &Station) -> bool {
        self.world.get::<ServiceInstance>(station.service).is_some_and(|instance| instance.0.room() > 0)
    }
}
