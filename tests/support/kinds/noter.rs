//! `Noter` passes everything on and notes every correction.

use std::cell::RefCell;

use bevy_ecs::prelude::Component;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::Cancellation;
use mynah_engine::{Frame, NodeId};
use serde::Deserialize;

thread_local! {
    /// What the notes of this thread's engine say: when, at which node, what.
    static NOTES: RefCell<Vec<(u64, NodeId, Cancellation)>> = const { RefCell::new(Vec::new()) };
}

/// The notes of the engine that runs in this thread.
pub(crate) fn notes() -> Vec<(u64, NodeId, Cancellation)> {
    NOTES.take()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Noter {}

#[derive(Component, Default)]
pub(crate) struct Nothing;

audio_kind!(Noter, Nothing);

impl StepNode for Noter {
    fn step(&self, _: &mut Nothing, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        cx.send(0, frame);
    }
    fn control(&self, _: &mut Nothing, cancellation: &Cancellation, cx: &mut NodeContext<'_>, _: NodePlace) {
        let note = (cx.now.us, cx.node, *cancellation);
        NOTES.with_borrow_mut(|notes| notes.push(note));
    }
}
