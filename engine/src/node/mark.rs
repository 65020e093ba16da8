//! One marker component for each node, so that its system sees only its own queues. Markers are types of their own, written out
//! by a macro, because bevy_ecs makes components without a type only through unsafe code.

use std::any::TypeId;

use bevy_ecs::component::ComponentId;
use bevy_ecs::prelude::*;
use bevy_ecs::world::EntityWorldMut;

use crate::base::ids::NodeId;

/// Marks the queue entities of node `N`, so that its system sees only its own.
#[derive(Component)]
struct NodeMark<const N: usize>;

type Marking =
    (fn(&mut World) -> ComponentId, fn(&mut EntityWorldMut<'_>), fn(&mut EntityWorldMut<'_>), fn() -> TypeId);

macro_rules! marks {
    ($($n:literal)*) => {
        [$((|world| world.register_component::<NodeMark<$n>>(), |entity| { entity.insert(NodeMark::<$n>); }, |entity| { entity.remove::<NodeMark<$n>>(); }, TypeId::of::<NodeMark<$n>>)),*]
    };
}

/// 64 nodes and the session's output.
const MARKS: [Marking; 65] = marks!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
    30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64);

/// Marks `entity` as a queue of `node`.
pub(crate) fn mark(node: NodeId, entity: &mut EntityWorldMut<'_>) {
    (MARKS[node.index()].1)(entity);
}

/// Takes `entity` out of the sight of `node`.
pub(crate) fn unmark(node: NodeId, entity: &mut EntityWorldMut<'_>) {
    (MARKS[node.index()].2)(entity);
}

/// The marker of the queues of `node`.
pub(crate) fn component(node: NodeId, world: &mut World) -> ComponentId {
    (MARKS[node.index()].0)(world)
}

/// Whether a component is one of the markers.
pub(crate) fn is_mark(type_id: TypeId) -> bool {
    MARKS.iter().any(|(.., of)| of() == type_id)
}
