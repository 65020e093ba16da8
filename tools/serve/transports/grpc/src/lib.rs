//! Sessions of mynah over gRPC: one stream in each direction, with audio, control messages and their receipts as
//! messages of Protocol Buffers. `docs/protocols.md` has the mapping; nothing of a tick happens here.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use mynah_serve::{Config, DrainPhase, Server};
//! use mynah_serve_grpc::GrpcDoor;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let grpc = Some("127.0.0.1:50051".parse()?);
//! let server = Server::start(Config { scenes: vec!["passthrough".into()], grpc, ..Config::default() })?;
//! let (phase, seen) = tokio::sync::watch::channel(DrainPhase::Serving);
//! let door = GrpcDoor::open(server, &tokio::runtime::Handle::current(), seen)?;
//! println!("gRPC on {}", door.address());
//! # drop(phase);
//! # Ok(())
//! # }
//! ```

mod caller;
mod door;
mod incoming;
mod opening;
mod outbox;
pub mod proto;
#[cfg(feature = "client")]
pub mod remote;
mod session;
mod status;
mod voice;
pub mod wire;

pub use door::{GrpcDoor, PART_BYTES_MAX};
