//! A microphone of the machine for a session.

use std::fmt;
use std::sync::Arc;

use cpal::traits::DeviceTrait as _;
use cpal::{SampleFormat, Stream};
use mynah_engine::edge::AudioIn;
use mynah_host::sound::Level;

use crate::capture::Capture;
use crate::counters::{Counters, Shared};
use crate::devices::{Device, config_at, stream_config};
use crate::direction::Direction;
use crate::error::DeviceError;
use crate::lease::Lease;
use crate::line::{DeviceEvent, End, Failed, Line, OPENS, by_sample};

/// Pushes what a device records into a session, until it is dropped: then the session's end is dropped, too.
pub struct Microphone {
    line: Line,
    shared: Arc<Shared>,
}

impl Microphone {
    /// Opens the device at the rate of the session's input, which is best the device's own
    /// ([`SessionSpec::input`](mynah_engine::SessionSpec::input)). Channels may differ. Buffers of 10 ms are asked for;
    /// some sound systems give other lengths.
    ///
    /// # Errors
    /// [`DeviceError`]: it does not open, or not at this rate.
    pub fn open(device: &Device, input: AudioIn) -> Result<Self, DeviceError> {
        let shared = Arc::<Shared>::default();
        // The channels are set when the stream is built.
        let capture = Capture::counted(input, 1, Arc::clone(&shared));
        let line = Line::open(device.clone(), capture, Arc::clone(&shared))?;
        Ok(Self { line, shared })
    }

    /// What happened to the device, in order.
    pub fn poll(&mut self) -> Option<DeviceEvent> {
        self.line.poll()
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.shared.read()
    }

    /// How loud the last 20 ms were.
    pub fn level(&self) -> Level {
        self.shared.level()
    }
}

impl End for Capture {
    const DIRECTION: Direction = Direction::Input;

    fn stream(
        mut end: Lease<Self>,
        device: &cpal::Device,
        name: &str,
        failed: Failed,
    ) -> Result<Stream, DeviceError> {
        let config = config_at(device, Self::DIRECTION, end.input().format().rate_hz, name)?;
        let (format, opened) = (config.sample_format(), stream_config(&config));
        end.set_channels(opened.channels);
        let failed = move |error| failed.say(error);
        macro_rules! build {
            ($sample:ty, $end:ident) => {
                device.build_input_stream(
                    opened,
                    move |samples: &[$sample], _| $end.take(samples),
                    failed,
                    Some(OPENS),
                )
            };
        }
        let stream = if format == SampleFormat::F32 {
            device.build_input_stream(
                opened,
                move |samples: &[f32], _| end.take_f32(samples),
                failed,
                Some(OPENS),
            )
        } else {
            by_sample!(format, name, build!(end))
        };
        stream.map_err(|error| DeviceError::Refused { device: name.to_owned(), reason: error.to_string() })
    }
}

impl fmt::Debug for Microphone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Microphone").field("counters", &self.counters()).finish_non_exhaustive()
    }
}
