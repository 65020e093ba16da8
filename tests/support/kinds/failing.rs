//! Nodes and services that fail in the middle of a scene, and nodes behind them that note what they are told.

use std::sync::Arc;

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::ServiceKind;

use crate::cued::Prompter;

/// What all the nodes here have in common: audio in and out, no state but what `$state` says.
macro_rules! audio_kind {
    ($kind:ident, $state:ty) => {
        impl NodeKind for $kind {
            const NAME: &'static str = stringify!($kind);
            type State = $state;

            fn inputs(&self) -> &[Port] {
                &[Port { name: "audio", kind: PortType::Audio }]
            }
            fn outputs(&self) -> &[Port] {
                &[Port { name: "audio", kind: PortType::Audio }]
            }
            fn check(&self, input: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
                input
            }
            fn capabilities(&self) -> NodeCapabilities {
                NodeCapabilities {
                    parallelizable: true,
                    batch_aware: false,
                    avg_processing_us: 1,
                    queue_capacity: 120,
                    overflow_policy: OverflowPolicy::DropOldest,
                    supports_control_messages: true,
                }
            }
            fn max_out(&self, _: Option<Format>) -> u32 {
                2
            }
            fn open(&self, _: &SessionContext) -> Result<$state, String> {
                Ok(<$state>::default())
            }
        }
    };
}

mod broken;
mod noter;
mod replayer;
mod swallower;
mod watched;

use broken::Broken;
use noter::Noter;
pub(crate) use noter::notes;
use replayer::Replayer;
use swallower::Swallower;
pub(crate) use watched::Speeches;
use watched::Watched;

/// The standard kinds, `Prompter` and all of these.
pub(crate) fn registry(speeches: &Speeches) -> Registry {
    notes();
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>().add::<Noter>().add::<Swallower>().add::<Replayer>();
    for (name, service) in [("Failing", Broken::Failing), ("Silent", Broken::Silent)] {
        registry.add_service(name, move |config| {
            parse_config(empty(config)).map(|()| Arc::new(service) as Arc<dyn ServiceKind>)
        });
    }
    let speeches = Arc::clone(speeches);
    registry.add_service("Watched", move |config| {
        parse_config(empty(config)).map(|()| Arc::new(Watched(Arc::clone(&speeches))) as Arc<dyn ServiceKind>)
    });
    registry
}

/// The configuration of a service that has none.
fn empty(config: &str) -> &str {
    if config.trim().is_empty() { "()" } else { config }
}
