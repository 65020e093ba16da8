//! A frame of a game with voice in it neither allocates nor waits: the example, run as it is. Alone in its file, because
//! allocations are counted over the whole process.

use std::sync::mpsc;

#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/game_loop.rs"]
mod game_loop;

/// The display and the sound device take turns, so that what the frame allocates is all that is allocated in it.
#[test]
fn the_frame_of_a_game_neither_allocates_nor_waits() {
    const FRAMES: u64 = 500;
    let (ask, asked) = mpsc::channel::<u64>();
    let (done, is_done) = mpsc::channel::<()>();
    let vsync = |frame: u64| {
        ask.send(if frame == FRAMES { u64::MAX } else { game_loop::frame_us(frame) })
            .expect("the device listens");
        is_done.recv().expect("the device answers");
    };
    let (refused, was_refused) = mpsc::channel();
    let device = move |mut microphones: game_loop::Microphones| {
        let mut due_us = game_loop::CAPTURE_US;
        while let Ok(now_us) = asked.recv() {
            while now_us != u64::MAX && due_us <= now_us {
                microphones.capture();
                due_us += game_loop::CAPTURE_US;
            }
            done.send(()).expect("the game waits");
            if now_us == u64::MAX {
                break;
            }
        }
        refused.send(microphones.refused).expect("the test listens");
    };
    let score = game_loop::play(FRAMES, vsync, device);
    assert_eq!(was_refused.recv(), Ok(0), "every piece was taken");
    assert_eq!(score.allocations, 0, "allocations in the frames after the first round");
    for (name, sent) in &score.sent {
        let begins = score.scenes.iter().filter(|(_, who, talks)| who == name && *talks).count();
        let ends = score.scenes.iter().filter(|(_, who, talks)| who == name && !*talks).count();
        assert!(begins >= 2 && begins == ends, "{name} speaks once a round: {:?}", score.scenes);
        assert!(*sent > 16_000, "{name}: {sent} samples of speech");
    }
}
