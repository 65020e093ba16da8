//! Simulated callers, recordings and networks: the load on an engine.
//!
//! ```
//! use mynah_load::link::{LinkFaults, SimulatedLink};
//! use mynah_load::network::Carriage;
//!
//! // A network that loses one packet in five, the same ones whenever the seed is 7.
//! let faults = LinkFaults { delay_ms: 20.0, loss_ratio: 0.2, ..LinkFaults::default() };
//! let mut link = SimulatedLink::new(faults, Carriage::Datagrams, 7, 0)?;
//! for packet in 0..1_000 {
//!     link.send(packet * 20_000, packet); // a packet every 20 ms
//! }
//! assert_eq!(link.receive(19_999), None);
//! assert!((150..250).contains(&link.figures().lost));
//! # Ok::<(), String>(())
//! ```

pub mod chunk;
pub mod link;
pub mod load;
pub mod network;
pub mod wav;
