//! The same story from the engine itself, and the layout of the structs as Rust has them.

use std::fmt::Write as _;
use std::mem::offset_of;
use std::sync::Arc;

use mynah_capi::{Config, Event, Formats, Pulled, SayConfig, SessionConfig, SpokenPart};
use mynah_engine::media::Spoken;
use mynah_engine::scene::{Format, Source, compile};
use mynah_engine::{Engine, EngineConfig, SessionEvent, SessionSpec};
use mynah_load::wav::{self, Recording};

use crate::given::own;
use crate::programs;

const TICK_US: u64 = 5_000;

/// What is told of a call, and the sound of the answers.
pub(crate) fn story(scene: &str, call: &str) -> (String, Vec<f32>) {
    let text = std::fs::read_to_string(programs::scene(scene)).expect("a scene of the checkout");
    let compiled = compile(&Source::new("scene.ron", text), &[], None, &mynah_systems::registry(None));
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("{found}"));
    let Recording { samples, rate, channels } =
        wav::read(&own().join(call)).expect("a recording of the checkout");
    let mut engine =
        Engine::new(Arc::new(plan), EngineConfig { sessions_max: 8, ..EngineConfig::simulated() });
    let input = Some(Format { rate_hz: rate, channels: channels as u8 });
    let session =
        engine.handle().open(SessionSpec { input, ..SessionSpec::named(call) }).expect("there is room");
    let (mut microphone, mut loudspeaker, mut control) = session.split().expect("nobody else has it");
    let format = control.output();
    let piece = format.map_or(0, |format| format.rate_hz as usize / 200 * usize::from(format.channels));
    let (mut told, mut heard, mut room) = (String::new(), Vec::new(), vec![0.0; piece]);
    let frame = channels as usize;
    let (chunk, frames) = (rate as usize / 50, samples.len() / frame);
    let (mut pushed, mut closed, mut finished) = (0, false, false);
    for now_us in (0..).step_by(TICK_US as usize) {
        let ended = pushed == frames;
        while pushed < frames {
            let next = chunk.min(frames - pushed);
            let due_us = ((pushed + next) as u64 * 1_000_000).div_ceil(u64::from(rate));
            if due_us > now_us {
                break;
            }
            microphone.push(&samples[pushed * frame..][..next * frame]).expect("each tick takes what came");
            pushed += next;
        }
        if ended && !finished {
            finished = true;
            control.finish();
        }
        engine.tick(now_us);
        while let Some(event) = control.poll() {
            closed |= matches!(event, SessionEvent::Closed { .. });
            told += &line(now_us, &event);
        }
        let read = loudspeaker.read(&mut room);
        let sound = read.frames * format.map_or(0, |format| usize::from(format.channels));
        heard.extend_from_slice(&room[..sound]);
        if closed && read.frames == 0 {
            break;
        }
    }
    let channels = format.map_or(1, |format| usize::from(format.channels));
    writeln!(told, "frames {}", heard.len() / channels).expect("a text takes all");
    (told, heard)
}

/// What an event has, of all that one may have.
#[derive(Default)]
struct Told<'a> {
    name: &'static str,
    flags: u32,
    segment: u32,
    revision: u32,
    turn: u32,
    from_us: u64,
    until_us: u64,
    number: u64,
    text: &'a str,
    detail: String,
    id: &'a str,
    spoken: String,
}

fn line(t_us: u64, event: &SessionEvent) -> String {
    let Told { name, flags, segment, revision, turn, from_us, until_us, number, text, detail, id, spoken } =
        told(event);
    format!(
        "{t_us} {name} flags={flags} segment={segment} revision={revision} turn={turn} from_us={from_us} \
         until_us={until_us} number={number} text={text} detail={detail} id={id} spoken={spoken}\n"
    )
}

fn told(event: &SessionEvent) -> Told<'_> {
    let none = Told::default();
    match event {
        SessionEvent::SpeechStarted { segment, from_us } => {
            Told { name: "speech_started", segment: *segment, from_us: *from_us, ..none }
        }
        SessionEvent::SpeechConfirmed { segment, turn, from_us, to_us } => {
            let (segment, turn, from_us, until_us) = (*segment, *turn, *from_us, *to_us);
            Told { name: "speech_confirmed", segment, turn, from_us, until_us, ..none }
        }
        SessionEvent::SpeechCancelled { segment, reason, from_us, to_us, late } => {
            let (segment, from_us, until_us, flags) = (*segment, *from_us, *to_us, 2 * u32::from(*late));
            Told {
                name: "speech_cancelled",
                segment,
                from_us,
                until_us,
                flags,
                detail: reason.name().into(),
                ..none
            }
        }
        SessionEvent::EndOfSpeech { segment, revision, at_us, last } => {
            let (segment, revision, until_us, flags) = (*segment, *revision, *at_us, u32::from(*last));
            Told { name: "end_of_speech", segment, revision, until_us, flags, ..none }
        }
        SessionEvent::EndOfSpeechRetracted { segment, revision, at_us } => {
            let (segment, revision, until_us) = (*segment, *revision, *at_us);
            Told { name: "end_of_speech_retracted", segment, revision, until_us, ..none }
        }
        SessionEvent::Transcript { segment, revision, turn, text, last } => {
            let (segment, revision, turn, flags) = (*segment, *revision, *turn, u32::from(*last));
            Told { name: "transcript", segment, revision, turn, flags, text, ..none }
        }
        SessionEvent::Line { turn, text, from_us, until_us } => {
            let (turn, from_us, until_us) = (*turn, *from_us, until_us.unwrap_or(0));
            Told { name: "line", turn, text, from_us, until_us, ..none }
        }
        SessionEvent::Spoken { turn, from_us, times } => {
            let parts: Vec<String> =
                times.iter().map(|time| part(&time.what, time.from_us, time.until_us)).collect();
            Told { name: "spoken", turn: *turn, from_us: *from_us, spoken: parts.join(","), ..none }
        }
        SessionEvent::AnswerStarted { turn, line } => {
            Told { name: "answer_started", turn: *turn, number: *line, ..none }
        }
        SessionEvent::AnswerPaused { turn } => Told { name: "answer_paused", turn: *turn, ..none },
        SessionEvent::AnswerResumed { turn } => Told { name: "answer_resumed", turn: *turn, ..none },
        SessionEvent::AnswerInterrupted { turn, heard_us } => {
            Told { name: "answer_interrupted", turn: *turn, until_us: *heard_us, ..none }
        }
        SessionEvent::AnswerEnded { turn, heard_us } => {
            Told { name: "answer_ended", turn: *turn, until_us: *heard_us, ..none }
        }
        SessionEvent::Closed { reason } => Told { name: "closed", detail: reason.to_string(), ..none },
        other => panic!("these calls have no such event: {other:?}"),
    }
}

fn part(what: &Spoken, from_us: u64, until_us: u64) -> String {
    let viseme = what.viseme().map_or(-1, |viseme| viseme as i32);
    let what = match what {
        Spoken::Word { .. } => 0,
        Spoken::Phone(_) => 1,
        Spoken::Pause => 2,
    };
    format!("{what}:{viseme}:{from_us}-{until_us}")
}

/// A line for a struct and one for each of its fields: offset and size.
macro_rules! layout {
    ($to:ident, $name:literal, $type:ty: $($field:ident),+ $(,)?) => {
        writeln!($to, "{} {}", $name, size_of::<$type>()).expect("a text takes all");
        $(
            let size = size_of_field(|of: &$type| &raw const of.$field);
            writeln!($to, "{}.{} {} {size}", $name, stringify!($field), offset_of!($type, $field))
                .expect("a text takes all");
        )+
    };
}

fn size_of_field<S, F>(_: impl Fn(&S) -> *const F) -> usize {
    size_of::<F>()
}

pub(crate) fn layout() -> String {
    let mut to = String::new();
    layout!(to, "mynah_config", Config: size, abi, drive, sessions_max, threads, events_max, seed, scene_name, settings,
        log, log_user);
    layout!(to, "mynah_session_config", SessionConfig: size, abi, name, user, input_rate_hz, input_channels,
        output_rate_hz, output_channels, lead_ms, latency_ms, interrupt_min_ms, half_duplex, gate, reserved, params,
        history);
    layout!(to, "mynah_say_config", SayConfig: size, abi, interruptible, priority, wait, reserved);
    layout!(to, "mynah_spoken", SpokenPart: what, viseme, from_us, until_us, from_byte, until_byte, phone);
    layout!(to, "mynah_event", Event: kind, flags, session, user, t_us, from_us, until_us, number, segment, revision,
        turn, session_id, text, text_len, detail, id, spoken, spoken_len);
    layout!(to, "mynah_pulled", Pulled: frames, skipped, turn, flags, level, reserved);
    layout!(to, "mynah_formats", Formats: input_rate_hz, input_channels, output_rate_hz, output_channels);
    to
}
