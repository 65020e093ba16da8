//! What moves through a scene: pooled blocks of samples, frames, the queues before the nodes.

pub(crate) mod block;
pub(crate) mod clip;
pub(crate) mod frame;
pub(crate) mod lost;
pub(crate) mod merge;
pub(crate) mod queue;
pub(crate) mod sound;
pub(crate) mod spoken;
pub(crate) mod viseme;

pub use block::{Block, BlockPool};
pub use clip::{CLIP_S_MAX, Clip};
pub use frame::{Caption, Frame, Mark, Payload};
pub use merge::{JOINED_CHARS_MAX, MergeRule};
pub use queue::{Lane, Pushed, Queue, TARGETS_MAX, Target};
pub use sound::Sound;
pub use spoken::{Spoken, SpokenTime};
pub use viseme::Viseme;
