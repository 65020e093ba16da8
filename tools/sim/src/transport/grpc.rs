//! `Grpc`: another process, which follows this scene's gate.

use mynah_engine::ScenePlan;
use mynah_engine::scene::parse_config;
use ron::error::SpannedError;
use serde::de::{Deserializer, Error, Unexpected};
use serde::{Deserialize, Serialize};

/// What the scene puts out goes to the sessions of a server elsewhere (`mynah serve --grpc`), whose scene follows the gate
/// here: audio in order, control messages beside it and acknowledged. What the server answers comes back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcScene {
    /// Where the server listens for gRPC, `HOST:PORT`. The connection is plain: across machines it wants a tunnel.
    #[serde(deserialize_with = "address")]
    pub address: String,
    /// Which of the server's scenes; empty: its first.
    #[serde(default)]
    pub scene: String,
    /// The variable with the server's key; empty: it asks for none.
    #[serde(default)]
    pub key_env: String,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let given = String::deserialize(deserializer)?;
    let port = given.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains('/'));
    if port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        Ok(given)
    } else {
        let wanted = "HOST:PORT of a server's gRPC, like \"127.0.0.1:50051\"";
        Err(D::Error::invalid_value(Unexpected::Str(&given), &wanted))
    }
}

impl GrpcScene {
    /// Its name in scenes.
    pub const NAME: &str = "Grpc";

    /// Finds what is wrong with a configuration, `(...)`.
    ///
    /// # Errors
    /// ron's own error; positions count from the start of `config`.
    pub fn check(config: &str) -> Result<(), SpannedError> {
        parse_config::<Self>(config).map(drop)
    }

    /// The server that a compiled scene names, if it names one; the first counts.
    pub fn of(plan: &ScenePlan) -> Option<Self> {
        let entry = plan.scene.transports.iter().find(|entry| entry.name == Self::NAME)?;
        parse_config(&entry.config).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for good in ["127.0.0.1:50051", "voice.example:1", "[::1]:50051"] {
            GrpcScene::check(&format!("(address: {good:?})"))
                .unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for bad in ["", "50051", ":50051", "host", "host:0", "host:70000", "http://host:50051"] {
            let error = GrpcScene::check(&format!("(address: {bad:?})")).expect_err(bad).to_string();
            assert!(error.contains("127.0.0.1:50051"), "{error}");
        }
    }
}
