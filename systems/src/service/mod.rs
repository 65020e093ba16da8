//! Slow models: the node that calls one, and the models of this crate.

mod asked;
mod faults;
mod heard;
mod host;
mod job;
mod lane;
mod modelled;
mod node;
mod odd_text;
mod outside;
mod pieces;
mod piecewise;
mod repeat;
mod reply;
mod speaking;
mod studio;
mod synthesis;
mod timing;
mod transcript;
mod work;

pub use faults::{BadEnd, CallFate, OddText, ServiceFaults, ServiceStrikes};
pub use host::Host;
pub use lane::ServiceState;
pub use modelled::Modelled;
pub use node::{ServiceNode, Task};
pub use outside::{AnswerLog, AnswerWriter, OutsideAnswer, OutsideEnd, OutsidePart};
pub use repeat::Repeat;
pub use reply::ScriptedReply;
pub use synthesis::FliteVoice;
pub use transcript::{Script, SimulatedTranscript};
pub use work::{Production, Work};

use std::sync::Arc;

use mynah_engine::Registry;

pub(crate) fn register(registry: &mut Registry, script: Option<Arc<dyn Script>>) {
    transcript::register(registry, script);
    reply::register(registry);
    repeat::register(registry);
    host::register(registry);
    synthesis::register(registry);
    crate::moonshine::register(registry);
}
