//! Sessions of mynah over WebSocket and HTTP. One public listener for clients, one for operators; connection tasks drive
//! the dialects of `mynah-dialects`, and nothing of a tick happens here.
//!
//! ```no_run
//! use mynah_serve::{Config, Server};
//! use mynah_serve_http::Sockets;
//!
//! let config = Config { scenes: vec!["passthrough".into()], ..Config::default() };
//! let sockets = Sockets::open(Server::start(config)?)?;
//! println!("clients: {}, operators: {}", sockets.clients(), sockets.operators());
//! sockets.run(|_| {}); // until a drain is over
//! # Ok::<(), String>(())
//! ```

mod app;
mod bell;
mod body;
mod connection;
mod credential;
mod held;
mod listen;
mod lobby;
mod outbox;
mod refusal;
mod routes;
mod signals;
mod sockets;

pub use signals::Signals;
pub use sockets::Sockets;
