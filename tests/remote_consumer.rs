//! Corrections reach a second engine behind a link that loses, repeats, delays and reorders: each takes effect at most
//! once, an acknowledged one exactly once, and nothing that was taken back is released at the far end, whether or not
//! the message came. Judged by both event logs and the released blocks alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mynah_engine::scene::Override;
use mynah_engine::speech::CancelReason;
use mynah_engine::{Event, OutAudio, Record};
use mynah_sim::report::Report;
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Options, Simulation, Watcher};

/// Both logs and what was released, by session.
#[derive(Default)]
struct Witness {
    near: Vec<Record>,
    far: Vec<Record>,
    released: BTreeSet<(u32, u32, u32)>,
}

impl Watcher for Witness {
    fn records(&mut self, records: &[Record]) {
        self.near.extend_from_slice(records);
    }
    fn far_records(&mut self, records: &[Record]) {
        self.far.extend_from_slice(records);
    }
    fn far_audio(&mut self, session: usize, audio: &OutAudio) {
        self.released.insert((session as u32, audio.segment, audio.revision));
    }
}

fn run(sets: &[&str], sessions: u32, seconds: u64, seed: u64) -> (Witness, Report) {
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let script = Arc::new(CallerScript::default());
    let compiled = scenes::compile("remote_consumer", &sets, None, Some(script.clone()));
    let (plan, _) = compiled.unwrap_or_else(|failure| panic!("{failure}"));
    let options =
        Options { shards: Some(2), ..Options::in_virtual_time(sessions, seconds * 1_000_000, seed) };
    let mut witness = Witness::default();
    let simulation = Simulation::new(plan, &script, options, &mut witness).expect("the scenes fit");
    let report = simulation.run(&mut witness);
    (witness, report)
}

/// What the logs say, by (session, segment).
#[derive(Default)]
struct Tale {
    cancelled: BTreeMap<(u32, u32), u32>,
    no_verdict: BTreeSet<(u32, u32)>,
    opened: BTreeMap<(u32, u32), u32>,
    confirmed: BTreeSet<(u32, u32)>,
    /// The revision that held.
    ended: BTreeMap<(u32, u32), u32>,
    retracted: BTreeMap<(u32, u32, u32), u32>,
    /// Messages by (session, id): type and segment.
    sent: BTreeMap<(u32, u64), (&'static str, u32)>,
    delivered: BTreeMap<(u32, u64), u32>,
    failed: BTreeMap<(u32, u64), u32>,
}

impl Tale {
    fn of(records: &[Record]) -> Self {
        let mut tale = Self::default();
        for record in records {
            let s = record.session.0;
            match record.event {
                Event::SegmentOpened { segment, .. } => *tale.opened.entry((s, segment)).or_default() += 1,
                Event::SegmentConfirmed { segment, .. } => drop(tale.confirmed.insert((s, segment))),
                Event::SegmentCancelled { segment, reason, .. } => {
                    *tale.cancelled.entry((s, segment)).or_default() += 1;
                    if reason == CancelReason::NoVerdict {
                        tale.no_verdict.insert((s, segment));
                    }
                }
                Event::SegmentEnded { segment, revision, .. } => {
                    assert_eq!(tale.ended.insert((s, segment), revision), None, "ended twice: {record:?}");
                }
                Event::EndpointRetracted { segment, revision, .. } => {
                    *tale.retracted.entry((s, segment, revision)).or_default() += 1;
                }
                Event::ControlSent { message_id, kind, segment, .. } => {
                    tale.sent.insert((s, message_id), (kind, segment));
                }
                Event::ControlAcked { message_id, applied: false } => {
                    *tale.delivered.entry((s, message_id)).or_default() += 1;
                }
                Event::ControlFailed { message_id } => {
                    *tale.failed.entry((s, message_id)).or_default() += 1;
                }
                _ => {}
            }
        }
        tale
    }
}

/// How much there was to judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    cancels: usize,
    failed: usize,
    held_released: usize,
    retracted: usize,
    never_opened: usize,
    no_verdict: usize,
}

/// Everything that does not hold, and what was judged.
fn judge(witness: &Witness) -> (Vec<String>, Seen) {
    let (near, far) = (Tale::of(&witness.near), Tale::of(&witness.far));
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let mut seen = Seen { failed: near.failed.len(), no_verdict: far.no_verdict.len(), ..Seen::default() };
    for (message, (kind, segment)) in &near.sent {
        let delivered = near.delivered.get(message).copied().unwrap_or(0);
        let failed = near.failed.get(message).copied().unwrap_or(0);
        check(
            delivered + failed == 1,
            format!("{message:?} {kind}: {delivered} x delivered, {failed} x failed"),
        );
        if *kind == "CancelSpeculation" {
            seen.cancels += 1;
            let key = (message.0, *segment);
            let (effects, opened) = (far.cancelled.get(&key).copied().unwrap_or(0), far.opened.get(&key));
            seen.never_opened += usize::from(opened.is_none());
            check(effects <= 1, format!("{message:?}: {effects} effects"));
            check(
                delivered == 0 || effects == 1 || opened.is_none(),
                format!("{message:?}: acknowledged without effect"),
            );
            check(
                delivered == 0 || !far.no_verdict.contains(&key),
                format!("{message:?}: acknowledged, and time had to take it back"),
            );
            check(!far.confirmed.contains(&key), format!("{key:?}: cancelled here, confirmed there"));
            check(!far.ended.contains_key(&key), format!("{key:?}: cancelled here, ended there"));
        }
    }
    for (key, times) in &far.opened {
        check(*times == 1, format!("{key:?}: opened {times} times there"));
        let known = near.cancelled.contains_key(key) || near.ended.contains_key(key);
        check(known, format!("{key:?}: nothing was sent of it"));
    }
    for key in far.cancelled.keys().filter(|key| !far.no_verdict.contains(*key)) {
        check(near.cancelled.contains_key(key), format!("{key:?}: cancelled there only"));
    }
    for (key, times) in &far.retracted {
        check(*times == 1, format!("{key:?}: retracted {times} times there"));
    }
    for &(session, segment, revision) in &witness.released {
        let key = (session, segment);
        let held = near.ended.get(&key);
        check(
            held == Some(&revision),
            format!("{key:?} revision {revision}: released there, {held:?} held here"),
        );
        seen.held_released += usize::from(held == Some(&revision));
    }
    seen.retracted = near.retracted.len();
    (wrong, seen)
}

#[test]
fn every_cancel_takes_effect_once_and_nothing_void_is_released() {
    let mut sum = Seen::default();
    for seed in 1..=4 {
        let (witness, report) = run(&[], 12, 14, seed);
        let (wrong, seen) = judge(&witness);
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
        let remote = report.remote.expect("the scene names a link");
        assert_eq!((report.verdict, remote.broken), ("ok", vec![]), "seed {seed}");
        assert_eq!((remote.cancels.effects_max, remote.cancelled_released, remote.void_released), (1, 0, 0));
        assert_eq!(remote.cancels.sent as usize, seen.cancels, "seed {seed}");
        let messages = remote.messages;
        assert!(messages.retried > 0 && messages.repeated > 100, "{messages:?}");
        let arrived = messages.delivered..=messages.delivered + messages.failed;
        assert!(arrived.contains(&messages.worked_off), "no repeat reaches the engine: {messages:?}");
        sum.cancels += seen.cancels;
        sum.failed += seen.failed;
        sum.held_released += seen.held_released;
        sum.retracted += seen.retracted;
        sum.never_opened += seen.never_opened;
    }
    assert!(sum.cancels >= 1_000 && sum.held_released >= 20 && sum.retracted >= 5, "{sum:?}");
    assert!(sum.never_opened > 0, "some cancels overtake their audio: {sum:?}");
}

#[test]
fn what_never_arrives_is_reported_and_still_nothing_void_is_released() {
    // Seven of ten datagrams are lost, either way: about one message in four is never acknowledged.
    let (witness, report) = run(&["transports.0.loss=0.7"], 12, 14, 1);
    let (wrong, seen) = judge(&witness);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let remote = report.remote.expect("the scene names a link");
    assert_eq!((report.verdict, remote.broken), ("ok", vec![]));
    assert_eq!(remote.messages.failed as usize, seen.failed);
    assert!(seen.failed > 100 && seen.no_verdict > 10, "{seen:?} {:?}", remote.messages);
    assert!(seen.held_released > 0, "{seen:?}");
}

#[test]
fn over_a_clean_link_every_message_arrives_at_once() {
    let sets = ["delay_ms", "jitter_ms", "loss", "duplicate", "reorder"];
    let sets = sets.map(|field| format!("transports.0.{field}=0"));
    let (witness, report) = run(&sets.each_ref().map(String::as_str), 6, 10, 1);
    let (wrong, seen) = judge(&witness);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let remote = report.remote.expect("the scene names a link");
    assert_eq!((remote.messages.retried, remote.messages.failed, remote.messages.repeated), (0, 0, 0));
    assert_eq!(remote.messages.applied, remote.messages.sent);
    let latency = report.latency_ms.control_to_last_consumer.expect("messages were sent");
    assert_eq!((latency.count, latency.max), (remote.messages.sent, 0.0), "in the tick of the decision");
    assert!(seen.cancels > 100, "{seen:?}");
}
