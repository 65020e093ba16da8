//! The examples of the ends tell the stories that they promise.

#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/speak_first.rs"]
mod speak_first;
#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/two_threads.rs"]
mod two_threads;

/// Fails unless these come in this order, among others.
fn assert_told(story: &[String], parts: &[&str]) {
    let mut left = parts.iter().peekable();
    for line in story {
        left.next_if(|part| line.contains(**part));
    }
    assert_eq!(left.next(), None, "not told in {story:#?}");
}

#[test]
fn a_character_speaks_first_is_interrupted_and_answers() {
    let story = speak_first::story();
    let told = [
        "the game has the innkeeper greet",
        "speaks first",
        "Good evening, traveller.",
        "the player says",
        "turn 1: he hesitates",
        "turn 1: interrupted after",
        "recognised: where is the inn",
        "the innkeeper answers",
        "You said where is the inn.",
        "heard to its end",
    ];
    assert_told(&story, &told);
    assert!(story.iter().any(|line| line.contains("the loudspeaker is silent")), "{story:#?}");
}

#[test]
fn a_game_and_a_device_on_their_own_threads() {
    let mut story = Vec::new();
    let calls = two_threads::play(|line| story.push(line)).expect("the story has an end");
    let told = ["speaks first", "Welcome.", "the player says", "the character answers", "closed: finished"];
    assert_told(&story, &told);
    assert!(calls.refused == 0 && calls.sounded > 16_000 && calls.loudest > 0.01, "{calls:?}");
}
