//! What callbacks do, without a device: samples of every kind go in and out as they should, sessions are mixed, and nothing
//! is allocated.

use std::sync::Arc;

use cpal::{FromSample, I24, Sample};
use mynah_cpal::{Capture, Mix};
use mynah_engine::edge::{AudioIn, AudioOut, SessionControl};
use mynah_engine::media::Clip;
use mynah_engine::scene::{Format, Source, compile};
use mynah_engine::{Engine, EngineConfig, Say, SessionSpec};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

/// What goes in comes out.
const WIRE: &str = r#"(
    name: "wire",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [],
    edges: [("input", "output")],
)"#;
const STEREO_48K: Format = Format { rate_hz: 48_000, channels: 2 };
const TICK_US: u64 = 5_000;

struct Stage {
    engine: Engine,
    inputs: Vec<AudioIn>,
    outputs: Vec<AudioOut>,
    controls: Vec<SessionControl>,
}

impl Stage {
    fn new(name: &str, text: &str, sessions: usize) -> Self {
        let registry = mynah_systems::registry(None);
        let (plan, _) = compile(&Source::new(name, text), &[], None, &registry).expect("it is sound");
        let engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
        let mut stage = Self { engine, inputs: Vec::new(), outputs: Vec::new(), controls: Vec::new() };
        for at in 0..sessions {
            let session =
                stage.engine.handle().open(SessionSpec::named(format!("{at}"))).expect("there is room");
            let (input, output, control) = session.split().expect("nobody else has it");
            stage.inputs.push(input);
            stage.outputs.push(output);
            stage.controls.push(control);
        }
        stage
    }

    /// Sessions that each say a tone of that amplitude, for two seconds.
    fn tones(sessions: usize, amplitude: f32) -> Self {
        let text = include_str!("../../../scenes/barge_in.ron");
        let mut stage = Self::new("barge_in.ron", text, sessions);
        let tone: Vec<f32> = (0..32_000).map(|at| (at as f32 * 0.0667).sin() * amplitude).collect();
        let format = Format { rate_hz: 16_000, channels: 1 };
        for control in &mut stage.controls {
            let clip = Clip { subtitle: "".into(), format, samples: tone.clone().into() };
            control.say(clip, Say::default()).expect("the scene plays it");
        }
        stage
    }

    fn tick(&mut self) {
        self.engine.tick(self.engine.now_us() + TICK_US);
    }
}

/// What a device hears of such a stage, 5 ms at a time.
fn heard<T: Sample + FromSample<f32>>(sessions: usize, amplitude: f32) -> Vec<T> {
    let mut stage = Stage::tones(sessions, amplitude);
    let mut mix = Mix::new(std::mem::take(&mut stage.outputs), STEREO_48K).expect("such devices exist");
    let mut all = Vec::new();
    for _ in 0..300 {
        stage.tick();
        let mut piece = [T::EQUILIBRIUM; 480];
        mix.fill(&mut piece);
        all.extend_from_slice(&piece);
    }
    assert_eq!(mix.counters().holes.count, 0);
    all
}

#[test]
fn sessions_are_added_up_and_cut_at_full_scale() {
    let (one, two) = (heard::<f32>(1, 0.4), heard::<f32>(2, 0.4));
    assert!(one.iter().any(|sample| *sample > 0.35), "it sounds");
    assert!(one.iter().zip(&two).all(|(one, two)| (one * 2.0 - two).abs() < 1e-6));
    let loud = heard::<f32>(2, 0.9);
    assert!(loud.contains(&1.0) && loud.iter().all(|sample| sample.abs() <= 1.0));
    assert!(heard::<f32>(0, 0.0).iter().all(|sample| *sample == 0.0), "nobody is silence");
}

#[test]
fn a_loudspeaker_of_any_samples_hears_the_same() {
    fn near<T: Sample + FromSample<f32>>(exact: &[f32], step: f32)
    where
        f32: FromSample<T>,
    {
        let coarse = heard::<T>(1, 0.4);
        let off =
            exact.iter().zip(&coarse).map(|(a, b)| (a - f32::from_sample(*b)).abs()).fold(0.0, f32::max);
        assert!(off <= step, "{off} for {}", std::any::type_name::<T>());
    }
    let exact = heard::<f32>(1, 0.4);
    near::<i16>(&exact, 1.0 / 32_768.0);
    near::<u16>(&exact, 1.0 / 32_768.0);
    near::<u8>(&exact, 1.0 / 128.0);
    near::<I24>(&exact, 1e-6);
    near::<i32>(&exact, 1e-6);
    near::<f64>(&exact, 1e-6);
}

/// What a session gets of a microphone's samples.
fn recorded<T: Sample>(samples: &[T], channels: u16) -> Vec<f32>
where
    f32: FromSample<T>,
{
    let mut stage = Stage::new("wire.ron", WIRE, 1);
    let mut capture = Capture::new(stage.inputs.remove(0), channels);
    let mut all = Vec::new();
    for piece in samples.chunks(usize::from(channels) * 100) {
        capture.take(piece);
        stage.tick();
        let mut read = [0.0; 400];
        let frames = stage.outputs[0].read(&mut read).frames;
        all.extend_from_slice(&read[..frames]);
    }
    let counters = capture.counters();
    assert_eq!((counters.refused, counters.frames), (0, (samples.len() / usize::from(channels)) as u64));
    all
}

#[test]
fn a_session_gets_what_any_microphone_records() {
    let tone: Vec<f32> = (0..1_600).map(|at| (at as f32 * 0.05).sin() * 0.5).collect();
    let near = |got: Vec<f32>, step: f32| {
        // The last pieces may not have left yet.
        assert!(got.len() >= 1_200, "{}", got.len());
        let off = got.iter().zip(&tone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= step, "{off}");
    };
    near(recorded(&tone, 1), 0.0);
    near(recorded(&tone.iter().map(|s| i16::from_sample(*s)).collect::<Vec<_>>(), 1), 1e-4);
    near(recorded(&tone.iter().map(|s| u8::from_sample(*s)).collect::<Vec<_>>(), 1), 1e-2);
    near(recorded(&tone.iter().map(|s| i32::from_sample(*s)).collect::<Vec<_>>(), 1), 1e-6);
    // Two channels, one of them silent: half of it.
    let sides: Vec<i16> = tone.iter().flat_map(|s| [i16::from_sample(*s), 0]).collect();
    let half: Vec<f32> = recorded(&sides, 2).iter().map(|sample| sample * 2.0).collect();
    near(half, 1e-4);
}

#[test]
fn what_the_session_has_no_room_for_is_counted() {
    let mut stage = Stage::new("wire.ron", WIRE, 1);
    let mut capture = Capture::new(stage.inputs.remove(0), 1);
    let room = capture.input().room() as u64;
    let callback = [0.1; 160];
    (0..300).for_each(|_| capture.take_f32(&callback));
    let counters = capture.counters();
    assert_eq!(counters.frames, 48_000);
    let lost = 48_000 - room;
    assert!(counters.refused.abs_diff(lost) < 160, "{counters:?}, room for {room}");
}

#[test]
fn silence_inside_an_answer_is_a_hole() {
    let mut stage = Stage::tones(2, 0.4);
    let mut mix = Mix::new(std::mem::take(&mut stage.outputs), STEREO_48K).expect("such devices exist");
    let mut piece = [0.0; 480];
    for round in 0..200 {
        // The engine hangs for 250 ms.
        if !(100..150).contains(&round) {
            stage.tick();
        }
        mix.fill_f32(&mut piece);
    }
    let holes = mix.counters().holes;
    assert!(holes.count == 2 && holes.frames > 2 * 4_800, "one each: {holes:?}");
}

#[test]
fn callbacks_allocate_nothing_from_the_first_on() {
    fn of<T: Sample + FromSample<f32>>(sessions: usize)
    where
        f32: FromSample<T>,
    {
        let mut stage = Stage::tones(sessions, 0.4);
        let outputs = std::mem::take(&mut stage.outputs);
        let mut mix = Mix::new(outputs, Format { rate_hz: 44_100, channels: 2 }).expect("such devices exist");
        let mut captures: Vec<Capture> = stage.inputs.drain(..).map(|input| Capture::new(input, 2)).collect();
        let (mut out, samples) = ([T::EQUILIBRIUM; 9_600], [T::EQUILIBRIUM; 3_200]);
        for frames in [1, 16, 128, 480, 1_024, 4_800].into_iter().cycle().take(60) {
            (0..4).for_each(|_| stage.tick());
            let before = mynah_alloc::of_thread();
            mix.fill(&mut out[..2 * frames]);
            captures.iter_mut().for_each(|capture| capture.take(&samples[..(2 * frames).min(3_200)]));
            assert_eq!(mynah_alloc::of_thread(), before, "{frames} frames of {}", std::any::type_name::<T>());
        }
        let allocations = mix.counters().allocations;
        let taken: u64 = captures.iter().map(|capture| capture.counters().allocations).sum();
        assert_eq!((allocations, taken), (0, 0));
    }
    of::<f32>(1);
    of::<i16>(1);
    of::<i16>(3);
    of::<I24>(2);
    of::<u8>(2);
    // The counters see what is there to be seen.
    let before = mynah_alloc::of_thread().allocations;
    drop(std::hint::black_box(vec![1_u8; 9]));
    assert!(mynah_alloc::of_thread().allocations > before);
}
