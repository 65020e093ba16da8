//! Services that hang, fail and panic: every call has an end, nobody else waits, and whatever a service hears of ends once.

#[path = "support/kinds/actor.rs"]
mod actor;
#[path = "support/cued.rs"]
mod cued;
#[path = "support/host.rs"]
mod host;

use std::sync::atomic::Ordering;

use actor::Stage;
use cued::{Cue, Prompter};
use host::{Host, compiled, findings};
use mynah_engine::scene::{Source, compile};
use mynah_engine::service::{NOT_STARTED, ServiceFigures};
use mynah_engine::{EngineConfig, Event, Registry, SessionEvent, SessionSpec};
use proptest::prelude::*;

/// A reply to what the prompter says, by a service that acts as its name.
const REPLYING: &str = r#"(
    name: "replying",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Prompter(texts: ["one", "two hangs", "three flaky", "four panics in start", "five hangs, panics in cancel"])),
        (id: "reply", kind: Service(service: "llm", task: Reply)),
    ],
    edges: [("input", "prompter"), ("prompter.text", "reply"), ("reply", "output")],
    services: {"llm": (output: Actor, timeout_ms: 700)},
)"#;

/// A recogniser that hears audio as it arrives.
const HEARING: &str = r#"(
    name: "hearing",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Prompter()),
        (id: "asr", kind: Service(service: "ears", task: Transcribe)),
    ],
    edges: [("input", "prompter"), ("prompter.audio", "asr"), ("asr", "output")],
    services: {"ears": (output: Actor(hears: true), timeout_ms: 700)},
)"#;

fn registry(stage: &Stage) -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>();
    actor::add(&mut registry, stage);
    registry
}

/// Sessions of these names, which are told everything.
fn sessions(scene: &str, sets: &[&str], stage: &Stage, names: &[&str]) -> Host {
    let plan = compiled(scene, sets, &registry(stage)).unwrap_or_else(|found| panic!("{sets:?}: {found}"));
    let config = EngineConfig { shards: Some(3), sessions_max: 6_000, ..EngineConfig::simulated() };
    let spec = |name: &&str| SessionSpec { events: true, ..SessionSpec::named(*name) };
    names.iter().fold(Host::of(plan, config), |host, name| host.with(spec(name)))
}

/// A whole utterance with this text.
fn utter(text: u16) -> [Cue; 6] {
    [Cue::Open, Cue::Confirm, Cue::Endpoint, Cue::Text(text), Cue::AnswerEnd, Cue::End]
}

fn figures(host: &Host) -> ServiceFigures {
    host.engine.hub().figures().next().expect("the scene has a service").1
}

fn failures(host: &Host) -> Vec<(u32, u64, String)> {
    host.events(|event| match event {
        Event::ServiceFailed { reason, .. } => Some(reason.to_string()),
        _ => None,
    })
}

fn settled(host: &Host, stage: &Stage) {
    host.nothing_left();
    findings(&stage.endings.wrong());
    assert_eq!(stage.endings.open(), (0, 0, 0), "sessions, segments, calls that services still hear of");
}

#[test]
fn a_call_that_hangs_fails_after_its_timeout_and_the_session_ends() {
    let stage = Stage::default();
    let mut host = sessions(REPLYING, &[], &stage, &["a"]);
    host.cue(0, &utter(1));
    host.tick();
    let asked_us = host.now_us();
    host.finish();
    let failed = failures(&host);
    let [(_, at_us, reason)] = &failed[..] else { panic!("one failure: {failed:?}") };
    assert_eq!(reason, "timed out: nothing came for 700 ms");
    assert!((700_000..=700_000 + 2 * host.tick_us).contains(&(at_us - asked_us)), "{at_us} after {asked_us}");
    let told = host.events.iter().filter_map(|(_, _, event)| match event {
        SessionEvent::ServiceFailed { service, reason, .. } => Some(format!("{service}: {reason}")),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["llm: timed out: nothing came for 700 ms"]);
    assert_eq!((figures(&host).failed, figures(&host).timed_out), (1, 1));
    settled(&host, &stage);
}

#[test]
fn calls_behind_one_that_hangs_do_not_wait_for_timeouts_of_their_own() {
    let stage = Stage::default();
    let mut host = sessions(REPLYING, &[], &stage, &["a"]);
    for text in [1, 1, 0, 1] {
        host.cue(0, &utter(text));
        host.ticks(2);
    }
    host.until_within(400, "all are answered", |host| {
        host.count(|e| matches!(e, Event::ServiceFailed { .. } | Event::ServiceDone { .. })) == 4
    });
    assert_eq!(failures(&host).len(), 3);
    assert!(host.texts.iter().any(|said| said.text == "answer to one"), "{:?}", host.texts);
    // The first has its time, those behind it the grace of 100 ms each.
    assert!(host.now_us() < 1_100_000, "{} us", host.now_us());
    host.finish();
    settled(&host, &stage);
}

#[test]
fn a_call_that_waits_for_a_batch_all_its_time_fails_without_being_started() {
    let stage = Stage::default();
    let scene = REPLYING.replace(
        "task: Reply)",
        "task: Reply), capabilities: (parallelizable: false, batch_aware: true),
            buffering: (min_batch_size: 2, max_wait_ms: 5000)",
    );
    let source = Source::new("test.ron", scene.as_str());
    let (_, warnings) = compile(&source, &[], None, &registry(&stage)).expect("the scene is right");
    let warnings = format!("{warnings:?}");
    assert!(warnings.contains("may wait 5000 ms for a batch, and fail after 700 ms"), "{warnings}");
    let mut host = sessions(&scene, &[], &stage, &["a"]);
    host.cue(0, &utter(0));
    host.tick();
    host.finish();
    let reasons: Vec<String> = failures(&host).into_iter().map(|(_, _, reason)| reason).collect();
    assert_eq!(reasons, ["timed out: not started within 700 ms"]);
    assert!(reasons[0].starts_with(NOT_STARTED));
    assert_eq!(host.count(|event| matches!(event, Event::ServiceSubmitted { .. })), 0);
    assert_eq!((figures(&host).calls, figures(&host).failed, figures(&host).timed_out), (0, 1, 1));
    settled(&host, &stage);
}

#[test]
fn a_call_that_fails_is_started_again_as_often_as_the_scene_says() {
    for (retries, fails, answered) in
        [(0_u64, 1_u64, false), (1, 1, true), (2, 2, true), (2, 3, false), (5, 5, true)]
    {
        let stage = Stage::default();
        let sets =
            [format!("services.llm.retries={retries}"), format!("services.llm.output=Actor(fails: {fails})")];
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let mut host = sessions(REPLYING, &sets, &stage, &["a"]);
        host.cue(0, &utter(2));
        host.finish();
        let retried: u64 = std::cmp::min(retries, fails);
        assert_eq!(host.texts.iter().any(|said| said.text == "answer to three flaky"), answered, "{sets:?}");
        assert_eq!(host.count(|e| matches!(e, Event::ServiceRetried { .. })) as u64, retried, "{sets:?}");
        assert_eq!(figures(&host).retried, retried, "{sets:?}");
        assert_eq!(figures(&host).failed, u64::from(!answered), "{sets:?}");
        assert_eq!(stage.started.load(Ordering::Relaxed), 1 + retried, "{sets:?}");
        settled(&host, &stage);
    }
}

#[test]
fn no_attempt_begins_after_the_timeout() {
    let stage = Stage::default();
    let sets = ["services.llm.retries=5", "services.llm.output=Actor(fails: 9, after_ms: 200)"];
    let mut host = sessions(REPLYING, &sets, &stage, &["a"]);
    host.cue(0, &utter(2));
    host.finish();
    // Failures at about 200, 400, 600 and 800 ms: the fourth comes too late for another attempt.
    let failed = failures(&host);
    assert!((3..=4).contains(&stage.started.load(Ordering::Relaxed)), "{failed:?}");
    assert!(failed.len() == 1 && failed[0].1 < 900_000, "{failed:?}");
    settled(&host, &stage);
}

#[test]
fn a_fallback_is_said_in_place_of_a_reply_that_failed_in_its_turn() {
    let stage = Stage::default();
    let sets = ["services.llm.fallback=\"Sorry?\"", "services.llm.output=Actor(fails: 9)"];
    let mut host = sessions(REPLYING, &sets, &stage, &["a"]);
    for text in [0, 2, 1, 0] {
        host.cue(0, &utter(text));
        host.tick();
    }
    host.finish();
    let said: Vec<&str> = host.texts.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(said, ["answer to one", "Sorry?", "Sorry?", "answer to one"]);
    assert_eq!((figures(&host).fallbacks, figures(&host).failed), (2, 2));
    assert_eq!(failures(&host).len(), 2);
    settled(&host, &stage);
}

#[test]
fn a_filler_is_said_once_where_the_reply_keeps_its_caller_waiting() {
    let filled = "services.llm.filler=\"One moment.\"";
    // Said once however often the call is tried; the fallback still comes in place of the reply.
    for (sets, said) in [
        (vec!["services.llm.output=Actor(after_ms: 300)"], vec!["One moment.\n\n", "answer to one"]),
        (vec!["services.llm.output=Actor(after_ms: 50)"], vec!["answer to one"]),
        (
            vec![
                "services.llm.output=Actor(fails: 9, after_ms: 150)",
                "services.llm.retries=2",
                "services.llm.fallback=\"Sorry?\"",
            ],
            vec!["One moment.\n\n", "Sorry?"],
        ),
    ] {
        let stage = Stage::default();
        let sets: Vec<&str> = sets.into_iter().chain([filled, "services.llm.filler_ms=100"]).collect();
        let mut host = sessions(REPLYING, &sets, &stage, &["a"]);
        host.cue(0, &utter(if said.contains(&"Sorry?") { 2 } else { 0 }));
        host.finish();
        let texts: Vec<&str> = host.texts.iter().map(|said| said.text.as_str()).collect();
        assert_eq!(texts, said, "{sets:?}");
        assert_eq!(figures(&host).fillers, (said.len() - 1) as u64, "{sets:?}");
        settled(&host, &stage);
    }
}

#[test]
fn a_filler_waits_for_the_turn_of_its_call_and_goes_with_it() {
    let stage = Stage::default();
    let sets = [
        "services.llm.filler=\"One moment.\"",
        "services.llm.filler_ms=100",
        "services.llm.output=Actor(after_ms: 300)",
    ];
    let mut host = sessions(REPLYING, &sets, &stage, &["a"]);
    for text in [0, 0] {
        host.cue(0, &utter(text));
        host.tick();
    }
    host.finish();
    let texts: Vec<&str> = host.texts.iter().map(|said| said.text.as_str()).collect();
    // The second has its answer ready when its turn comes.
    assert_eq!(texts, ["One moment.\n\n", "answer to one", "answer to one"]);
    settled(&host, &stage);
}

#[test]
fn a_filler_is_said_while_a_call_waits_for_its_batch_and_while_the_host_is_asked() {
    let stage = Stage::default();
    let scene = REPLYING.replace(
        "task: Reply)",
        "task: Reply), capabilities: (parallelizable: false, batch_aware: true),
            buffering: (min_batch_size: 2, max_wait_ms: 400)",
    );
    let sets = ["services.llm.filler=\"One moment.\"", "services.llm.filler_ms=100"];
    let mut host = sessions(&scene, &sets, &stage, &["a"]);
    host.cue(0, &utter(0));
    host.finish();
    let texts: Vec<&str> = host.texts.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(texts, ["One moment.\n\n", "answer to one"]);
    settled(&host, &stage);

    // Nobody answers here: the call has its time, and the filler was said meanwhile.
    let sets = [&sets[..], &["services.llm.output=Host"]].concat();
    let mut host = sessions(REPLYING, &sets, &stage, &["a"]);
    host.cue(0, &utter(0));
    host.finish();
    assert_eq!(host.texts.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["One moment.\n\n"]);
}

#[test]
fn a_filler_that_nobody_could_say_is_refused() {
    let stage = Stage::default();
    let refused = |scene: &str, sets: &[&str]| {
        compiled(scene, sets, &registry(&stage)).err().unwrap_or_else(|| panic!("{sets:?} is taken"))
    };
    let found = refused(HEARING, &["services.ears.filler=\"Hm.\""]);
    assert!(found.contains("`ears` gives no reply in words"), "{found}");
    let found = refused(REPLYING, &["services.llm.filler=\" \""]);
    assert!(found.contains("the filler says nothing"), "{found}");
    let found = refused(REPLYING, &["services.llm.filler=\"Hm.\"", "services.llm.filler_ms=700"]);
    assert!(found.contains("before the filler"), "{found}");
    refused(REPLYING, &["services.llm.filler_ms=19"]);
}

#[test]
fn a_fallback_that_nobody_could_say_is_refused() {
    let stage = Stage::default();
    let refused = |scene: &str, set: &str| {
        compiled(scene, &[set], &registry(&stage)).err().unwrap_or_else(|| panic!("{set} is taken"))
    };
    let found = refused(HEARING, "services.ears.fallback=\"Pardon?\"");
    assert!(found.contains("`ears` gives no reply in words"), "{found}");
    let found = refused(REPLYING, "services.llm.fallback=\" \"");
    assert!(found.contains("the fallback says nothing"), "{found}");
    for set in ["services.llm.timeout_ms=9", "services.llm.timeout_ms=600001", "services.llm.retries=6"] {
        refused(REPLYING, set);
    }
}

#[test]
fn timing_is_asked_of_those_that_keep_to_it() {
    let scene = REPLYING.replace("Actor, timeout_ms: 700", "ScriptedReply");
    let found = compile(&Source::new("test.ron", scene.as_str()), &[], None, &registry(&Stage::default()))
        .expect_err("a model of its time is missing")
        .to_string();
    assert!(found.contains("`services.llm` lacks the field `timing`"), "{found}");
}

#[test]
fn one_that_hangs_keeps_nobody_else_waiting() {
    let took = |hangs: bool| {
        let stage = Stage::default();
        let names: Vec<String> = (0..4_000).map(|n| format!("s{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut host = sessions(REPLYING, &["services.llm.timeout_ms=10000"], &stage, &names);
        for session in 0..names.len() {
            host.cue(session, &utter(u16::from(hangs && session == 7)));
        }
        host.tick();
        let asked_us = host.now_us();
        assert_eq!(host.engine.hub().under_way(), 4_000);
        host.ticks(20);
        let done = host.events(|e| matches!(e, Event::ServiceDone { .. }).then_some(()));
        let mut took: Vec<u64> = done.iter().map(|(_, t_us, ())| t_us - asked_us).collect();
        took.sort_unstable();
        assert_eq!(took.len(), if hangs { 3_999 } else { 4_000 });
        took[took.len() * 99 / 100]
    };
    let (alone, beside) = (took(false), took(true));
    assert!(beside.abs_diff(alone) <= host::TICK_US, "P99 {beside} us, without {alone} us");
}

#[test]
fn a_service_that_panics_fails_its_calls_and_is_made_anew() {
    let stage = Stage::default();
    let mut host = sessions(REPLYING, &[], &stage, &["a", "b", "c"]);
    host.cue(0, &utter(0));
    host.cue(1, &utter(0));
    host.ticks(2);
    host.cue(2, &utter(3));
    host.ticks(10);
    // What was under way is lost with the instance, and said to be.
    assert_eq!(failures(&host).len(), 3, "{:?}", failures(&host));
    assert!(
        failures(&host).iter().all(|(.., why)| why == "panicked: a fault of its own"),
        "{:?}",
        failures(&host)
    );
    for session in 0..3 {
        host.cue(session, &utter(0));
    }
    host.finish();
    assert_eq!(host.texts.iter().filter(|said| said.text == "answer to one").count(), 3);
    assert_eq!((figures(&host).panics, stage.instances.load(Ordering::Relaxed)), (1, 2));
    settled(&host, &stage);
}

#[test]
fn a_service_that_panics_when_a_call_is_taken_back_fails_its_other_calls_at_once() {
    let stage = Stage::default();
    let mut host = sessions(REPLYING, &[], &stage, &["a", "b"]);
    // Is given up after its timeout.
    host.cue(0, &utter(4));
    host.ticks(60);
    // Is under way then.
    host.cue(1, &utter(1));
    host.finish();
    let reasons: Vec<(u32, String)> =
        failures(&host).into_iter().map(|(session, _, reason)| (session, reason)).collect();
    let timed_out = "timed out: nothing came for 700 ms".to_string();
    assert_eq!(reasons, [(0, timed_out), (1, "panicked: a fault of its own".into())]);
    let found = figures(&host);
    assert_eq!((found.failed, found.timed_out, found.panics), (2, 1, 1));
    settled(&host, &stage);
}

#[test]
fn a_service_that_panics_again_and_again_is_given_up_for_a_while_and_nobody_waits() {
    let stage = Stage::default();
    let mut host = sessions(REPLYING, &["services.llm.retries=2"], &stage, &["a"]);
    for _ in 0..50 {
        host.cue(0, &utter(3));
        host.ticks(4);
    }
    host.finish_within(4_000);
    assert_eq!(failures(&host).len(), 50);
    let instances = stage.instances.load(Ordering::Relaxed);
    assert!((3..20).contains(&instances), "{instances} instances");
    settled(&host, &stage);
}

#[test]
fn a_segment_that_nobody_has_asked_about_ends_for_those_that_heard_it() {
    let stage = Stage::default();
    let mut host = sessions(HEARING, &[], &stage, &["a", "b"]);
    host.cue(0, &[Cue::Open, Cue::Sound(160)]);
    host.cue(1, &[Cue::Open, Cue::Sound(160)]);
    host.tick();
    assert_eq!(stage.endings.open(), (2, 2, 0));
    host.cue(0, &[Cue::Sound(160), Cue::Cancel]);
    host.tick();
    assert_eq!(stage.endings.open(), (2, 1, 0));
    host.sessions[1].close();
    host.ticks(2);
    assert_eq!(stage.endings.open(), (1, 0, 0));
    host.sessions.pop();
    host.finish();
    settled(&host, &stage);
}

/// One of many things that happen to sessions and services.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Cues(u8, &'static [Cue]),
    Ticks(u8),
    HangUp(u8),
    Finish(u8),
    Open(u8),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    use Cue::{AnswerEnd, Cancel, Confirm, End, Endpoint, Open, Retract, Sound, Split};
    const MOVES: [&[Cue]; 9] = [
        &[Open, Sound(80)],
        &[Sound(160)],
        &[Confirm],
        &[Cancel],
        &[Endpoint],
        &[Retract],
        &[End, AnswerEnd],
        &[Split, Sound(40)],
        &[Open, Sound(80), Confirm, Endpoint, End],
    ];
    let deed = prop_oneof![
        12 => (0..3u8, 0..MOVES.len()).prop_map(|(of, at)| Deed::Cues(of, MOVES[at])),
        4 => (1..8u8).prop_map(Deed::Ticks),
        1 => (0..3u8).prop_map(Deed::HangUp),
        1 => (0..3u8).prop_map(Deed::Finish),
        2 => (0..3u8).prop_map(Deed::Open),
    ];
    prop::collection::vec(deed, 1..80)
}

/// Which of a gate's operations make sense: what a prompter can be told.
#[derive(Clone, Copy, Default)]
struct Gate {
    open: bool,
    confirmed: bool,
    ending: bool,
}

impl Gate {
    /// Follows the cues, if they make sense.
    fn follows(&mut self, cues: &[Cue]) -> bool {
        let mut next = *self;
        for cue in cues {
            let fits = match cue {
                Cue::Open => !next.open,
                Cue::Confirm => next.open && !next.confirmed,
                Cue::Cancel => next.open && !next.confirmed,
                Cue::Endpoint => next.open && next.confirmed && !next.ending,
                Cue::Retract => next.ending,
                Cue::End => next.open && next.confirmed,
                Cue::Split => next.open && next.confirmed && !next.ending,
                Cue::Sound(_) => next.open,
                _ => true,
            };
            if !fits {
                return false;
            }
            match cue {
                Cue::Open => next = Self { open: true, ..Self::default() },
                Cue::Confirm => next.confirmed = true,
                Cue::Endpoint => next.ending = true,
                Cue::Retract => next.ending = false,
                Cue::Cancel | Cue::End => next = Self::default(),
                _ => {}
            }
        }
        *self = next;
        true
    }
}

/// Does all that, and returns what was wrong.
fn do_all(deeds: &[Deed], names: [&str; 3]) -> Vec<String> {
    let stage = Stage::default();
    let mut host = sessions(HEARING, &["services.ears.retries=1"], &stage, &[]);
    let mut gates: [Option<(usize, Gate)>; 3] = [None; 3];
    for (turn, deed) in deeds.iter().enumerate() {
        match *deed {
            Deed::Open(of) => {
                let of = usize::from(of);
                if gates[of].is_none() {
                    let spec = SessionSpec::named(format!("{} {turn}", names[of]));
                    host.sessions.push(host.open(spec));
                    gates[of] = Some((host.sessions.len() - 1, Gate::default()));
                }
            }
            Deed::Cues(of, cues) => {
                if let Some((session, gate)) = &mut gates[usize::from(of)]
                    && gate.follows(cues)
                {
                    let session = *session;
                    host.cue(session, cues);
                }
            }
            Deed::Ticks(count) => host.ticks(usize::from(count)),
            Deed::HangUp(of) => {
                if let Some((session, _)) = gates[usize::from(of)].take() {
                    host.sessions[session].close();
                }
            }
            Deed::Finish(of) => {
                if let Some((session, _)) = gates[usize::from(of)].take() {
                    host.sessions[session].finish();
                }
            }
        }
    }
    host.finish_within(4_000);
    let mut wrong = stage.endings.wrong();
    wrong.extend(host.imbalances());
    if stage.endings.open() != (0, 0, 0) {
        wrong.push(format!("{:?} are open", stage.endings.open()));
    }
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_service_hears_of_ends_once(deeds in deeds(), names in prop::sample::select(vec![
        ["a", "b", "c"], ["a", "hangs", "flaky"], ["hangs", "panics in start", "c"],
    ])) {
        let wrong = do_all(&deeds, names);
        prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn nothing_is_kept_of_segments_that_have_ended() {
    let stage = Stage::default();
    let mut host = sessions(HEARING, &[], &stage, &["a"]);
    for n in 0..100_000 {
        let cues: &[Cue] = match n % 3 {
            0 => &[Cue::Open, Cue::Sound(2), Cue::Cancel],
            1 => &[Cue::Open, Cue::Sound(2), Cue::Confirm, Cue::Endpoint, Cue::Retract, Cue::End],
            _ => &[Cue::Open, Cue::Sound(2), Cue::Confirm, Cue::Endpoint, Cue::End],
        };
        host.cue(0, cues);
        host.tick();
        host.records.clear();
        host.texts.clear();
        host.events.clear();
    }
    // Those whose answer is still on its way: one segment in 5 ms, 20 ms to an answer.
    assert!(stage.endings.most() < 40, "{} open at once", stage.endings.most());
    host.finish();
    settled(&host, &stage);
}
