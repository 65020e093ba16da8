//! The sound devices of the machine.

use std::fmt;
use std::str::FromStr as _;

use cpal::traits::{DeviceTrait as _, HostTrait as _};
use cpal::{
    BufferSize, DeviceId, Host, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfig,
};

use crate::direction::Direction;
use crate::error::DeviceError;

/// Rates that a session may have.
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;
/// Channels that a session may have at most.
pub(crate) const CHANNELS_MAX: u16 = 8;
/// What a device is asked to call for at once, milliseconds.
const PERIOD_MS: u32 = 10;

/// ALSA's device that is none: it takes everything at once.
const NOWHERE: &str = "alsa:null";

/// What a device records or plays by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceFormat {
    /// Sample frames a second, 8,000 to 192,000.
    pub rate_hz: u32,
    /// Channels, 1 to 8.
    pub channels: u16,
    /// How a sample is written.
    pub sample: SampleFormat,
}

impl fmt::Display for DeviceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz, {} ch, {}", self.rate_hz, self.channels, self.sample)
    }
}

/// A sound device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Names it for the sound system, `system:name`; the same in every run.
    pub id: String,
    /// Names it for people.
    pub name: String,
    /// What it records; `None`: it does not.
    pub input: Option<DeviceFormat>,
    /// What it plays; `None`: it does not.
    pub output: Option<DeviceFormat>,
    /// Whether the system records from it where nothing is said.
    pub default_input: bool,
    /// Whether the system plays on it where nothing is said.
    pub default_output: bool,
    /// It is opened as the system's default, whichever that is by then.
    follows: bool,
}

impl Device {
    fn of(device: &cpal::Device) -> Option<Self> {
        let id = device.id().ok()?.to_string();
        let format = |direction| {
            let config = usable(device, direction)?;
            let (rate_hz, channels, sample) =
                (config.sample_rate(), config.channels(), config.sample_format());
            Some(DeviceFormat { rate_hz, channels, sample })
        };
        let (input, output) = (format(Direction::Input), format(Direction::Output));
        let name = device.description().map_or_else(|_| id.clone(), |about| about.name().to_owned());
        Some(Self { id, name, input, output, default_input: false, default_output: false, follows: false })
    }

    fn has(&self, direction: Direction) -> bool {
        match direction {
            Direction::Input => self.input.is_some(),
            Direction::Output => self.output.is_some(),
        }
    }

    /// The device as the system has it now.
    pub(crate) fn look_up(&self, direction: Direction) -> Result<cpal::Device, DeviceError> {
        let gone = || DeviceError::Refused { device: self.name.clone(), reason: "it is not there".into() };
        let id = DeviceId::from_str(&self.id).map_err(|error| DeviceError::System(error.to_string()))?;
        let host = cpal::host_from_id(id.host()).map_err(|error| DeviceError::System(error.to_string()))?;
        let found = if self.follows { default_of(&host, direction) } else { host.device_by_id(&id) };
        found.ok_or_else(gone)
    }
}

fn default_of(host: &Host, direction: Direction) -> Option<cpal::Device> {
    match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    }
}

/// What a device is opened with: its default, or two channels at a usual rate where that is beyond sessions.
pub(crate) fn usable(device: &cpal::Device, direction: Direction) -> Option<SupportedStreamConfig> {
    let fits = |config: &SupportedStreamConfig| {
        RATES_HZ.contains(&config.sample_rate()) && config.channels() <= CHANNELS_MAX
    };
    let (default, ranges): (_, Vec<_>) = match direction {
        Direction::Input => {
            (device.default_input_config(), device.supported_input_configs().into_iter().flatten().collect())
        }
        Direction::Output => (
            device.default_output_config(),
            device.supported_output_configs().into_iter().flatten().collect(),
        ),
    };
    let ranges = ranges.into_iter().filter(|range| range.channels() <= 2 && !range.sample_format().is_dsd());
    let other = || ranges.filter_map(|range| range.try_with_standard_sample_rate()).find(fits);
    default.ok().filter(fits).or_else(other)
}

/// What a device is opened with at this rate: its default, or else the first of at most two channels that has it.
pub(crate) fn config_at(
    device: &cpal::Device,
    direction: Direction,
    rate_hz: u32,
    name: &str,
) -> Result<SupportedStreamConfig, DeviceError> {
    if let Some(config) = usable(device, direction).filter(|config| config.sample_rate() == rate_hz) {
        return Ok(config);
    }
    let ranges: Vec<_> = match direction {
        Direction::Input => device.supported_input_configs().into_iter().flatten().collect(),
        Direction::Output => device.supported_output_configs().into_iter().flatten().collect(),
    };
    let ranges = ranges.into_iter().filter(|range| range.channels() <= 2 && !range.sample_format().is_dsd());
    let found = ranges.filter_map(|range| range.try_with_sample_rate(rate_hz)).next();
    let what = || format!("it does not open at the {rate_hz} Hz of the session");
    found.ok_or_else(|| DeviceError::Format { device: name.to_owned(), what: what() })
}

/// How a stream of 10 ms buffers is opened with a configuration.
pub(crate) fn stream_config(config: &SupportedStreamConfig) -> StreamConfig {
    let period = config.sample_rate() * PERIOD_MS / 1_000;
    let buffer_size = match *config.buffer_size() {
        SupportedBufferSize::Range { min, max } => BufferSize::Fixed(period.clamp(min, max.max(min))),
        SupportedBufferSize::Unknown => BufferSize::Default,
    };
    StreamConfig { channels: config.channels(), sample_rate: config.sample_rate(), buffer_size }
}

/// The devices of the machine's sound system that record or play in a format that sessions can have.
///
/// # Errors
/// [`DeviceError::System`]: it does not answer.
pub fn devices() -> Result<Vec<Device>, DeviceError> {
    let host = cpal::default_host();
    let id = |device: Option<cpal::Device>| device.and_then(|device| Some(device.id().ok()?.to_string()));
    let defaults = [Direction::Input, Direction::Output].map(|direction| id(default_of(&host, direction)));
    let found = host.devices().map_err(|error| DeviceError::System(error.to_string()))?;
    let mut devices: Vec<Device> = found.filter_map(|device| Device::of(&device)).collect();
    devices.retain(|device| device.id != NOWHERE && (device.input.is_some() || device.output.is_some()));
    for device in &mut devices {
        device.default_input = device.input.is_some() && defaults[0].as_ref() == Some(&device.id);
        device.default_output = device.output.is_some() && defaults[1].as_ref() == Some(&device.id);
    }
    Ok(devices)
}

/// The device that `wanted` names: its id, its name, or a part of the name that no other has. `None`: the system's
/// default, also when that changes while the device is lost.
///
/// # Errors
/// [`DeviceError`]: no sound system answers, or no one device is meant.
pub fn find(direction: Direction, wanted: Option<&str>) -> Result<Device, DeviceError> {
    let mut there = devices()?;
    there.retain(|device| device.has(direction));
    let name = |device: &Device| format!("{} ({})", device.name, device.id);
    let Some(wanted) = wanted else {
        let is_default = |device: &Device| match direction {
            Direction::Input => device.default_input,
            Direction::Output => device.default_output,
        };
        let names = there.iter().map(name).collect();
        let found = there.into_iter().find(is_default);
        let none = DeviceError::NoDefault { direction, there: names };
        return found.map(|found| Device { follows: true, ..found }).ok_or(none);
    };
    let words = wanted.to_lowercase();
    let ways: [&dyn Fn(&Device) -> bool; 3] = [
        &|device| device.id == wanted || device.id.split_once(':').is_some_and(|(_, id)| id == wanted),
        &|device| device.name.to_lowercase() == words,
        &|device| device.name.to_lowercase().contains(&words),
    ];
    for way in ways {
        let mut meant: Vec<&Device> = there.iter().filter(|device| way(device)).collect();
        match meant.len() {
            0 => {}
            1 => return Ok(meant.remove(0).clone()),
            _ => {
                let meant = meant.into_iter().map(name).collect();
                return Err(DeviceError::NotOne {
                    direction,
                    wanted: wanted.into(),
                    meant,
                    there: Vec::new(),
                });
            }
        }
    }
    let there = there.iter().map(name).collect();
    Err(DeviceError::NotOne { direction, wanted: wanted.into(), meant: Vec::new(), there })
}
