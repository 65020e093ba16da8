//! Splits the latency of each answered turn into stages, by the event log: end of speech, endpoint, the time of each
//! node until the first part of the answer left it, and the wait at the output. The stages of a turn add up to its
//! latency.
//!
//! The way is the scene's: from the output back through the nodes that put out the answer. Where several lead to one
//! node, the one that was first counts, as its frame is the one that goes on.

use std::collections::{BTreeMap, VecDeque};

use hdrhistogram::Histogram;
use mynah_engine::record::latency_histogram;
use mynah_engine::scene::{NodeRef, PortType, Release};
use mynah_engine::{Event, NodeId, ScenePlan};

use crate::report::quantiles::Quantiles;
use crate::report::stages::{AnsweredTurn, Stage, StageFigures, Step};

/// Answers under way that are remembered for one session; most that are forgotten never come to sound.
const UNDER_WAY_MAX: usize = 64;

/// A node as the ways go through it.
#[derive(Clone, Debug, Default)]
struct Stop {
    id: String,
    before: Vec<u8>,
}

/// The ways that answers can take through a scene.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    gate: String,
    stops: Vec<Stop>,
    /// Nodes that feed the output.
    last: Vec<u8>,
    waits_for_confirm: bool,
}

impl Ways {
    /// Those of `plan`. Where sound comes out, text beside it begins no answer.
    pub fn of(plan: &ScenePlan) -> Self {
        let gate = plan.nodes.iter().rev().find(|node| node.spec.decides_speech());
        let mut stops: Vec<Stop> =
            plan.nodes.iter().map(|node| Stop { id: node.id.clone(), before: Vec::new() }).collect();
        let sounds = plan.output.audio.is_some();
        let mut last = Vec::new();
        for (at, node) in plan.nodes.iter().enumerate() {
            for target in &node.targets {
                match target.node {
                    NodeRef::Node(to) => stops[usize::from(to)].before.push(at as u8),
                    NodeRef::Output => {
                        let kind = node.spec.outputs().get(usize::from(target.port)).map(|port| port.kind);
                        if !sounds || kind == Some(PortType::Audio) {
                            last.push(at as u8);
                        }
                    }
                }
            }
        }
        let waits_for_confirm = plan.scene.session.output.release == Release::OnConfirm;
        let gate = gate.map_or_else(|| "endpoint".to_string(), |node| node.id.clone());
        Self { gate, stops, last, waits_for_confirm }
    }

    /// What a stage is called: by its node; `.wait` before its service, `.confirm` before the output.
    pub fn name(&self, stage: Stage) -> String {
        let id = |at: u8| self.stops.get(usize::from(at)).map_or("?", |stop| &stop.id);
        match stage {
            Stage::Endpoint => self.gate.clone(),
            Stage::Wait(at) => format!("{}.wait", id(at)),
            Stage::Node(at) => id(at).to_string(),
            Stage::Confirm => "output.confirm".into(),
            Stage::Output => "output".into(),
        }
    }

    /// The stages of an answer that began to sound at `started_us`.
    fn walk(&self, marks: &Marks, started_us: u64) -> Box<[Step]> {
        let mut way = Vec::new();
        let mut from = self.last.as_slice();
        while let Some((node, out_us)) = marks.first_of(from) {
            way.push((Stage::Node(node), out_us));
            way.extend(marks.submitted(node).map(|us| (Stage::Wait(node), us)));
            from = &self.stops[usize::from(node)].before;
        }
        way.extend(marks.endpoint_us.map(|us| (Stage::Endpoint, us)));
        way.reverse();
        way.extend(marks.ended_us.filter(|_| self.waits_for_confirm).map(|us| (Stage::Confirm, us)));
        way.push((Stage::Output, started_us));
        way.into()
    }
}

/// What is known of an answer that does not sound yet, engine time.
#[derive(Clone, Debug, Default)]
struct Marks {
    answer: (u32, u32),
    endpoint_us: Option<u64>,
    ended_us: Option<u64>,
    /// First submission, and first of the answer to leave, by node.
    submitted_us: Vec<(u8, u64)>,
    out_us: Vec<(u8, u64)>,
}

impl Marks {
    fn submitted(&self, node: u8) -> Option<u64> {
        self.submitted_us.iter().find(|(at, _)| *at == node).map(|(_, us)| *us)
    }

    /// Which of `nodes` put out the first of the answer first.
    fn first_of(&self, nodes: &[u8]) -> Option<(u8, u64)> {
        self.out_us.iter().filter(|(at, _)| nodes.contains(at)).min_by_key(|(at, us)| (*us, *at)).copied()
    }
}

fn note(times: &mut Vec<(u8, u64)>, node: NodeId, us: u64) {
    if times.iter().all(|(at, _)| *at != node.0) {
        times.push((node.0, us));
    }
}

/// The answers to one session.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    under_way: VecDeque<Marks>,
    /// The stages of those that sounded, by segment and revision.
    started: BTreeMap<(u32, u32), Box<[Step]>>,
}

impl Answers {
    /// Takes an event of the session at `t_us`.
    pub fn take(&mut self, ways: &Ways, t_us: u64, event: &Event) {
        match *event {
            // A session of the same number begins to count its segments anew.
            Event::SegmentOpened { segment, .. } => {
                self.started.retain(|answer, _| answer.0 != segment);
                self.forget(segment);
            }
            Event::Endpoint { segment, revision, .. } => {
                self.marks((segment, revision)).endpoint_us.get_or_insert(t_us);
            }
            Event::SegmentEnded { segment, revision, .. } => {
                if let Some(marks) = self.under_way.iter_mut().find(|m| m.answer == (segment, revision)) {
                    marks.ended_us = Some(t_us);
                }
            }
            // Later calls of an answer that sounds are no part of its beginning.
            Event::ServiceSubmitted { node, segment, revision, .. }
                if revision > 0 && !self.started.contains_key(&(segment, revision)) =>
            {
                note(&mut self.marks((segment, revision)).submitted_us, node, t_us);
            }
            Event::FirstOut { node, segment, revision } => {
                note(&mut self.marks((segment, revision)).out_us, node, t_us);
            }
            Event::OutputStarted { segment, revision } if revision > 0 => {
                let answer = (segment, revision);
                let at = self.under_way.iter().position(|marks| marks.answer == answer);
                let marks = at.and_then(|at| self.under_way.remove(at)).unwrap_or_default();
                self.started.entry(answer).or_insert_with(|| ways.walk(&marks, t_us));
            }
            Event::EndpointRetracted { segment, revision, .. } => {
                self.under_way.retain(|marks| marks.answer != (segment, revision));
            }
            Event::SegmentCancelled { segment, .. } | Event::AnswerWithdrawn { segment } => {
                self.forget(segment)
            }
            _ => {}
        }
    }

    /// The ends of the stages of an answer that sounded, in order; empty when it did not.
    pub fn steps(&self, segment: u32, revision: u32) -> &[Step] {
        self.started.get(&(segment, revision)).map_or(&[], |steps| steps)
    }

    /// Lets go of the answers to segments that are not to be kept.
    pub fn keep(&mut self, mut kept: impl FnMut(u32) -> bool) {
        self.started.retain(|answer, _| kept(answer.0));
    }

    fn forget(&mut self, segment: u32) {
        self.under_way.retain(|marks| marks.answer.0 != segment);
    }

    fn marks(&mut self, answer: (u32, u32)) -> &mut Marks {
        let at = self.under_way.iter().position(|marks| marks.answer == answer);
        let at = at.unwrap_or_else(|| {
            if self.under_way.len() == UNDER_WAY_MAX {
                self.under_way.pop_front();
            }
            self.under_way.push_back(Marks { answer, ..Marks::default() });
            self.under_way.len() - 1
        });
        &mut self.under_way[at]
    }
}

/// Answered turns that are kept for the breakdown.
const TURNS_MAX: usize = 8_192;

/// The answered turns of a run: all of them, or of a run of hours every second, fourth, ... one.
#[derive(Clone, Debug, Default)]
pub struct AnsweredTurns {
    kept: Vec<AnsweredTurn>,
    seen: usize,
    every: usize,
}

impl AnsweredTurns {
    /// Takes the next one.
    pub fn push(&mut self, turn: AnsweredTurn) {
        self.every = self.every.max(1);
        if self.kept.capacity() == 0 {
            // All at once: what is kept of a long run must not be what grows in it.
            self.kept.reserve_exact(TURNS_MAX);
        }
        if self.kept.len() == TURNS_MAX {
            let mut at = 0;
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.every *= 2;
        }
        if self.seen.is_multiple_of(self.every) {
            self.kept.push(turn);
        }
        self.seen += 1;
    }

    /// Those that were kept.
    pub fn turns(&self) -> &[AnsweredTurn] {
        &self.kept
    }

    /// Those that were kept.
    pub fn into_turns(self) -> Vec<AnsweredTurn> {
        self.kept
    }
}

/// The stages of `turns`, in the order of the way.
pub fn stage_figures(ways: &Ways, turns: &[AnsweredTurn]) -> Vec<StageFigures> {
    let mut histograms: BTreeMap<Stage, Histogram<u32>> = BTreeMap::new();
    for (stage, us) in turns.iter().flat_map(|turn| &turn.stages) {
        histograms.entry(*stage).or_insert_with(latency_histogram).saturating_record(*us);
    }
    let mut sorted_us: Vec<u64> = turns.iter().map(AnsweredTurn::latency_us).collect();
    sorted_us.sort_unstable();
    let rank = (sorted_us.len() as f64 * 0.95).ceil() as usize;
    let slow_us = sorted_us.get(rank.saturating_sub(1)).copied().unwrap_or(0);
    let is_slow = |turn: &&AnsweredTurn| turn.latency_us() >= slow_us;
    let all_us: u64 = sorted_us.iter().sum();
    let all_slow_us: u64 = turns.iter().filter(is_slow).map(AnsweredTurn::latency_us).sum();
    let figures = histograms.iter().filter_map(|(stage, histogram)| {
        let took = |turn: &AnsweredTurn| turn.took_us(*stage);
        let sum_us: u64 = turns.iter().filter_map(took).sum();
        let slow_us: u64 = turns.iter().filter(is_slow).filter_map(took).sum();
        Some(StageFigures {
            stage: ways.name(*stage),
            quantiles: Quantiles::of(histogram)?,
            mean: sum_us as f64 / 1_000.0 / turns.len().max(1) as f64,
            share: sum_us as f64 / all_us.max(1) as f64,
            share_slow: slow_us as f64 / all_slow_us.max(1) as f64,
        })
    });
    figures.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: (u32, u32) = (1, 1);

    /// gate -> asr -> (near, far) -> mix -> output, with captions from asr beside the sound.
    fn ways() -> Ways {
        let stop = |id: &str, before: &[u8]| Stop { id: id.into(), before: before.to_vec() };
        let stops = vec![
            stop("gate", &[]),
            stop("asr", &[0]),
            stop("near", &[1]),
            stop("far", &[1]),
            stop("mix", &[2, 3]),
        ];
        Ways { gate: "gate".into(), stops, last: vec![4], waits_for_confirm: true }
    }

    fn answers(events: &[(u64, Event)]) -> Answers {
        let mut answers = Answers::default();
        events.iter().for_each(|(t_us, event)| answers.take(&ways(), *t_us, event));
        answers
    }

    fn told() -> Vec<(u64, Event)> {
        let (segment, revision) = ANSWER;
        let out = |node| Event::FirstOut { node: NodeId(node), segment, revision };
        vec![
            (100, Event::Endpoint { segment, revision, at_us: 0, seen_us: 0 }),
            (110, Event::ServiceSubmitted { node: NodeId(1), segment, revision, part: 0 }),
            (200, out(1)),
            (300, out(3)),
            (310, out(4)),
            (350, out(2)),
            (
                400,
                Event::SegmentEnded {
                    segment,
                    revision,
                    from_us: 0,
                    to_us: 0,
                    speech_from_us: 0,
                    speech_to_us: 0,
                    split: false,
                },
            ),
            (450, Event::OutputStarted { segment, revision }),
        ]
    }

    #[test]
    fn the_way_goes_through_the_branch_that_was_first() {
        let steps = [
            (Stage::Endpoint, 100),
            (Stage::Wait(1), 110),
            (Stage::Node(1), 200),
            (Stage::Node(3), 300),
            (Stage::Node(4), 310),
            (Stage::Confirm, 400),
            (Stage::Output, 450),
        ];
        assert_eq!(answers(&told()).steps(1, 1), steps);
        let names: Vec<String> = steps.iter().map(|(stage, _)| ways().name(*stage)).collect();
        assert_eq!(names, ["gate", "asr.wait", "asr", "far", "mix", "output.confirm", "output"]);
        assert!(steps.is_sorted(), "stages are ordered as the way goes");
    }

    #[test]
    fn what_was_over_before_the_speech_ended_takes_no_time_of_it() {
        let steps = answers(&told());
        for (ended_us, want) in [
            (50, [50, 10, 90, 100, 10, 90, 50]),
            (105, [0, 5, 90, 100, 10, 90, 50]),
            (305, [0, 0, 0, 0, 5, 90, 50]),
            (450, [0; 7]),
        ] {
            let turn = AnsweredTurn::new(0, ANSWER, ended_us, 450, steps.steps(1, 1));
            let took: Vec<u64> = turn.stages.iter().map(|(_, us)| *us).collect();
            assert_eq!(took, want, "speech ended at {ended_us}");
            assert_eq!(took.iter().sum::<u64>(), turn.latency_us());
        }
    }

    #[test]
    fn what_was_taken_back_is_forgotten_and_what_is_remembered_is_bounded() {
        let retracted = Event::EndpointRetracted { segment: 1, revision: 1, at_us: 0 };
        let mut events = told();
        events.insert(7, (420, retracted));
        assert_eq!(answers(&events).steps(1, 1), [(Stage::Output, 450)]);
        let ends = (1..1_000).map(|segment| {
            (u64::from(segment), Event::Endpoint { segment, revision: 1, at_us: 0, seen_us: 0 })
        });
        let many = answers(&ends.collect::<Vec<_>>());
        assert_eq!(many.under_way.len(), UNDER_WAY_MAX);
        let mut again = told();
        again.push((900, Event::SegmentOpened { segment: 1, from_us: 0 }));
        assert_eq!(answers(&again).steps(1, 1), [], "another session of this number");
    }

    #[test]
    fn the_slow_turns_are_those_at_the_95th_percentile_and_above() {
        let turn = |gate_us: u64| {
            let steps = [(Stage::Endpoint, gate_us), (Stage::Output, gate_us + 100_000)];
            AnsweredTurn::new(0, ANSWER, 0, gate_us + 100_000, &steps)
        };
        let turns: Vec<AnsweredTurn> =
            (1..=20).map(|n| turn(if n < 19 { 100_000 } else { 300_000 })).collect();
        let figures = stage_figures(&ways(), &turns);
        let shares: Vec<(f64, f64)> = figures.iter().map(|f| (f.share, f.share_slow)).collect();
        let all = 18.0 * 200.0 + 2.0 * 400.0;
        assert_eq!(shares, [(2_400.0 / all, 0.75), (2_000.0 / all, 0.25)]);
        assert_eq!(figures[0].mean, 120.0);
        assert!(stage_figures(&ways(), &[]).is_empty());
    }
}
