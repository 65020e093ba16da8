//! Slow models outside the tick: what a service is, and the hub where the calls of all sessions gather into batches.

pub(crate) mod answers;
pub(crate) mod api;
pub(crate) mod batch;
pub(crate) mod calls;
pub(crate) mod ema;
pub(crate) mod hub;
pub(crate) mod slot;
pub(crate) mod station;
pub(crate) mod submissions;

pub use api::{
    Call, CallKey, Commit, Inbox, Outbox, Reply, ReplyPart, Request, Service, ServiceKind, ServiceSite,
    TimeMode,
};
pub use batch::{BatchPolicy, BatchQueue, DeadlineRule, Gives, Merge, SENTENCES_MAX, SOUND_MAX_US, Settled};
pub use ema::Ema;
pub use hub::Hub;
pub use slot::ServiceFigures;
pub use station::{BatchFigures, StationView};
