//! `Parrot`: says the last words again. A service with a model's timing: only what it answers is its own.

use std::sync::Arc;

use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use mynah_systems::service::{Modelled, Production, Work};
use serde::Deserialize;

/// Configuration of the service output `Parrot`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parrot {
    /// Words that it remembers.
    pub words: usize,
}

impl Default for Parrot {
    fn default() -> Self {
        Self { words: 3 }
    }
}

impl Production for Parrot {
    fn work(&self, call: &Call) -> Work {
        let words: Vec<&str> = call.text.split_whitespace().collect();
        let last = &words[words.len().saturating_sub(self.words)..];
        Work::Text([Arc::from(last.join(" "))].into())
    }
}

impl ServiceKind for Parrot {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Modelled::new(site, Box::new(*self)))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Parrot"
    }
}
