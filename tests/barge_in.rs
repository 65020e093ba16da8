//! Speech during an answer: a short sound pauses it, speech that goes on withdraws it, and nothing of it is heard in the
//! turn that follows.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use mynah_engine::scene::Format;
use mynah_engine::{Engine, EngineConfig, Event, Out, Record, SessionSpec};
use support::callers::Callers;
use support::program::{number, simulate};
use support::stage::{Outcome, Part, compile, run};

const RATE_HZ: usize = 16_000;
const SCENE: &str = "barge_in";

/// The words of one utterance without a pause, and without what is around them.
fn utterance() -> Vec<f32> {
    let heard = Callers::new(3, 12, RATE_HZ as u32, 60).labelled(0, 60);
    let whole = |span: &&support::labels::Span| {
        heard.speech.iter().any(|speech| (speech.from_us, speech.to_us) == (span.from_us, span.to_us))
    };
    let span = *heard.utterances.iter().find(whole).expect("two of three utterances have no pause");
    let sample = |us: u64| (us * RATE_HZ as u64 / 1_000_000) as usize;
    heard.samples[sample(span.from_us)..sample(span.to_us)].to_vec()
}

/// Somebody asks, and while the answer sounds makes a sound of `sound_ms` of speech (0: none).
fn asked_and_answered(sound_ms: usize) -> Outcome {
    let ms = |ms: usize| vec![0.0; ms * RATE_HZ / 1_000];
    let question = utterance();
    // From the loudest part on, so that it begins at once.
    let loudest = question.chunks(800).enumerate().max_by(|(_, a), (_, b)| {
        let power = |samples: &[f32]| samples.iter().map(|s| s * s).sum::<f32>();
        power(a).total_cmp(&power(b))
    });
    let from = loudest.map_or(0, |(at, _)| at * 800);
    let sound: Vec<f32> =
        question.iter().cycle().skip(from).take(sound_ms * RATE_HZ / 1_000).copied().collect();
    let samples = [ms(500), question, ms(2_500), sound, ms(9_000)].concat();
    let part = Part::new("caller-0", RATE_HZ as u32, samples);
    run(SCENE, &[], &[part], None).outcomes.remove(0)
}

fn times(outcome: &Outcome, wanted: impl Fn(&Event) -> bool) -> Vec<u64> {
    outcome.events().filter(|(_, event)| wanted(event)).map(|(t_us, _)| t_us).collect()
}

/// Samples made for the first segment's answer, and released of it.
fn made_and_heard(outcome: &Outcome) -> (u64, u64) {
    let made = outcome.events().filter_map(|(_, event)| match event {
        Event::ServiceDone { segment: 1, revision, samples, .. } if *revision > 0 => Some(*samples),
        _ => None,
    });
    let heard = outcome.audio.iter().filter(|b| b.segment == 1 && b.revision > 0);
    (made.sum(), heard.map(|block| block.samples.len() as u64).sum())
}

#[test]
fn an_undisturbed_answer_is_heard_to_its_end() {
    let outcome = asked_and_answered(0);
    assert!(times(&outcome, |e| matches!(e, Event::AnswerPaused { .. })).is_empty());
    let (made, heard) = made_and_heard(&outcome);
    assert!(made > 4 * RATE_HZ as u64 && made == heard, "{made} samples made, {heard} heard");
}

#[test]
fn a_short_sound_pauses_the_answer_and_nothing_of_it_is_lost() {
    let mut paused = 0;
    for sound_ms in [60, 100, 140, 180] {
        let outcome = asked_and_answered(sound_ms);
        let pauses = times(&outcome, |e| matches!(e, Event::AnswerPaused { .. }));
        let resumed = times(&outcome, |e| matches!(e, Event::AnswerResumed { .. }));
        let interrupted = times(&outcome, |e| matches!(e, Event::AnswerInterrupted { .. }));
        assert_eq!((pauses.len(), interrupted.len()), (resumed.len(), 0), "a sound of {sound_ms} ms");
        paused += pauses.len();
        for (from_us, to_us) in pauses.iter().zip(&resumed) {
            let during = |b: &&support::stage::Released| (*from_us..*to_us).contains(&b.released_us);
            let sounded = outcome.audio.iter().filter(during).count();
            assert_eq!(sounded, 0, "a sound of {sound_ms} ms: the answer went on while it was paused");
        }
        let (made, heard) = made_and_heard(&outcome);
        assert_eq!(made, heard, "a sound of {sound_ms} ms: what was made, and what was heard");
        let others = outcome.audio.iter().any(|b| b.segment > 1);
        assert!(!others, "a sound of {sound_ms} ms was answered");
    }
    assert!(paused > 0, "no sound was heard at all: nothing was shown");
}

#[test]
fn speech_that_goes_on_withdraws_the_answer_and_begins_a_turn() {
    let outcome = asked_and_answered(1_500);
    let pauses = times(&outcome, |e| matches!(e, Event::AnswerPaused { .. }));
    let interrupted = times(&outcome, |e| matches!(e, Event::AnswerInterrupted { turn: 1, .. }));
    assert_eq!((pauses.len(), interrupted.len()), (1, 1));
    // What was released before the pause is all that is ever heard of it.
    let last = outcome.audio.iter().filter(|b| b.segment == 1).map(|b| b.released_us).max();
    assert!(last.is_some_and(|t_us| t_us < pauses[0]), "{last:?} of the old turn, paused at {pauses:?}");
    let heard_us = outcome.events().find_map(|(_, event)| match event {
        Event::AnswerInterrupted { heard_us, .. } => Some(*heard_us),
        _ => None,
    });
    let (made, heard) = made_and_heard(&outcome);
    let released_us = heard * 1_000_000 / RATE_HZ as u64;
    assert!(heard > 0 && heard < made + 1, "{heard} of {made} samples were heard");
    assert_eq!(heard_us, Some(released_us), "what counts as heard is what was released");
    let answered = outcome
        .records
        .iter()
        .any(|record| record.turn == 2 && matches!(record.event, Event::OutputStarted { segment: 2, .. }));
    assert!(answered, "the interruption was not answered in a turn of its own");
}

#[test]
fn the_answer_to_an_interruption_is_of_the_new_turn_whenever_that_begins() {
    let mut interruptions = 0;
    // Whatever the length, the interruption is decided after some hop: one of these times it is the last voiced one.
    for sound_ms in (280..=440).step_by(16) {
        let outcome = asked_and_answered(sound_ms);
        let by = |record: &Record| match record.event {
            Event::AnswerInterrupted { turn, segment, .. } => Some((turn, segment)),
            _ => None,
        };
        let Some((old, by)) = outcome.records.iter().find_map(by) else { continue };
        interruptions += 1;
        let since =
            outcome.records.iter().skip_while(|r| !matches!(r.event, Event::AnswerInterrupted { .. }));
        for record in since.skip(1) {
            let of = match record.event {
                Event::Endpoint { segment, .. }
                | Event::SegmentEnded { segment, .. }
                | Event::ServiceSubmitted { segment, .. }
                | Event::OutputStarted { segment, .. } => segment,
                _ => continue,
            };
            assert!(of != by || record.turn == old + 1, "a sound of {sound_ms} ms: {record:?}");
        }
    }
    assert!(interruptions > 4, "{interruptions} interruptions show nothing");
}

#[test]
fn without_the_setting_nobody_is_interrupted() {
    let part = Part::new("caller-0", RATE_HZ as u32, [utterance(), vec![0.0; RATE_HZ], utterance()].concat());
    let outcomes = run(SCENE, &["session.output.interrupt_min_ms=None"], &[part], None).outcomes;
    let answers = times(&outcomes[0], |e| {
        matches!(
            e,
            Event::AnswerPaused { .. } | Event::AnswerWithdrawn { .. } | Event::AnswerInterrupted { .. }
        )
    });
    assert!(answers.is_empty(), "{answers:?}");
}

#[test]
fn callers_who_talk_over_answers_are_heard_within_a_third_of_a_second() {
    let report = simulate(&[SCENE, "--sessions", "40", "--duration", "30s"]);
    let p95 = number(&report, "latency_ms.speech_to_silence.p95");
    let count = |path: &str| number(&report, path);
    let (interrupted, noise) = (count("turns.interrupted"), count("turns.interrupted_by_noise"));
    println!("{interrupted} answers interrupted, {noise} of them by noise; speech to silence P95 {p95} ms");
    assert!(p95 < 350.0, "P95 {p95} ms");
    assert!(interrupted > 50.0 && noise == 0.0, "{}", report["turns"]);
    assert_eq!(report["frames"]["balanced"], true, "{}", report["frames"]);
}

/// Plays `samples` in blocks of 20 ms in time, then `after` at once, then nothing more for ten seconds, with the line
/// still open; what happened from then on.
fn then_silence_of_the_client(samples: &[f32], after: &[f32]) -> Vec<Record> {
    let plan = compile(SCENE, &[], Format { rate_hz: RATE_HZ as u32, channels: 1 }, None);
    let mut engine = Engine::new(plan, EngineConfig { sessions_max: 1, ..EngineConfig::simulated() });
    let session = engine.handle().open(SessionSpec::named("caller-0")).expect("there is room");
    let mut records = Vec::new();
    let mut tick = |at: usize, kept: bool| {
        engine.tick(at as u64 * 5_000);
        while let Some(out) = session.poll() {
            if let Out::Audio(audio) = out {
                session.give_back(audio.block);
            }
        }
        if kept {
            records.extend_from_slice(engine.records());
        }
    };
    let blocks = samples.chunks(RATE_HZ / 50).count();
    for (at, block) in samples.chunks(RATE_HZ / 50).enumerate() {
        session.try_push(block).expect("it comes in time");
        (0..4).for_each(|part| tick(at * 4 + part + 1, false));
    }
    if !after.is_empty() {
        session.try_push(after).expect("a second at once");
    }
    (0..2_000).for_each(|part| tick(blocks * 4 + part + 1, true));
    records
}

/// A question, and silence until well into its answer.
fn asked() -> Vec<f32> {
    [vec![0.0; RATE_HZ / 2], utterance(), vec![0.0; RATE_HZ * 2]].concat()
}

#[test]
fn an_answer_goes_on_when_the_client_stops_sending_in_the_middle_of_a_word() {
    let records = then_silence_of_the_client(&[asked(), utterance()[..RATE_HZ / 5].to_vec()].concat(), &[]);
    let resumed = records.iter().any(|r| matches!(r.event, Event::AnswerResumed { .. }));
    let ended = records.iter().any(|r| matches!(r.event, Event::OutputEnded { segment: 1, .. }));
    assert!(resumed && ended, "{records:?}");
}

#[test]
fn speech_that_arrives_late_and_ends_within_one_tick_interrupts_all_the_same() {
    let words = utterance();
    let late = [words[..RATE_HZ / 2].to_vec(), vec![0.0; RATE_HZ * 9 / 20]].concat();
    let records = then_silence_of_the_client(&asked(), &late);
    let old = records.iter().find_map(|r| match r.event {
        Event::AnswerInterrupted { turn, .. } => Some(turn),
        _ => None,
    });
    let started = records.iter().find(|r| matches!(r.event, Event::OutputStarted { segment: 2, .. }));
    // Its call went out before it was known that it interrupts; its answer is of the turn that it begins all the same.
    assert_eq!(started.map(|r| r.turn), old.map(|turn| turn + 1), "{records:?}");
    assert!(started.is_some(), "{records:?}");
}
