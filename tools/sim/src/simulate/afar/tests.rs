//! What callers see, and what the report makes of it.

use std::sync::Arc;

use mynah_engine::Control;
use mynah_engine::wire::message::{ControlMessage, MessageType};
use mynah_engine::wire::peer::PeerFigures;
use mynah_load::load::bank::{Bank, BankConfig};
use mynah_load::load::caller::Caller;
use mynah_load::load::schedule::{CallerConfig, Phase};
use mynah_load::load::{Stream, Utterance};

use super::*;

/// When the run begins on the client's clock.
const STARTED_US: u64 = 7_000_000;
const DURATION_US: u64 = 20_000_000;

/// A run with one caller, what it truly says, and its stream at its end.
fn run(scene: &str) -> (Afar, Vec<Utterance>, Vec<Stream>) {
    let (plan, _) = crate::scenes::compile(scene, &[], None, None).expect("it is shipped");
    let rate_hz = plan.input.rate_hz;
    let bank = Bank::build(BankConfig { clips: 4, rate_hz, ..BankConfig::default() }, &|_, _| {});
    let config = CallerConfig {
        phase: Phase::Aligned,
        quiet_from_us: DURATION_US - 4_000_000,
        ..CallerConfig::default()
    };
    let caller = Caller::new(Arc::new(bank.expect("a bank")), Arc::new(config), 0);
    let stream = Stream::Caller(Box::new(caller));
    let mut said = stream.clone();
    said.fill(&mut vec![0.0; (DURATION_US * u64::from(rate_hz) / 1_000_000) as usize]);
    let utterances = said.utterances();
    let options = Options::in_virtual_time(1, DURATION_US, 1);
    let mut afar = Afar::new(plan, options, "ws://there".into());
    let voices = afar.voices(vec![stream]);
    afar.begin(&voices, &[true], STARTED_US, 0);
    (afar, utterances, vec![said])
}

fn audio(segment: u32, revision: u32) -> Sighting {
    Sighting::Audio { segment, revision, pts_us: 0, sound_us: 20_000, samples: 960 }
}

/// The speech of an utterance is seen from 80 ms after its start on, and its end 100 ms after it.
fn speech(afar: &mut Afar, segment: u32, utterance: &Utterance) {
    let Utterance { start_us, end_us, .. } = *utterance;
    let began_us = STARTED_US + start_us + 80_000;
    afar.saw(0, began_us, &Sighting::SpeechStarted { segment, from_us: start_us });
    let confirmed =
        Control::ConfirmSpeculation { segment, turn: segment, from_us: start_us, to_us: start_us + 1 };
    afar.saw(0, began_us + 40_000, &Sighting::Speech(confirmed));
    for last in [false, true] {
        let ended = Control::EndOfSpeech { segment, revision: 1, at_us: end_us, last };
        afar.saw(0, STARTED_US + end_us + 100_000, &Sighting::Speech(ended));
    }
}

fn event(what: MessageType) -> Sighting {
    let message = ControlMessage::new("caller-00000".into(), 0, what);
    Sighting::Event {
        message: Box::new(ControlMessage { turn: Some(1), revision: Some(1), ..message }),
        segment: Some(1),
    }
}

#[test]
fn an_answer_counts_from_the_true_end_to_the_arrival_of_its_first_piece() {
    let (mut afar, utterances, streams) = run("voice_assistant");
    let (first, second) = (&utterances[0], &utterances[1]);
    speech(&mut afar, 1, first);
    afar.saw(0, STARTED_US + first.end_us + 180_000, &audio(1, 1));
    afar.saw(0, STARTED_US + first.end_us + 900_000, &audio(1, 1));
    // This one is answered while it goes on.
    speech(&mut afar, 2, second);
    afar.saw(0, STARTED_US + second.end_us - 100_000, &audio(2, 1));
    afar.gone(0, None, &PeerFigures::default(), DURATION_US);
    let report = afar.conclude(&streams, &Toll::default());
    let turns = &report.turns;
    assert_eq!((turns.utterances, turns.answered, turns.premature), (utterances.len() as u64, 1, 1));
    let response = report.latency_ms.speech_end_to_response.expect("one was answered");
    assert_eq!((response.quantiles.count, response.excluded), (1, 1));
    assert!((response.quantiles.max - 180.0).abs() < 1.0, "{response:?}");
    let forward = report.latency_ms.speech_start_to_forward.expect("two were seen");
    assert!(forward.count == 2 && (forward.max - 80.0).abs() < 1.0, "{forward:?}");
    assert_eq!((report.segments.opened, report.segments.confirmed, report.segments.open_at_end), (2, 2, 0));
    assert_eq!((report.frames.out, report.frames.samples_received), (3, 2_880));
    assert_eq!(report.messages.of_speech, 6);
    let judged: Vec<&str> = report.limits.iter().map(|limit| limit.name).collect();
    assert_eq!(
        judged,
        [
            "speech_end_to_response_p99_ms",
            "speech_start_to_forward_p95_ms",
            "cancelled_ratio",
            "premature_ratio"
        ]
    );
    assert_eq!(report.not_judged, ["silence_to_processing_p95_ms", "dropped_frames"]);
    assert_eq!(report.verdict, if turns.premature_ratio > 0.4 { "over" } else { "ok" });
}

#[test]
fn an_answer_that_is_spoken_over_falls_silent_with_what_has_arrived() {
    let (mut afar, utterances, streams) = run("voice_assistant");
    let (first, second) = (&utterances[0], &utterances[1]);
    speech(&mut afar, 1, first);
    afar.saw(0, STARTED_US + first.end_us + 200_000, &audio(1, 1));
    // Sounds into the second utterance: 60 ms of it have arrived when the pause is told.
    let at_us = STARTED_US + second.start_us + 90_000;
    (0..3).for_each(|_| afar.saw(0, at_us, &audio(1, 1)));
    speech(&mut afar, 2, second);
    afar.saw(0, at_us + 10_000, &event(MessageType::AnswerPaused {}));
    afar.saw(0, at_us + 300_000, &event(MessageType::AnswerInterrupted { heard_us: 80_000 }));
    let report = afar.conclude(&streams, &Toll::default());
    let silence = report.latency_ms.speech_to_silence.expect("one was interrupted");
    assert!(silence.count == 1 && (silence.max - 150.0).abs() < 1.0, "{silence:?}");
    let turns = &report.turns;
    assert_eq!((turns.paused, turns.interrupted, turns.interrupted_by_noise), (1, 1, 0));
}

#[test]
fn words_come_back_and_are_compared() {
    let (mut afar, utterances, streams) = run("voice_assistant");
    speech(&mut afar, 1, &utterances[0]);
    let words: Vec<&str> = utterances[0].text.split(' ').collect();
    let heard = words[1..].join(" ").as_str().into();
    afar.saw(
        0,
        STARTED_US + utterances[0].end_us + 150_000,
        &event(MessageType::Transcript { text: heard, last: true }),
    );
    let found = afar.conclude(&streams, &Toll::default()).recognition.expect("words were said");
    let others: usize = utterances[1..].iter().map(|utterance| utterance.text.split(' ').count()).sum();
    assert_eq!(
        (found.words as usize, found.errors as usize),
        (words.len() + others, 1 + others),
        "{found:?}"
    );
}

#[test]
fn callers_that_got_nothing_or_lost_it_make_the_verdict_over_and_say_nothing_more() {
    let (mut afar, utterances, streams) = run("voice_assistant");
    speech(&mut afar, 1, &utterances[0]);
    afar.saw(0, STARTED_US + utterances[0].end_us + 200_000, &audio(1, 1));
    afar.refused("503 capacity");
    afar.gone(0, Some("the connection is lost"), &PeerFigures::default(), utterances[0].end_us + 1_000_000);
    // Whoever has hung up does not say what it would have said by now.
    afar.settle(STARTED_US + SETTLE_EVERY_US);
    let report = afar.conclude(&streams, &Toll::default());
    assert_eq!((report.turns.utterances, report.turns.answered, report.verdict), (1, 1, "over"));
    assert_eq!(report.faults(), ["1 caller refused: 503 capacity", "1 caller lost: the connection is lost"]);
}

#[test]
fn what_passes_through_counts_from_the_arrival_of_its_chunk() {
    let (mut afar, _, streams) = run("passthrough");
    for chunk in 0..50 {
        let pts_us = chunk * 20_000;
        let sighting = Sighting::Audio { segment: 0, revision: 0, pts_us, sound_us: 20_000, samples: 320 };
        afar.saw(0, STARTED_US + pts_us + 20_000 + 3_000, &sighting);
    }
    afar.gone(0, None, &PeerFigures::default(), DURATION_US);
    let report = afar.conclude(&streams, &Toll::default());
    let there = report.latency_ms.frame_in_to_out.expect("it came back");
    assert!(there.count == 50 && (there.p50 - 3.0).abs() < 0.1 && (there.max - 3.0).abs() < 0.1, "{there:?}");
    assert_eq!((report.verdict, report.not_judged), ("ok", vec!["dropped_frames"]));
}
