//! Sessions for clients elsewhere, without the sockets: which scene a model name means, who may come in, how many, what
//! is recorded, and how it all ends. A transport (`transports/http`, `transports/grpc`) asks [`Server`] for a place, opens
//! its session in it, and drives a dialect.
//!
//! ```
//! use mynah_serve::{Config, Credential, Server};
//!
//! let config = Config { scenes: vec!["passthrough".into()], ..Config::default() };
//! let server = Server::start(config)?;
//! let place = server.admit("any-model", &Credential::None).map_err(|refused| refused.message)?;
//! let session = place.open(Default::default(), Default::default()).map_err(|refused| refused.message)?;
//! assert_eq!(session.session.output().map(|format| format.rate_hz), Some(16_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission;
pub mod config;
mod drain;
mod keys;
mod load;
mod log;
mod metrics;
mod names;
mod place;
mod rate;
mod recording;
mod refused;
mod scenes;
mod secrets;
mod server;
mod told;

pub use admission::{Admission, AdmissionFigures, Reservation};
pub use config::{Config, ConfigError};
pub use drain::{Drain, DrainPhase};
pub use keys::{Credential, Keys, Standing, same_text};
pub use load::Load;
pub use log::Log;
pub use metrics::TransportFigures;
pub use names::{random_name, random_token};
pub use place::{Kept, OpenedSession, Place};
pub use refused::Refused;
pub use scenes::{RunningScene, SceneList};
pub use secrets::{Secret, Secrets};
pub use server::Server;
pub use told::{Told, Witness};
