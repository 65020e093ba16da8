//! The world of mynah: thousands of live audio sessions as entities, moved tick by tick through compiled scenes.
//!
//! One invariant carries everything else: **a tick is a function of (world, arrivals, now, seed)**. No code here
//! reads a clock, sleeps, opens a socket or a file, or lets the number of threads or shards change a result.
//!
//! The engine knows no node kind; `mynah-systems` registers them. A host compiles a scene, makes an [`Engine`],
//! opens sessions through its [`EngineHandle`], pushes audio and polls what comes back, and calls
//! [`Engine::tick`] with the time.
//!
//! Crates whose types stand in signatures here are re-exported: `bevy_ecs`, `crossbeam`, `hdrhistogram`, `ron`, `serde`,
//! `serde_json`, `uuid`.

// Whose types stand in public signatures: whoever names one through here has the version that fits.
pub use {bevy_ecs, crossbeam, hdrhistogram, ron, serde, serde_json, uuid};
// For the tests that need the feature.
#[cfg(feature = "interleavings")]
#[doc(hidden)]
pub use shuttle;

mod average;
mod barge_in;
mod batch;
mod block;
mod books;
mod control;
mod correction;
pub mod delivery;
mod desk;
mod door;
mod driver;
mod egress;
pub mod embed;
mod engine;
mod event;
mod frame;
mod glance;
mod handle;
mod hub;
mod ids;
mod ingress;
mod inward;
mod joint;
mod ledger;
pub mod message;
pub mod metrics;
mod mutation;
mod node;
mod opening;
mod outlet;
mod placement;
mod playout;
mod port;
mod queue;
pub mod rng;
pub mod scene;
mod segment;
mod sender_clock;
mod service;
mod service_faults;
mod session;
mod shard;
mod sound;
mod sync;
mod workers;

pub use average::Ema;
pub use batch::{
    BatchPolicy, BatchQueue, DeadlineRule, FlushReason, Gives, Merge, SENTENCES_MAX, SOUND_MAX_US, Settled,
};
pub use block::{Block, BlockPool};
pub use books::{Books, NodeBook, SessionView};
pub use control::{Control, ControlError, ControlIn};
pub use correction::{Correction, Corrections, Void};
pub use desk::{Cx, Desk, Lanes, Laps, Look, Now, STAGES_BESIDE, Stopwatch, purge};
pub use door::{EngineHandle, NAME_BYTES_MAX, OpenError};
pub use driver::{Clock, Deadlines, Driver, Pacing, run};
pub use engine::{Census, Engine, EngineConfig, ScenePlan};
pub use event::{DropReason, Event, EventLog, Record};
pub use frame::{Frame, Mark, Payload, frames_to_us, us_to_frames};
pub use glance::Glance;
pub use handle::{
    ARRIVAL_COST_MS_MIN, BLOCK_MS_MAX, CREDIT_MS, Full, MEDIA_US_MAX, Out, OutAudio, PushError, STAGING_US,
    SessionHandle, SessionSpec, Stamp, Tag,
};
pub use hub::{BatchFigures, Hub, ServiceFigures, Station};
pub use ids::{NodeId, SegmentKey, SessionId};
pub use ingress::EdgeFigures;
pub use inward::{ControlFigures, Messages, Received};
pub use joint::{JOINED_CHARS_MAX, JoinTexts, Joint};
pub use ledger::{LATENCY_MAX_US, Ledger, NodeLedger, latency_histogram};
#[doc(hidden)]
pub use mutation::Mutation;
pub use node::{
    Advice, Node, NodeKind, Opening, Registry, RestSystem, Site, StepNode, SystemNode, correct_lanes,
    lane_params,
};
pub use playout::{Playout, Playouts};
pub use port::Bell;
pub use queue::{Lane, Pushed, Queue, TARGETS_MAX, Target};
pub use segment::{Answer, CancelReason, Extent, Segment, SegmentPool, Segments, Standing, Turn, Verdict};
pub use service::{
    Call, CallKey, Inbox, Outbox, Reply, ReplyPart, Request, Service, ServiceKind, ServiceSite, TimeMode,
};
pub use service_faults::{BadEnd, CallFate, OddText, ServiceFaults, ServiceStrikes};
pub use session::{CONTROLS_MAX, Phase, SessionRow, SessionTable};
pub use shard::Stage;
pub use sound::Sound;
pub use uuid::Uuid;
pub use workers::NoThreads;
