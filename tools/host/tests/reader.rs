//! A session's sound on a device: adapted, without clicks at holes and cuts, with its level, and without allocations.

use std::sync::Arc;

use mynah_engine::edge::{AudioIn, Read, SessionControl};
use mynah_engine::media::Clip;
use mynah_engine::scene::{Format, Source, compile};
use mynah_engine::speech::InterruptMode;
use mynah_engine::{Engine, EngineConfig, Say, SessionSpec};
use mynah_host::Reader;
use mynah_host::sound::Holes;

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

const DEVICE: Format = Format { rate_hz: 48_000, channels: 2 };
const VOICE: Format = Format { rate_hz: 16_000, channels: 1 };
const TICK_US: u64 = 5_000;
/// A tone of 170 Hz near full scale makes steps of 0.02 at 48 kHz; a fall and a rise in 5 ms at once make 0.0075 more.
const STEP_MAX: f32 = 0.03;

struct Played {
    engine: Engine,
    reader: Reader,
    _input: AudioIn,
    control: SessionControl,
    out: Vec<f32>,
    said: Vec<Read>,
}

impl Played {
    fn new(device: Format) -> Self {
        let scene = Source::new("barge_in.ron", include_str!("../../../scenes/barge_in.ron"));
        let (plan, _) = compile(&scene, &[], None, &mynah_systems::registry(None)).expect("it is shipped");
        let engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
        let session = engine.handle().open(SessionSpec::named("npc")).expect("there is room");
        let (input, output, mut control) = session.split().expect("nobody else has it");
        let reader = Reader::new(output, device).expect("such devices exist");
        let samples: Vec<f32> = (0..32_000).map(|at| (at as f32 * 0.0667).sin() * 0.9).collect();
        let clip = Clip { subtitle: "".into(), format: VOICE, samples: samples.into() };
        control.say(clip, Say::default()).expect("the scene plays it");
        Self { engine, reader, _input: input, control, out: Vec::new(), said: Vec::new() }
    }

    fn tick(&mut self) {
        self.engine.tick(self.engine.now_us() + TICK_US);
    }

    /// The device takes 5 ms.
    fn read(&mut self) {
        let device = self.reader.format();
        let samples = device.rate_hz as usize / 200 * usize::from(device.channels);
        let mut piece = vec![f32::NAN; samples];
        self.said.push(self.reader.read(&mut piece));
        self.out.extend(piece);
    }

    fn play(&mut self, pieces: usize) {
        for _ in 0..pieces {
            self.tick();
            self.read();
        }
    }

    /// The greatest step between two samples of the first channel.
    fn step(&self) -> f32 {
        let first: Vec<f32> = self.out.iter().step_by(2).copied().collect();
        assert!(first.iter().all(|sample| sample.is_finite()));
        first.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }
}

#[test]
fn a_cut_makes_no_click_wherever_it_falls() {
    for at in 100..140 {
        let mut played = Played::new(DEVICE);
        played.play(at);
        played.control.interrupt(InterruptMode::Now).expect("there is room");
        played.play(20);
        assert_eq!(played.said.iter().filter(|read| read.cut).count(), 1, "{at}");
        assert!(played.said[at - 1].level > 0.5 && played.said.last().expect("many").level < 1e-4, "{at}");
        let step = played.step();
        assert!(step <= STEP_MAX, "cut at {at}: a step of {step}");
    }
}

#[test]
fn a_hole_makes_no_click() {
    for late in [1, 4, 30, 60] {
        let mut played = Played::new(DEVICE);
        played.play(120);
        (0..late).for_each(|_| played.read());
        played.play(100);
        let step = played.step();
        assert!(step <= STEP_MAX, "{late} buffers without a tick: a step of {step}");
    }
}

#[test]
fn holes_are_counted_and_what_is_meant_to_be_silent_is_none() {
    for device in [DEVICE, Format { rate_hz: 44_100, channels: 2 }, VOICE] {
        let mut played = Played::new(device);
        played.play(120);
        assert_eq!(played.reader.holes(), Holes::default(), "the answer came in time");
        (0..30).for_each(|_| played.read());
        played.play(100);
        let Holes { count, frames } = played.reader.holes();
        // 150 ms without a tick, less what had been released ahead.
        let ms = frames * 1_000 / u64::from(device.rate_hz);
        assert!(count == 1 && (50..=150).contains(&ms), "{count} of {ms} ms, {device:?}");
        for _ in 0..30 {
            played.reader.expect_silence();
            played.read();
        }
        played.play(50);
        assert_eq!(played.reader.holes(), Holes { count, frames }, "the answer waited");
        (0..30).for_each(|_| played.read());
        played.control.interrupt(InterruptMode::Now).expect("there is room");
        played.play(20);
        assert_eq!(played.reader.holes(), Holes { count, frames }, "nothing of it follows");
    }
    let mut played = Played::new(DEVICE);
    played.play(800);
    assert!(played.said.iter().any(|read| read.ended) && played.reader.holes() == Holes::default());
}

#[test]
fn a_read_tells_of_the_device_and_of_the_answer() {
    let mut played = Played::new(DEVICE);
    played.play(600);
    let began = played.said.iter().position(|read| read.began).expect("it begins");
    let ended = played.said.iter().position(|read| read.ended).expect("it ends");
    let sounding = &played.said[began + 2..ended - 2];
    // The tone's root mean square: 0.9 divided by the root of 2.
    assert!(sounding.iter().all(|read| read.turn == 1 && (read.level - 0.636).abs() < 0.06), "a steady tone");
    let frames: usize = played.said.iter().map(|read| read.frames).sum();
    assert!(frames.abs_diff(96_000) < 960, "two seconds at the device's rate: {frames}");
    assert!(played.said[ended + 4..].iter().all(|read| *read == Read::default()));
    assert!(played.out.chunks(2).all(|frame| frame[0] == frame[1]), "both channels alike");
}

#[test]
fn a_device_that_cannot_be_is_refused() {
    for device in [Format { rate_hz: 7_999, channels: 2 }, Format { rate_hz: 48_000, channels: 9 }] {
        let scene = Source::new("barge_in.ron", include_str!("../../../scenes/barge_in.ron"));
        let (plan, _) = compile(&scene, &[], None, &mynah_systems::registry(None)).expect("it is shipped");
        let engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
        let session = engine.handle().open(SessionSpec::named("npc")).expect("there is room");
        let (_, output, _) = session.split().expect("nobody else has it");
        assert!(Reader::new(output, device).is_err(), "{device:?}");
    }
}

#[test]
fn reading_allocates_nothing_from_the_first_call_on() {
    for device in [DEVICE, Format { rate_hz: 44_100, channels: 2 }, VOICE] {
        let mut played = Played::new(device);
        let mut out = vec![0.0; 4_800 * usize::from(device.channels)];
        for frames in [1, 16, 128, 480, 1_024, 4_800].into_iter().cycle().take(120) {
            (0..8).for_each(|_| played.tick());
            let before = mynah_alloc::of_thread();
            played.reader.read(&mut out[..frames * usize::from(device.channels)]);
            assert_eq!(mynah_alloc::of_thread(), before, "{frames} frames for {device:?}");
        }
    }
}
