//! Microphones and loudspeakers for sessions of mynah, by [cpal].
//!
//! [`devices`] lists them, [`Microphone`] pushes what a device records into a session's `AudioIn`, [`Speaker`] plays what
//! sessions say, mixed. Callbacks allocate nothing, take no lock and wait for nobody; nothing is primed: what has come is
//! pushed at once, and what is there is played at once. A device that is lost is opened again when it is back, and the
//! host is told by [`DeviceEvent`].
//!
//! ```no_run
//! use mynah_engine::scene::{Format, Source, compile};
//! use mynah_engine::{EngineConfig, SessionSpec};
//! use mynah_cpal::{Direction, Microphone, Speaker, find};
//! use mynah_host::{Runner, RunnerOptions};
//!
//! let (microphone, loudspeaker) = (find(Direction::Input, None)?, find(Direction::Output, None)?);
//! let text = std::fs::read_to_string("scenes/barge_in.ron")?;
//! let (plan, _) = compile(&Source::new("barge_in.ron", text), &[], None, &mynah_systems::registry(None))?;
//! let runner = Runner::spawn(plan.into(), EngineConfig::real_time(), RunnerOptions::default())?;
//! let rate_hz = microphone.input.expect("it records").rate_hz;
//! let input = Some(Format { rate_hz, channels: 1 });
//! let session = runner.handle().open(SessionSpec { input, ..SessionSpec::named("npc") })?;
//! let (input, output, mut control) = session.split()?;
//! let microphone = Microphone::open(&microphone, input)?;
//! let loudspeaker = Speaker::open(&loudspeaker, vec![output])?;
//! while let Some(event) = control.poll() {
//!     loudspeaker.follow(0, &event); // an answer that waits is no hole
//! }
//! assert_eq!(microphone.counters().refused, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capture;
mod convert;
mod counters;
mod devices;
mod direction;
mod error;
mod lease;
mod line;
mod microphone;
mod mix;
mod speaker;

pub use capture::Capture;
pub use counters::{Counters, Meter};
pub use cpal::SampleFormat;
pub use devices::{Device, DeviceFormat, devices, find};
pub use direction::Direction;
pub use error::DeviceError;
pub use line::DeviceEvent;
pub use microphone::Microphone;
pub use mix::Mix;
pub use speaker::Speaker;
