//! Lines of the host's own: a bark without a caller, rank over rank, cut by speech or not, clips with subtitles.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/host.rs"]
mod host;
#[path = "support/spoken.rs"]
mod spoken;

use ends::Player;
use mynah_engine::edge::Words;
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::speech::{InterruptMode, LineDrop};
use mynah_engine::{Event, Params, Say, SessionEvent, SessionSpec};
use spoken::speech;

/// Every shipped scene that speaks.
const SCENES: [&str; 8] = [
    "assistant",
    "barge_in",
    "batched_tts",
    "deadlines",
    "full",
    "remote_answers",
    "voice_assistant",
    "voice_assistant_cloud",
];

fn player(scene: &str) -> Player {
    Player::new(scene, &[], SessionSpec::named("npc"))
}

fn ended(event: &SessionEvent) -> Option<(u32, u64)> {
    match event {
        SessionEvent::AnswerEnded { turn, heard_us } => Some((*turn, *heard_us)),
        _ => None,
    }
}

fn started(event: &SessionEvent) -> Option<(u32, u64)> {
    match event {
        SessionEvent::AnswerStarted { turn, line } => Some((*turn, *line)),
        _ => None,
    }
}

fn interrupted(event: &SessionEvent) -> Option<(u32, u64)> {
    match event {
        SessionEvent::AnswerInterrupted { turn, heard_us } => Some((*turn, *heard_us)),
        _ => None,
    }
}

fn lines(event: &SessionEvent) -> Option<(u32, String, u64, Option<u64>)> {
    match event {
        SessionEvent::Line { turn, text, from_us, until_us } => {
            Some((*turn, text.to_string(), *from_us, *until_us))
        }
        _ => None,
    }
}

/// Whether a sample that is not silence was read since the read `from`.
fn sounded(player: &Player, from: usize) -> bool {
    player.said[from..].iter().any(|(_, read)| read.frames > 0 && read.level > 0.001)
}

#[test]
fn a_bark_needs_no_caller() {
    for scene in SCENES {
        let mut npc = player(scene);
        npc.listens = false;
        let id = npc.control.say("Halt! Who goes there?", Say::default()).expect("the scene speaks");
        let (turn, heard_us) = npc.next("the line ends", 0, ended);
        assert_eq!(npc.told(started), [(turn, id)], "{scene}");
        assert!(heard_us > 500_000, "{scene}: {heard_us} us");
        let told = npc.told(lines);
        assert_eq!(told[0], (turn, "Halt! Who goes there?".into(), 0, None), "{scene}");
        let (.., until_us) = told.last().expect("told twice");
        let until_us = until_us.expect("its end is known by now");
        assert!(until_us.abs_diff(heard_us) < 2_000, "{scene}: {until_us}, {heard_us}");
        let frames: usize = npc.said.iter().map(|(_, read)| read.frames).sum();
        let rate_hz = u64::from(npc.output.format().rate_hz);
        assert!((frames as u64 * 1_000_000 / rate_hz).abs_diff(heard_us) < 2_000, "{scene}: {frames} frames");
        assert_eq!(npc.said.iter().filter(|(_, read)| read.began).count(), 1, "{scene}");
        assert_eq!(npc.said.iter().filter(|(_, read)| read.ended && read.turn == turn).count(), 1, "{scene}");
        npc.finish();
        let closed = SessionEvent::Closed { reason: mynah_engine::edge::CloseReason::Finished };
        assert_eq!(npc.events.last().map(|(_, event)| event), Some(&closed), "{scene}");
    }
}

#[test]
fn lines_that_wait_follow_by_rank_and_then_in_order() {
    let mut npc = player("barge_in");
    let say = |npc: &mut Player, text: &str, priority| {
        npc.control.say(text, Say { priority, ..Say::default() }).expect("there is room")
    };
    let first = say(&mut npc, "One.", 0);
    npc.next("the first begins", 0, started);
    let (low, high, also) = (say(&mut npc, "Two.", 0), say(&mut npc, "Three.", 5), say(&mut npc, "Four.", 5));
    npc.until("all have ended", |npc| npc.told(ended).len() == 4);
    let order: Vec<u64> = npc.told(started).into_iter().map(|(_, line)| line).collect();
    assert_eq!(order, [first, high, also, low]);
    let turns: Vec<u32> = npc.told(started).into_iter().map(|(turn, _)| turn).collect();
    assert_eq!(turns, [1, 2, 3, 4], "each line is a turn of its own");
    assert!(npc.told(interrupted).is_empty());
}

#[test]
fn a_line_that_does_not_wait_cuts_what_does_not_rank_higher() {
    let long = "This is a long story about a bird that listens and talks back, and it goes on and on.";
    let mut npc = player("voice_assistant");
    npc.control.say(long, Say { priority: 1, ..Say::default() }).expect("there is room");
    npc.next("the story begins", 0, started);
    npc.ticks(100);
    let now = |priority| Say { priority, wait: false, ..Say::default() };
    let weak = npc.control.say("Psst.", now(0)).expect("there is room");
    let dropped = npc.next("the weak line is dropped", 0, |event| match event {
        SessionEvent::LineDropped { line, reason } => Some((*line, *reason)),
        _ => None,
    });
    assert_eq!(dropped, (weak, LineDrop::Outranked));
    assert!(npc.told(interrupted).is_empty());
    let strong = npc.control.say("Fire!", now(1)).expect("there is room");
    let (turn, heard_us) = npc.next("the story is cut", 0, interrupted);
    assert_eq!(turn, 1);
    assert!((300_000..800_000).contains(&heard_us), "{heard_us} us of the story were heard");
    assert!(npc.said.iter().any(|(_, read)| read.cut), "the loudspeaker is told");
    let from = npc.events.len();
    let (turn, _) = npc.next("the strong line ends", from, ended);
    assert_eq!(npc.told(started).last(), Some(&(turn, strong)));
}

/// Somebody speaks while a line sounds.
fn spoken_over(say: Say) -> Player {
    let mut npc = player("barge_in");
    let long =
        "This is a long story about a bird that listens and talks back, and it goes on and on, and on.";
    npc.control.say(long, say).expect("there is room");
    npc.next("the story begins", 0, started);
    npc.speak(&speech(16_000, "Stop that now please and listen to me"));
    npc.until("the player has spoken", Player::is_silent);
    npc
}

#[test]
fn speech_cuts_a_line() {
    let mut npc = spoken_over(Say::default());
    let (turn, heard_us) = npc.next("the story is cut", 0, interrupted);
    assert_eq!(turn, 1);
    assert!(heard_us > 300_000, "{heard_us}");
    // Then the player is answered.
    let from = npc.events.len();
    let (turn, line) = npc.next("the answer", 0, |event| started(event).filter(|(_, line)| *line == 0));
    assert!(turn > 1 && line == 0);
    npc.next("its end", from, ended);
}

#[test]
fn speech_does_not_cut_a_line_that_must_be_heard() {
    let mut npc = spoken_over(Say { interruptible: false, ..Say::default() });
    let (turn, heard_us) = npc.next("the story ends", 0, ended);
    assert_eq!(turn, 1);
    assert!(heard_us > 3_000_000, "{heard_us}");
    assert!(npc.told(interrupted).is_empty());
    let paused = npc.told(|event| matches!(event, SessionEvent::AnswerPaused { .. }).then_some(()));
    assert!(paused.is_empty(), "the player is talked over");
    npc.next("the player is answered", 0, |event| started(event).filter(|(_, line)| *line == 0));
}

#[test]
fn a_clip_is_played_as_it_was_recorded_with_its_subtitle() {
    for scene in SCENES {
        let mut npc = player(scene);
        npc.listens = false;
        let format = Format { rate_hz: 16_000, channels: 1 };
        let samples: Vec<f32> = (0..16_000).map(|at| (at as f32 * 0.2).sin() * 0.5).collect();
        let clip = Clip { subtitle: "La la la.".into(), format, samples: samples.clone().into() };
        npc.control.say(clip, Say::default()).expect("the scene plays it");
        let (turn, heard_us) = npc.next("the clip ends", 0, ended);
        // Each block is rounded to microseconds.
        assert!(heard_us.abs_diff(1_000_000) < 100, "{scene}: {heard_us}");
        assert_eq!(npc.told(lines), [(turn, "La la la.".into(), 0, Some(1_000_000))], "{scene}");
        if npc.output.format() == format {
            let from = npc.said.iter().position(|(_, read)| read.began).expect("it began") * 80;
            assert_eq!(npc.heard[from..from + samples.len()], samples, "{scene}: bit for bit");
        }
        assert!(sounded(&npc, 0), "{scene}");
    }
}

#[test]
fn a_clip_in_another_format_is_converted_for_the_voice() {
    let mut npc = player("voice_assistant");
    let format = Format { rate_hz: 44_100, channels: 2 };
    let samples: Vec<f32> = (0..88_200).map(|at| ((at / 2) as f32 * 0.05).sin() * 0.5).collect();
    let clip = Clip { subtitle: "Hm.".into(), format, samples: samples.into() };
    npc.control.say(clip, Say::default()).expect("the scene plays it");
    let (_, heard_us) = npc.next("the clip ends", 0, ended);
    assert!(heard_us.abs_diff(1_000_000) < 1_000, "{heard_us}");
}

#[test]
fn what_cannot_be_said_is_refused_with_its_remedy() {
    let mut mute = player("gate_only");
    let refused = mute.control.say("Hello?", Say::default()).expect_err("nothing speaks there");
    assert!(refused.to_string().contains("(\"said\", \"tts\")"), "{refused}");
    let mut npc = player("barge_in");
    let long = npc.control.say("x".repeat(20_000), Say::default()).expect_err("too long");
    assert!(long.to_string().contains("at most 16384"), "{long}");
    let format = Format { rate_hz: 16_000, channels: 2 };
    for samples in [vec![], vec![0.0; 3], vec![0.0; 16_000 * 2 * 31]] {
        let clip = Clip { subtitle: "".into(), format, samples: samples.into() };
        let bad = npc.control.say(Words::from(clip), Say::default()).expect_err("it is no clip");
        assert!(bad.to_string().contains("at most 30 s"), "{bad}");
    }
}

#[test]
fn the_host_interrupts_softly_or_at_once() {
    let long =
        "This is a long story about a bird that listens and talks back, and it goes on and on, and on.";
    let mut npc = player("barge_in");
    npc.control.say(long, Say { interruptible: false, ..Say::default() }).expect("there is room");
    npc.next("the story begins", 0, started);
    let waits = npc.control.say("And another.", Say::default()).expect("there is room");
    npc.control.interrupt(InterruptMode::Soft).expect("there is room");
    npc.ticks(50);
    assert!(npc.told(interrupted).is_empty(), "it must be heard");
    npc.control.interrupt(InterruptMode::Now).expect("there is room");
    npc.next("the story is cut", 0, interrupted);
    let dropped = npc.told(|event| match event {
        SessionEvent::LineDropped { line, reason } => Some((*line, *reason)),
        _ => None,
    });
    assert_eq!(dropped, [(waits, LineDrop::Interrupted)]);
    let quiet = npc.said.len() + 1;
    npc.ticks(100);
    assert!(!sounded(&npc, quiet), "nothing sounds any more");
}

#[test]
fn what_the_user_types_is_answered_like_speech() {
    let mut npc = player("barge_in");
    let id = npc.control.send_text("open the door").expect("there is room");
    let (turn, line) = npc.next("the answer", 0, started);
    assert_eq!((turn, line), (1, id));
    npc.next("its end", 0, ended);
    let said: String = npc.told(lines).iter().map(|(_, text, ..)| text.clone() + " ").collect();
    assert!(said.contains("You said open the door."), "{said}");
    let asked = npc.events.len();
    npc.control.respond().expect("there is room");
    npc.next("an answer without words", asked, started);
    npc.next("its end", asked, ended);
}

#[test]
fn parameters_reach_the_voice_from_the_next_line_on() {
    let length = |params: Params| {
        let mut npc = Player::new("barge_in", &[], SessionSpec { params, ..SessionSpec::named("npc") });
        npc.control.say("Good morning, my friend.", Say::default()).expect("there is room");
        let (_, first_us) = npc.next("the line ends", 0, ended);
        npc.control.set(Params::new().with("rate", 2.0)).expect("there is room");
        let from = npc.events.len();
        npc.control.say("Good morning, my friend.", Say::default()).expect("there is room");
        let (_, second_us) = npc.next("the line ends", from, ended);
        (first_us, second_us)
    };
    let (plain_us, quick_us) = length(Params::new());
    let (slow_us, _) = length(Params::new().with("rate", 0.5));
    assert!(quick_us * 3 < plain_us * 2 && plain_us * 3 < slow_us * 2, "{quick_us} {plain_us} {slow_us}");
}

#[test]
fn every_line_opens_once_and_all_frames_add_up() {
    let mut npc = player("full");
    for at in 0..6 {
        npc.control.say(format!("Line number {at}."), Say::default()).expect("there is room");
    }
    npc.until("all have ended", |npc| npc.told(ended).len() == 6);
    npc.finish();
    let opened = npc.records.iter().filter(|record| matches!(record.event, Event::LineOpened { .. })).count();
    assert_eq!(opened, 6);
    let (mut census, mut queued) = (mynah_engine::observe::Census::default(), Vec::new());
    let census = npc.engine.census(&mut census);
    for balance in census.balances(npc.engine.queued(&mut queued)) {
        assert!(balance.holds(), "{balance}");
    }
    assert_eq!((census.segments_active, census.edge.said), (0, 6));
}
