//! Each operation on a segment does all that it means in one tick: state, cancellation, event and mark.

#[path = "support/cued.rs"]
mod cued;
#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/scribe.rs"]
mod scribe;

use cued::{Cue, Prompter, cued};
use host::{Host, findings};
use mynah_engine::media::Mark;
use mynah_engine::speech::{Answer, CancelReason, CancelScope, Extent, Verdict};
use mynah_engine::{Control, Event};
use scribe::{Notes, Scribe, notes};

/// What is heard is answered late: until then the answer is owed.
const SCENE: &str = r#"(
    name: "law",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "gate", kind: Prompter()),
        (id: "scribe", kind: Scribe()),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "gate"), ("gate.audio", "scribe"), ("scribe", "asr"), ("asr", "output")],
    services: {"asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 500)))},
)"#;

/// 10 ms of the open segment.
const SOUND: Cue = Cue::Sound(160);
const US: u64 = 10_000;

/// What is done with a segment after what, and all that this must show.
struct Row {
    before: &'static [Cue],
    act: Act,
    shows: Notes,
    events: Vec<Event>,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Cue(Cue),
    /// The host stops the answer of turn 1.
    Stop,
}

fn speculative() -> [Row; 3] {
    use Verdict::{Cancelled, Confirmed, Speculative};
    let state = |verdict| vec![(1, verdict, Extent::Open, Answer::Pending)];
    let (segment, from_us, to_us, reason) = (1, 0, US, CancelReason::NotSustained);
    [
        Row {
            before: &[],
            act: Act::Cue(Cue::Open),
            shows: Notes { states: state(Speculative), ..Notes::default() },
            events: vec![Event::SegmentOpened { segment, from_us }],
        },
        Row {
            before: &[Cue::Open, SOUND],
            act: Act::Cue(Cue::Confirm),
            shows: Notes { states: state(Confirmed), ..Notes::default() },
            events: vec![Event::SegmentConfirmed { segment, from_us, to_us }],
        },
        Row {
            before: &[Cue::Open, SOUND],
            act: Act::Cue(Cue::Cancel),
            shows: Notes {
                states: state(Cancelled(reason)),
                voided: vec![CancelScope::Segment { segment }],
                ..Notes::default()
            },
            events: vec![Event::SegmentCancelled { segment, reason, from_us, to_us }],
        },
    ]
}

fn ended(revision: u32, to_us: u64, speech_to_us: u64, split: bool) -> Event {
    Event::SegmentEnded { segment: 1, revision, from_us: 0, to_us, speech_from_us: 0, speech_to_us, split }
}

fn confirmed() -> [Row; 5] {
    let state = |extent, answer| (1, Verdict::Confirmed, extent, answer);
    let (segment, revision) = (1, 1);
    let shows = |extent, answer, marks| Notes { states: vec![state(extent, answer)], marks, voided: vec![] };
    [
        Row {
            before: &[Cue::Open, SOUND, Cue::Confirm],
            act: Act::Cue(Cue::Endpoint),
            shows: shows(Extent::Ending(1), Answer::Pending, vec![(Mark::Endpoint, 1, 1, US)]),
            events: vec![Event::Endpoint { segment, revision, at_us: US, seen_us: US }],
        },
        Row {
            before: &[Cue::Open, SOUND, Cue::Confirm, Cue::Endpoint, SOUND],
            act: Act::Cue(Cue::Retract),
            shows: Notes {
                voided: vec![CancelScope::Revision { segment, revision }],
                ..shows(Extent::Open, Answer::Pending, vec![])
            },
            events: vec![Event::EndpointRetracted { segment, revision, at_us: US }],
        },
        Row {
            before: &[Cue::Open, SOUND, Cue::Confirm, Cue::Endpoint, SOUND],
            act: Act::Cue(Cue::End),
            shows: shows(Extent::Ended(1), Answer::Pending, vec![(Mark::SegmentEnd, 1, 0, 2 * US)]),
            events: vec![ended(1, 2 * US, US, false)],
        },
        // No end was announced: nothing can answer it.
        Row {
            before: &[Cue::Open, SOUND, Cue::Confirm, Cue::Endpoint, Cue::Retract, SOUND],
            act: Act::Cue(Cue::End),
            shows: shows(Extent::Ended(0), Answer::Complete, vec![(Mark::SegmentEnd, 1, 0, 2 * US)]),
            events: vec![ended(0, 2 * US, 2 * US, false)],
        },
        Row {
            before: &[Cue::Open, SOUND, Cue::Confirm],
            act: Act::Cue(Cue::Split),
            shows: Notes {
                states: vec![
                    state(Extent::Ended(0), Answer::Complete),
                    (2, Verdict::Confirmed, Extent::Open, Answer::Pending),
                ],
                marks: vec![(Mark::Split, 1, 0, US)],
                voided: vec![],
            },
            events: vec![
                ended(0, US, US, true),
                Event::SegmentOpened { segment: 2, from_us: US },
                Event::SegmentConfirmed { segment: 2, from_us: US, to_us: US },
            ],
        },
    ]
}

fn withdrawn() -> [Row; 2] {
    let states = |extent, answer| vec![(1, Verdict::Confirmed, extent, answer)];
    let segment = 1;
    [
        // The end may not hold: the answer to the next revision may come.
        Row {
            before: &[Cue::Open, SOUND, Cue::Confirm, Cue::Endpoint],
            act: Act::Stop,
            shows: Notes {
                states: states(Extent::Ending(1), Answer::Pending),
                voided: vec![CancelScope::Revision { segment, revision: 1 }],
                marks: vec![],
            },
            events: vec![Event::AnswerWithdrawn { segment }],
        },
        Row {
            before: &[Cue::Open, SOUND, Cue::Confirm, Cue::Endpoint, Cue::End],
            act: Act::Stop,
            shows: Notes {
                states: states(Extent::Ended(1), Answer::Withdrawn),
                voided: vec![CancelScope::Answer { segment }],
                marks: vec![],
            },
            events: vec![Event::AnswerWithdrawn { segment }],
        },
    ]
}

fn is_told(event: &Event) -> bool {
    matches!(
        event,
        Event::SegmentOpened { .. }
            | Event::SegmentConfirmed { .. }
            | Event::SegmentCancelled { .. }
            | Event::Endpoint { .. }
            | Event::EndpointRetracted { .. }
            | Event::SegmentEnded { .. }
            | Event::AnswerWithdrawn { .. }
    )
}

#[test]
fn an_operation_on_a_segment_does_all_that_it_means() {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>().add_system::<Scribe>();
    let mut wrong = Vec::new();
    for Row { before, act, shows, events } in speculative().into_iter().chain(confirmed()).chain(withdrawn())
    {
        let mut host: Host = cued(SCENE, &[], &registry, 1);
        host.tick();
        host.cue(0, before);
        host.tick();
        let (_, from) = (notes(), host.records.len());
        match act {
            Act::Cue(cue) => host.cue(0, &[cue]),
            Act::Stop => {
                host.cue(0, &[Cue::Rest]);
                host.say(0, Control::CancelAnswer { turn: 1 });
            }
        }
        host.tick();
        let told: Vec<Event> =
            host.records[from..].iter().map(|record| record.event.clone()).filter(is_told).collect();
        let shown = notes();
        if (&shown, &told) != (&shows, &events) {
            wrong.push(format!("{act:?} after {before:?}: {shown:?} {told:?}, not {shows:?} {events:?}"));
        }
    }
    findings(&wrong);
}
