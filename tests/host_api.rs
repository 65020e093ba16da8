//! Sessions as a host sees them: names, opening, finishing, hanging up, what comes out and what is told.

#[path = "support/kinds/ask.rs"]
mod ask;
#[path = "support/host.rs"]
mod host;
#[path = "support/white.rs"]
mod white;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bevy_ecs::prelude::World;
use host::{Host, compiled, one_shard, plan};
use mynah_engine::base::NAME_BYTES_MAX;
use mynah_engine::scene::Format;
use mynah_engine::{
    Control, DropReason, EngineConfig, Event, OpenError, Out, SessionHandle, SessionSpec, embed,
};
use white::bursts;

const PASS: &str = r#"(
    name: "pass",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "pass", kind: Pass(), capabilities: (queue_capacity: 1000))],
    edges: [("input", "pass"), ("pass", "output")],
)"#;

/// A gate that anything loud opens; decisions on hops of 20 ms.
const GATE: &str = r#"(
    name: "gate",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "pass", kind: Pass()),
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
    ],
    edges: [("input", "pass"), ("pass", "gate"), ("gate", "output")],
)"#;

fn serving(scene: &str, config: EngineConfig) -> Host {
    Host::of(plan(scene, &[]), config)
}

impl Host {
    fn named(&self, name: &str) -> SessionHandle {
        self.open(SessionSpec::named(name))
    }

    fn told(&self, name: &str) -> SessionHandle {
        self.open(SessionSpec { controls: true, ..SessionSpec::named(name) })
    }

    /// Feeds `samples` in pieces of 20 ms, four ticks each, without polling.
    fn feed(&mut self, session: &SessionHandle, samples: &[f32]) {
        for piece in samples.chunks(320) {
            session.try_push(piece).expect("20 ms in four ticks are no flood");
            self.ticks(4);
        }
    }
}

fn samples_of(session: &SessionHandle) -> Vec<f32> {
    let mut heard = Vec::new();
    while let Some(out) = session.poll() {
        if let Out::Audio(audio) = out {
            heard.extend_from_slice(audio.block.samples());
            session.give_back(audio.block);
        }
    }
    heard
}

/// In short form what the host was told; audio is left out.
fn said(session: &SessionHandle) -> Vec<String> {
    let short = |control| match control {
        Control::ConfirmSpeculation { segment, .. } => format!("confirm {segment}"),
        Control::CancelSpeculation { segment, .. } => format!("cancel {segment}"),
        Control::EndOfSpeech { segment, revision, last: false, .. } => format!("end {segment}/{revision}"),
        Control::EndOfSpeech { segment, revision, last: true, .. } => format!("last {segment}/{revision}"),
        Control::RetractEndOfSpeech { segment, revision, .. } => format!("retract {segment}/{revision}"),
        Control::Closed => "closed".into(),
        other => format!("{other:?}"),
    };
    let outs = std::iter::from_fn(|| session.poll());
    outs.filter_map(|out| if let Out::Control(control) = out { Some(short(control)) } else { None }).collect()
}

#[test]
fn a_name_is_taken_until_its_session_has_gone() {
    let mut host = serving(PASS, EngineConfig::simulated());
    let first = host.named("ada");
    let open = |host: &Host| host.engine.handle().open(SessionSpec::named("ada"));
    assert_eq!(open(&host).err(), Some(OpenError::NameInUse("ada".into())), "before the first tick");
    host.tick();
    first.close();
    assert_eq!(open(&host).err(), Some(OpenError::NameInUse("ada".into())), "hung up, not gone");
    host.tick();
    assert!(first.is_closed());
    let second = open(&host).expect("the name is free again");
    assert_eq!((second.id(), second.name()), (first.id(), "ada"), "the smallest free id is used again");
    host.tick();
    assert_eq!(host.census().sessions_open, 1);
    second.finish();
    host.ticks(2);
    assert!(second.is_closed());
    assert_eq!(host.named("eve").id(), first.id(), "free after a finish, too");
}

#[test]
fn names_and_formats_that_cannot_be_are_refused_with_the_reason() {
    let host = serving(PASS, EngineConfig { sessions_max: 3, ..EngineConfig::simulated() });
    let handle = host.engine.handle();
    for (name, bytes) in [(String::new(), 0), ("x".repeat(129), 129), ("é".repeat(65), 130)] {
        assert_eq!(handle.open(SessionSpec::named(name)).err(), Some(OpenError::BadName { bytes }));
    }
    for (rate_hz, channels) in [(7_999, 1), (192_001, 1), (0, 1), (16_000, 0), (16_000, 9)] {
        let format = Format { rate_hz, channels };
        let spec = SessionSpec { input: Some(format), ..SessionSpec::named("x") };
        let refused = handle.open(spec).expect_err("no usable format");
        assert!(matches!(&refused, OpenError::Format { format: f, .. } if *f == format), "{refused}");
        assert!(refused.to_string().contains("8000 to 192000"), "{refused}");
    }
    // What was refused has taken no place.
    for name in ["é".repeat(NAME_BYTES_MAX / 2), "x".repeat(NAME_BYTES_MAX), "b".into()] {
        assert!(handle.open(SessionSpec::named(name)).is_ok());
    }
    let full = handle.open(SessionSpec::named("c")).expect_err("three is all");
    assert_eq!(full, OpenError::EngineFull { sessions_max: 3 });
    assert!(full.to_string().contains("raise sessions_max"), "{full}");
}

#[test]
fn nothing_of_a_closed_session_reaches_the_next_one_with_its_id() {
    let mut host = Host::of(compiled(ask::SCENE, &[], &ask::registry()).expect("it is right"), one_shard());
    let first = host.named("ada");
    first.try_push(&[0.1; 320]).expect("fits");
    host.tick();
    // Asked, and not answered yet; more audio is under way, and a crumb is being put together.
    first.try_push(&[0.1; 640]).expect("fits");
    first.try_push(&[0.1; 5]).expect("put together first");
    first.close();
    host.tick();
    let second = host.named("ada");
    assert_eq!(second.id(), first.id());
    assert!(first.try_push(&[0.2; 320]).is_err(), "the old handle is dead");
    second.try_push(&[0.1; 320]).expect("fits");
    host.ticks(10);
    let texts: Vec<String> = std::iter::from_fn(|| second.poll())
        .map(|out| if let Out::Text { text, .. } = out { text.to_string() } else { format!("{out:?}") })
        .collect();
    assert_eq!(texts, ["ada #2"], "the answer to the first `ada` came while the second one was open");
    assert_eq!(host.census().edge.blocks, 4, "1 + 2 of the first, 1 of the second");
}

#[test]
fn a_session_whose_handles_are_all_dropped_is_hung_up() {
    let mut host = serving(PASS, EngineConfig { sessions_max: 1, ..EngineConfig::simulated() });
    let handle = host.named("a");
    let reader = handle.clone();
    drop(handle);
    host.ticks(4);
    assert_eq!(host.census().sessions_open, 1, "one clone is left");
    assert_eq!(reader.try_push(&[0.1; 320]), Ok(()));
    drop(reader);
    host.ticks(3);
    assert_eq!(host.census().sessions_open, 0, "nobody is left who could end it");
    // Its name and its place are free; a handle of a session that is over ends nothing of the next one.
    let again = host.named("a");
    host.tick();
    again.close();
    host.ticks(2);
    let next = host.named("a");
    host.tick();
    drop(again);
    host.ticks(3);
    assert_eq!(host.census().sessions_open, 1);
    drop(next);
}

#[test]
fn what_a_host_does_not_poll_waits_up_to_a_bound_and_is_counted_beyond() {
    let mut host = serving(PASS, one_shard());
    let session = host.named("deaf");
    let block = |n: usize| [(n + 1) as f32 / 65_536.0; 160];
    // 32 in the host's ring, 1,500 in the engine.
    let (kept, pushed) = (32 + 1_500, 1_700);
    for n in 0..pushed {
        session.try_push(&block(n)).expect("ticked every 10 ms");
        host.tick();
    }
    let census = host.census();
    assert_eq!(host.imbalances(), [""; 0], "unpolled");
    let dropped = census.nodes[1].dropped[DropReason::Overflow as usize];
    assert_eq!((host.queued()[1], dropped), (1_500, (pushed - kept) as u64));
    session.finish();
    let mut heard = Vec::new();
    for _ in 0..kept {
        heard.extend(samples_of(&session));
        host.tick();
    }
    let want: Vec<f32> = (0..kept).flat_map(block).collect();
    assert!(heard == want, "{} of {} samples", heard.len(), want.len());
    assert!(session.is_closed());
}

#[test]
fn the_host_is_told_of_speech_in_order_and_woken_for_it() {
    let mut host = serving(GATE, EngineConfig::simulated());
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    let spec = SessionSpec {
        controls: true,
        waker: Some(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        })),
        ..SessionSpec::named("caller")
    };
    let session = host.open(spec);
    // A word with a pause in it, a click, and a word that the end of the input cuts off.
    let speech = bursts(&[400, 300, 160, 300, 600, 40, 600, 300]);
    let mut told = Vec::new();
    for piece in speech.chunks(320) {
        session.try_push(piece).expect("fits");
        for _ in 0..4 {
            let before = woken.load(Ordering::Relaxed);
            host.tick();
            let news = said(&session);
            assert!(news.is_empty() || woken.load(Ordering::Relaxed) > before, "not woken for {news:?}");
            told.extend(news);
        }
    }
    session.finish();
    let before = woken.load(Ordering::Relaxed);
    host.ticks(3);
    assert!(woken.load(Ordering::Relaxed) > before, "not woken for the end");
    told.extend(said(&session));
    let want = [
        "confirm 1",
        "end 1/1",
        "retract 1/1",
        "end 1/2",
        "last 1/2", // the word
        "cancel 2", // the click
        "confirm 3",
        "end 3/1",
        "last 3/1",
        "closed", // cut off
    ];
    assert_eq!(told, want);
    assert!(session.is_closed());
    let plain = host.named("not told");
    plain.try_push(&bursts(&[200, 400])).expect("fits");
    plain.finish();
    host.ticks(20);
    assert_eq!(said(&plain), [""; 0]);
}

#[test]
fn what_has_ended_and_is_heard_by_nobody_does_not_stay_for_ever() {
    let mut host = serving(PASS, EngineConfig::simulated());
    let session = host.named("gone home");
    for _ in 0..50 {
        session.try_push(&[0.1; 160]).expect("ticked every 10 ms");
        host.tick();
    }
    session.finish();
    host.ticks(20);
    assert_eq!(host.census().sessions_open, 1, "what does not fit into the ring waits for its host");
    drop(session);
    host.ticks(3);
    assert_eq!(host.census().sessions_open, 0);
}

#[test]
fn what_a_host_has_not_read_of_its_messages_survives_the_close() {
    let mut host = serving(GATE, EngineConfig::simulated());
    let session = host.told("slow reader");
    // The audio alone fills the ring of 32, so that every message waits in the engine.
    host.feed(&session, &bursts(&[400, 1_500, 600]));
    session.close();
    host.ticks(2);
    assert!(session.is_closed());
    assert_eq!(said(&session), ["confirm 1", "end 1/1", "last 1/1", "closed"]);
}

#[test]
fn a_host_that_never_reads_its_messages_is_hung_up_on() {
    let mut host = serving(GATE, EngineConfig::simulated());
    let session = host.told("deaf");
    let word = bursts(&[400, 200, 400]);
    let mut words = 0;
    while !session.is_closed() {
        words += 1;
        assert!(words < 200, "three messages a word, and 256 may wait");
        for piece in word.chunks(320) {
            if session.try_push(piece).is_err() {
                break;
            }
            host.tick();
        }
    }
    let told = said(&session);
    assert_eq!(told.last().map(String::as_str), Some("closed"));
    assert!(told.len() >= 256, "{} messages: those that waited are still there", told.len());
    assert_eq!(told.iter().filter(|t| t.starts_with("confirm")).count(), words);
    host.ticks(3);
    let census = host.census();
    assert_eq!(host.imbalances(), [""; 0], "hung up on");
    assert_eq!((census.sessions_open, census.segments_active), (0, 0));
}

#[test]
fn a_host_that_does_not_poll_keeps_no_other_session_from_being_heard() {
    let mut host = serving(GATE, one_shard());
    let (deaf, polled) = (host.named("deaf"), host.named("polled"));
    let word = bursts(&[400, 200, 400]);
    let mut confirmed = [0; 2];
    for _ in 0..60 {
        for piece in word.chunks(320) {
            deaf.try_push(piece).expect("fits");
            polled.try_push(piece).expect("fits");
            host.tick();
            samples_of(&polled);
            for record in host.engine.records() {
                let heard = matches!(record.event, Event::SegmentConfirmed { .. });
                confirmed[usize::from(record.session == polled.id())] += u32::from(heard);
            }
        }
    }
    assert_eq!(confirmed, [60, 60], "words heard of the deaf one and of the other");
}

#[test]
fn hanging_up_in_the_middle_of_a_segment_leaves_nothing_behind() {
    // Closed at every moment of a word, 20 ms apart: before it, undecided, confirmed, ending, ended.
    let word = bursts(&[300, 260, 500]);
    let mut host = serving(GATE, EngineConfig { shards: Some(2), ..EngineConfig::simulated() });
    let mut blocks_warm = 0;
    for round in 0..2 {
        for pieces in 0..word.len() / 320 {
            let what = format!("round {round}, closed after {} ms", pieces * 20);
            let session = host.named("caller");
            let (mut opened, mut settled) = (0, 0);
            for piece in word.chunks(320).take(pieces) {
                session.try_push(piece).expect("fits");
                host.tick();
                count_segments(host.engine.records(), &mut opened, &mut settled);
            }
            session.close();
            for _ in 0..2 {
                host.tick();
                count_segments(host.engine.records(), &mut opened, &mut settled);
            }
            assert!(session.is_closed(), "{what}");
            samples_of(&session);
            let census = host.census();
            assert_eq!(opened, settled, "{what}: every segment ends once");
            assert_eq!((census.sessions_open, census.segments_active), (0, 0), "{what}");
            assert_eq!(host.imbalances(), [""; 0], "{what}");
            assert_eq!(host.queued().iter().sum::<u64>(), 0, "{what}");
        }
        let blocks = host.census().blocks_created;
        if round == 0 {
            blocks_warm = blocks;
        }
        assert!(blocks <= blocks_warm, "round {round}: {blocks} blocks, {blocks_warm} sufficed before");
    }
}

fn count_segments(records: &[mynah_engine::Record], opened: &mut u32, settled: &mut u32) {
    for record in records {
        match record.event {
            Event::SegmentOpened { .. } => *opened += 1,
            Event::SegmentCancelled { .. } | Event::SegmentEnded { .. } => *settled += 1,
            _ => {}
        }
    }
}

#[test]
fn a_thousand_sessions_one_after_the_other_leave_no_entity() {
    let mut world = World::new();
    let config = EngineConfig { sessions_max: 8, ..EngineConfig::simulated() };
    let handle = embed::embed(&mut world, &plan(GATE, &[]), config);
    let word = bursts(&[100, 120]);
    let mut now_us = 0;
    let mut baseline = None;
    for cycle in 0..1_000 {
        let session = handle.open(SessionSpec::named("caller")).expect("the one before has gone");
        session.try_push(&word).expect("fits");
        for _ in 0..2 {
            now_us += 5_000;
            embed::tick(&mut world, now_us);
        }
        if cycle % 2 == 0 {
            session.close()
        } else {
            session.finish()
        }
        for _ in 0..3 {
            now_us += 5_000;
            embed::tick(&mut world, now_us);
            samples_of(&session);
        }
        assert!(session.is_closed(), "cycle {cycle}");
        let entities = world.entities().count_spawned();
        let segments = world.resource::<mynah_engine::speech::SegmentPool>().active();
        let (wanted, _) = *baseline.get_or_insert((entities, segments));
        assert_eq!((entities, segments), (wanted, 0), "cycle {cycle}");
    }
}

#[test]
fn many_sessions_share_a_shard_and_keep_apart() {
    for shards in [1, 3] {
        let config = EngineConfig { shards: Some(shards), sessions_max: 40, ..EngineConfig::simulated() };
        let mut host = serving(PASS, config);
        let sessions: Vec<_> = (0..40).map(|n| host.named(&format!("s{n}"))).collect();
        let own = |n: usize| [(n + 1) as f32 / 64.0; 320];
        for _ in 0..5 {
            for (n, session) in sessions.iter().enumerate() {
                session.try_push(&own(n)).expect("fits");
            }
            host.ticks(4);
        }
        for (n, session) in sessions.iter().enumerate() {
            let heard = samples_of(session);
            assert!(
                heard.len() == 1_600 && heard.iter().all(|s| *s == own(n)[0]),
                "{shards} shards, session {n}"
            );
        }
        assert_eq!(host.census().sessions_open, 40);
    }
}

#[test]
fn a_traced_session_alone_logs_what_its_gate_heard() {
    let mut host = serving(GATE, EngineConfig::simulated());
    let plain = host.named("plain");
    let spec = SessionSpec { traced: true, ..SessionSpec::named("traced") };
    let traced = host.open(spec);
    let samples = bursts(&[200, 300, 100]);
    let mut heard = Vec::new();
    for piece in samples.chunks(320) {
        for session in [&plain, &traced] {
            session.try_push(piece).expect("20 ms in four ticks are no flood");
        }
        for _ in 0..4 {
            host.tick();
            let records = host.engine.records().iter();
            heard.extend(records.filter(|r| matches!(r.event, Event::Probability { .. })).map(|r| r.session));
        }
    }
    // 600 ms in hops of 20 ms; the edge still puts the last ones together.
    assert!(heard.len() >= 28, "{} hops", heard.len());
    assert!(heard.iter().all(|session| *session == traced.id()), "{heard:?}");
}
