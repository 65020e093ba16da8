//! A recogniser that is asked in pieces and takes one batch at a time: pieces of one session that wait together become
//! one item, however they came, and every sample is heard as often as it should be.

#[path = "support/cued.rs"]
mod cued;
#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/noting.rs"]
mod noting;

use std::collections::BTreeMap;
use std::sync::Arc;

use cued::{Cue, Prompter, cued};
use host::{Host, compiled, findings};
use mynah_engine::service::Call;
use mynah_engine::{DropReason, Event, NodeId, Registry};
use mynah_systems::service::{Production, Work};
use noting::Asked;

/// A recogniser that takes 60 ms for a batch, one at a time.
const SCENE: &str = r#"(
    name: "pieces",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Prompter()),
        (
            id: "asr",
            kind: Service(service: "asr", task: Transcribe, piece_ms: 100),
            capabilities: (parallelizable: false, queue_capacity: 500),
            buffering: (merge: ConcatenateAudio(ensure_continuity: true, max_gap_ms: 40)),
        ),
    ],
    edges: [("input", "prompter"), ("prompter.audio", "asr"), ("asr", "output")],
    services: {"asr": (output: Noting, timing: (latency: Fixed(ms: 60), batch_item_cost: 0))},
)"#;
const ASR: NodeId = NodeId(1);
/// 20 ms.
const FRAME: u16 = 320;
const WAITS_SEPARATE: &str = "asr.buffering.merge=KeepSeparate";

/// Says when what it heard was spoken.
#[derive(Default)]
struct Ears;

impl Production for Ears {
    fn wants_audio(&self) -> bool {
        true
    }
    fn work(&self, call: &Call) -> Work {
        Work::Text([Arc::from(format!("{}-{}", call.from_us / 1_000, call.to_us / 1_000))].into())
    }
}

fn registry(asked: &Asked) -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>();
    noting::add::<Ears>(&mut registry, asked);
    registry
}

struct Room {
    rig: Host,
    asked: Asked,
}

impl Room {
    fn new(sessions: u32, sets: &[&str]) -> Self {
        let asked = Asked::default();
        let rig = cued(SCENE, sets, &registry(&asked), sessions);
        Self { rig, asked }
    }

    /// All of it arrives in one tick.
    fn cue(&mut self, session: usize, cues: &[Cue]) {
        self.rig.cue(session, cues);
        self.rig.tick();
    }

    /// What the recogniser was asked: session, segment, revision, and the item as in [`told`].
    fn calls(&self) -> Vec<(u32, (u32, u32), String)> {
        let asked = self.asked.lock().expect("nobody panics");
        let one =
            |call: &Call| (call.key.session.0, (call.key.segment.serial, call.key.revision), told(call));
        asked.iter().map(one).collect()
    }

    /// Texts that left a session, with their origin.
    fn texts(&self, session: u32) -> Vec<((u32, u32), String)> {
        let mine = self.rig.texts.iter().filter(|said| said.session == session);
        mine.map(|said| ((said.segment, said.revision), said.text.clone())).collect()
    }

    fn all_done(&mut self) {
        let idle = |rig: &Host| rig.engine.hub().waiting(ASR) == 0 && rig.engine.hub().under_way() == 0;
        self.rig.until("all answers", idle);
        self.rig.ticks(3);
        self.rig.until("all answers", idle);
    }

    /// Ends everything. Nothing may be left, and the counts add up.
    fn close(mut self) -> (u64, u64, u64) {
        self.all_done();
        self.rig.finish();
        self.rig.nothing_left();
        let census = self.rig.census();
        assert_eq!(census.blocks_out, 0, "blocks are under way");
        let node = &census.nodes[ASR.index()];
        (node.merged, node.dropped[DropReason::Overflow as usize], node.cancelled)
    }
}

/// An item as runs of equal samples: the segment whose audio it is and sample frames, 0 = silence.
fn told(call: &Call) -> String {
    let Some(sound) = &call.audio else { return "nothing".into() };
    let mut runs: Vec<(f32, usize)> = Vec::new();
    for sample in sound.samples() {
        match runs.last_mut() {
            Some((value, count)) if *value == sample => *count += 1,
            _ => runs.push((sample, 1)),
        }
    }
    let runs: Vec<String> = runs.iter().map(|(value, n)| format!("{value}x{n}")).collect();
    format!("{}-{} {}", call.from_us / 1_000, call.to_us / 1_000, runs.join("+"))
}

/// Name, settings, what is heard, what is asked, what is said.
type Row<'a> = (&'a str, &'a [&'a str], Vec<Vec<Cue>>, &'a [&'a str], &'a str);
/// Name, settings, frames before the cancel, ticks between, and how many calls had begun by then.
type Cancelled<'a> = (&'a str, &'a [&'a str], usize, usize, usize);

fn speech(frames: usize) -> Vec<Cue> {
    vec![Cue::Sound(FRAME); frames]
}

/// An utterance from its opening to its end.
fn utterance(of: &[Vec<Cue>]) -> Vec<Cue> {
    let mut cues = vec![Cue::Open, Cue::Confirm];
    cues.extend(of.iter().flatten());
    cues.extend([Cue::Endpoint, Cue::End]);
    cues
}

const WAITS_JOINED: &str = "asr.buffering.merge=ConcatenateAudio()";

/// Name, settings, what is said, the items that are asked about, and the text that leaves.
fn rows() -> [Row<'static>; 9] {
    let gap = |samples| vec![Cue::Lost(samples)];
    let five = || speech(5);
    [
        ("one piece", &[], vec![speech(3)], &["0-60 1x960"], "0-60"),
        ("goes on", &[], vec![speech(12)], &["0-200 1x3200", "200-240 1x640"], "0-200 200-240"),
        (
            "kept separate",
            &[WAITS_SEPARATE],
            vec![speech(12)],
            &["0-100 1x1600", "100-200 1x1600", "200-240 1x640"],
            "0-100 100-200 200-240",
        ),
        (
            "a gap that is filled",
            &[],
            vec![five(), gap(160), five(), speech(1)],
            &["0-210 1x1600+0x160+1x1600", "210-230 1x320"],
            "0-210 210-230",
        ),
        (
            "the longest that is",
            &[],
            vec![five(), gap(640), five(), speech(1)],
            &["0-240 1x1600+0x640+1x1600", "240-260 1x320"],
            "0-240 240-260",
        ),
        (
            "one that is not",
            &[],
            vec![five(), gap(800), five(), speech(1)],
            &["0-100 1x1600", "150-250 1x1600", "250-270 1x320"],
            "0-100 150-250 250-270",
        ),
        (
            "gaps do not matter",
            &[WAITS_JOINED],
            vec![five(), gap(800), five(), speech(1)],
            &["0-250 1x3200", "250-270 1x320"],
            "0-250 250-270",
        ),
        (
            "a gap within a piece ends it",
            &[],
            vec![speech(2), gap(320), speech(2)],
            &["0-40 1x640", "60-100 1x640"],
            "0-40 60-100",
        ),
        // The end of speech has a revision, what came before has none.
        (
            "never over a revision",
            &[WAITS_JOINED],
            vec![speech(6)],
            &["0-100 1x1600", "100-120 1x320"],
            "0-100 100-120",
        ),
    ]
}

#[test]
fn pieces_that_wait_together_become_one_item_and_gaps_are_filled_or_kept() {
    let mut wrong = Vec::new();
    for (name, sets, of, items, text) in rows() {
        let mut room = Room::new(2, sets);
        let cues = utterance(&of);
        (0..2).for_each(|session| room.rig.cue(session, &cues));
        room.rig.tick();
        room.all_done();
        for session in 0..2 {
            let mine: Vec<String> =
                room.calls().into_iter().filter(|(of, ..)| *of == session).map(|(.., told)| told).collect();
            if mine != items {
                wrong.push(format!("{name}, session {session}: asked {mine:?}, wanted {items:?}"));
            }
            let texts = room.texts(session);
            if texts != [((1, 1), text.to_owned())] {
                wrong.push(format!("{name}, session {session}: {texts:?} left, wanted {text}"));
            }
        }
        room.close();
    }
    findings(&wrong);
}

/// Audio arrives in real time while others are heard: whatever batches come of it, of every session all samples are
/// heard, each once, and none of another's.
#[test]
fn every_sample_is_heard_once_whoever_else_speaks() {
    let rows: [&[&str]; 5] = [
        &[],
        &["asr.buffering.max_batch_size=1"],
        &[
            "asr.buffering.max_batch_size=1",
            "asr.capabilities.overflow_policy=Block",
            "asr.buffering.max_buffer_size=2",
        ],
        &[
            "asr.buffering.max_buffer_size=9",
            "asr.capabilities.overflow_policy=MergeOnOverflow",
            "asr.buffering.max_batch_size=2",
        ],
        &["asr.capabilities.parallelizable=true", "asr.buffering.merge=KeepSeparate"],
    ];
    let mut wrong = Vec::new();
    for sets in rows {
        let mut room = Room::new(4, sets);
        (0..4).for_each(|session| room.rig.cue(session, &[Cue::Open, Cue::Confirm]));
        let spoken = [23, 31, 7, 40];
        for frame in 0..40 {
            for (session, frames) in spoken.iter().enumerate() {
                match frame.cmp(frames) {
                    std::cmp::Ordering::Less => room.rig.cue(session, &[Cue::Sound(FRAME)]),
                    std::cmp::Ordering::Equal => room.rig.cue(session, &[Cue::Endpoint, Cue::End]),
                    std::cmp::Ordering::Greater => {}
                }
            }
            room.rig.ticks(4);
        }
        room.rig.cue(3, &[Cue::Endpoint, Cue::End]);
        room.rig.tick();
        room.all_done();
        let mut heard: BTreeMap<u32, usize> = BTreeMap::new();
        for call in room.asked.lock().expect("nobody panics").iter() {
            let samples: Vec<f32> = call.audio.iter().flat_map(mynah_engine::media::Sound::samples).collect();
            if samples.iter().any(|sample| *sample != 1.0) {
                wrong.push(format!("{sets:?}: {:?} heard silence or somebody else", call.key));
            }
            *heard.entry(call.key.session.0).or_default() += samples.len();
        }
        let wanted: BTreeMap<u32, usize> = (0..).zip(spoken.map(|frames| frames * 320)).collect();
        if heard != wanted {
            wrong.push(format!("{sets:?}: {heard:?} samples heard, {wanted:?} spoken"));
        }
        for (session, frames) in (0..).zip(spoken) {
            // The texts are ranges: together the whole utterance, each beginning where the one before ends.
            let texts = room.texts(session);
            let text = texts.first().map(|(_, text)| text.as_str()).unwrap_or_default();
            let edges: Vec<&str> = text.split([' ', '-']).collect();
            let continuous = edges[1..edges.len() - 1].chunks(2).all(|pair| pair[0] == pair[1]);
            let ends = (edges[0].to_owned(), edges[edges.len() - 1].to_owned());
            if texts.len() != 1 || !continuous || ends != ("0".into(), (frames * 20).to_string()) {
                wrong.push(format!("{sets:?}: session {session} said {texts:?}"));
            }
        }
        room.close();
    }
    findings(&wrong);
}

/// Where a segment's pieces are when it is cancelled.
#[test]
fn of_a_cancelled_segment_nothing_is_heard_any_more_and_nothing_is_left() {
    let rows: [Cancelled<'_>; 6] = [
        ("not asked about", &[], 4, 1, 0),
        ("waits", &[], 6, 1, 0),
        ("several wait", &[], 22, 1, 0),
        ("several wait, one each", &[WAITS_SEPARATE], 22, 1, 0),
        (
            "merged while it waits",
            &["asr.buffering.max_buffer_size=3", "asr.capabilities.overflow_policy=MergeOnOverflow"],
            22,
            2,
            0,
        ),
        ("is being heard", &[], 22, 14, 1),
    ];
    let mut wrong = Vec::new();
    for (name, sets, frames, ticks, begun) in rows {
        let mut room = Room::new(2, sets);
        // The recogniser is busy with the other session.
        room.cue(1, &utterance(&[speech(6)]));
        let mut cues = vec![Cue::Open];
        cues.extend(speech(frames));
        room.cue(0, &cues);
        room.rig.ticks(ticks);
        room.cue(0, &[Cue::Cancel]);
        let before = room.calls().iter().filter(|(session, ..)| *session == 0).count();
        if before != begun {
            wrong.push(format!("{name}: {before} calls had begun, not {begun}"));
        }
        room.all_done();
        let after = room.calls().iter().filter(|(session, ..)| *session == 0).count();
        if after != before || !room.texts(0).is_empty() {
            wrong.push(format!("{name}: {before} calls, then {after}; {:?} left", room.texts(0)));
        }
        // The next segment of the session is heard by itself.
        room.cue(0, &utterance(&[speech(6)]));
        room.all_done();
        let from_ms = frames * 20;
        let said = format!("{from_ms}-{} {}-{}", from_ms + 100, from_ms + 100, from_ms + 120);
        if room.texts(0) != [((2, 1), said.clone())] {
            wrong.push(format!("{name}: then {:?} left, wanted {said}", room.texts(0)));
        }
        let all_of = |segment: u32| {
            room.calls().iter().all(|(session, (of, _), told)| {
                *session != 0
                    || *of != segment
                    || told.split(['+', ' ']).skip(1).all(|run| run.starts_with("2x"))
            })
        };
        if !all_of(2) {
            wrong.push(format!("{name}: {:?}", room.calls()));
        }
        if !room.texts(1).iter().any(|(_, text)| text == "0-100 100-120") {
            wrong.push(format!("{name}: the other session said {:?}", room.texts(1)));
        }
        room.close();
    }
    findings(&wrong);
}

#[test]
fn a_retraction_voids_what_an_end_asked_for_and_no_audio() {
    // Ticks until it is retracted, and what left before.
    let rows: [(&str, usize, &[&str]); 3] =
        [("waits", 1, &[]), ("is being heard", 8, &[]), ("was answered", 40, &["0-100 100-160"])];
    let mut wrong = Vec::new();
    for (name, ticks, first) in rows {
        for sets in [&[][..], &[WAITS_SEPARATE]] {
            let mut room = Room::new(1, sets);
            let mut cues = vec![Cue::Open, Cue::Confirm];
            cues.extend(speech(8));
            cues.push(Cue::Endpoint);
            room.cue(0, &cues);
            room.rig.ticks(ticks);
            let mut cues = vec![Cue::Retract];
            cues.extend(speech(8));
            cues.extend([Cue::Endpoint, Cue::End]);
            room.cue(0, &cues);
            room.all_done();
            let (separate, said) = (!sets.is_empty(), room.texts(0));
            let texts = |revision| -> Vec<String> {
                said.iter().filter(|((_, of), _)| *of == revision).map(|(_, text)| text.clone()).collect()
            };
            // What was heard before the first end is not heard again; the rest was heard for nothing.
            let joined = !separate && name == "waits";
            let whole = if separate { "0-100 100-200 200-300 300-320" } else { "0-100 100-300 300-320" };
            let whole = if joined { "0-300 300-320" } else { whole };
            let held = texts(2);
            let ok = held == [whole] || (joined && held == ["0-100 100-300 300-320"]);
            if texts(1) != first || !ok {
                wrong.push(format!("{name}, {sets:?}: {said:?}, wanted {first:?} and {whole}"));
            }
            let calls = room.calls();
            let samples = |pick: fn(u32) -> bool| -> usize {
                let mine = calls.iter().filter(|(_, (_, revision), _)| pick(*revision));
                mine.map(|(.., told)| {
                    told.rsplit('x').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0)
                })
                .sum()
            };
            if samples(|revision| revision != 1) != 16 * 320 {
                wrong.push(format!("{name}, {sets:?}: {calls:?}"));
            }
            room.close();
        }
    }
    findings(&wrong);
}

#[test]
fn a_split_utterance_is_one_text_and_its_segments_stay_apart() {
    let mut room = Room::new(1, &[]);
    room.cue(0, &utterance(&[speech(7), vec![Cue::Split], speech(6)]));
    room.all_done();
    assert_eq!(room.texts(0), [((2, 1), "0-140 140-240 240-260".to_owned())]);
    let items: Vec<_> = room.calls().into_iter().map(|(_, origin, told)| (origin, told)).collect();
    let wanted = [((1, 0), "0-140 1x2240"), ((2, 0), "140-240 2x1600"), ((2, 1), "240-260 2x320")];
    assert_eq!(items, wanted.map(|(origin, told)| (origin, told.to_owned())));
    // The next utterance knows nothing of it.
    room.cue(0, &utterance(&[speech(2)]));
    room.all_done();
    assert_eq!(room.texts(0)[1..], [((3, 1), "260-300".to_owned())]);
    room.close();
}

#[test]
fn what_found_no_place_is_counted_with_its_samples() {
    let sets =
        ["asr.buffering.max_buffer_size=1", "asr.capabilities.overflow_policy=DropNewest", WAITS_SEPARATE];
    let mut room = Room::new(1, &sets);
    room.cue(0, &utterance(&[speech(22)]));
    room.all_done();
    let dropped: u64 = room
        .rig
        .events(|event| match event {
            Event::FrameDropped { node: ASR, reason: DropReason::Overflow, samples } => Some(*samples),
            _ => None,
        })
        .iter()
        .map(|(.., samples)| *samples)
        .sum();
    let heard: usize = {
        let asked = room.asked.lock().expect("nobody panics");
        asked.iter().flat_map(|call| &call.audio).map(|sound| sound.frames() as usize).sum()
    };
    // The rest of 40 ms belongs to the end of speech, and is no frame of its own.
    assert_eq!((heard, dropped), (1_600, 3 * 1_600));
    let (_, frames, _) = room.close();
    assert_eq!(frames, 15);
}

/// Whether the end of speech finds a place decides whether what the pieces said leaves: a call that never began answers
/// nothing.
#[test]
fn an_end_that_found_no_place_answers_nothing() {
    let sets = ["asr.buffering.max_buffer_size=1", "asr.capabilities.overflow_policy=DropNewest"];
    let mut room = Room::new(2, &sets);
    let mut cues = vec![Cue::Open, Cue::Confirm];
    cues.extend(speech(6));
    room.cue(0, &cues);
    room.rig.ticks(20);
    assert_eq!(room.calls().len(), 1, "the piece was heard");
    // The other session takes the recogniser, then the one place.
    room.cue(1, &utterance(&[speech(3)]));
    room.rig.ticks(2);
    room.cue(1, &utterance(&[speech(3)]));
    room.rig.ticks(2);
    room.cue(0, &[Cue::Endpoint, Cue::End]);
    room.all_done();
    assert_eq!(room.texts(0), []);
    assert_eq!(room.texts(1).len(), 2);
    // What was said does not stand in the next text.
    room.cue(0, &utterance(&[speech(3)]));
    room.all_done();
    assert_eq!(room.texts(0), [((2, 1), "120-180".to_owned())]);
    room.close();
}

#[test]
fn a_scene_says_what_is_wrong_with_pieces() {
    let rows = [
        ("asr.kind.piece_ms=99", "99 ms is out of range"),
        ("asr.kind.piece_ms=10001", "10001 ms is out of range"),
    ];
    for (set, wanted) in rows {
        let set = set.replace(".kind", "");
        let found = compiled(SCENE, &[&set], &registry(&Asked::default())).expect_err(&set);
        assert!(found.contains(wanted) && found.contains("0, or 100 to 10000 ms"), "{found}");
    }
    let speaks = SCENE.replace("task: Transcribe", "task: Synthesize");
    let found = compiled(&speaks, &[], &registry(&Asked::default())).expect_err("it hears nothing");
    assert!(found.contains("only a recogniser hears audio"), "{found}");
}
