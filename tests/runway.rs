//! Text waits while enough of its answer is unplayed: shown from the event log and the released audio alone.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::collections::BTreeMap;

use mynah_engine::{Event, NodeId};
use support::callers::Callers;
use support::stage::{Outcome, compile, run};

const SCENE: &str = "barge_in";
const RATE_HZ: u64 = 16_000;
/// One tick, and the block that was released in it.
const SLACK_US: u64 = 5_000 + 20_000;

fn node(id: &str) -> u8 {
    let format = mynah_engine::scene::Format { rate_hz: RATE_HZ as u32, channels: 1 };
    let plan = compile(SCENE, &[], format, None);
    plan.node(id).expect("the scene has this node") as u8
}

/// What the log says of the answer to one (segment, revision).
#[derive(Default)]
struct Answer {
    /// When its parts were submitted.
    submitted_us: Vec<u64>,
    /// When the reply was complete.
    complete_us: Option<u64>,
    /// When speech was made, and how much.
    made: Vec<(u64, u64)>,
}

fn answers(outcome: &Outcome) -> BTreeMap<(u32, u32), Answer> {
    let (tts, reply) = (node("tts"), node("reply"));
    let mut answers: BTreeMap<(u32, u32), Answer> = BTreeMap::new();
    for (t_us, event) in outcome.events() {
        match *event {
            Event::ServiceSubmitted { node: NodeId(node), segment, revision, .. } if node == tts => {
                answers.entry((segment, revision)).or_default().submitted_us.push(t_us);
            }
            Event::ServiceDone { node: NodeId(node), segment, revision, samples, .. } => {
                let answer = answers.entry((segment, revision)).or_default();
                if node == tts {
                    answer.made.push((t_us, samples));
                } else if node == reply {
                    answer.complete_us = Some(t_us);
                }
            }
            _ => {}
        }
    }
    answers
}

/// Speech made and not yet heard at `t_us`, from what was made and what left: what left is heard one after the other.
fn unplayed_us(outcome: &Outcome, origin: (u32, u32), answer: &Answer, t_us: u64) -> u64 {
    let us = |samples: u64| samples * 1_000_000 / RATE_HZ;
    let made: u64 = answer.made.iter().filter(|(at, _)| *at <= t_us).map(|(_, samples)| samples).sum();
    let left = outcome.audio.iter().filter(|b| (b.segment, b.revision) == origin && b.released_us < t_us);
    let mut heard_until_us = 0_u64;
    let mut released = 0;
    for block in left {
        let length = block.samples.len() as u64;
        heard_until_us = heard_until_us.max(block.released_us) + us(length);
        released += length;
    }
    us(made.saturating_sub(released)) + heard_until_us.saturating_sub(t_us)
}

/// Sessions with a reply that comes faster than it can be spoken, but not at once.
fn held(runway_ms: u64) -> (usize, usize, Vec<String>) {
    let callers = Callers::new(5, 16, RATE_HZ as u32, 40);
    let runway = format!("tts.runway_ms={runway_ms}");
    let sets =
        [runway.as_str(), "services.reply.timing.words_per_s=7", "session.output.interrupt_min_ms=None"];
    let outcomes = run(SCENE, &sets, &callers.parts(3, 40), Some(callers.script(3))).outcomes;
    let (mut later, mut waited, mut wrong) = (0, 0, Vec::new());
    for (at, outcome) in outcomes.iter().enumerate() {
        for (origin, answer) in answers(outcome) {
            for &t_us in answer.submitted_us.iter().skip(1) {
                later += 1;
                if answer.complete_us.is_some_and(|done| done <= t_us) {
                    // The end of the reply lets the rest go.
                    continue;
                }
                let unplayed_us = unplayed_us(outcome, origin, &answer, t_us);
                waited += usize::from(unplayed_us + 400_000 > runway_ms * 1_000);
                if unplayed_us > runway_ms * 1_000 + SLACK_US {
                    wrong.push(format!("caller-{at} {origin:?} at {t_us} us: {unplayed_us} us unplayed"));
                }
            }
        }
    }
    (later, waited, wrong)
}

#[test]
fn no_text_is_asked_for_while_more_than_the_runway_is_unplayed() {
    for runway_ms in [300, 900] {
        let (later, waited, wrong) = held(runway_ms);
        assert!(wrong.is_empty(), "runway {runway_ms} ms:\n{}", wrong.join("\n"));
        assert!(
            later > 5 && waited > 0,
            "runway {runway_ms} ms: {later} later parts, {waited} near the bound"
        );
    }
}

/// Without it the bound does not hold, so the check above can fail.
#[test]
fn without_a_runway_text_does_not_wait() {
    let callers = Callers::new(5, 16, RATE_HZ as u32, 40);
    let sets =
        ["tts.runway_ms=0", "services.reply.timing.words_per_s=7", "session.output.interrupt_min_ms=None"];
    let outcomes = run(SCENE, &sets, &callers.parts(3, 40), Some(callers.script(3))).outcomes;
    let over = outcomes.iter().flat_map(|outcome| {
        answers(outcome).into_iter().flat_map(move |(origin, answer)| {
            let at = |t_us: &u64| unplayed_us(outcome, origin, &answer, *t_us);
            answer.submitted_us.iter().skip(1).map(at).collect::<Vec<_>>()
        })
    });
    let most_us = over.max().unwrap_or(0);
    assert!(most_us > 600_000, "at most {most_us} us were unplayed");
}
