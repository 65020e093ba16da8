//! A node of kind `Follow` through a single engine: audio and control messages in any order, late, twice or never.

#[path = "support/host.rs"]
mod host;

use host::{Host, findings};
use mynah_engine::{Control, DropReason, Event, SessionSpec};
use proptest::prelude::*;

/// What is heard becomes a text that tells how long it was; nothing undecided leaves.
const ANSWERS: &str = r#"(
    name: "answers",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "follow", kind: Follow(wait_ms: 400, silence_timeout_ms: 100)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "follow"), ("follow", "asr"), ("asr", "output")],
    services: {"asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20)))},
)"#;

/// What is followed leaves as audio.
const AUDIO: &str = r#"(
    name: "audio",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [(id: "follow", kind: Follow(wait_ms: 400, silence_timeout_ms: 100))],
    edges: [("input", "follow"), ("follow", "output")],
)"#;

/// A block of 20 ms.
const BLOCK_US: u64 = 20_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Blocks of a sender's segment; its first sample, in blocks from the session's start.
    Audio(u32, u64, u64),
    Confirm(u32),
    Cancel(u32),
    /// Segment, revision, where speech ended, in blocks.
    Finished(u32, u32, u64),
    Retract(u32, u32),
    /// As `Finished`, and it holds. Revision 0: split.
    Held(u32, u32, u64),
    /// Milliseconds.
    Wait(u64),
}
use Step::*;

fn follower(scene: &str) -> Host {
    let mut host = Host::new(scene, &[]).with(SessionSpec::named("caller"));
    host.tick_at(0);
    host
}

impl Host {
    fn step(&mut self, step: Step) {
        let at = |blocks: u64| blocks * BLOCK_US;
        match step {
            Audio(segment, from, blocks) => {
                (from..from + blocks).for_each(|block| self.push_tagged(0, segment, at(block), &[0.1; 320]));
            }
            Confirm(segment) => {
                self.say(0, Control::ConfirmSpeculation { segment, turn: 1, from_us: 0, to_us: 1 });
            }
            Cancel(segment) => {
                self.say(0, Control::CancelSpeculation { segment, from_us: 0, to_us: 1, late: false });
            }
            Finished(segment, revision, end) => {
                self.say(0, Control::EndOfSpeech { segment, revision, at_us: at(end), last: false });
            }
            Held(segment, revision, end) => {
                self.say(0, Control::EndOfSpeech { segment, revision, at_us: at(end), last: true });
            }
            Retract(segment, revision) => {
                self.say(0, Control::RetractEndOfSpeech { segment, revision, at_us: 0 });
            }
            Wait(ms) => (0..ms / 5).for_each(|_| self.tick()),
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.step(*step));
    }

    /// What happened, in short form.
    fn told(&self) -> Vec<String> {
        self.records.iter().filter_map(|record| short(&record.event)).collect()
    }

    /// Of segments that ended: media time behind what was forwarded, and behind the speech.
    fn ends_us(&self) -> Vec<(u64, u64)> {
        let ends = self.events(|event| match event {
            Event::SegmentEnded { to_us, speech_to_us, .. } => Some((*to_us, *speech_to_us)),
            _ => None,
        });
        ends.into_iter().map(|(.., ends)| ends).collect()
    }

    /// Released samples by segment.
    fn audio(&self) -> Vec<(u32, usize)> {
        let runs = self.sounds.chunk_by(|a, b| a.segment == b.segment);
        runs.map(|run| (run[0].segment, run.iter().map(|sound| sound.samples.len()).sum())).collect()
    }

    fn released(&self) -> Vec<(u32, u32, &str)> {
        self.texts.iter().map(|said| (said.segment, said.revision, said.text.as_str())).collect()
    }

    /// Lets everything come to its end and says whether nothing is left of it.
    fn end(&mut self) {
        self.finish_within(400);
        let left = (self.census().segments_active, self.queued().iter().sum::<u64>());
        assert_eq!(left, (0, 0), "{:?}", self.told());
        findings(&self.imbalances());
        let applied: Vec<u64> = self.controls.iter().filter_map(|(.., control)| applied(control)).collect();
        assert_eq!(applied, (1..=self.messages).collect::<Vec<_>>(), "each comes back once, in order");
    }
}

fn applied(control: &Control) -> Option<u64> {
    if let Control::Applied { message_id } = control { Some(*message_id) } else { None }
}

fn short(event: &Event) -> Option<String> {
    Some(match event {
        Event::SegmentOpened { segment, .. } => format!("open {segment}"),
        Event::SegmentConfirmed { segment, .. } => format!("confirm {segment}"),
        Event::SegmentCancelled { segment, reason, .. } => format!("{} {segment}", reason.name()),
        Event::Endpoint { segment, revision, .. } => format!("end {segment}/{revision}"),
        Event::EndpointRetracted { segment, revision, .. } => format!("retract {segment}/{revision}"),
        Event::SegmentEnded { segment, split: true, .. } => format!("split {segment}"),
        Event::SegmentEnded { segment, revision, .. } => format!("last {segment}/{revision}"),
        Event::FrameDropped { reason: DropReason::Cancelled, .. } => "dropped".into(),
        _ => return None,
    })
}

struct Case {
    name: &'static str,
    steps: &'static [Step],
    /// Events in order.
    told: &'static str,
    /// Texts released: segment/revision and what was heard.
    released: &'static [(u32, u32, &'static str)],
}

const CASES: &[Case] = &[
    Case {
        name: "everything in order",
        steps: &[
            Audio(1, 0, 5),
            Wait(20),
            Confirm(1),
            Audio(1, 5, 10),
            Wait(20),
            Finished(1, 1, 12),
            Wait(20),
            Held(1, 1, 15),
        ],
        told: "open 1, confirm 1, end 1/1, last 1/1",
        released: &[(1, 1, "speech of 0.3 seconds")],
    },
    Case {
        name: "a confirmation before the audio",
        steps: &[Confirm(7), Wait(50), Audio(7, 0, 5), Wait(20), Finished(7, 1, 5), Held(7, 1, 5)],
        told: "open 7, confirm 7, end 7/1, last 7/1",
        released: &[(7, 1, "speech of 0.1 seconds")],
    },
    Case {
        name: "a cancel before the audio",
        steps: &[Cancel(1), Wait(100), Audio(1, 0, 2), Wait(20)],
        told: "dropped, dropped",
        released: &[],
    },
    Case {
        name: "audio after its cancel",
        steps: &[
            Audio(1, 0, 2),
            Wait(20),
            Cancel(1),
            Wait(20),
            Audio(1, 2, 1),
            Wait(20),
            Audio(1, 3, 1),
            Wait(20),
        ],
        told: "open 1, elsewhere 1, dropped, dropped",
        released: &[],
    },
    Case {
        name: "a cancel and its audio in one tick",
        steps: &[Audio(1, 0, 1), Cancel(1), Wait(20)],
        told: "dropped",
        released: &[],
    },
    Case {
        name: "an end of speech before the last of its audio",
        steps: &[
            Audio(1, 0, 5),
            Confirm(1),
            Wait(20),
            Finished(1, 1, 20),
            Wait(50),
            Audio(1, 5, 10),
            Wait(50),
            Audio(1, 15, 10),
            Wait(20),
            Held(1, 1, 25),
            Wait(20),
        ],
        told: "open 1, confirm 1, end 1/1, last 1/1",
        released: &[(1, 1, "speech of 0.4 seconds")],
    },
    Case {
        name: "everything that is said before any audio",
        steps: &[Confirm(1), Finished(1, 1, 5), Held(1, 1, 10), Wait(20), Audio(1, 0, 10), Wait(20)],
        told: "open 1, confirm 1, end 1/1, last 1/1",
        released: &[(1, 1, "speech of 0.1 seconds")],
    },
    Case {
        name: "a retraction before what it retracts",
        steps: &[
            Audio(1, 0, 5),
            Confirm(1),
            Wait(20),
            Retract(1, 1),
            Wait(20),
            Finished(1, 1, 5),
            Wait(100),
            Finished(1, 2, 5),
            Wait(20),
            Held(1, 2, 5),
            Wait(20),
        ],
        told: "open 1, confirm 1, end 1/2, last 1/2",
        released: &[(1, 2, "speech of 0.1 seconds")],
    },
    Case {
        name: "a retraction stops the work, and what was made of it is never heard",
        steps: &[
            Audio(1, 0, 5),
            Confirm(1),
            Finished(1, 1, 5),
            Wait(100),
            Retract(1, 1),
            Wait(20),
            Audio(1, 5, 20),
            Finished(1, 2, 20),
            Wait(20),
            Held(1, 2, 25),
            Wait(20),
        ],
        told: "open 1, confirm 1, end 1/1, retract 1/1, end 1/2, last 1/2",
        released: &[(1, 2, "speech of 0.4 seconds")],
    },
    Case {
        name: "a retraction that never comes: the next revision says it",
        steps: &[
            Audio(1, 0, 5),
            Confirm(1),
            Finished(1, 1, 5),
            Wait(100),
            Audio(1, 5, 5),
            Finished(1, 2, 10),
            Wait(20),
            Held(1, 2, 10),
            Wait(20),
        ],
        told: "open 1, confirm 1, end 1/1, retract 1/1, end 1/2, last 1/2",
        released: &[(1, 2, "speech of 0.2 seconds")],
    },
    Case {
        name: "an end that holds without having been suspected",
        steps: &[Audio(1, 0, 10), Confirm(1), Wait(20), Held(1, 3, 10), Wait(20)],
        told: "open 1, confirm 1, end 1/3, last 1/3",
        released: &[(1, 3, "speech of 0.2 seconds")],
    },
    Case {
        name: "an end of speech without its confirmation: only speech has one",
        steps: &[
            Audio(1, 0, 10),
            Wait(20),
            Finished(1, 1, 10),
            Wait(20),
            Held(1, 1, 10),
            Wait(20),
            Confirm(1),
        ],
        told: "open 1, confirm 1, end 1/1, last 1/1",
        released: &[(1, 1, "speech of 0.2 seconds")],
    },
    Case {
        name: "the next segment waits for the verdict on the one before",
        steps: &[
            Audio(1, 0, 5),
            Audio(2, 5, 5),
            Wait(100),
            Confirm(2),
            Held(2, 1, 10),
            Wait(100),
            Cancel(1),
            Wait(20),
        ],
        told: "open 1, elsewhere 1, open 2, confirm 2, end 2/1, last 2/1",
        released: &[(2, 1, "speech of 0.1 seconds")],
    },
    Case {
        name: "a cancel of what waits behind another",
        steps: &[
            Audio(1, 0, 2),
            Audio(2, 2, 1),
            Audio(3, 3, 5),
            Wait(20),
            Cancel(2),
            Wait(20),
            Cancel(1),
            Confirm(3),
            Held(3, 1, 8),
            Wait(20),
        ],
        told: "open 1, dropped, elsewhere 1, open 3, confirm 3, end 3/1, last 3/1",
        released: &[(3, 1, "speech of 0.1 seconds")],
    },
    Case {
        name: "no verdict comes: it was none",
        steps: &[Audio(1, 0, 5), Wait(600), Confirm(1), Held(1, 1, 5), Wait(20)],
        told: "open 1, no_verdict 1",
        released: &[],
    },
    Case {
        name: "an end that is never said to hold does not",
        steps: &[Audio(1, 0, 5), Confirm(1), Finished(1, 1, 5), Wait(700), Held(1, 1, 5), Wait(20)],
        told: "open 1, confirm 1, end 1/1, retract 1/1, last 1/0",
        released: &[],
    },
    Case {
        name: "work waits for audio that is lost, but not for ever",
        steps: &[Audio(1, 0, 5), Confirm(1), Wait(20), Finished(1, 1, 20), Held(1, 1, 20), Wait(600)],
        told: "open 1, confirm 1, end 1/1, last 1/1",
        released: &[(1, 1, "speech of 0.1 seconds")],
    },
    Case {
        name: "a split goes on in the next segment",
        steps: &[
            Audio(1, 0, 10),
            Confirm(1),
            Wait(20),
            Audio(2, 10, 10),
            Confirm(2),
            Wait(20),
            Held(1, 0, 10),
            Wait(20),
            Finished(2, 1, 20),
            Held(2, 1, 20),
            Wait(20),
        ],
        told: "open 1, confirm 1, split 1, open 2, confirm 2, end 2/1, last 2/1",
        released: &[(2, 1, "speech of 0.4 seconds")],
    },
    Case {
        name: "an answer and a verdict come late, a cancel after them changes nothing",
        steps: &[Audio(1, 0, 5), Confirm(1), Held(1, 1, 5), Wait(50), Cancel(1), Confirm(9), Wait(20)],
        told: "open 1, confirm 1, end 1/1, last 1/1",
        released: &[(1, 1, "speech of 0.1 seconds")],
    },
    Case {
        name: "audio without a tag belongs to nothing",
        steps: &[Audio(0, 0, 5), Wait(20), Confirm(1), Wait(20)],
        told: "",
        released: &[],
    },
];

#[test]
fn audio_and_messages_in_any_order_end_as_the_sender_meant() {
    for Case { name, steps, told, released } in CASES {
        // Twice each: what comes again changes nothing.
        for copies in [1, 2] {
            let mut host = follower(ANSWERS);
            for step in *steps {
                let again = !matches!(step, Audio(..) | Wait(_));
                (0..if again { copies } else { 1 }).for_each(|_| host.step(*step));
            }
            host.end();
            assert_eq!(host.told().join(", "), *told, "{name}, {copies} x");
            assert_eq!(host.released(), *released, "{name}, {copies} x");
            let figures = host.census().controls;
            assert_eq!(figures.arrived, host.messages, "{name}");
            assert!(figures.without_effect >= host.messages * (copies - 1) / copies, "{name}: {figures:?}");
        }
    }
}

#[test]
fn audio_leaves_once_its_segment_is_confirmed_and_as_it_came() {
    let mut host = follower(AUDIO);
    host.steps(&[Audio(1, 0, 5), Audio(2, 50, 5), Wait(100)]);
    assert_eq!(host.audio(), [], "nothing is decided");
    host.step(Confirm(1));
    host.tick();
    assert_eq!(host.audio(), [(1, 1_600)]);
    host.steps(&[Held(1, 1, 5), Cancel(2), Wait(50), Audio(3, 20, 5), Confirm(3), Wait(20)]);
    assert_eq!(
        host.audio(),
        [(1, 1_600), (3, 1_600)],
        "a step back in the sender's time is none of its business"
    );
    host.end();
}

#[test]
fn the_silence_behind_speech_is_forwarded_if_it_is_there_and_waited_for_by_nobody() {
    // Speech ends after 5 blocks. Blocks of silence that are there when that is told, and that come later.
    for (there, later) in [(0, 0), (10, 0), (10, 5), (0, 5)] {
        let mut host = follower(AUDIO);
        host.steps(&[Audio(1, 0, 5 + there), Confirm(1), Finished(1, 1, 5), Held(1, 1, 5), Wait(10)]);
        let ends_us = [((5 + there) * BLOCK_US, 5 * BLOCK_US)];
        assert_eq!(host.ends_us(), ends_us, "{there} there, {later} later: {:?}", host.told());
        host.step(Audio(1, 5 + there, later));
        host.step(Wait(50));
        assert_eq!(host.audio(), [(1, 320 * (5 + there as usize))], "{there} there, {later} later");
        host.end();
    }
}

#[test]
fn hanging_up_at_any_moment_leaves_nothing_open() {
    for Case { name, steps, .. } in CASES {
        for cut in 1..=steps.len() {
            let mut host = follower(ANSWERS);
            host.steps(&steps[..cut]);
            host.sessions[0].close();
            host.ticks(3);
            let census = host.census();
            assert_eq!((census.segments_active, census.sessions_open), (0, 0), "{name}, cut at {cut}");
            let ends = |told: &&String| {
                ["last", "split", "elsewhere", "no_verdict", "closed"].iter().any(|e| told.starts_with(e))
            };
            let told = host.told();
            let opened = told.iter().filter(|told| told.starts_with("open")).count();
            assert_eq!(told.iter().filter(ends).count(), opened, "{name}, cut at {cut}: {told:?}");
        }
    }
}

#[test]
fn a_flood_of_messages_about_nothing_is_bounded_and_without_effect_on_what_follows() {
    let mut host = follower(ANSWERS);
    for segment in 1..2_000 {
        host.step(if segment % 2 == 0 { Cancel(segment) } else { Finished(segment, 1, 5) });
        host.tick();
    }
    host.steps(&[
        Audio(1_000, 0, 2),
        Audio(5_000, 2, 5),
        Wait(20),
        Confirm(5_000),
        Held(5_000, 1, 7),
        Wait(50),
    ]);
    host.end();
    assert_eq!(host.told().join(", "), "open 5000, confirm 5000, end 5000/1, last 5000/1");
}

/// A sender's segment: how many blocks, and how it ends.
#[derive(Clone, Debug)]
struct Sent {
    blocks: u64,
    /// Revisions that are taken back before the one that holds; `None`: it is cancelled.
    retracted: Option<u32>,
}

/// What a sender says, in order.
fn script(segments: &[Sent]) -> (Vec<Step>, Vec<Step>) {
    let (mut audio, mut messages, mut at) = (Vec::new(), Vec::new(), 0);
    for (segment, sent) in (1..).zip(segments) {
        audio.extend((at..at + sent.blocks).map(|block| Audio(segment, block, 1)));
        at += sent.blocks;
        let Some(retracted) = sent.retracted else {
            messages.push(Cancel(segment));
            continue;
        };
        messages.push(Confirm(segment));
        for revision in 1..=retracted {
            messages.extend([Finished(segment, revision, at - 1), Retract(segment, revision)]);
        }
        messages.extend([Finished(segment, retracted + 1, at - 1), Held(segment, retracted + 1, at)]);
    }
    (audio, messages)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// The model: a segment that the sender cancelled is never released, one that it ended is answered once with the
    /// revision that holds, whatever the order in which messages come, and lost ones only make less of it.
    #[test]
    fn any_interleaving_releases_what_holds_and_nothing_else(
        segments in prop::collection::vec((1u64..6, prop::option::weighted(0.6, 0u32..3)), 1..8),
        picks in prop::collection::vec((any::<u16>(), 0u8..10), 400),
        lossy in any::<bool>(),
    ) {
        let segments: Vec<Sent> = segments.into_iter().map(|(blocks, retracted)| Sent { blocks, retracted }).collect();
        let (audio, mut messages) = script(&segments);
        let mut audio = audio.into_iter();
        let mut host = follower(ANSWERS);
        let mut lost = false;
        for (pick, kind) in picks {
            match kind {
                0..3 => if let Some(step) = audio.next() { host.step(step) },
                // Any message, of those near the front: they overtake each other, and audio, and are overtaken.
                3..7 if !messages.is_empty() => {
                    let step = messages.remove(usize::from(pick) % messages.len().min(6));
                    if lossy && pick % 8 == 0 {
                        lost = true;
                    } else {
                        host.step(step);
                        if pick % 5 == 0 { host.step(step) }
                    }
                }
                _ => host.tick(),
            }
        }
        audio.for_each(|step| { host.step(step); host.tick(); });
        messages.into_iter().for_each(|step| { host.step(step); host.tick(); });
        host.end();
        let held: Vec<(u32, u32)> = (1..).zip(&segments).filter_map(|(segment, sent)| Some((segment, sent.retracted? + 1))).collect();
        let released: Vec<(u32, u32)> = host.released().into_iter().map(|(segment, revision, _)| (segment, revision)).collect();
        prop_assert!(released.iter().all(|one| held.contains(one)), "{released:?} of {held:?}: {:?}", host.told());
        prop_assert!(released.is_sorted() && released.windows(2).all(|two| two[0] != two[1]), "{released:?}");
        if !lost {
            prop_assert_eq!(released, held, "{:?}", host.told());
        }
    }
}
