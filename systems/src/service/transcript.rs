//! `SimulatedTranscript`: a stand-in for a recogniser. It looks up the words that the script has for the stretch it
//! heard; without a script it says how long it listened. Scenes and reports call it simulated.

use std::sync::Arc;

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use serde::Deserialize;

use crate::service::modelled::Modelled;
use crate::service::work::{Production, Work};

/// The words of simulated callers.
pub trait Script: Send + Sync {
    /// The words that session `name` speaks between the two media times; `None` when it has no script.
    fn heard(&self, name: &str, from_us: u64, to_us: u64) -> Option<String>;

    /// The words of what a call heard. A script that its sessions bring along reads them in the call's parameters.
    fn of_call(&self, call: &Call) -> Option<String> {
        self.heard(&call.name, call.from_us, call.to_us)
    }
}

/// Configuration of the service output `SimulatedTranscript`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedTranscript {}

struct Recogniser {
    script: Option<Arc<dyn Script>>,
}

impl Production for Recogniser {
    fn work(&self, call: &Call) -> Work {
        let heard = self.script.as_ref().and_then(|script| script.of_call(call));
        let text = heard.unwrap_or_else(|| {
            let seconds = call.to_us.saturating_sub(call.from_us) as f64 / 1e6;
            format!("speech of {seconds:.1} seconds")
        });
        Work::Text([Arc::from(text)].into())
    }
}

struct Kind {
    script: Option<Arc<dyn Script>>,
}

impl ServiceKind for Kind {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Modelled::new(site, Box::new(Recogniser { script: self.script.clone() })))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "SimulatedTranscript"
    }
}

pub(crate) fn register(registry: &mut Registry, script: Option<Arc<dyn Script>>) {
    registry.add_service("SimulatedTranscript", move |config| {
        parse_config::<SimulatedTranscript>(config)?;
        Ok(Arc::new(Kind { script: script.clone() }))
    });
}
