//! What becomes of the open segment when a host shuts the gate, opens it, ends the turn or discards it: by how far the gate
//! was with it.

#[path = "support/host.rs"]
mod host;
#[path = "support/keys.rs"]
mod keys;

use host::{Host, findings};
use keys::{DOWN, UP, caller, gate, key, quiet, tone};
use mynah_engine::Control;
use mynah_engine::speech::GateMode;

/// What a host says in a word that the detector hears from 400 to 1,200 ms, or in so much of it.
struct Case {
    name: &'static str,
    mode: GateMode,
    ms: u64,
    messages: Vec<(u64, Control)>,
    want: &'static [&'static str],
}

fn case(
    name: &'static str,
    mode: GateMode,
    ms: u64,
    messages: &[(u64, Control)],
    want: &'static [&'static str],
) -> Case {
    Case { name, mode, ms, messages: messages.to_vec(), want }
}

const AUTO: GateMode = GateMode::Auto;

fn undecided() -> [Case; 4] {
    [
        case("shut", AUTO, 3_000, &[(450, UP)], &["open 1 from 300", "shut 1"]),
        case(
            "the turn ends",
            AUTO,
            650,
            &[(450, Control::EndTurn)],
            &["open 1 from 300", "shut 1", "open 2 from 340", "speech 2"],
        ),
        // Nothing from before comes with it; the detector hears a new stream.
        case(
            "discarded",
            AUTO,
            650,
            &[(450, Control::Discard)],
            &["open 1 from 300", "discarded 1", "open 2 from 440", "speech 2"],
        ),
        case(
            "held",
            AUTO,
            3_000,
            &[(450, DOWN), (1_500, UP)],
            &["open 1 from 300", "speech 1", "end 1.1 at 1500", "over 1.1"],
        ),
    ]
}

fn confirmed() -> [Case; 4] {
    [
        case(
            "a word, discarded",
            AUTO,
            1_100,
            &[(1_000, Control::Discard)],
            &["open 1 from 300", "speech 1", "over 1.0", "open 2 from 1000", "speech 2"],
        ),
        case(
            "its end suspected, discarded",
            AUTO,
            3_000,
            &[(1_300, Control::Discard)],
            &["open 1 from 300", "speech 1", "end 1.1 at 1200", "goes on 1.1", "over 1.0"],
        ),
        case(
            "its end suspected, and the turn ends",
            AUTO,
            3_000,
            &[(1_300, Control::EndTurn)],
            &["open 1 from 300", "speech 1", "end 1.1 at 1200", "over 1.1"],
        ),
        case(
            "its end suspected, and held",
            AUTO,
            3_000,
            &[(1_300, DOWN), (2_000, UP)],
            &["open 1 from 300", "speech 1", "end 1.1 at 1200", "goes on 1.1", "end 1.2 at 2000", "over 1.2"],
        ),
    ]
}

fn by_key() -> [Case; 4] {
    [
        case(
            "back to the detector: silence counts from there",
            GateMode::Shut,
            3_000,
            &[(600, DOWN), (2_000, key(AUTO))],
            &["open 1 from 500", "speech 1", "end 1.1 at 2000", "over 1.1"],
        ),
        case(
            "shut, and back to the detector",
            GateMode::Shut,
            3_000,
            &[(700, key(AUTO))],
            &["open 1 from 600", "speech 1", "end 1.1 at 1200", "over 1.1"],
        ),
        case(
            "the turn ends, and the key is still held",
            GateMode::Open,
            1_000,
            &[(500, Control::EndTurn), (800, UP)],
            &[
                "open 1 from 0",
                "speech 1",
                "end 1.1 at 500",
                "over 1.1",
                "open 2 from 500",
                "speech 2",
                "end 2.1 at 800",
                "over 2.1",
            ],
        ),
        case(
            "held and discarded",
            GateMode::Open,
            1_000,
            &[(500, Control::Discard), (800, UP)],
            &[
                "open 1 from 0",
                "speech 1",
                "over 1.0",
                "open 2 from 500",
                "speech 2",
                "end 2.1 at 800",
                "over 2.1",
            ],
        ),
    ]
}

#[test]
fn a_segment_ends_is_cancelled_or_forgotten_as_the_host_says() {
    let word = [quiet(400), tone(800), quiet(1_800)].concat();
    let mut wrong = Vec::new();
    for Case { name, mode, ms, messages, want } in undecided().into_iter().chain(confirmed()).chain(by_key())
    {
        let mut host =
            Host::new(&gate("vad: Energy, pad_ms: 100, min_speech_ms: 100"), &[]).with(caller(mode));
        host.hears(&word[..ms as usize * 16], &messages);
        let told = host.told_in_order();
        if told != want {
            wrong.push(format!("{name}: {:?}, not {want:?}", host.told()));
        }
        let idle = host.census().controls.without_effect;
        if idle != 0 {
            wrong.push(format!("{name}: {idle} messages without effect"));
        }
        host.finish();
        host.nothing_left();
    }
    findings(&wrong);
}

#[test]
fn a_message_that_changes_nothing_has_no_effect() {
    let mut host = Host::new(&gate("vad: Energy"), &[]).with(caller(GateMode::Shut));
    let messages = [Control::EndTurn, Control::Discard, UP, key(GateMode::Auto), key(GateMode::Auto)];
    for message in messages {
        host.say(0, message);
    }
    host.ticks(2);
    let controls = host.census().controls;
    assert_eq!((controls.arrived, controls.without_effect), (5, 4));
}
