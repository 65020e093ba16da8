//! One source of settings: whatever it does not say is `None`. One table names every setting for file, environment and
//! flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::settings::{Config, ConfigError, SecretText};

/// What one source says.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// See [`Config::scenes`].
    pub scenes: Option<Vec<String>>,
    /// See [`Config::sets`].
    pub sets: Option<Vec<String>>,
    /// See [`Config::models`].
    pub models: Option<BTreeMap<String, String>>,
    /// See [`Config::bind`].
    pub bind: Option<SocketAddr>,
    /// The port of [`Config::bind`] alone, which platforms give as `PORT`.
    pub port: Option<u16>,
    /// See [`Config::operations`].
    pub operations: Option<SocketAddr>,
    /// See [`Config::grpc`].
    pub grpc: Option<SocketAddr>,
    /// See [`Config::protocols`].
    pub protocols: Option<Vec<String>>,
    /// See [`Config::max_sessions`].
    pub max_sessions: Option<u32>,
    /// See [`Config::threads`].
    pub threads: Option<usize>,
    /// See [`Config::record`].
    pub record: Option<PathBuf>,
    /// See [`Config::keys_file`].
    pub keys_file: Option<PathBuf>,
    /// See [`Config::secret`].
    pub secret: Option<SecretText>,
    /// See [`Config::allowed_origins`].
    pub allowed_origins: Option<Vec<String>>,
    /// See [`Config::tls_certificate`].
    pub tls_certificate: Option<PathBuf>,
    /// See [`Config::tls_key`].
    pub tls_key: Option<PathBuf>,
    /// See [`Config::header_timeout_ms`].
    pub header_timeout_ms: Option<u32>,
    /// See [`Config::idle_timeout_s`].
    pub idle_timeout_s: Option<u32>,
    /// See [`Config::resume_ms`].
    pub resume_ms: Option<u32>,
    /// See [`Config::max_connections`].
    pub max_connections: Option<u32>,
    /// See [`Config::sessions_per_second`].
    pub sessions_per_second: Option<u32>,
    /// See [`Config::drain_grace_s`].
    pub drain_grace_s: Option<u32>,
    /// See [`Config::drain_max_s`].
    pub drain_max_s: Option<u32>,
}

/// A value of the environment.
fn value<T: FromStr>(name: &str, text: Option<String>, expected: &str) -> Result<Option<T>, ConfigError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |_| ConfigError(format!("{name}: `{text}`, expected {expected}"));
    text.trim().parse().map(Some).map_err(wrong)
}

fn list(text: Option<String>) -> Option<Vec<String>> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(text.split(',').map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect())
}

impl Layer {
    /// What the environment says, through `get`.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn of_environment(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let address = |name: &str| value(name, get(name), "an address like 127.0.0.1:8080");
        let number = |name: &str| value(name, get(name), "a whole number");
        let path = |name: &str| get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        Ok(Self {
            scenes: list(get("MYNAH_SCENES")),
            sets: None,
            models: None,
            bind: address("MYNAH_BIND")?,
            port: value("PORT", get("PORT"), "a port from 0 to 65535")?,
            operations: address("MYNAH_OPERATIONS")?,
            grpc: address("MYNAH_GRPC")?,
            protocols: list(get("MYNAH_PROTOCOLS")),
            max_sessions: number("MYNAH_MAX_SESSIONS")?,
            threads: value("MYNAH_THREADS", get("MYNAH_THREADS"), "a whole number")?,
            record: path("MYNAH_RECORD"),
            keys_file: path("MYNAH_KEYS_FILE"),
            secret: get("MYNAH_SECRET").filter(|text| !text.is_empty()).map(SecretText),
            allowed_origins: list(get("MYNAH_ALLOWED_ORIGINS")),
            tls_certificate: path("MYNAH_TLS_CERTIFICATE"),
            tls_key: path("MYNAH_TLS_KEY"),
            header_timeout_ms: number("MYNAH_HEADER_TIMEOUT_MS")?,
            idle_timeout_s: number("MYNAH_IDLE_TIMEOUT_S")?,
            resume_ms: number("MYNAH_RESUME_MS")?,
            max_connections: number("MYNAH_MAX_CONNECTIONS")?,
            sessions_per_second: number("MYNAH_SESSIONS_PER_SECOND")?,
            drain_grace_s: number("MYNAH_DRAIN_GRACE_S")?,
            drain_max_s: number("MYNAH_DRAIN_MAX_S")?,
        })
    }

    /// Puts what this layer says over `config`, and notes its name where it does.
    pub(super) fn put(
        self,
        config: &mut Config,
        origin: &'static str,
        origins: &mut BTreeMap<&'static str, &'static str>,
    ) {
        macro_rules! put {
            ($($field:ident),*) => {
                $(if let Some(value) = self.$field {
                    config.$field = value.into();
                    origins.insert(stringify!($field), origin);
                })*
            };
        }
        put!(
            scenes,
            sets,
            models,
            bind,
            operations,
            grpc,
            protocols,
            max_sessions,
            threads,
            record,
            keys_file,
            secret,
            allowed_origins,
            tls_certificate,
            tls_key,
            header_timeout_ms,
            idle_timeout_s,
            resume_ms,
            max_connections,
            sessions_per_second,
            drain_grace_s,
            drain_max_s
        );
        if let Some(port) = self.port {
            config.bind.set_port(port);
            origins.insert("bind", origin);
        }
    }
}
