//! Each segment whose end holds is committed once, when it is settled what of its answer was heard.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/host.rs"]
mod host;
#[path = "support/spoken.rs"]
mod spoken;

use std::sync::Arc;

use ends::Player;
use host::Host;
use mynah_engine::edge::Line;
use mynah_engine::service::Commit;
use mynah_engine::speech::InterruptMode;
use mynah_engine::{Control, ControlIn, Event, Say, SessionEvent, SessionSpec};
use spoken::speech;

const STORY: &str =
    "This is a long story about a bird that listens and talks back, and it goes on and on, and on.";

/// A session of a shipped scene whose host polls, and what was committed in its ticks.
struct Watched {
    host: Host,
    commits: Vec<Commit>,
}

impl Watched {
    fn new(scene: &str, sets: &[&str]) -> Self {
        let spec = SessionSpec { events: true, ..SessionSpec::named("caller") };
        Self { host: Host::new(scene, sets).with(spec), commits: Vec::new() }
    }

    fn tick(&mut self) {
        self.host.tick();
        self.commits.extend(self.host.engine.hub().commits().cloned());
    }

    fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    fn say(&mut self, text: &str) {
        let line = Arc::new(Line { words: text.into(), say: Say::default() });
        self.host.say(0, Control::Say(line));
    }

    fn speak(&mut self, samples: &[f32]) {
        for piece in samples.chunks(80) {
            self.host.sessions[0].try_push(piece).expect("each tick takes what came");
            self.tick();
        }
    }

    /// Segments that ended, lines among them.
    fn ended(&self) -> Vec<u32> {
        let mut ended: Vec<u32> = self
            .host
            .events(|event| match event {
                Event::SegmentEnded { segment, .. } | Event::LineOpened { segment, .. } => Some(*segment),
                _ => None,
            })
            .into_iter()
            .map(|(.., segment)| segment)
            .collect();
        ended.sort_unstable();
        ended
    }

    fn committed(&self) -> Vec<u32> {
        let mut committed: Vec<u32> = self.commits.iter().map(|commit| commit.segment.serial).collect();
        committed.sort_unstable();
        committed
    }

    fn told<T>(&self, pick: impl Fn(&SessionEvent) -> Option<T>) -> Vec<T> {
        self.host.events.iter().filter_map(|(.., event)| pick(event)).collect()
    }
}

fn heard_to_end(event: &SessionEvent) -> Option<u64> {
    match event {
        SessionEvent::AnswerEnded { heard_us, .. } => Some(*heard_us),
        _ => None,
    }
}

fn interrupted(event: &SessionEvent) -> Option<u64> {
    match event {
        SessionEvent::AnswerInterrupted { heard_us, .. } => Some(*heard_us),
        _ => None,
    }
}

#[test]
fn an_answer_heard_to_its_end_is_committed_then_and_whole() {
    let mut watched = Watched::new("barge_in", &[]);
    watched.say("Halt!");
    while watched.told(heard_to_end).is_empty() {
        assert!(watched.commits.is_empty(), "before its end was heard");
        watched.tick();
    }
    watched.tick();
    let (heard_us, commit) = (watched.told(heard_to_end)[0], &watched.commits[0]);
    assert_eq!((commit.revision, commit.heard.us, commit.heard.whole), (1, heard_us, true));
    watched.ticks(500);
    assert_eq!(watched.committed(), watched.ended());
}

#[test]
fn of_an_interrupted_answer_the_commit_says_what_was_heard() {
    let mut watched = Watched::new("barge_in", &[]);
    watched.say(STORY);
    watched.ticks(200);
    watched.host.say(0, Control::Interrupt { mode: InterruptMode::Now });
    watched.ticks(2);
    let heard_us = watched.told(interrupted)[0];
    let commit = watched.commits.first().expect("it is over");
    assert!(heard_us > 300_000);
    assert_eq!((commit.heard.us, commit.heard.whole), (heard_us, false));
    watched.ticks(500);
    assert_eq!(watched.committed(), watched.ended());
}

#[test]
fn speech_over_an_answer_and_its_own_answer_are_committed_in_order() {
    let mut watched = Watched::new("barge_in", &[]);
    watched.say(STORY);
    watched.ticks(200);
    watched.speak(&speech(16_000, "Stop that now please and listen to me"));
    watched.speak(&vec![0.0; 16_000 * 12]);
    let ended = watched.ended();
    assert!(ended.len() >= 2, "{ended:?}");
    assert_eq!(watched.committed(), ended);
    let wholes: Vec<bool> = watched.commits.iter().map(|commit| commit.heard.whole).collect();
    assert!(!wholes[0] && *wholes.last().expect("the speech"), "{wholes:?}");
    let us: Vec<u64> = watched.commits.iter().map(|commit| commit.heard.us).collect();
    assert_eq!(us[0], watched.told(interrupted)[0]);
    assert_eq!(us.last(), watched.told(heard_to_end).last());
}

#[test]
fn a_session_that_hangs_up_in_the_middle_of_an_answer_has_heard_that_much() {
    let mut watched = Watched::new("barge_in", &[]);
    watched.say(STORY);
    watched.ticks(200);
    watched.host.sessions[0].close();
    watched.ticks(3);
    assert_eq!(watched.committed(), watched.ended());
    let released: usize = watched.host.sounds.iter().map(|sound| sound.samples.len()).sum();
    let (heard, released_us) = (&watched.commits[0].heard, released as u64 * 1_000_000 / 16_000);
    assert!(!heard.whole && heard.us.abs_diff(released_us) < 2_000, "{heard:?} of {released_us} us released");
}

#[test]
fn what_a_host_reports_as_heard_is_what_counts() {
    let mut watched = Watched::new("barge_in", &["session.output.pace=Burst"]);
    watched.say(STORY);
    watched.host.say(0, Control::Heard { turn: 1, us: 0 });
    watched.ticks(300);
    assert_eq!(watched.host.count(|event| matches!(event, Event::OutputEnded { .. })), 1, "all has left");
    watched.host.say(0, Control::Heard { turn: 1, us: 700_000 });
    watched.ticks(300);
    assert!(watched.commits.is_empty(), "the rest may still be heard");
    // Two reports in one tick: the last of the old answer counts.
    watched.say("Another.");
    watched.host.say(0, Control::Heard { turn: 1, us: 800_000 });
    watched.host.say(0, Control::Heard { turn: 2, us: 1 });
    watched.ticks(300);
    let first = &watched.commits.first().expect("a later one is heard").heard;
    assert_eq!((first.us, first.whole), (800_000, false));
    watched.host.say(0, Control::Heard { turn: 2, us: 60_000_000 });
    watched.ticks(300);
    assert!(watched.commits.get(1).is_some_and(|commit| commit.heard.whole));
}

#[test]
fn a_loudspeaker_that_is_not_read_has_heard_nothing_yet() {
    let mut player = Player::new("barge_in", &[], SessionSpec::named("npc"));
    player.listens = false;
    player.reads = false;
    let mut commits: Vec<Commit> = Vec::new();
    let tick = |player: &mut Player, commits: &mut Vec<Commit>| {
        player.tick();
        commits.extend(player.engine.hub().commits().cloned());
    };
    player.control.say("Oh!", Say::default()).expect("there is room");
    for _ in 0..400 {
        tick(&mut player, &mut commits);
    }
    assert!(commits.is_empty());
    player.reads = true;
    for _ in 0..400 {
        tick(&mut player, &mut commits);
    }
    let heard: Vec<_> = commits.iter().map(|commit| (commit.heard.us, commit.heard.whole)).collect();
    assert_eq!(heard, [(player.told(heard_to_end)[0], true)]);
}

#[test]
fn every_segment_that_ended_is_committed_once() {
    for (scene, sets) in [
        ("voice_assistant", vec![]),
        ("barge_in", vec!["session.output.release=Immediately"]),
        ("full", vec![]),
    ] {
        let mut watched = Watched::new(scene, &sets);
        let rate_hz = watched.host.sessions[0].input().rate_hz;
        let text = "Good morning. Could you tell me. What the weather is like. In the town where I live";
        for piece in speech(rate_hz, text).chunks(rate_hz as usize / 200) {
            let channels = usize::from(watched.host.sessions[0].input().channels);
            let piece: Vec<f32> = piece.iter().flat_map(|s| std::iter::repeat_n(*s, channels)).collect();
            watched.host.sessions[0].try_push(&piece).expect("each tick takes what came");
            watched.tick();
        }
        watched.host.sessions[0].finish();
        for _ in 0..6_000 {
            watched.tick();
        }
        let ended = watched.ended();
        assert!(!ended.is_empty(), "{scene}: nobody spoke");
        assert_eq!(watched.committed(), ended, "{scene}");
        let message = ControlIn { message_id: 9, control: Control::Respond };
        assert!(watched.host.sessions[0].control(message).is_err(), "{scene}: it is closed");
    }
}
