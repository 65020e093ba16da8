//! What `record` leaves behind: the caller left, the scene right, and what was said.

#![expect(clippy::disallowed_methods, reason = "sockets have a clock")]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Running, Socket, ramp};

#[test]
fn a_call_is_a_stereo_file_and_its_story() {
    let folder = std::env::temp_dir().join(format!("mynah-calls-{}", std::process::id()));
    let place = folder.clone();
    let running = Running::of(&["passthrough"], |config| config.record = Some(place));
    let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    socket.say(&json!({"type": "open", "session": "who/is there"}));
    socket.until("opened");
    for piece in ramp(8_000).chunks(640) {
        socket.sound(piece.to_vec());
        std::thread::sleep(Duration::from_millis(20));
    }
    socket.say(&json!({"type": "finish"}));
    socket.rest();
    let until = Instant::now() + support::PATIENCE;
    let files = loop {
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .expect("it was made")
            .map(|file| file.expect("a file").path())
            .collect();
        files.sort();
        if files.len() == 2
            && files.iter().all(|file| file.extension().is_some_and(|one| one == "wav" || one == "json"))
        {
            break files;
        }
        assert!(Instant::now() < until, "{files:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let name = files[0].file_name().expect("a name").to_string_lossy().into_owned();
    assert!(name.contains("who_is_there"), "{name}");
    let story: Value =
        serde_json::from_slice(&std::fs::read(&files[0]).expect("it can be read")).expect("it is JSON");
    assert_eq!((&story["session"], &story["scene"]), (&json!("who/is there"), &json!("passthrough")));
    let mut wav = hound::WavReader::open(&files[1]).expect("it is a WAV file");
    assert_eq!((wav.spec().channels, wav.spec().sample_rate), (2, 16_000));
    let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
    let left: Vec<i16> = samples.iter().step_by(2).copied().filter(|sample| *sample != 0).collect();
    let right: Vec<i16> = samples.iter().skip(1).step_by(2).copied().filter(|sample| *sample != 0).collect();
    let said: Vec<i16> = (1..8_000).collect();
    assert!(left == said, "{} of the caller's samples", left.len());
    assert!(right == said, "{} of the scene's samples", right.len());
    std::fs::remove_dir_all(&folder).expect("it is there");
}
