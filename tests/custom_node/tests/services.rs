//! The services of this crate, without an engine and in one.

use std::sync::Arc;

use mynah_custom_node::{Chime, registry};
use mynah_engine::scene::{Source, compile};
use mynah_engine::service::{Call, CallScope, Rehearsal, ReplyPart, TimeMode};
use mynah_engine::{Engine, EngineConfig, Out, SessionEvent, SessionSpec};
use mynah_host::clock::Epoch;
use mynah_systems::speech::flite::{Flite, VoiceStyle};

#[test]
fn a_service_is_rehearsed_without_an_engine() {
    let mut rehearsal = Rehearsal::new(&Chime::default(), None, 1);
    rehearsal.start(vec![Call::about("one two three")], 0);
    assert!(rehearsal.poll(29_000).is_empty(), "it takes 30 ms to begin");
    // A third of a second in each tick, and no more while the consumers are full.
    assert_eq!(rehearsal.poll(30_000).len(), 16);
    let call = Call::about("one two three").key;
    rehearsal.hold(call, true, 35_000);
    assert!(rehearsal.poll(35_000).is_empty());
    rehearsal.hold(call, false, 40_000);
    rehearsal.cancel(CallScope::Call(call), 40_000);
    let parts: Vec<ReplyPart> = rehearsal.poll(45_000).into_iter().map(|reply| reply.part).collect();
    assert!(matches!(parts[..], [ReplyPart::Stopped { .. }]), "{parts:?}");
    assert_eq!(rehearsal.under_way(), 0);
}

/// Seconds and decibels of "1.2 seconds at -23 dB".
fn measured(text: &str) -> (f64, f64) {
    let words: Vec<&str> = text.split(' ').collect();
    let [seconds, "seconds", "at", level, "dB"] = words[..] else { panic!("{text}") };
    (seconds.parse().expect("seconds"), level.parse().expect("a level"))
}

#[test]
fn a_service_with_a_thread_of_its_own_hears_and_answers_in_real_time() {
    let scene = Source::new("meter.ron", include_str!("../scenes/meter.ron"));
    let (plan, warnings) = compile(&scene, &[], None, &registry()).expect("the scene is right");
    assert!(warnings.is_empty(), "{warnings:?}");
    let config = EngineConfig { threads: 1, time: TimeMode::Wall, ..EngineConfig::simulated() };
    let mut engine = Engine::new(Arc::new(plan), config);
    let caller = SessionSpec { events: true, ..SessionSpec::named("caller") };
    let session = engine.handle().open(caller).expect("there is room");
    let voice = Flite::new().expect("the voice is part of the crate");
    let mut said = voice.speak("one two three four five six seven", VoiceStyle::default()).expect("words");
    said.resize(said.len() + 8_000, 0.0);
    let (mut partial, mut last) = (Vec::new(), Vec::new());
    let mut pieces = said.chunks(80);
    let clock = Epoch::start();
    for tick in 0.. {
        // Engine time runs ahead of the clock; the thread takes what it takes.
        engine.tick(tick * 5_000);
        match pieces.next() {
            Some(piece) => session.try_push(piece).expect("5 ms in 5 ms"),
            None => {
                session.finish();
                clock.sleep_until(clock.now_us() + 1_000);
            }
        }
        while let Some(out) = session.poll() {
            match out {
                Out::Event(SessionEvent::PartialTranscript { text, .. }) => partial.push(measured(&text)),
                Out::Event(SessionEvent::Transcript { text, last: false, .. }) => last.push(measured(&text)),
                Out::Event(SessionEvent::ServiceFailed { reason, .. }) => panic!("{reason}"),
                _ => {}
            }
        }
        if session.is_closed() {
            break;
        }
        assert!(clock.now_us() < 60_000_000, "the session does not end");
    }
    assert!(partial.windows(2).all(|two| two[0].0 < two[1].0), "{partial:?}");
    let &(seconds, level_db) = last.last().expect("the speech has an end");
    assert!(partial.len() >= 3 && (1.5..4.0).contains(&seconds), "{partial:?} {last:?}");
    assert!((-40.0..-5.0).contains(&level_db), "{last:?}");
}
