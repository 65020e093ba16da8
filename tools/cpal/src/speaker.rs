//! A loudspeaker of the machine for sessions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cpal::traits::DeviceTrait as _;
use cpal::{SampleFormat, Stream};
use mynah_engine::SessionEvent;
use mynah_engine::edge::AudioOut;
use mynah_engine::scene::Format;
use mynah_host::sound::Level;

use crate::counters::{Counters, Shared};
use crate::devices::{Device, stream_config, usable};
use crate::direction::Direction;
use crate::error::DeviceError;
use crate::lease::Lease;
use crate::line::{DeviceEvent, End, Failed, Line, OPENS, by_sample};
use crate::mix::Mix;

/// Plays what sessions say on a device, until it is dropped: then the sessions' ends are dropped, too.
pub struct Speaker {
    line: Line,
    waiting: Arc<[AtomicBool]>,
    shared: Arc<Shared>,
}

impl Speaker {
    /// Opens the device in its own format, whatever those of the sessions are. Buffers of 10 ms are asked for; some sound
    /// systems give other lengths.
    ///
    /// # Errors
    /// [`DeviceError`]: it does not open.
    pub fn open(device: &Device, outputs: Vec<AudioOut>) -> Result<Self, DeviceError> {
        let format = device.output.ok_or_else(|| DeviceError::Format {
            device: device.name.clone(),
            what: "it does not play".into(),
        })?;
        let format = Format { rate_hz: format.rate_hz, channels: format.channels as u8 };
        let shared = Arc::<Shared>::default();
        let waiting: Arc<[AtomicBool]> = outputs.iter().map(|_| AtomicBool::new(false)).collect();
        let mix = Mix::counted(outputs, format, Arc::clone(&waiting), Arc::clone(&shared))
            .map_err(|error| DeviceError::Format { device: device.name.clone(), what: error.to_string() })?;
        let line = Line::open(device.clone(), mix, Arc::clone(&shared))?;
        Ok(Self { line, waiting, shared })
    }

    /// Hears of an event of the session whose output is the `at`th, counted from 0: while an answer waits because the user
    /// speaks, its silence is no hole.
    pub fn follow(&self, at: usize, event: &SessionEvent) {
        let Some(waiting) = self.waiting.get(at) else { return };
        match event {
            SessionEvent::AnswerPaused { .. } => waiting.store(true, Ordering::Relaxed),
            SessionEvent::AnswerResumed { .. }
            | SessionEvent::AnswerInterrupted { .. }
            | SessionEvent::AnswerStarted { .. }
            | SessionEvent::AnswerEnded { .. } => waiting.store(false, Ordering::Relaxed),
            _ => {}
        }
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

impl End for Mix {
    const DIRECTION: Direction = Direction::Output;

    fn stream(
        mut end: Lease<Self>,
        device: &cpal::Device,
        name: &str,
        failed: Failed,
    ) -> Result<Stream, DeviceError> {
        let no_format = |what: String| DeviceError::Format { device: name.to_owned(), what };
        let config =
            usable(device, Self::DIRECTION).ok_or_else(|| no_format("it has no such format".into()))?;
        let (format, opened) = (config.sample_format(), stream_config(&config));
        end.set_format(Format { rate_hz: opened.sample_rate, channels: opened.channels as u8 })
            .map_err(|error| no_format(error.to_string()))?;
        let failed = move |error| failed.say(error);
        macro_rules! build {
            ($sample:ty, $end:ident) => {
                device.build_output_stream(
                    opened,
                    move |samples: &mut [$sample], _| $end.fill(samples),
                    failed,
                    Some(OPENS),
                )
            };
        }
        let stream = if format == SampleFormat::F32 {
            device.build_output_stream(
                opened,
                move |out: &mut [f32], _| end.fill_f32(out),
                failed,
                Some(OPENS),
            )
        } else {
            by_sample!(format, name, build!(end))
        };
        stream.map_err(|error| DeviceError::Refused { device: name.to_owned(), reason: error.to_string() })
    }
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker").field("counters", &self.counters()).finish_non_exhaustive()
    }
}
