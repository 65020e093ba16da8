//! Slow models outside the tick: what a service is, and the hub where the calls of all sessions gather into batches.

pub(crate) mod api;
pub(crate) mod batch;
pub(crate) mod ema;
pub(crate) mod hub;

pub use api::{
    Call, CallKey, Inbox, Outbox, Reply, ReplyPart, Request, Service, ServiceKind, ServiceSite, TimeMode,
};
pub use batch::{BatchPolicy, BatchQueue, DeadlineRule, Gives, Merge, SENTENCES_MAX, SOUND_MAX_US, Settled};
pub use ema::Ema;
pub use hub::{BatchFigures, Hub, ServiceFigures, StationView};
