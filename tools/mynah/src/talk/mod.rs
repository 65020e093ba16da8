//! A conversation through the machine's microphone and loudspeaker.

mod draw;
mod media_zero;
mod story;
mod summary;
mod told;
mod view;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mynah_cpal::{Device, DeviceEvent, Direction, Microphone, Speaker, devices, find};
use mynah_engine::edge::SessionControl;
use mynah_engine::scene::Format;
use mynah_engine::speech::GateOverrides;
use mynah_engine::{EngineConfig, ScenePlan, SessionEvent, SessionSpec};
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal;
use mynah_host::clock::Epoch;
use mynah_host::{Runner, RunnerOptions};
use mynah_sim::{interrupt, scenes};

use crate::args::Talk;
use draw::{End, Sight};
use media_zero::MediaZero;
use story::Story;
use summary::Summary;
use told::Told;
use view::View;

/// Longest time between two looks at devices and clock; events wake at once.
const LOOK: Duration = Duration::from_millis(10);
/// A loudspeaker with buffers of 10 ms has two of them between the callback and the sound.
const LATENCY_MS: u32 = 20;

/// Prints the devices.
///
/// # Errors
/// No sound system answers.
pub(crate) fn list(json: bool) -> Result<Exit, Failure> {
    let mut text = String::new();
    for device in devices().map_err(Failure::unable)? {
        let ways =
            [("input", device.input, device.default_input), ("output", device.output, device.default_output)];
        for (way, format, default) in ways {
            let Some(format) = format else { continue };
            if json {
                let Device { id, name, .. } = &device;
                let (rate_hz, channels, sample) =
                    (format.rate_hz, format.channels, format.sample.to_string());
                let object = serde_json::json!({
                    "direction": way, "id": id, "name": name, "default": default,
                    "rate_hz": rate_hz, "channels": channels, "sample": sample,
                });
                text += &format!("{object}\n");
            } else {
                let mark = if default { "*" } else { " " };
                text += &format!("{mark} {way:<6}  {}  {}  ({format})\n", device.name, device.id);
            }
        }
    }
    if text.is_empty() {
        return Err(Failure::unable("the sound system answers, and has no device"));
    }
    terminal::print(&text)?;
    Ok(Exit::Done)
}

/// What is open.
struct Ends {
    control: SessionControl,
    microphone: Microphone,
    microphone_hz: u32,
    loudspeaker: Option<(Speaker, u32)>,
    half_duplex: bool,
}

/// Talks until it is interrupted or the time is over, and sums up.
///
/// # Errors
/// An invalid scene, devices that are not there or do not open, an engine that fails.
pub(crate) fn run(args: &Talk) -> Result<Exit, Failure> {
    interrupt::listen()?;
    let source = scenes::find(&args.scene)?;
    let registry = scenes::registry(None);
    let sets = &args.sets.sets;
    let (plan, _) = scenes::compile_source(&source, sets, None, &registry)?;
    let microphone = find(Direction::Input, args.input_device.as_deref()).map_err(Failure::unable)?;
    let rate_hz = microphone.input.map_or(plan.scene.session.input.rate_hz, |format| format.rate_hz);
    let input = Format { rate_hz, channels: plan.scene.session.input.channels };
    let (plan, warnings) = scenes::compile_source(&source, sets, Some(input), &registry)?;
    scenes::warn(&warnings);
    let speaks = plan.output.audio.is_some();
    let loudspeaker = speaks
        .then(|| find(Direction::Output, args.output_device.as_deref()))
        .transpose()
        .map_err(Failure::unable)?;
    let config = EngineConfig { threads: 1, sessions_max: 1, ..EngineConfig::real_time() };
    let runner =
        Runner::spawn(Arc::clone(&plan), config, RunnerOptions::default()).map_err(Failure::unable)?;
    let mut view = View::new(args.json);
    let ends = open(args, &plan, &runner, (&microphone, input), loudspeaker.as_ref())?;
    let opened = Told::Opened {
        scene: plan.scene.name.clone(),
        microphone: microphone.name.clone(),
        microphone_hz: rate_hz,
        loudspeaker: loudspeaker.as_ref().map(|device| device.name.clone()),
        loudspeaker_hz: ends.loudspeaker.as_ref().map(|(_, hz)| *hz),
        half_duplex: ends.half_duplex,
    };
    view.tell(&opened, 0)?;
    let mut talk = Conversation::new(ends, args.duration.map(|duration| duration.us));
    let closed = talk.run(&mut view)?;
    view.clear();
    let Conversation { ends, story, epoch, .. } = talk;
    let elapsed_us = epoch.now_us();
    let counters =
        (ends.microphone.counters(), ends.loudspeaker.as_ref().map(|(one, hz)| (one.counters(), *hz)));
    drop(ends);
    let pacing = runner.stop().map_err(Failure::unable)?;
    let heard = (counters.0, rate_hz);
    let summary = Summary::new(&plan.scene.name, elapsed_us, &story, heard, counters.1, pacing);
    view.line(if args.json { summary.json() } else { summary.table() }.trim_end_matches('\n'))?;
    Ok(interrupt::exit(if closed { Exit::Unable } else { Exit::Done }))
}

/// Opens a session and its devices.
fn open(
    args: &Talk,
    plan: &ScenePlan,
    runner: &Runner,
    (microphone, input): (&Device, Format),
    loudspeaker: Option<&Device>,
) -> Result<Ends, Failure> {
    let half_duplex = loudspeaker.is_some() && !args.headphones && !deals_with_echo(plan);
    let gate = GateOverrides { half_duplex: half_duplex.then_some(true), ..GateOverrides::default() };
    let main = thread::current();
    let spec = SessionSpec {
        input: Some(input),
        latency_ms: LATENCY_MS,
        gate,
        ..SessionSpec::named(&microphone.name[..microphone.name.floor_char_boundary(NAME_BYTES)])
    };
    let session = runner.handle().open(spec).map_err(Failure::unable)?;
    let (input, output, control) =
        session.split().map_err(|_| Failure::unable("the session has another host"))?;
    control.wake_on_events(Some(Arc::new(move || main.unpark())));
    let loudspeaker = loudspeaker
        .map(|device| {
            let rate_hz = device.output.map_or(0, |format| format.rate_hz);
            Speaker::open(device, vec![output]).map(|speaker| (speaker, rate_hz))
        })
        .transpose()
        .map_err(Failure::unable)?;
    let microphone_hz = input.format().rate_hz;
    let microphone = Microphone::open(microphone, input).map_err(Failure::unable)?;
    Ok(Ends { control, microphone, microphone_hz, loudspeaker, half_duplex })
}

/// Bytes of the device's name that the session bears.
const NAME_BYTES: usize = 100;

/// Whether a gate of the scene has a setting of its own for the time while answers sound.
fn deals_with_echo(plan: &ScenePlan) -> bool {
    let settings = ["half_duplex", "raise_threshold_while_speaking"];
    let mut settled = plan.nodes.iter().flat_map(|node| node.spec.settled());
    settled.any(|line| settings.iter().any(|setting| line.starts_with(setting)))
}

/// The conversation while it goes on.
struct Conversation {
    ends: Ends,
    story: Story,
    zero: MediaZero,
    epoch: Epoch,
    duration_us: Option<u64>,
    /// Which devices are lost: microphone, loudspeaker.
    lost: [bool; 2],
}

impl Conversation {
    fn new(ends: Ends, duration_us: Option<u64>) -> Self {
        let zero = MediaZero::new(ends.microphone_hz);
        Self { ends, story: Story::default(), zero, epoch: Epoch::start(), duration_us, lost: [false; 2] }
    }

    /// True: the session ended by itself.
    fn run(&mut self, view: &mut View) -> Result<bool, Failure> {
        interrupt::ends_at_once();
        interrupt::run_begins();
        loop {
            let counters = self.ends.microphone.counters();
            let now_us = self.epoch.now_us();
            self.zero.take(now_us, counters.frames - counters.refused.min(counters.frames));
            while let Some(event) = self.ends.control.poll() {
                if let Some((speaker, _)) = &self.ends.loudspeaker {
                    speaker.follow(0, &event);
                }
                for told in self.story.take(&event, now_us, self.zero.us()) {
                    view.tell(&told, now_us)?;
                }
                if matches!(event, SessionEvent::Closed { .. }) {
                    return Ok(true);
                }
            }
            self.devices(view, now_us)?;
            view.draw(now_us, || self.sight(now_us));
            if interrupt::is_asked() || self.duration_us.is_some_and(|end_us| now_us >= end_us) {
                return Ok(false);
            }
            thread::park_timeout(LOOK);
        }
    }

    /// Tells what happened to the devices.
    fn devices(&mut self, view: &mut View, now_us: u64) -> Result<(), Failure> {
        while let Some(event) = self.ends.microphone.poll() {
            // No audio came meanwhile: media time stood still.
            self.zero.forget();
            self.lost[0] = event != DeviceEvent::Returned;
            view.tell(&told(event, Direction::Input), now_us)?;
        }
        while let Some(event) = self.ends.loudspeaker.as_mut().and_then(|(speaker, _)| speaker.poll()) {
            self.lost[1] = event != DeviceEvent::Returned;
            view.tell(&told(event, Direction::Output), now_us)?;
        }
        Ok(())
    }

    fn sight(&self, now_us: u64) -> Sight {
        let (story, counters) = (&self.story, self.ends.microphone.counters());
        let latency = |quantile| story.latencies.value_at_quantile(quantile) as f64 / 1e3;
        let speaker = self.ends.loudspeaker.as_ref().map(|(speaker, _)| speaker);
        Sight {
            elapsed_s: now_us / 1_000_000,
            duration_s: self.duration_us.map(|us| us / 1_000_000),
            half_duplex: self.ends.half_duplex,
            microphone: End { level: self.ends.microphone.level(), speaks: story.hears, lost: self.lost[0] },
            loudspeaker: speaker.map(|speaker| End {
                level: speaker.level(),
                speaks: story.speaks,
                lost: self.lost[1],
            }),
            heard: story.heard.trim().to_owned(),
            turns: story.turns,
            answered: story.answered,
            interrupted: story.interrupted,
            latency_ms: (!story.latencies.is_empty()).then(|| (latency(0.5), latency(0.95))),
            holes: speaker.map_or(0, |speaker| speaker.counters().holes.count),
            refused: counters.refused,
        }
    }
}

fn told(event: DeviceEvent, direction: Direction) -> Told {
    let device = direction.to_string();
    match event {
        DeviceEvent::Lost { reason } => Told::DeviceLost { device, reason },
        DeviceEvent::Returned => Told::DeviceReturned { device },
    }
}
