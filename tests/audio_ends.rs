//! The ends of a session for audio callbacks: every sample arrives and comes out, whatever the pieces and however long a
//! frame hangs; what cannot be taken is refused as a whole; who waits is woken; whoever holds an end keeps the session.

#[path = "support/host.rs"]
mod host;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use host::{TICK_US, one_shard, plan};
use mynah_engine::edge::{AudioIn, AudioOut, CloseReason, Read, SessionControl, Waker};
use mynah_engine::media::Clip;
use mynah_engine::observe::Census;
use mynah_engine::scene::Format;
use mynah_engine::speech::InterruptMode;
use mynah_engine::{Engine, Out, PushError, Say, SessionEvent, SessionSpec};

const MONO: Format = Format { rate_hz: 48_000, channels: 1 };
const STEREO: Format = Format { rate_hz: 48_000, channels: 2 };
/// Sample frames of the buffers that devices ask for.
const LENGTHS: [usize; 6] = [1, 16, 128, 480, 1_024, 4_800];

type Ends = (AudioIn, AudioOut, SessionControl);

fn engine(scene: &str) -> Engine {
    Engine::new(plan(scene, &[]), one_shard())
}

fn open(engine: &Engine, input: Format) -> Ends {
    let spec = SessionSpec { input: Some(input), ..SessionSpec::named("ends") };
    engine.handle().open(spec).expect("there is room").split().expect("nobody else has it")
}

fn tick(engine: &mut Engine) {
    engine.tick(engine.now_us() + TICK_US);
}

fn frames_in(engine: &Engine) -> u64 {
    engine.census(&mut Census::default()).edge.frames
}

/// Sample `at` of a signal without two equal neighbours, exact as 16 bits too.
fn sample(at: usize) -> f32 {
    f32::from((at % 65_535) as i16) / 32_768.0
}

fn signal(from: usize, len: usize) -> Vec<f32> {
    (from..from + len).map(sample).collect()
}

/// A waker that counts.
fn counting() -> (Waker, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let wake = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    (Arc::new(wake), count)
}

/// A game whose frames tick the engine and hang now and then, and a device that plays and records meanwhile.
struct Device {
    engine: Engine,
    ends: Ends,
    /// Sample frames of each call.
    length: usize,
    pushed: usize,
    heard: Vec<f32>,
}

impl Device {
    fn new(input: Format, length: usize) -> Self {
        let engine = engine("passthrough");
        let ends = open(&engine, input);
        Self { engine, ends, length, pushed: 0, heard: Vec::new() }
    }

    /// One call of the sound device.
    fn call(&mut self) {
        let (input, output, _) = &mut self.ends;
        let samples = self.length * usize::from(input.format().channels);
        input.push(&signal(self.pushed, samples)).expect("nothing is refused");
        self.pushed += samples;
        let mut out = vec![f32::NAN; samples];
        let read = output.read(&mut out);
        let sound = read.frames * usize::from(output.format().channels);
        assert!(out[sound..].iter().all(|sample| *sample == 0.0), "silence fills the rest");
        self.heard.extend_from_slice(&out[..sound]);
    }

    /// Plays for six seconds, with frames `hz` times a second, one in a second of which takes `hitch_us` more.
    fn play(&mut self, hz: u64, hitch_us: u64) {
        let call_us = |calls: u64| calls * self.length as u64 * 1_000_000 / 48_000;
        let (mut calls, mut frames, mut frame_us) = (0, 0_u64, 0);
        let mut due = Vec::new();
        while frame_us < 6_000_000 {
            frames += 1;
            let hitch = if frames.is_multiple_of(hz) { hitch_us } else { 0 };
            frame_us += 1_000_000 / hz + hitch;
            while call_us(calls + 1) <= frame_us {
                calls += 1;
            }
            due.push((calls, frame_us));
        }
        let mut done = 0;
        for (calls, frame_us) in due {
            (done..calls).for_each(|_| self.call());
            done = calls;
            self.engine.tick(frame_us);
        }
    }

    /// Hangs up the microphone and reads what is left.
    fn finish(&mut self) {
        self.ends.2.finish();
        let mut out = vec![0.0; 4_800];
        for _ in 0..100 {
            tick(&mut self.engine);
            let read = self.ends.1.read(&mut out);
            self.heard.extend_from_slice(&out[..read.frames * usize::from(self.ends.1.format().channels)]);
        }
        assert!(self.ends.2.is_closed());
    }
}

#[test]
fn every_sample_arrives_and_comes_out_however_long_a_frame_hangs() {
    for (input, hitch_us) in [(MONO, 300_000), (STEREO, 300_000), (MONO, 900_000), (STEREO, 900_000)] {
        for (hz, length) in [60, 30].into_iter().flat_map(|hz| LENGTHS.map(|length| (hz, length))) {
            let mut device = Device::new(input, length);
            device.play(hz, hitch_us);
            device.finish();
            let what = format!("{length} frames of {input:?} at {hz} Hz, {hitch_us} us");
            let frames = device.pushed / usize::from(input.channels);
            assert_eq!(frames_in(&device.engine), frames as u64, "{what}: in");
            assert_eq!(device.heard.len(), device.pushed, "{what}: out");
            assert!(device.heard == signal(0, device.pushed), "{what}: bit for bit, in order");
        }
    }
}

#[test]
fn samples_of_16_bits_arrive_as_those_that_they_stand_for() {
    for channels in [1, 2] {
        let mut engine = engine("passthrough");
        let (mut input, mut output, _control) = open(&engine, Format { rate_hz: 48_000, channels });
        let samples: Vec<i16> = (0..9_600).map(|at| (at % 65_535) as i16).collect();
        for piece in samples.chunks(1_000) {
            input.push_i16(piece).expect("there is room");
        }
        tick(&mut engine);
        let mut out = vec![0.0; samples.len()];
        assert_eq!(output.read(&mut out).frames, samples.len() / usize::from(channels));
        assert_eq!(out, signal(0, samples.len()));
    }
}

#[test]
fn what_does_not_fit_is_refused_as_a_whole() {
    let mut engine = engine("passthrough");
    let (mut input, mut output, _control) = open(&engine, STEREO);
    let (all, piece) = (2 * 52_800, 960);
    assert_eq!(input.room(), 52_800, "1.1 s");
    for from in (0..all - 2 * piece).step_by(piece) {
        input.push(&signal(from, piece)).expect("there is room");
    }
    let rest = all - 2 * piece;
    assert_eq!(input.push(&signal(rest, 2 * piece + 2)), Err(PushError::Full));
    assert_eq!(input.push_i16(&vec![0; 2 * piece + 2]), Err(PushError::Full));
    assert_eq!(input.room(), piece, "nothing of them went in");
    input.push(&signal(rest, 2 * piece)).expect("there is room for just that");
    assert_eq!((input.room(), input.push(&[0.0; 2])), (0, Err(PushError::Full)));
    for samples in [1, 3, all + 2] {
        assert_eq!(input.push(&vec![0.0; samples]), Err(PushError::BadLength { samples }));
        assert_eq!(input.push_i16(&vec![0; samples]), Err(PushError::BadLength { samples }));
    }
    input.push(&[]).expect("nothing always fits");
    tick(&mut engine);
    assert_eq!(input.room(), 52_800);
    let mut out = vec![0.0; all];
    assert_eq!((output.read(&mut out).frames, out == signal(0, all)), (52_800, true));
}

#[test]
fn after_the_end_nothing_is_taken() {
    let ends: [fn(&SessionControl); 2] = [SessionControl::finish, SessionControl::close];
    for end in ends {
        let mut engine = engine("passthrough");
        let (mut input, mut output, mut control) = open(&engine, MONO);
        input.push(&signal(0, 480)).expect("there is room");
        assert!(!input.has_ended());
        end(&control);
        assert!(input.has_ended());
        assert_eq!(
            (input.push(&[0.0]), input.push_i16(&[0])),
            (Err(PushError::Ended), Err(PushError::Ended))
        );
        (0..4).for_each(|_| tick(&mut engine));
        assert!(control.is_closed() && output.is_closed());
        let reason = std::iter::from_fn(|| control.poll()).last();
        let mut out = vec![f32::NAN; 960];
        let frames = output.read(&mut out).frames;
        // What was pushed before the end comes out; who hangs up wants no more.
        if reason == Some(SessionEvent::Closed { reason: CloseReason::Finished }) {
            assert_eq!((frames, &out[..480]), (480, &*signal(0, 480)));
        } else {
            assert_eq!(reason, Some(SessionEvent::Closed { reason: CloseReason::HungUp }));
        }
        assert!(out[480..].iter().all(|sample| *sample == 0.0));
    }
}

#[test]
fn who_was_refused_is_woken_once_when_there_is_room() {
    let mut engine = engine("passthrough");
    let (mut input, mut output, control) = open(&engine, MONO);
    let (first, woken) = counting();
    control.wake_on_credit(Some(first));
    let mut fill = |input: &mut AudioIn, refused: usize| {
        input.push(&vec![0.1; input.room()]).expect("there is room");
        (0..refused).for_each(|_| assert_eq!(input.push(&[0.1]), Err(PushError::Full)));
        assert_eq!(input.push_i16(&vec![1; refused.min(1)]).is_err(), refused > 0);
        (0..3).for_each(|_| tick(&mut engine));
        output.read(&mut vec![0.0; 52_800]);
    };
    fill(&mut input, 0);
    assert_eq!(woken.load(Ordering::SeqCst), 0, "nobody was refused");
    fill(&mut input, 3);
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    fill(&mut input, 0);
    assert_eq!(woken.load(Ordering::SeqCst), 1, "once");
    let (second, also) = counting();
    control.wake_on_credit(Some(second));
    fill(&mut input, 1);
    assert_eq!((woken.load(Ordering::SeqCst), also.load(Ordering::SeqCst)), (1, 1), "the new one alone");
    control.wake_on_credit(None);
    fill(&mut input, 1);
    assert_eq!((woken.load(Ordering::SeqCst), also.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn a_whole_handle_wakes_who_was_refused_too() {
    let mut engine = engine("passthrough");
    let session = engine.handle().open(SessionSpec::named("whole")).expect("there is room");
    let (waker, woken) = counting();
    session.wake_on_credit(Some(waker));
    session.try_push(&[0.1; 16_000]).expect("a second");
    tick(&mut engine);
    assert_eq!(woken.load(Ordering::SeqCst), 0, "nobody was refused");
    session.try_push(&[0.1; 16_000]).expect("a second");
    assert_eq!(session.try_push(&[0.1; 160]), Err(PushError::Full));
    (0..2).for_each(|_| tick(&mut engine));
    assert_eq!(woken.load(Ordering::SeqCst), 1);
}

#[test]
fn who_waits_for_events_is_woken_for_them() {
    let mut engine = engine("barge_in");
    let (mut input, mut output, mut control) = open(&engine, Format { rate_hz: 16_000, channels: 1 });
    let (first, woken) = counting();
    control.wake_on_events(Some(first));
    (0..3).for_each(|_| tick(&mut engine));
    assert_eq!(woken.load(Ordering::SeqCst), 0);
    control.respond().expect("there is room");
    (0..100).for_each(|_| tick(&mut engine));
    let events = std::iter::from_fn(|| control.poll()).count() as u64;
    let once = woken.load(Ordering::SeqCst);
    assert!((1..=events).contains(&once), "{once} times for {events} events");
    let (second, also) = counting();
    control.wake_on_events(Some(second));
    input.push(&[0.0; 160]).expect("there is room");
    control.finish();
    for _ in 0..2_000 {
        tick(&mut engine);
        output.read(&mut [0.0; 80]);
    }
    assert!(control.is_closed());
    assert_eq!(woken.load(Ordering::SeqCst), once, "the new one alone");
    assert!(also.load(Ordering::SeqCst) > 0);
}

/// A recording that an NPC plays, read in pieces of 10 ms after every second tick, until `until` of a read.
fn clip_read(heard: &mut Vec<Read>, mut until: impl FnMut(&mut SessionControl, usize, Read) -> bool) {
    let mut engine = engine("barge_in");
    let (_input, mut output, mut control) = open(&engine, Format { rate_hz: 16_000, channels: 1 });
    let samples = vec![0.5; 16_000];
    let clip = Clip {
        subtitle: "".into(),
        format: Format { rate_hz: 16_000, channels: 1 },
        samples: samples.into(),
    };
    control.say(clip, Say::default()).expect("the scene speaks");
    for at in 0..400 {
        (0..2).for_each(|_| tick(&mut engine));
        let read = output.read(&mut [f32::NAN; 160]);
        heard.push(read);
        if until(&mut control, at, read) {
            return;
        }
    }
    panic!("the clip neither ended nor was cut: {heard:?}");
}

#[test]
fn a_read_tells_whose_sound_it_is_where_it_begins_and_ends_and_how_loud_it_is() {
    let mut heard = Vec::new();
    clip_read(&mut heard, |_, _, read| read.ended);
    let first = heard.iter().position(|read| read.frames > 0).expect("it sounds");
    let sounds = |read: &Read| read.frames > 0 && (read.level - 0.5).abs() < 1e-6 && read.turn == 1;
    let silent = |read: &Read| read.frames == 0 && read.level == 0.0 && !read.began && !read.ended;
    assert!(heard[..first].iter().all(|read| silent(read) && read.turn == 0), "{heard:?}");
    assert!(heard[first].began && !heard[first + 1].began);
    let frames: usize = heard.iter().map(|read| read.frames).sum();
    assert_eq!(frames, 16_000);
    let (last, before) = heard.split_last().expect("there are many");
    assert!(before[first..].iter().all(|read| sounds(read) && !read.ended && !read.cut), "{heard:?}");
    assert_eq!((last.turn, last.ended, last.cut), (1, true, false));
}

#[test]
fn a_read_tells_that_the_sound_before_breaks_off() {
    // Whether anything was left to read or not.
    for greedy in [false, true] {
        let mut heard = Vec::new();
        let mut cut_at = None;
        let mut engine = engine("barge_in");
        let (_input, mut output, mut control) = open(&engine, Format { rate_hz: 16_000, channels: 1 });
        control.say("This is a long story about a bird that talks.", Say::default()).expect("it speaks");
        for at in 0..200 {
            (0..2).for_each(|_| tick(&mut engine));
            let mut out = vec![0.0; if greedy { 1_600 } else { 160 }];
            let read = output.read(&mut out);
            heard.push(read);
            if at == 100 {
                assert_eq!(read.turn, 1, "it sounds: {heard:?}");
                control.interrupt(InterruptMode::Now).expect("there is room");
            }
            if read.cut {
                cut_at.get_or_insert(at);
            }
        }
        assert_eq!(cut_at, Some(101), "{greedy}");
        assert_eq!(heard.iter().filter(|read| read.cut).count(), 1);
        let silent = |read: &Read| read.frames == 0 && read.turn == 0 && !read.began && !read.ended;
        assert!(heard[101..].iter().all(silent), "{greedy}: {:?}", &heard[101..]);
    }
}

#[test]
fn a_buffer_that_holds_half_a_sample_frame_more_is_filled() {
    let mut engine = engine("passthrough");
    let (mut input, mut output, _control) = open(&engine, STEREO);
    input.push(&signal(0, 960)).expect("there is room");
    tick(&mut engine);
    assert_eq!((output.available(), output.format()), (480, STEREO));
    let mut out = [f32::NAN; 5];
    assert_eq!(output.read(&mut out).frames, 2);
    assert_eq!(out, [sample(0), sample(1), sample(2), sample(3), 0.0]);
    assert_eq!(output.read(&mut []), Read::default());
    assert_eq!(output.available(), 478);
}

#[test]
fn whoever_holds_an_end_keeps_the_session() {
    for last in 0..3 {
        let mut engine = engine("passthrough");
        let (input, output, mut control) = open(&engine, MONO);
        let (waker, woken) = counting();
        control.wake_on_events(Some(waker));
        let name = control.name().to_owned();
        let kept: Box<dyn Send> = match last {
            0 => {
                drop((output, control));
                Box::new(input)
            }
            1 => {
                drop((input, control));
                Box::new(output)
            }
            _ => {
                drop((input, output));
                assert_eq!(control.poll(), None);
                Box::new(control)
            }
        };
        (0..3).for_each(|_| tick(&mut engine));
        let open = |engine: &Engine| engine.census(&mut Census::default()).sessions_open;
        assert_eq!((open(&engine), woken.load(Ordering::SeqCst)), (1, 0), "{last}");
        drop(kept);
        (0..3).for_each(|_| tick(&mut engine));
        assert!(open(&engine) == 0 && woken.load(Ordering::SeqCst) > 0, "{last}: it hangs up");
        engine.handle().open(SessionSpec::named(name)).expect("the name is free");
    }
}

#[test]
fn a_handle_with_clones_is_not_split() {
    let engine = engine("passthrough");
    let session = engine.handle().open(SessionSpec::named("twice")).expect("there is room");
    let clone = session.clone();
    let refused = session.split().expect_err("it has a clone");
    assert!(refused.to_string().contains("`twice` has other handles: drop the clones first"), "{refused}");
    drop(clone);
    let (input, ..) = refused.0.split().expect("the clone is gone");
    assert!(!input.has_ended());
}

#[test]
fn what_went_in_before_the_split_comes_first() {
    // Less than 2.5 ms too, which the handle puts together first; with and without a tick between.
    for (before, ticks) in [(16, 0), (480, 0), (4_816, 0), (16, 1), (4_816, 1)] {
        let mut engine = engine("passthrough");
        let spec = SessionSpec { input: Some(MONO), ..SessionSpec::named("ends") };
        let session = engine.handle().open(spec).expect("there is room");
        session.try_push(&signal(0, before)).expect("there is credit");
        (0..ticks).for_each(|_| tick(&mut engine));
        let mut heard = Vec::new();
        while let Some(out) = session.poll() {
            let Out::Audio(audio) = out else { panic!("{out:?}") };
            heard.extend_from_slice(audio.block.samples());
            session.give_back(audio.block);
        }
        let (mut input, mut output, control) = session.split().expect("nobody else has it");
        for from in (before..before + 960).step_by(48) {
            input.push(&signal(from, 48)).expect("there is room");
            tick(&mut engine);
        }
        // Less than 2.5 ms waits for more, or for the end.
        control.finish();
        tick(&mut engine);
        let mut out = vec![0.0; 9_600];
        let frames = output.read(&mut out).frames;
        heard.extend_from_slice(&out[..frames]);
        assert_eq!(heard.len(), before + 960, "{before} before");
        assert!(heard == signal(0, before + 960), "{before} before");
    }
}

/// What the caller says is heard, and lines beside it: nothing but lines leads to the voice.
const BARKS: &str = r#"(
    name: "barks",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: RealTime(lead_ms: 100))),
    nodes: [(id: "tts", kind: Service(service: "tts", task: Synthesize))],
    edges: [("input", "output"), ("said", "tts"), ("tts", "output")],
    services: { "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 20), speed: 100)) },
)"#;

#[test]
fn a_voice_that_says_nothing_but_lines_keeps_no_session_open() {
    for line in [None, Some("Halt!")] {
        let mut engine = engine(BARKS);
        let (_input, mut output, mut control) = open(&engine, Format { rate_hz: 16_000, channels: 1 });
        line.map(|line| control.say(line, Say::default()).expect("it speaks"));
        tick(&mut engine);
        control.finish();
        let mut sounded = 0;
        for _ in 0..600 {
            tick(&mut engine);
            sounded += output.read(&mut [0.0; 80]).frames;
        }
        assert!(control.is_closed(), "{line:?}");
        assert_eq!(sounded > 4_000, line.is_some(), "{sounded} frames of {line:?}");
    }
}
