//! `Repeat`: says again what was recognised, until another service is set. Nothing is simulated and nothing thought.

use std::sync::Arc;

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use serde::Deserialize;

use crate::service::modelled::Modelled;
use crate::service::work::{Production, Work, pieces};

/// What stands for the recognised text.
const TEXT: &str = "{text}";

/// Configuration of the service output `Repeat`, as scenes have it.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    template: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { template: format!("You said: {TEXT}") }
    }
}

/// The service output `Repeat`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct Repeat {
    template: String,
}

impl TryFrom<Config> for Repeat {
    type Error = String;

    fn try_from(Config { template }: Config) -> Result<Self, String> {
        if template.contains(TEXT) {
            Ok(Self { template })
        } else {
            Err(format!("`template` is {template:?}; expected {TEXT} in it, for what was recognised"))
        }
    }
}

impl Production for Repeat {
    fn is_instant(&self) -> bool {
        true
    }

    fn work(&self, call: &Call) -> Work {
        Work::Text(pieces(&self.template.replace(TEXT, call.text.trim())))
    }
}

impl ServiceKind for Repeat {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Modelled::new(site, Box::new(self.clone())))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Repeat"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("Repeat", |config| Ok(Arc::new(parse_config::<Repeat>(config)?)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_repeats_nothing_is_refused() {
        let refused =
            parse_config::<Repeat>("(template: \"Hello.\")").expect_err("no text in it").to_string();
        assert!(refused.contains("`template` is \"Hello.\"; expected {text} in it"), "{refused}");
        assert!(parse_config::<Repeat>("()").is_ok());
    }
}
