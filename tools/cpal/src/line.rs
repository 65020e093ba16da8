//! A device that is looked after: opened, lost, opened again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cpal::traits::StreamTrait as _;
use cpal::{ErrorKind, Stream};
use mynah_host::sound::Level;

use crate::counters::Shared;
use crate::devices::Device;
use crate::direction::Direction;
use crate::error::DeviceError;
use crate::lease::Lease;

/// Time between two attempts to open a device that was lost.
const RETRY: Duration = Duration::from_millis(500);
/// Within this a stream that has ended gives back what its callback had.
const GIVEN_BACK: Duration = Duration::from_secs(5);
/// A sound system that does not open a stream within this hangs.
pub(crate) const OPENS: Duration = Duration::from_secs(5);

/// What happens to an open device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// It gives or takes nothing any more. It is opened again once that is possible; what a session says meanwhile waits.
    Lost {
        /// What the sound system says.
        reason: String,
    },
    /// It is open again.
    Returned,
}

/// What a callback works on.
pub(crate) trait End: Send + Sized + 'static {
    const DIRECTION: Direction;

    /// Builds a stream whose callback has the end; errors of the stream go to `failed`.
    fn stream(
        end: Lease<Self>,
        device: &cpal::Device,
        name: &str,
        failed: Failed,
    ) -> Result<Stream, DeviceError>;
}

/// What the thread is told.
#[derive(Debug)]
enum Message {
    /// A stream, by its number, has an error.
    Failed(u32, cpal::Error),
    Stop,
}

/// Where the errors of a stream go.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    stream: u32,
    to: Sender<Message>,
}

impl Failed {
    pub(crate) fn say(&self, error: cpal::Error) {
        // After the last word nobody listens.
        drop(self.to.send(Message::Failed(self.stream, error)));
    }
}

/// A device and the thread that looks after it.
#[derive(Debug)]
pub(crate) struct Line {
    to: Sender<Message>,
    events: Receiver<DeviceEvent>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    /// Opens the device.
    pub(crate) fn open<E: End>(device: Device, end: E, shared: Arc<Shared>) -> Result<Self, DeviceError> {
        let (to, inbox) = channel();
        let (tell, events) = channel();
        let (home, back) = channel();
        let keeper =
            Keeper { device, end: Some(end), home, back, streams: 0, to: to.clone(), inbox, tell, shared };
        let (opened, first) = channel();
        let name = format!("mynah {}", E::DIRECTION);
        let thread = thread::Builder::new().name(name).spawn(move || keeper.run(&opened));
        let thread = Some(thread.map_err(DeviceError::Thread)?);
        let gone = || Err(DeviceError::System("its thread ended".into()));
        first.recv().unwrap_or_else(|_| gone()).map(|()| Self { to, events, thread })
    }

    pub(crate) fn poll(&self) -> Option<DeviceEvent> {
        self.events.try_recv().ok()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        drop(self.to.send(Message::Stop));
        if let Some(thread) = self.thread.take() {
            // If it panicked, it said so.
            drop(thread.join());
        }
    }
}

/// What the thread has.
struct Keeper<E> {
    device: Device,
    /// Here unless a stream has it.
    end: Option<E>,
    home: Sender<E>,
    back: Receiver<E>,
    /// Streams opened so far.
    streams: u32,
    to: Sender<Message>,
    inbox: Receiver<Message>,
    tell: Sender<DeviceEvent>,
    shared: Arc<Shared>,
}

impl<E: End> Keeper<E> {
    fn run(mut self, opened: &Sender<Result<(), DeviceError>>) {
        let first = self.try_open();
        let mut stream = match first {
            Ok(stream) => Some(stream),
            Err(error) => return drop(opened.send(Err(error))),
        };
        if opened.send(Ok(())).is_err() {
            return;
        }
        loop {
            let message = match &stream {
                Some(_) => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                None => self.inbox.recv_timeout(RETRY),
            };
            match message {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Message::Failed(number, error)) => {
                    if stream.is_some() && number == self.streams && self.ends(&error) {
                        drop(stream.take());
                        self.shared.losses.fetch_add(1, Ordering::Relaxed);
                        self.shared.show(Level::default());
                        self.say(DeviceEvent::Lost { reason: error.to_string() });
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    stream = self.try_open().ok();
                    if stream.is_some() {
                        self.say(DeviceEvent::Returned);
                    }
                }
            }
        }
    }

    /// Whether a stream with this error gives and takes nothing any more.
    fn ends(&self, error: &cpal::Error) -> bool {
        match error.kind() {
            ErrorKind::Xrun => {
                self.shared.xruns.fetch_add(1, Ordering::Relaxed);
                false
            }
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => false,
            _ => true,
        }
    }

    fn try_open(&mut self) -> Result<Stream, DeviceError> {
        let device = self.device.look_up(E::DIRECTION)?;
        let refused = |reason: String| DeviceError::Refused { device: self.device.name.clone(), reason };
        let end = match self.end.take() {
            Some(end) => end,
            None => {
                let kept = |_| refused("its last stream has not ended".into());
                self.back.recv_timeout(GIVEN_BACK).map_err(kept)?
            }
        };
        self.streams += 1;
        let failed = Failed { stream: self.streams, to: self.to.clone() };
        let stream = E::stream(Lease::new(end, &self.home), &device, &self.device.name, failed)?;
        stream.play().map_err(|error| refused(error.to_string()))?;
        Ok(stream)
    }

    fn say(&self, event: DeviceEvent) {
        // A host that reads no events is going.
        drop(self.tell.send(event));
    }
}

/// Builds a stream for whatever the device's samples are.
macro_rules! by_sample {
    ($format:expr, $name:expr, $build:ident ! ($($with:tt)*)) => {
        match $format {
            cpal::SampleFormat::I8 => $build!(i8, $($with)*),
            cpal::SampleFormat::I16 => $build!(i16, $($with)*),
            cpal::SampleFormat::I24 => $build!(cpal::I24, $($with)*),
            cpal::SampleFormat::I32 => $build!(i32, $($with)*),
            cpal::SampleFormat::I64 => $build!(i64, $($with)*),
            cpal::SampleFormat::U8 => $build!(u8, $($with)*),
            cpal::SampleFormat::U16 => $build!(u16, $($with)*),
            cpal::SampleFormat::U24 => $build!(cpal::U24, $($with)*),
            cpal::SampleFormat::U32 => $build!(u32, $($with)*),
            cpal::SampleFormat::U64 => $build!(u64, $($with)*),
            cpal::SampleFormat::F64 => $build!(f64, $($with)*),
            other => {
                let what = format!("its samples are {other}, which is no PCM");
                return Err($crate::error::DeviceError::Format { device: $name.to_owned(), what });
            }
        }
    };
}
pub(crate) use by_sample;
