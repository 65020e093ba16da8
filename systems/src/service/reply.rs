//! `ScriptedReply`: a fixed form of words around the recognised text, in place of a language model.

use std::sync::Arc;

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use serde::Deserialize;

use crate::service::modelled::Modelled;
use crate::service::work::{Production, Work, pieces};

/// Configuration of the service output `ScriptedReply`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedReply {
    /// The reply; `{text}` stands for the first recognised words.
    pub template: String,
    /// Most words of the recognised text that are repeated.
    pub words_max: usize,
}

impl Default for ScriptedReply {
    fn default() -> Self {
        Self { template: "You said {text}.".into(), words_max: 5 }
    }
}

impl ScriptedReply {
    /// The reply to `text`.
    pub fn reply(&self, text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().take(self.words_max).collect();
        let words = words.join(" ");
        self.template.replace("{text}", words.trim_end_matches([',', '.', '?', '!']))
    }
}

impl Production for ScriptedReply {
    fn work(&self, call: &Call) -> Work {
        Work::Text(pieces(&self.reply(&call.text)))
    }
}

impl ServiceKind for ScriptedReply {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Modelled::new(site, Box::new(self.clone())))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "ScriptedReply"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("ScriptedReply", |config| Ok(Arc::new(parse_config::<ScriptedReply>(config)?)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_depends_on_what_was_recognised() {
        let script = ScriptedReply::default();
        assert_eq!(script.reply("open the door, please now"), "You said open the door, please now.");
        assert_eq!(script.reply("stop."), "You said stop.");
    }
}
