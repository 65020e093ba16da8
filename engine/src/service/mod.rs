//! Slow models outside the tick: what a service is, and the hub where the calls of all sessions gather into batches.

pub(crate) mod answers;
pub(crate) mod api;
pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod ema;
pub(crate) mod flights;
pub(crate) mod hub;
pub(crate) mod rehearsal;
pub(crate) mod reply;
pub(crate) mod reply_queue;
pub(crate) mod requests;
pub(crate) mod slot;
pub(crate) mod station;
pub(crate) mod submissions;
pub(crate) mod told;

pub use api::{Service, ServiceKind, ServiceSite, ServiceWaker, TimeMode};
pub use batch::{BatchPolicy, BatchQueue, DeadlineRule, Gives, Merge, SENTENCES_MAX, SOUND_MAX_US, Settled};
pub use call::{Call, CallKey, CallScope, SegmentRef, SessionKey, SessionRef};
pub use ema::Ema;
pub use flights::{NOT_STARTED, PARTS_PER_TICK};
pub use hub::Hub;
pub use rehearsal::Rehearsal;
pub use reply::{Replies, Reply, ReplyPart};
pub use reply_queue::{PARTS_WAITING_MAX, ReplyQueue, ReplySender};
pub use requests::{Commit, Inbox, Outbox, Request};
pub use slot::ServiceFigures;
pub use station::{BatchFigures, StationView};
