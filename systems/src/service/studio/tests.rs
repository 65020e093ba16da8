use proptest::prelude::*;

use super::*;
use crate::speech::flite::RATE_HZ;

fn new(text: &str) -> Arc<Speech> {
    Speech::new(text.into(), VoiceStyle::default())
}

/// What is read of a speech, 20 ms at a time.
fn read(speech: &Arc<Speech>) -> Vec<f32> {
    let (mut got, mut block) = (Vec::new(), [0.0; RATE_HZ as usize / 50]);
    while let Readout::Block(n) = speech.read(got.len(), &mut block, true) {
        got.extend_from_slice(&block[..n]);
    }
    got
}

fn begun(text: &str) -> Arc<Speech> {
    Speech::begin(text.into(), VoiceStyle::default()).expect("there are threads")
}

#[test]
fn what_is_read_in_blocks_is_what_the_voice_says_from_the_first_sound_on() {
    let whole = voice().speak("hello there", VoiceStyle::default()).expect("the style is the default");
    let audible = whole.iter().position(|s| s.abs() >= AUDIBLE).expect("it is audible") - LEAD;
    assert!(audible > 1_600, "the voice begins with silence: {audible} samples");
    assert_eq!(read(&begun("hello there")), whole[audible..]);
    assert_eq!(speech("hello there", VoiceStyle::default()), Ok(whole[audible..].to_vec()));
}

#[test]
fn of_a_long_speech_little_is_kept_and_all_is_heard() {
    // Sentences, one that has to be cut, and a piece longer than all that is kept.
    for text in ["It goes on and on. ".repeat(30), "Hi. ".repeat(250), "7".repeat(280)] {
        let speech = begun(&text);
        let length = speech.length_within(usize::MAX, true).expect("it is made to its end");
        assert!(length > KEPT_MAX, "{length} samples of {:?}", &text[..20]);
        let (mut got, mut block) = (Vec::new(), [0.0; 3_200]);
        while let Readout::Block(n) = speech.read(got.len(), &mut block, true) {
            let made = speech.made();
            assert!(made.kept.len() <= KEPT_MAX, "{} samples kept", made.kept.len());
            assert!(made.kept.capacity() <= KEPT_MAX + 2 * KEPT_STEP, "{}", made.kept.capacity());
            got.extend_from_slice(&block[..n]);
        }
        assert_eq!(got.len(), length);
        assert!(speech.ends_at(length) && !speech.ends_at(length - 1));
        let whole = super::speech(&text, VoiceStyle::default()).expect("the style is the default");
        assert!(got == whole, "other samples of {:?}", &text[..20]);
    }
}

#[test]
fn a_stopped_speech_ends_within_a_piece() {
    let speech = new(&"and on ".repeat(1_000));
    assert!(speech.turn(voice()), "there is more");
    let reached = || {
        let made = speech.made();
        (made.next.byte, made.length)
    };
    let (bytes, length) = reached();
    assert!(bytes <= 300, "{bytes} bytes in one turn");
    speech.stop();
    assert!(!speech.turn(voice()), "it goes on");
    assert_eq!(reached(), (bytes, length));
    assert!(speech.ends_at(length));
}

#[test]
fn speeches_take_turns() {
    let hour = begun(&"and so it goes on ".repeat(20_000));
    assert!(!read(&begun("Good morning.")).is_empty());
    assert!(!hour.made().complete, "it was not waited for");
    hour.stop();
    assert_eq!(hour.length_within(usize::MAX, true), Some(hour.made().length));
}

#[test]
fn a_speech_that_nobody_can_hear_takes_no_memory() {
    let style = VoiceStyle { level: 0.0, ..VoiceStyle::default() };
    let speech = Speech::new("It goes on and on. ".repeat(20).into(), style);
    while speech.turn(voice()) {
        let made = speech.made();
        assert!(made.next.onset.held.len() <= LEAD && made.kept.is_empty());
    }
    assert!(speech.ends_at(0));
}

#[test]
fn silence_before_the_first_sound_is_cut_at_the_same_sample_however_it_comes() {
    let mut samples = vec![0; 500];
    samples.extend([900; 100]);
    for block in [1, 7, 79, 80, 81, 160, 600] {
        let mut onset = Onset::default();
        let mut heard = Vec::new();
        for part in samples.chunks(block) {
            let (lead, rest) = onset.trim(part, VoiceStyle::default());
            heard.extend(lead);
            heard.extend_from_slice(rest);
        }
        assert_eq!(heard, samples[500 - LEAD..], "in blocks of {block}");
    }
}

/// Texts of everything that is no sentence.
fn odd() -> impl Strategy<Value = String> {
    let unit = prop::sample::select(vec![
        "and on ",
        "“a. ",
        "\"b. ",
        "(c ",
        ")] ",
        "Dr. ",
        "e.g. ",
        "p. 5 ",
        "3.14 ",
        "1234567890",
        "$5 ",
        "👍 ",
        "e\u{301}",
        "\u{301}\u{302}",
        "日本",
        "ﷺ",
        "x",
        "XYZ ",
        "...",
        "? ! ",
        "\n\n",
        "\t ",
        "'",
        "-",
        "/",
        "\u{0}",
        "https://a.b/c?d=e&f ",
        "\u{202E}",
        "\u{200D}",
    ]);
    let runs = prop::collection::vec((unit, 1_usize..80), 1..8);
    runs.prop_map(|runs| runs.iter().map(|(unit, times)| unit.repeat(*times)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_turn_takes_more_than_a_piece_and_no_speech_keeps_more_than_it_may(text in odd()) {
        let speech = new(&text);
        let mut said = String::new();
        let mut turns = 0;
        loop {
            let from = speech.made().next.byte;
            let goes_on = speech.turn(voice());
            let made = speech.made();
            prop_assert_eq!(&made.failed, &None);
            let piece = text[from..made.next.byte].trim();
            prop_assert!(piece.chars().count() <= 300, "{} characters at once", piece.chars().count());
            prop_assert!(made.kept.len() <= KEPT_MAX && made.kept.capacity() <= KEPT_MAX + 2 * KEPT_STEP);
            prop_assert!(made.next.onset.held.len() <= LEAD);
            said.push_str(&text[from..made.next.byte]);
            turns += 1;
            if !goes_on {
                break;
            }
        }
        prop_assert_eq!(said.trim_end(), text.trim_end());
        prop_assert!(speech.made().complete && turns <= text.chars().count() + 1);
    }
}
