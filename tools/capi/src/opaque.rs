//! What handles look like to a host: pointers to nothing.

/// An engine that runs a scene. A handle is a number: nothing lies where it points.
#[derive(Debug)]
pub struct EngineHandle(());

/// A session of an engine. A handle is a number: nothing lies where it points.
#[derive(Debug)]
pub struct SessionHandle(());
