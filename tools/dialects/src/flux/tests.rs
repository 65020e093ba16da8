//! Turns, told of what gates may decide in any order, against the order that Flux promises.

use std::collections::BTreeMap;

use mynah_engine::SessionEvent;
use mynah_engine::speech::CancelReason;
use proptest::prelude::*;

use super::settings::Settings;
use super::turns::{TurnEvent, TurnTold, Turns, WORDS_WITHIN_US};

/// The order of one connection's turns; says what is wrong first.
fn order(told: &[TurnTold]) -> Result<(), String> {
    let (mut index, mut begun, mut eager) = (0, false, None::<&str>);
    for (at, turn) in told.iter().enumerate() {
        let wrong = |what: &str| Err(format!("{at}: {what}: {turn:?}"));
        if turn.index != index {
            return wrong("another turn");
        }
        if begun == (turn.event == TurnEvent::Start) {
            return wrong("a turn begins once, and first");
        }
        match turn.event {
            TurnEvent::Start => begun = true,
            TurnEvent::Update if eager.is_some() => return wrong("an update behind an eager end"),
            TurnEvent::Update => {}
            TurnEvent::Eager if turn.text.is_empty() || eager.is_some() => return wrong("no eager end"),
            TurnEvent::Eager => eager = Some(&turn.text),
            TurnEvent::Resumed if eager.take().is_none() => return wrong("nothing was taken back"),
            TurnEvent::Resumed => {}
            TurnEvent::End => {
                if eager.take().is_some_and(|text| text != turn.text) {
                    return wrong("other words than those of the eager end");
                }
                (begun, index) = (false, index + 1);
            }
        }
        if turn.window_us.0 > turn.window_us.1 {
            return wrong("a window that ends before it begins");
        }
    }
    Ok(())
}

fn told(event: TurnEvent, index: u32, text: &str) -> TurnTold {
    TurnTold { event, index, window_us: (0, 1), text: text.into(), manual: false }
}

#[test]
fn an_order_that_is_wrong_is_found() {
    use TurnEvent::{Eager, End, Resumed, Start, Update};
    let right = [
        (Start, 0, ""),
        (Update, 0, "a"),
        (Eager, 0, "a b"),
        (Resumed, 0, "a b"),
        (Eager, 0, "a b c"),
        (End, 0, "a b c"),
        (Start, 1, ""),
    ];
    let of = |turns: &[(TurnEvent, u32, &str)]| {
        order(&turns.iter().map(|(event, index, text)| told(*event, *index, text)).collect::<Vec<_>>())
    };
    assert_eq!(of(&right), Ok(()));
    for wrong in [
        &[(Update, 0, "a")][..],
        &[(Start, 0, ""), (Start, 0, "")],
        &[(Start, 0, ""), (Eager, 0, "")],
        &[(Start, 0, ""), (Resumed, 0, "")],
        &[(Start, 0, ""), (Eager, 0, "a"), (Update, 0, "a b")],
        &[(Start, 0, ""), (Eager, 0, "a"), (Eager, 0, "a")],
        &[(Start, 0, ""), (Eager, 0, "a"), (End, 0, "a b")],
        &[(Start, 0, ""), (End, 0, "a"), (Start, 0, "")],
        &[(Start, 1, "")],
    ] {
        assert!(of(wrong).is_err(), "{wrong:?}");
    }
}

/// What a gate and a recogniser may do next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Confirm,
    Cancel,
    Seems,
    Retract,
    Final,
    Split,
    Partial(u8),
    Words(u8),
    Complete,
    Fail,
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Begin),
        4 => Just(Step::Confirm),
        1 => Just(Step::Cancel),
        4 => Just(Step::Seems),
        3 => Just(Step::Retract),
        3 => Just(Step::Final),
        1 => Just(Step::Split),
        2 => (0..5_u8).prop_map(Step::Partial),
        4 => (0..5_u8).prop_map(Step::Words),
        4 => Just(Step::Complete),
        1 => Just(Step::Fail),
        3 => (0..700_u32).prop_map(|ms| Step::Wait(ms * 1_000)),
    ];
    prop::collection::vec(step, 0..120)
}

/// A gate that opens one segment after the other, and a recogniser that may be late: both keep their own rules, as the
/// engine does.
#[derive(Default)]
struct Told {
    segment: u32,
    confirmed: bool,
    /// The last revision of the open segment, and whether that end stands.
    revision: u32,
    seems: bool,
    open: bool,
    split: bool,
    /// Ends whose words are not complete: segment and revision.
    unheard: Vec<(u32, u32)>,
    at_us: u64,
    /// Confirmed segments that begin a turn, and turns by their last segment that ended.
    begun: u32,
}

impl Told {
    fn event(&mut self, step: Step) -> Option<SessionEvent> {
        self.at_us += 10_000;
        let (segment, revision, at_us) = (self.segment, self.revision, self.at_us);
        Some(match step {
            Step::Begin if !self.open => {
                self.segment += 1;
                (self.open, self.confirmed, self.revision, self.seems) = (true, self.split, 0, false);
                SessionEvent::SpeechStarted { segment: self.segment, from_us: at_us }
            }
            Step::Confirm if self.open && !self.confirmed => {
                self.confirmed = true;
                self.begun += 1;
                SessionEvent::SpeechConfirmed { segment, turn: 1, from_us: at_us, to_us: at_us }
            }
            Step::Cancel if self.open && !self.confirmed => {
                self.open = false;
                let reason = CancelReason::NotSustained;
                SessionEvent::SpeechCancelled { segment, reason, from_us: at_us, to_us: at_us, late: false }
            }
            Step::Seems if self.open && self.confirmed && !self.seems => {
                (self.seems, self.revision, self.split) = (true, revision + 1, false);
                self.unheard.push((segment, self.revision));
                SessionEvent::EndOfSpeech { segment, revision: self.revision, at_us, last: false }
            }
            Step::Retract if self.seems => {
                self.seems = false;
                self.unheard.retain(|of| *of != (segment, revision));
                SessionEvent::EndOfSpeechRetracted { segment, revision, at_us }
            }
            Step::Final if self.seems => {
                (self.open, self.seems) = (false, false);
                SessionEvent::EndOfSpeech { segment, revision, at_us, last: true }
            }
            Step::Split if self.open && self.confirmed && !self.seems => {
                (self.open, self.split) = (false, true);
                SessionEvent::EndOfSpeech { segment, revision: 0, at_us, last: true }
            }
            Step::Partial(words) if self.open => {
                SessionEvent::PartialTranscript { segment, text: text(words).into() }
            }
            Step::Words(words) => {
                let (segment, revision) = *self.unheard.first()?;
                SessionEvent::Transcript { segment, revision, turn: 1, text: text(words).into(), last: false }
            }
            Step::Complete if !self.unheard.is_empty() => {
                let (segment, revision) = self.unheard.remove(0);
                SessionEvent::Transcript { segment, revision, turn: 1, text: "".into(), last: true }
            }
            Step::Fail if !self.unheard.is_empty() => {
                self.unheard.remove(0);
                SessionEvent::ServiceFailed { turn: 1, service: "asr".into(), reason: "it is ill".into() }
            }
            _ => return None,
        })
    }
}

fn text(words: u8) -> String {
    ["one", "two", "three", "four"][..usize::from(words)].join(" ")
}

/// What is told of these steps, until nothing is left.
fn tell(steps: &[Step], eager: bool) -> (Vec<TurnTold>, Told) {
    let (mut turns, mut now_us, mut said, mut gate) = (Turns::new(eager), 0, Vec::new(), Told::default());
    let drain = |turns: &mut Turns, now_us: u64, said: &mut Vec<TurnTold>| {
        let before = said.len();
        said.extend(std::iter::from_fn(|| turns.next(now_us)));
        assert!(said.len() - before <= 150, "it never comes to rest");
        assert!(turns.due_us().is_none_or(|us| us > now_us), "a driver would spin");
    };
    for step in steps {
        now_us += 5_000;
        if let Step::Wait(us) = step {
            now_us += u64::from(*us);
        }
        if let Some(event) = gate.event(*step) {
            turns.take(now_us, &event);
        }
        turns.heard(now_us);
        drain(&mut turns, now_us, &mut said);
    }
    turns.finish();
    drain(&mut turns, now_us, &mut said);
    assert!(turns.is_empty(), "something is left");
    (said, gate)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_gate_decides_the_order_holds(steps in steps(), eager: bool) {
        let (said, gate) = tell(&steps, eager);
        prop_assert_eq!(order(&said), Ok(()));
        let count = |event| said.iter().filter(|told| told.event == event).count() as u32;
        prop_assert_eq!(count(TurnEvent::Start), gate.begun);
        prop_assert_eq!(count(TurnEvent::End), gate.begun);
        if !eager {
            prop_assert_eq!(count(TurnEvent::Eager) + count(TurnEvent::Resumed), 0);
        }
        let mut updates: BTreeMap<u32, u32> = BTreeMap::new();
        said.iter().filter(|told| told.event == TurnEvent::Update).for_each(|told| *updates.entry(told.index).or_default() += 1);
        let us = steps.iter().map(|step| if let Step::Wait(us) = step { u64::from(*us) } else { 0 } + 5_000).sum::<u64>();
        prop_assert!(u64::from(updates.values().sum::<u32>()) <= us / 250_000 + 1, "more than four updates a second");
    }
}

#[test]
fn a_pause_is_an_eager_end_that_is_taken_back() {
    use Step::{Begin, Complete, Confirm, Final, Retract, Seems, Words};
    let steps = [Begin, Confirm, Seems, Words(2), Complete, Retract, Seems, Words(4), Complete, Final];
    let (said, _) = tell(&steps, true);
    let said: Vec<_> = said.iter().map(|told| (told.event, told.text.as_str())).collect();
    let (some, all) = ("one two", "one two three four");
    let want = [
        (TurnEvent::Start, ""),
        (TurnEvent::Eager, some),
        (TurnEvent::Resumed, some),
        (TurnEvent::Eager, all),
        (TurnEvent::End, all),
    ];
    assert_eq!(said, want);
    // Nobody asked for eager ends: words are updates then, here too soon for the second.
    let (said, _) = tell(&steps, false);
    let said: Vec<_> = said.iter().map(|told| (told.event, told.text.as_str())).collect();
    assert_eq!(said, [(TurnEvent::Start, ""), (TurnEvent::End, all)]);
}

#[test]
fn words_that_never_come_are_waited_for_five_seconds() {
    let mut turns = Turns::new(true);
    let confirmed = SessionEvent::SpeechConfirmed { segment: 1, turn: 1, from_us: 0, to_us: 100 };
    turns.take(0, &confirmed);
    turns.take(0, &SessionEvent::PartialTranscript { segment: 1, text: "so far".into() });
    turns.take(0, &SessionEvent::EndOfSpeech { segment: 1, revision: 1, at_us: 100, last: false });
    turns.take(10, &SessionEvent::EndOfSpeech { segment: 1, revision: 1, at_us: 100, last: true });
    assert_eq!(turns.next(10).map(|told| told.event), Some(TurnEvent::Start));
    assert_eq!((turns.next(10), turns.due_us()), (None, Some(10 + WORDS_WITHIN_US)));
    let end = turns.next(10 + WORDS_WITHIN_US).expect("it is over");
    assert_eq!((end.event, end.text.as_str()), (TurnEvent::End, "so far"));
}

#[test]
fn a_query_is_read_and_what_cannot_be_served_is_refused_with_what_can() {
    let read = Settings::parse(
        "?model=flux-general-en&encoding=linear16&sample_rate=16000&eager_eot_threshold=0.5&eot_threshold=0.8\
         &eot_timeout_ms=3000&keyterm=a%20b&keyterm=c+d&mip_opt_out=true",
    );
    let read = read.expect("it is right");
    assert_eq!((read.model.as_str(), read.rate_hz), ("flux-general-en", 16_000));
    let thresholds = read.thresholds;
    assert_eq!(thresholds.eager_eot_threshold, Some(0.5));
    assert_eq!((thresholds.eot_threshold, thresholds.eot_timeout_ms), (0.8, 3_000));
    let escaped =
        Settings::parse("model=a%2Fb%zz%2&encoding=linear16&sample_rate=8000").expect("it is right");
    assert_eq!(escaped.model, "a/b%zz%2");
    for (query, parts) in [
        ("", ["encoding", "linear16"]),
        ("encoding=opus&sample_rate=16000", ["opus", "linear16"]),
        ("encoding=linear16", ["sample_rate", "8000 to 192000"]),
        ("encoding=linear16&sample_rate=7999", ["7999", "8000 to 192000"]),
        ("encoding=linear16&sample_rate=16000&eot_threshold=NaN", ["eot_threshold", "a number"]),
        ("encoding=linear16&sample_rate=16000&eot_threshold=0.4", ["eot_threshold", "0.5 to 0.9"]),
        (
            "encoding=linear16&sample_rate=16000&eager_eot_threshold=0.2",
            ["eager_eot_threshold", "0.3 to 0.9"],
        ),
        (
            "encoding=linear16&sample_rate=16000&eager_eot_threshold=0.8",
            ["eager_eot_threshold", "at most eot_threshold"],
        ),
        ("encoding=linear16&sample_rate=16000&eot_timeout_ms=499", ["eot_timeout_ms", "500 to 10000"]),
        ("encoding=linear16&sample_rate=16000&eot_timeout_ms=-1", ["eot_timeout_ms", "500 to 10000"]),
    ] {
        let refusal = Settings::parse(query).expect_err(query);
        assert_eq!(refusal.code, "bad_request");
        assert!(parts.iter().all(|part| refusal.message.contains(part)), "{query}: {refusal}");
    }
}
