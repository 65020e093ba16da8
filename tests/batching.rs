//! Calls of many sessions to one model that takes a batch at a time: when they go, with whom, and what becomes of each.

#[path = "support/cued.rs"]
mod cued;
#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/noting.rs"]
mod noting;

use std::collections::BTreeMap;
use std::sync::Arc;

use cued::{Cue, Prompter, cued};
use host::{Host, TICK_US, compiled, findings};
use mynah_engine::record::FlushReason;
use mynah_engine::service::Ema;
use mynah_engine::{DropReason, Event, NodeId, Registry};
use mynah_systems::service::FliteVoice;
use noting::Asked;

/// A voice with fixed times: 40 ms to the first sound, then 200 times as fast as it plays.
const SCENE: &str = r#"(
    name: "batching",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Prompter(texts: [
            "One.", "Two.", "Three.", "Four.", "Five.", "Six.", "Seven.", "Eight.", "It is a longer one, this.",
            "A. B. C.",
        ])),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [("input", "prompter"), ("prompter.text", "tts"), ("tts", "output")],
    services: {"tts": (output: Noting, timing: (latency: Fixed(ms: 40), speed: 200))},
)"#;
const TEXTS: [&str; 10] = [
    "One.",
    "Two.",
    "Three.",
    "Four.",
    "Five.",
    "Six.",
    "Seven.",
    "Eight.",
    "It is a longer one, this.",
    "A. B. C.",
];
const TTS: NodeId = NodeId(1);

fn registry(asked: &Asked) -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>();
    noting::add::<FliteVoice>(&mut registry, asked);
    let dashes = |texts: &[Arc<str>]| -> Arc<str> { texts.join(" - ").into() };
    registry.add_merge("dashed", Arc::new(dashes));
    registry
}

struct Room {
    rig: Host,
    asked: Asked,
}

impl Room {
    /// `sessions` with a confirmed segment whose first revision is announced.
    fn new(sessions: u32, sets: &[&str]) -> Self {
        let asked = Asked::default();
        let mut rig = cued(SCENE, sets, &registry(&asked), sessions);
        (0..sessions as usize).for_each(|s| rig.cue(s, &[Cue::Open, Cue::Confirm, Cue::Endpoint]));
        rig.tick();
        Self { rig, asked }
    }

    /// Text number `text` of a session arrives with the next tick.
    fn say(&self, session: usize, text: u16) {
        self.rig.cue(session, &[Cue::Text(text)]);
    }

    /// The voice has work: a long text of session 0 went to it.
    fn busy(&mut self) {
        self.say(0, 8);
        self.rig.tick();
        assert_eq!(self.submitted().len(), 1, "a free voice begins at once");
    }

    /// The texts that the voice was asked for, with the session.
    fn calls(&self) -> Vec<(u32, String)> {
        let asked = self.asked.lock().expect("nobody panics");
        asked.iter().map(|call| (call.key.session.0, call.text.to_string())).collect()
    }

    /// When calls were submitted, with session, revision and part.
    fn submitted(&self) -> Vec<(u32, u64, (u32, u32))> {
        self.rig.events(|event| match event {
            Event::ServiceSubmitted { node: TTS, revision, part, .. } => Some((*revision, *part)),
            _ => None,
        })
    }

    /// Batches: time, size, reason.
    fn batches(&self) -> Vec<(u64, u32, FlushReason)> {
        let batches = self.rig.events(|event| match event {
            Event::Batch { node: TTS, size, reason } => Some((*size, *reason)),
            _ => None,
        });
        let mut batches: Vec<_> = batches.into_iter().map(|(_, t_us, (n, why))| (t_us, n, why)).collect();
        batches.sort_by_key(|(t_us, ..)| *t_us);
        batches
    }

    fn all_done(&mut self) {
        self.rig.until("all answers", |rig| {
            rig.engine.hub().waiting(TTS) == 0
                && rig.count(|e| matches!(e, Event::ServiceSubmitted { .. }))
                    == rig.count(|e| matches!(e, Event::ServiceDone { .. } | Event::ServiceCancelled { .. }))
        });
        self.rig.ticks(3);
    }

    /// Figures of the voice's node: merged, and dropped because of overflow.
    fn fates(&mut self) -> (u64, u64) {
        findings(&self.rig.imbalances());
        let census = self.rig.census();
        let node = &census.nodes[TTS.index()];
        assert_eq!(node.dropped_all(), node.dropped[DropReason::Overflow as usize]);
        (node.merged, node.dropped_all())
    }

    /// Says goodbye everywhere; nothing may be left.
    fn close(mut self) {
        let sessions = self.rig.sessions.len();
        (0..sessions).for_each(|s| self.rig.cue(s, &[Cue::AnswerEnd, Cue::End]));
        self.rig.finish();
        self.rig.nothing_left();
    }
}

fn speech(text: &str) -> Vec<f32> {
    FliteVoice::default().speech(text)
}

#[test]
fn a_lone_text_waits_for_company_and_never_longer_than_it_may() {
    let rows = [
        (1, 50, 0, FlushReason::Count),
        (3, 50, 50_000, FlushReason::Timer),
        (3, 75, 75_000, FlushReason::Timer),
        (8, 20, 20_000, FlushReason::Timer),
    ];
    let mut wrong = Vec::new();
    for (min, max_wait_ms, waits_us, why) in rows {
        let sets = [
            format!("tts.buffering.min_batch_size={min}"),
            format!("tts.buffering.max_wait_ms={max_wait_ms}"),
        ];
        let mut room = Room::new(2, &[&sets[0], &sets[1]]);
        room.say(1, 0);
        room.rig.tick();
        let said_us = room.rig.now_us();
        room.all_done();
        let waited: Vec<u64> = room.submitted().iter().map(|(_, t_us, _)| t_us - said_us).collect();
        let batches: Vec<_> = room.batches().into_iter().map(|(_, size, reason)| (size, reason)).collect();
        if waited != [waits_us] || batches != [(1, why)] {
            wrong.push(format!("min {min}, {max_wait_ms} ms: waited {waited:?} us, {batches:?}"));
        }
        room.close();
    }
    findings(&wrong);
}

#[test]
fn texts_of_three_sessions_that_come_during_a_call_leave_as_one_batch() {
    let mut room = Room::new(4, &[]);
    room.busy();
    let mut said_us = Vec::new();
    for session in 1..4 {
        room.say(session, session as u16);
        room.rig.tick();
        said_us.push(room.rig.now_us());
    }
    room.all_done();
    let batches = room.batches();
    let sizes: Vec<_> = batches.iter().map(|(_, size, reason)| (*size, *reason)).collect();
    assert_eq!(sizes, [(1, FlushReason::Count), (3, FlushReason::Count)]);
    assert!(batches[1].0 - said_us[0] <= 150_000, "the first waited {} us", batches[1].0 - said_us[0]);
    let calls = room.calls();
    assert_eq!(calls[1..], [(1, "Two.".into()), (2, "Three.".into()), (3, "Four.".into())]);
    for session in 1..4 {
        assert_eq!(
            room.rig.samples(session, (1, 1)).len(),
            speech(TEXTS[session as usize]).len(),
            "session {session}"
        );
    }
    assert_eq!(room.fates(), (0, 0));
    room.close();
}

#[test]
fn texts_of_one_session_that_come_during_a_call_become_one_call_of_at_most_five_sentences() {
    // Texts said, calls they make; sentences of each call at most five.
    let rows: [(&[u16], &[&str]); 4] = [
        (&[1, 2, 3], &["Two. Three. Four."]),
        (&[0, 1, 2, 3, 4, 5, 6, 7], &["One. Two. Three. Four. Five.", "Six. Seven. Eight."]),
        (&[9, 9, 0], &["A. B. C.", "A. B. C. One."]),
        (&[9, 0, 1], &["A. B. C. One. Two."]),
    ];
    let mut wrong = Vec::new();
    for (texts, want) in rows {
        let mut room = Room::new(2, &[]);
        room.busy();
        texts.iter().for_each(|text| room.say(1, *text));
        room.rig.tick();
        let said_us = room.rig.now_us();
        room.all_done();
        let calls: Vec<String> = room.calls().into_iter().skip(1).map(|(_, text)| text).collect();
        let sentences = calls.iter().map(|call| call.matches('.').count()).max();
        let merged = (texts.len() - want.len()) as u64;
        let late = room.batches().iter().map(|(t_us, ..)| t_us.saturating_sub(said_us)).max();
        if calls != want || sentences > Some(5) || room.fates() != (merged, 0) || late > Some(150_000) {
            wrong.push(format!("{texts:?}: {calls:?} after {late:?} us, {:?}", room.fates()));
        }
        let heard = room.rig.samples(1, (1, 1)).len();
        let due: usize = want.iter().map(|text| speech(text).len()).sum();
        if heard != due {
            wrong.push(format!("{texts:?}: {heard} samples of {due}"));
        }
        room.close();
    }
    findings(&wrong);
}

#[test]
fn a_text_that_is_taken_back_leaves_before_it_is_submitted() {
    let mut room = Room::new(4, &[]);
    room.busy();
    (1..4).for_each(|session| room.say(session, session as u16));
    room.rig.tick();
    room.rig.cue(2, &[Cue::Retract]);
    room.rig.tick();
    assert_eq!(room.rig.engine.hub().waiting(TTS), 2, "it left in the tick of the retraction");
    room.all_done();
    let calls: Vec<u32> = room.calls().iter().map(|(session, _)| *session).collect();
    assert_eq!(calls, [0, 1, 3]);
    assert_eq!(room.batches().last().map(|(_, size, _)| *size), Some(2));
    assert_eq!(room.rig.samples(2, (1, 1)).len(), 0);
    room.close();
}

#[test]
fn a_running_batch_goes_on_for_the_others_when_one_of_it_is_taken_back() {
    // Before anything of the batch is made, and while it sounds.
    for (after, what) in [(2, "before"), (14, "while")] {
        let mut room = Room::new(4, &["services.tts.timing.speed=20"]);
        room.busy();
        (1..4).for_each(|session| room.say(session, 8));
        room.rig.until("the batch", |rig| rig.count(|event| matches!(event, Event::Batch { .. })) == 2);
        room.rig.ticks(after);
        room.rig.cue(2, &[Cue::Retract]);
        room.rig.tick();
        let retracted_us = room.rig.now_us();
        let begun = !room.rig.samples(2, (1, 1)).is_empty();
        assert_eq!(begun, what == "while", "{what}: the moment is well chosen");
        room.all_done();
        let late = room.rig.sounds.iter().filter(|h| h.session == 2 && h.t_us >= retracted_us).count();
        assert_eq!(late, 0, "{what}: blocks of what was taken back");
        for session in [0, 1, 3] {
            assert_eq!(room.rig.samples(session, (1, 1)), speech(TEXTS[8]), "{what}: session {session}");
        }
        room.close();
    }
}

/// What each session said, by the texts' numbers.
fn said(rounds: &[(usize, u16)]) -> BTreeMap<u32, Vec<&'static str>> {
    let mut said: BTreeMap<u32, Vec<&'static str>> = BTreeMap::new();
    for (session, text) in rounds {
        said.entry(*session as u32).or_default().push(TEXTS[usize::from(*text)]);
    }
    said
}

#[test]
fn texts_of_two_sessions_are_never_glued_together() {
    let mut room = Room::new(5, &["tts.buffering.max_batch_size=3"]);
    // Everybody says the same words in another order, all mixed.
    let rounds: Vec<(usize, u16)> =
        (0..40).map(|n: u16| (usize::from(n * 7 % 5), (n * 3 + n / 5) % 8)).collect();
    for (at, (session, text)) in rounds.iter().enumerate() {
        room.say(*session, *text);
        if at % 3 == 2 {
            room.rig.tick();
        }
    }
    room.rig.tick();
    room.all_done();
    let mut got: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (session, text) in room.calls() {
        got.entry(session).or_default().push(text);
    }
    for (session, said) in said(&rounds) {
        assert_eq!(got[&session].join(" "), said.join(" "), "session {session}: its own words, in order");
    }
    assert!(room.fates().0 > 5, "texts were merged within their sessions");
    room.close();
}

#[test]
fn a_session_with_much_to_say_does_not_keep_another_waiting() {
    let sets = ["tts.buffering.max_batch_size=1", "tts.buffering.merge=KeepSeparate"];
    let mut room = Room::new(3, &sets);
    for round in 0..60 {
        room.say(0, round % 8);
        if round % 10 == 5 {
            room.say(1, 7);
        }
        room.rig.ticks(10);
    }
    let said = room.rig.events(|event| match event {
        Event::ServiceSubmitted { part, .. } => Some(*part),
        _ => None,
    });
    let quiet: Vec<u64> = said.iter().filter(|(s, ..)| *s == 1).map(|(_, t_us, _)| *t_us).collect();
    assert_eq!(quiet.len(), 6, "every text of the quiet session was submitted");
    for (turn, t_us) in quiet.iter().enumerate() {
        let came_us = (1 + (turn as u64 * 10 + 5) * 10 + 1) * TICK_US;
        // At most one call of the other that runs, and one that was due before: 45 ms each.
        assert!(t_us - came_us <= 100_000, "text {turn} waited {} us", t_us - came_us);
    }
    room.all_done();
    room.close();
}

#[test]
fn at_the_bound_the_policy_decides_and_the_counts_say_so() {
    // Policy, who speaks; who is heard in the end, merged, dropped.
    type Row = (&'static str, &'static [usize], &'static [&'static str], (u64, u64));
    let rows: [Row; 6] = [
        ("DropOldest", &[1, 2, 3, 4, 5], &["4 Four.", "5 Five."], (0, 3)),
        ("DropNewest", &[1, 2, 3, 4, 5], &["1 One.", "2 Two."], (0, 3)),
        ("Block", &[1, 2, 3, 4, 5], &["1 One.", "2 Two.", "3 Three.", "4 Four.", "5 Five."], (0, 0)),
        ("MergeOnOverflow", &[1, 2, 3, 4, 5], &["4 Four.", "5 Five."], (0, 3)),
        ("MergeOnOverflow", &[1, 1, 1, 1, 1], &["1 One. Two. Three. Four. Five."], (4, 0)),
        ("Block", &[1, 1, 1, 1, 1], &["1 One. Two.", "1 Three. Four.", "1 Five."], (2, 0)),
    ];
    let mut wrong = Vec::new();
    for (policy, speakers, want, fates) in rows {
        let sets =
            [format!("tts.capabilities.overflow_policy={policy}"), "tts.buffering.max_buffer_size=2".into()];
        let mut room = Room::new(6, &[&sets[0], &sets[1]]);
        room.busy();
        for (at, session) in speakers.iter().enumerate() {
            room.say(*session, at as u16);
            room.rig.tick();
            findings(&room.rig.imbalances());
        }
        room.all_done();
        let mut calls: Vec<String> =
            room.calls().into_iter().skip(1).map(|(session, text)| format!("{session} {text}")).collect();
        calls.sort_by_key(|call| want.iter().position(|one| one == call));
        let dropped = room.rig.events(|event| match event {
            Event::FrameDropped { node: TTS, reason: DropReason::Overflow, .. } => Some(()),
            _ => None,
        });
        let got = room.fates();
        if calls != want || got != fates || dropped.len() as u64 != fates.1 {
            wrong.push(format!("{policy} {speakers:?}: {calls:?}, {got:?}, {} told", dropped.len()));
        }
        room.close();
    }
    findings(&wrong);
}

#[test]
fn answers_of_one_session_leave_in_the_order_of_its_texts() {
    let sets = ["tts.buffering.merge=KeepSeparate", "services.tts.timing.speed=20"];
    let mut room = Room::new(2, &sets);
    room.busy();
    // The long one first: the short ones are made before it.
    let texts = [8, 0, 9, 4];
    texts.iter().for_each(|text| room.say(1, *text));
    room.rig.tick();
    room.all_done();
    assert_eq!(room.batches().iter().map(|(_, size, _)| *size).collect::<Vec<_>>(), [1, 4]);
    let due: Vec<f32> = texts.iter().flat_map(|text| speech(TEXTS[usize::from(*text)])).collect();
    let got = room.rig.samples(1, (1, 1));
    assert_eq!(got.len(), due.len());
    assert!(got == due, "not in the order of the texts");
    let pts = room.rig.events(|event| match event {
        Event::ServiceDone { part, .. } => Some(*part),
        _ => None,
    });
    let mine: Vec<u32> = pts.into_iter().filter(|(s, ..)| *s == 1).map(|(_, _, part)| part).collect();
    assert_eq!(mine, [0, 1, 2, 3]);
    room.close();
}

#[test]
fn a_host_may_register_how_texts_become_one() {
    let mut room = Room::new(2, &[r#"tts.buffering.merge=Custom(name: "dashed")"#]);
    room.busy();
    [0, 1, 2].iter().for_each(|text| room.say(1, *text));
    room.rig.tick();
    room.all_done();
    assert_eq!(room.calls().last(), Some(&(1, "One. - Two. - Three.".into())));
    assert_eq!(room.fates(), (2, 0));
    room.close();
    let unknown =
        compiled(SCENE, &[r#"tts.buffering.merge=Custom(name: "dashes")"#], &registry(&Asked::default()));
    let error = unknown.expect_err("nobody registered it");
    for part in ["no merge strategy is called `dashes`", "dashed", "--set"] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
}

#[test]
fn the_typical_time_of_an_item_follows_what_calls_took() {
    let mut room = Room::new(3, &["tts.capabilities.avg_processing_us=77000"]);
    let average = |room: &Room| room.rig.engine.hub().avg_processing_us(TTS);
    assert_eq!(average(&room), 77_000, "until there is a measurement the scene is believed");
    let mut expected = Ema::default();
    for round in 0..12 {
        room.say(round % 3, (round % 9) as u16);
        room.rig.tick();
        let begun_us = room.rig.now_us();
        room.all_done();
        let done = room.rig.events(|event| matches!(event, Event::ServiceDone { .. }).then_some(()));
        assert_eq!(done.len(), round + 1);
        let took_us = done.iter().map(|(_, t_us, ())| *t_us).max().expect("there is one") - begun_us;
        assert!((40_000..=80_000).contains(&took_us), "{took_us} us");
        expected.add(took_us);
        assert_eq!(Some(average(&room)), expected.us(), "after {} calls", round + 1);
    }
    room.close();
}

#[test]
fn what_is_taken_back_just_after_it_was_merged_or_dropped_was_never_asked_for() {
    let rows = [("MergeOnOverflow", 1), ("DropNewest", 1), ("DropOldest", 1)];
    for (policy, after) in rows {
        let sets =
            [format!("tts.capabilities.overflow_policy={policy}"), "tts.buffering.max_buffer_size=1".into()];
        let mut room = Room::new(2, &[&sets[0], &sets[1]]);
        room.busy();
        room.say(1, 0);
        room.say(1, 1);
        room.rig.ticks(after);
        room.rig.cue(1, &[Cue::Retract]);
        room.rig.tick();
        room.all_done();
        let mut calls: BTreeMap<(u32, u32), i32> = BTreeMap::new();
        for record in &room.rig.records {
            match record.event {
                Event::ServiceSubmitted { part, .. } => {
                    *calls.entry((record.session.0, part)).or_default() += 1
                }
                Event::ServiceDone { part, .. } | Event::ServiceCancelled { part, .. } => {
                    *calls.entry((record.session.0, part)).or_default() -= 1;
                }
                _ => {}
            }
        }
        assert!(calls.values().all(|open| *open == 0), "{policy}: {calls:?}");
        findings(&room.rig.imbalances());
        room.close();
    }
}
