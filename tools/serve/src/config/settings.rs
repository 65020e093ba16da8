//! The settings, what holds where nobody says anything, and what they must be among themselves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::keys::Keys;
use crate::names::random_token;

/// Protocols that a server may speak over HTTP.
pub const PROTOCOLS: [&str; 3] = ["native", "realtime", "flux"];

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Everything that a server is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Scenes by name or path; clients that name no model get the first.
    pub scenes: Vec<String>,
    /// Changes of all scenes, like `gate.threshold=0.8`.
    pub sets: Vec<String>,
    /// Scenes by model name; `*` is any model that is not named. Empty: the names of the scenes, and any other is the
    /// first.
    pub models: BTreeMap<String, String>,
    /// Where clients connect.
    pub bind: SocketAddr,
    /// Where operators look: metrics, health, drain. Loopback unless a proxy is in front.
    pub operations: SocketAddr,
    /// Where gRPC clients connect; `None`: nowhere.
    pub grpc: Option<SocketAddr>,
    /// Which of [`PROTOCOLS`].
    pub protocols: Vec<String>,
    /// Most sessions at once, over all scenes; 1 to 100,000.
    pub max_sessions: u32,
    /// Threads that share the work of ticks.
    pub threads: usize,
    /// Where calls are recorded; `None`: they are not.
    pub record: Option<PathBuf>,
    /// A file of SHA-256 hashes of keys; `None`: everybody on this machine may come in.
    pub keys_file: Option<PathBuf>,
    /// Signs client secrets; the same at all processes behind a proxy. `None`: one of this process's own.
    pub secret: Option<SecretText>,
    /// Pages from there may connect, like `https://app.example`; pages of this server always may.
    pub allowed_origins: Vec<String>,
    /// Certificate chain in PEM; `None`: plain connections.
    pub tls_certificate: Option<PathBuf>,
    /// Its key in PEM.
    pub tls_key: Option<PathBuf>,
    /// How long a request's head may take, ms.
    pub header_timeout_ms: u32,
    /// How long a connection may say nothing before it is asked whether it is there, s; the same time later it is closed.
    pub idle_timeout_s: u32,
    /// How long a native session waits for a client whose connection was lost, ms.
    pub resume_ms: u32,
    /// Most connections at once, sessions or not.
    pub max_connections: u32,
    /// New sessions a second that one address may open; 0: any number.
    pub sessions_per_second: u32,
    /// From the drain's beginning until nobody is taken any more, s.
    pub drain_grace_s: u32,
    /// From the drain's beginning until what still goes on is cancelled, s.
    pub drain_max_s: u32,
}

/// A text that is not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText")
    }
}

impl Default for Config {
    /// What holds where nobody says anything; no scene.
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            scenes: Vec::new(),
            sets: Vec::new(),
            models: BTreeMap::new(),
            bind: loopback(8_080),
            operations: loopback(9_464),
            grpc: None,
            protocols: PROTOCOLS.map(String::from).to_vec(),
            max_sessions: 256,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            record: None,
            keys_file: None,
            secret: None,
            allowed_origins: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            header_timeout_ms: 3_000,
            idle_timeout_s: 30,
            resume_ms: 5_000,
            max_connections: 10_000,
            sessions_per_second: 0,
            drain_grace_s: 5,
            drain_max_s: 300,
        }
    }
}

impl Config {
    /// Judges the settings against each other.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and what is expected.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |what: String| Err(ConfigError(what));
        let within = |name: &str, value: u32, least: u32, most: u32| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(ConfigError(format!("{name}: {value} is out of range, expected {least} to {most}")))
        };
        within("max_sessions", self.max_sessions, 1, 100_000)?;
        within("limits.header_timeout_ms", self.header_timeout_ms, 100, 60_000)?;
        within("limits.idle_timeout_s", self.idle_timeout_s, 1, 3_600)?;
        within("limits.resume_ms", self.resume_ms, 100, 60_000)?;
        within("limits.max_connections", self.max_connections, 1, 1_000_000)?;
        within("drain.max_s", self.drain_max_s, self.drain_grace_s, 86_400)?;
        if !(1..=1_024).contains(&self.threads) {
            return wrong(format!("threads: {} is out of range, expected 1 to 1024", self.threads));
        }
        if let Some(other) = self.protocols.iter().find(|name| !PROTOCOLS.contains(&name.as_str())) {
            return wrong(format!("protocols: `{other}` is none; there are {}", PROTOCOLS.join(", ")));
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return wrong("tls: expected both `certificate` and `key`, or none".into());
        }
        Ok(())
    }

    /// The keys of the file, if there is one.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn keys(&self) -> Result<Keys, String> {
        let read = |path: &PathBuf| Keys::read(path).map_err(|what| format!("auth.keys_file: {what}"));
        self.keys_file.as_ref().map_or_else(|| Ok(Keys::default()), read)
    }

    /// Without keys, nobody from elsewhere may reach the server.
    ///
    /// # Errors
    /// The address that could be reached, and what helps.
    pub fn check_reach(&self, keys: &Keys) -> Result<(), String> {
        if !keys.is_empty() {
            return Ok(());
        }
        for (name, address) in [("bind", Some(self.bind)), ("grpc", self.grpc)] {
            if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
                return Err(format!(
                    "{name}: {address} can be reached from other machines, and no keys are configured: use 127.0.0.1, or \
                     name a file of key hashes in `auth.keys_file`"
                ));
            }
        }
        Ok(())
    }

    /// What signs client secrets.
    ///
    /// # Errors
    /// It is too short.
    pub fn secret_key(&self) -> Result<Vec<u8>, String> {
        match &self.secret {
            None => Ok(random_token().into_bytes()),
            Some(SecretText(text)) if text.len() >= 16 => Ok(text.clone().into_bytes()),
            Some(SecretText(text)) => Err(format!(
                "auth.client_secret_key_env: the secret has {} bytes, expected 16 or more: `openssl rand -hex 32` makes one",
                text.len()
            )),
        }
    }
}
