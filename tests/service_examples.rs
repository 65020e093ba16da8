//! The examples of services tell the stories that they promise.

#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/npc_dialogue.rs"]
mod npc_dialogue;
#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/own_service.rs"]
mod own_service;
mod support;
#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/transcribe.rs"]
mod transcribe;

use std::path::PathBuf;

/// Fails unless these come in this order, among others.
fn assert_told(story: &[String], parts: &[&str]) {
    let mut left = parts.iter().peekable();
    for line in story {
        left.next_if(|part| line.contains(**part));
    }
    assert_eq!(left.next(), None, "not told in {story:#?}");
}

#[test]
fn a_game_answers_for_its_character_and_the_words_heard_are_remembered_and_no_more() {
    let (story, history) = npc_dialogue::story().expect("the story has an end");
    let told = [
        "the player says: where is the inn",
        "the game is asked what to say to \"where is the inn\"",
        "the character speaks",
        "\"The inn?\"",
        "the player says: never mind",
        "interrupted after",
        "the game is asked what to say to \"never mind\"",
        "\"Very well.\"",
        "the player says: open the gate please",
        "\"As you wish. The gate is open.\"",
        "heard to its end",
    ];
    assert_told(&story, &told);
    let remembered: Vec<String> = history.entries().iter().map(npc_dialogue::remembered).collect();
    let [inn, cut, rest @ ..] = &remembered[..] else { panic!("{remembered:#?}") };
    assert_eq!(inn, "player:    where is the inn");
    let whole =
        "The inn? Follow the river to the old mill, turn left at the well, and walk up to the third house.";
    let heard = cut.strip_prefix("character: ").and_then(|cut| cut.strip_suffix(" -- (interrupted)"));
    let heard = heard.unwrap_or_else(|| panic!("{remembered:#?}"));
    assert!(
        whole.starts_with(heard) && heard.len() > 20 && heard.len() < whole.len() - 10,
        "{remembered:#?}"
    );
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let want = [
        "player:    never mind",
        "character: Very well.",
        "player:    open the gate please",
        "character: As you wish. The gate is open.",
    ];
    assert_eq!(rest, want);
}

#[test]
fn a_storyteller_that_hangs_fails_and_panics_keeps_nobody_else_from_hearing_stories() {
    let mut story = Vec::new();
    own_service::play(|line| story.push(line)).expect("the story has an end");
    let anna =
        ["anna: a dragon", "to anna: Once upon a time", "anna: a very small dragon", "anna: fail once"];
    assert_told(&story, &anna);
    let ben =
        ["ben: hang", "to ben: I have lost the thread.", "ben: fail", "to ben: I have lost the thread."];
    assert_told(&story, &ben);
    // Of the panic nobody hears but by the answer: the call was tried again.
    assert_told(&story, &["carl: panic", "to carl: Once upon a time there was panic"]);
    let reasons = ["ben's call failed: timed out: nothing came for 1000 ms", "ben's call failed: no idea"];
    assert_told(&story, &reasons);
}

#[test]
fn words_of_recordings_are_recognised_at_their_times() {
    let recordings = support::given::own();
    let names = ["cards.wav", "two_cities_48k.wav"];
    let paths: Vec<PathBuf> = names.map(|name| recordings.join(name)).into();
    let heard = transcribe::transcribe(&paths).expect("the recordings are read");
    assert_eq!(heard, transcribe::transcribe(&paths).expect("once more"), "virtual time repeats");
    for (path, utterances) in paths.iter().zip(&heard) {
        transcribe::print(path, utterances);
    }
    let [cards, cities] = &heard[..] else { panic!("{heard:?}") };
    let words: Vec<&str> = cards.iter().map(|(.., words)| words.as_str()).collect();
    assert!(words.iter().any(|words| words.contains("of clubs")), "{words:?}");
    assert!(cards.iter().all(|(from_us, to_us, _)| from_us < to_us), "{cards:?}");
    assert!(cities.iter().any(|(.., words)| words.contains("best of times")), "{cities:?}");
}
