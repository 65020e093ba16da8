//! `Chat`: replies of a language model behind `POST {url}/chat/completions`, streamed.

mod chunk;
mod messages;
mod reading;
mod request;
mod talk;
mod tool;

use std::sync::Arc;

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use mynah_systems::service::{Modelled, OutsideAnswer, Production, Work};
use serde::Deserialize;

use crate::address::ServerUrl;
use crate::endpoint::Endpoint;
use crate::errand::begin;
use crate::key::ServiceKey;
use crate::limits::{self, CallLimits, NAME_CHARS_MAX, PROMPT_CHARS_MAX, named, parallel, within};

pub(crate) use reading::Reading;
use request::ChatRequest;
pub use tool::ChatTool;

/// Most tools of one service.
const TOOLS_MAX: usize = 64;

/// Configuration of the service output `Chat`, as scenes have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    model: String,
    #[serde(default)]
    key_env: Option<String>,
    #[serde(default)]
    system: Option<String>,
    #[serde(default = "max_tokens")]
    max_tokens: u32,
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default = "limits::connect_ms")]
    connect_ms: u32,
    #[serde(default = "limits::first_byte_ms")]
    first_byte_ms: u32,
    #[serde(default = "limits::idle_ms")]
    idle_ms: u32,
    #[serde(default = "limits::call_ms")]
    call_ms: u32,
    #[serde(default = "parallel_calls")]
    parallel: u32,
    #[serde(default)]
    tools: Vec<ChatTool>,
    #[serde(default = "tool_rounds")]
    tool_rounds: u32,
}

fn max_tokens() -> u32 {
    256
}
fn parallel_calls() -> u32 {
    16
}
fn tool_rounds() -> u32 {
    4
}

/// The service output `Chat`: replies of a language model behind an OpenAI-compatible server.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct HttpChat {
    url: ServerUrl,
    key: Option<ServiceKey>,
    limits: CallLimits,
    parallel: usize,
    request: Arc<ChatRequest>,
}

impl TryFrom<Config> for HttpChat {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        named("model", &config.model, NAME_CHARS_MAX)?;
        within("max_tokens", config.max_tokens, &(1..=1_000_000))?;
        if let Some(temperature) = config.temperature {
            within("temperature", temperature, &(0.0..=2.0))?;
        }
        if let Some(system) = &config.system {
            within("characters of system", system.chars().count(), &(0..=PROMPT_CHARS_MAX))?;
        }
        within("tool_rounds", config.tool_rounds, &(1..=32))?;
        within("number of tools", config.tools.len(), &(0..=TOOLS_MAX))?;
        for (at, tool) in config.tools.iter().enumerate() {
            if config.tools[..at].iter().any(|before| before.name() == tool.name()) {
                return Err(format!("there are two tools {:?}; give each a name of its own", tool.name()));
            }
        }
        let Config { connect_ms, first_byte_ms, idle_ms, call_ms, .. } = config;
        Ok(Self {
            url: ServerUrl::parse(&config.url)?,
            key: config.key_env.as_deref().map(ServiceKey::from_env).transpose()?,
            limits: CallLimits::new(connect_ms, first_byte_ms, idle_ms, call_ms)?,
            parallel: parallel(config.parallel)?,
            request: Arc::new(ChatRequest {
                model: config.model,
                system: config.system.filter(|system| !system.trim().is_empty()),
                max_tokens: config.max_tokens,
                temperature: config.temperature,
                tools: config.tools,
                tool_rounds: config.tool_rounds,
            }),
        })
    }
}

/// The service at work.
struct Chats {
    endpoint: Result<Arc<Endpoint>, Arc<str>>,
    request: Arc<ChatRequest>,
    parallel: usize,
    waker: mynah_engine::service::ServiceWaker,
}

impl Production for Chats {
    fn wanted_at_once(&self) -> usize {
        self.parallel
    }

    fn work(&self, call: &Call) -> Work {
        let endpoint = match &self.endpoint {
            Ok(endpoint) => Arc::clone(endpoint),
            Err(why) => return Work::Failure(Arc::clone(why)),
        };
        // No audio comes of it: the rate is of nothing.
        let (writer, answer) = OutsideAnswer::begin(16_000, &self.waker);
        let times = endpoint.times(Some(call));
        let (history, text) = (Arc::clone(&call.history), Arc::clone(&call.text));
        begin(writer, times, talk::Talk { endpoint, request: Arc::clone(&self.request), history, text });
        Work::Outside(answer)
    }
}

impl ServiceKind for HttpChat {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let chats = Chats {
            endpoint: Endpoint::shared(&self.url, self.key.as_ref(), self.limits, self.parallel),
            request: Arc::clone(&self.request),
            parallel: self.parallel,
            waker: site.waker.clone(),
        };
        Box::new(Modelled::new(site, Box::new(chats)))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn is_outside(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Chat"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("Chat", |config| Ok(Arc::new(parse_config::<HttpChat>(config)?)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: &str) -> String {
        parse_config::<HttpChat>(config).expect_err(config).to_string()
    }

    #[test]
    fn what_no_server_could_take_is_refused_with_value_and_remedy() {
        let cases = [
            (r#"(url: "nowhere", model: "m")"#, "`url` is \"nowhere\"; "),
            (r#"(url: "http://h/v1", model: " ")"#, "`model` is empty"),
            (
                r#"(url: "http://h/v1", model: "m", max_tokens: 0)"#,
                "`max_tokens` is 0; expected 1 to 1000000",
            ),
            (r#"(url: "http://h/v1", model: "m", temperature: 3)"#, "`temperature` is 3; expected 0 to 2"),
            (r#"(url: "http://h/v1", model: "m", parallel: 0)"#, "`parallel` is 0; expected 1 to 1024"),
            (r#"(url: "http://h/v1", model: "m", idle_ms: 0)"#, "`idle_ms` is 0; expected 1 to 600000"),
            (r#"(url: "http://h/v1", model: "m", tool_rounds: 0)"#, "`tool_rounds` is 0"),
            (r#"(url: "http://h/v1", model: "m", key_env: "NO_SUCH_KEY_OF_MYNAH")"#, "NO_SUCH_KEY_OF_MYNAH"),
            (r#"(url: "http://h/v1", model: "m", modell: "m")"#, "modell"),
            (r#"(url: "http://h/v1")"#, "model"),
        ];
        for (config, wanted) in cases {
            let refused = refusal(config);
            assert!(refused.contains(wanted.trim_end_matches("; ")), "{config}: {refused}");
        }
        let tool = r#"(name: "look", description: "Looks.", parameters: "{\"type\":\"object\"}")"#;
        let two = format!(r#"(url: "http://h/v1", model: "m", tools: [{tool}, {tool}])"#);
        assert!(refusal(&two).contains("two tools \"look\""));
        let fine = format!(r#"(url: "http://h/v1", model: "m", key_env: "CARGO_PKG_NAME", tools: [{tool}])"#);
        let chat = parse_config::<HttpChat>(&fine).unwrap();
        assert!(!format!("{chat:?}").contains("mynah-http"), "{chat:?}");
    }
}
