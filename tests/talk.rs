//! `mynah talk` with sound devices that exist: recordings are played into a microphone, and what the loudspeaker plays is
//! recorded. Recogniser and voice are the real ones. Skipped where PulseAudio is not installed.
//!
//! Machines that have other work leave holes and answer late: such figures are printed, and held to with
//! `MYNAH_EVERY_FIGURE=1`.

#![allow(clippy::print_stdout, reason = "prints what it measured, for whoever runs it with --nocapture")]
#![allow(clippy::disallowed_methods, reason = "devices run on the wall clock")]

#[path = "support/given.rs"]
mod given;
#[path = "support/room.rs"]
mod room;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use room::Room;
use serde_json::Value;

const MYNAH: &str = env!("CARGO_BIN_EXE_mynah");
/// Edges of segments may differ by so much from those of the file: the detector's hops of 32 ms fall elsewhere.
const NEAR_MS: f64 = 60.0;
/// Attempts until a conversation is undisturbed: a server that gets no processor drops audio.
const ATTEMPTS: usize = 3;

/// Conversations are in real time: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From the devices of the room; `words` are the flags behind them.
fn talk(room: &Room, words: &str) -> Child {
    let mut command = room.command(MYNAH);
    command.args(["talk", "--input-device", "room.monitor", "--output-device", "Speakers"]);
    command.args(words.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program was built")
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("it was started")
}

/// The events of `--json`; the last one is the summary.
fn events(out: &Output) -> Vec<Value> {
    let (text, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(0), "{text}{errors}");
    text.lines().map(|line| serde_json::from_str(line).expect("every line is an object")).collect()
}

fn called<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// Begin and end of what was forwarded, milliseconds.
type Segments = Vec<(f64, f64)>;

/// The segments that `mynah run` finds in a file, and what is said in each.
fn of_file(scene: &str, path: &Path) -> (Segments, Vec<String>) {
    let out =
        Command::new(MYNAH).args(["run", scene]).arg(path).arg("--json").output().expect("it was built");
    let report: Value = serde_json::from_slice(&out.stdout).expect("--json prints JSON");
    let all = report["sessions"][0]["segments"].as_array().expect("there are some");
    let confirmed = all.iter().filter(|segment| segment["outcome"] == "confirmed");
    let ms = |value: &Value| value.as_f64().map(|us| us / 1e3);
    let row = |segment: &Value| {
        let said = segment["said"].as_str().unwrap_or_default().to_owned();
        Some(((ms(&segment["from_us"])?, ms(&segment["speech_to_us"])?), said))
    };
    confirmed.filter_map(row).unzip()
}

/// By how much edges differ at most, once the two are laid over each other as well as can be. Their numbers differ by one
/// at most: then the surplus one is left out at the beginning or at the end.
fn apart_ms(of_file: &Segments, of_talk: &Segments) -> Option<f64> {
    if of_file.len().abs_diff(of_talk.len()) > 1 {
        return None;
    }
    let length = of_file.len().min(of_talk.len());
    let (file, talk) = (of_file.windows(length.max(1)), of_talk.windows(length.max(1)));
    let pairs = file.flat_map(|file| talk.clone().map(move |talk| (file, talk)));
    let apart = pairs.map(|(file, talk)| {
        let edges = file.iter().zip(talk).flat_map(|(file, talk)| [talk.0 - file.0, talk.1 - file.1]);
        let (least, most) = edges.fold((f64::MAX, f64::MIN), |(a, b), edge| (a.min(edge), b.max(edge)));
        (most - least) / 2.0
    });
    apart.reduce(f64::min)
}

fn words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Recordings of the checkout, and of real speakers where the variable names a folder that has them.
fn recordings() -> Vec<PathBuf> {
    let own = ["two_cities_48k.wav", "turns.wav"].map(|name| given::own().join(name));
    let others = given::recordings().into_iter().skip(1).map(|folder| folder.join("dev_real_prompts.wav"));
    own.into_iter().chain(others.filter(|path| path.is_file())).collect()
}

/// What came of playing a recording to `mynah talk`.
struct Talked {
    events: Vec<Value>,
    /// What the loudspeaker played.
    heard: PathBuf,
}

fn talked(room: &Room, recording: &Path) -> Talked {
    let wave = mynah_load::wav::load(recording).expect("it is a recording").recording;
    let seconds = wave.samples.len() / usize::from(wave.channels) / wave.rate as usize;
    let recorder = room.record();
    // Time to open the devices, and for the last answer.
    let child = talk(room, &format!("--headphones --json --duration {}s", seconds + 10));
    thread::sleep(Duration::from_secs(3));
    room.play(recording);
    let events = events(&end(child));
    let heard = Path::new(env!("CARGO_TARGET_TMPDIR")).join("talk_heard.wav");
    mynah_load::wav::write(&heard, 16_000, 1, &recorder.samples()).expect("the target folder can be written");
    Talked { events, heard }
}

/// The words of answers that were heard to their end, and those that come back from the recording of the loudspeaker.
fn come_back(talked: &Talked) -> (usize, usize) {
    let (_, said) = of_file("transcribe", &talked.heard);
    let said = words(&said.join(" "));
    let ended: Vec<&Value> =
        called(&talked.events, "answer_ended").iter().map(|event| &event["turn"]).collect();
    let lines = called(&talked.events, "line").into_iter().filter(|line| ended.contains(&&line["turn"]));
    let all: BTreeSet<String> =
        lines.flat_map(|line| words(line["text"].as_str().unwrap_or_default())).collect();
    (all.iter().filter(|word| said.contains(*word)).count(), all.len())
}

#[test]
fn segments_that_differ_are_seen() {
    let file = vec![(200.0, 2_560.0), (3_200.0, 4_672.0)];
    let late = |by: f64| file.iter().map(|(from, to)| (from + by, to + by)).collect::<Segments>();
    assert_eq!(apart_ms(&file, &late(1_234.0)), Some(0.0));
    assert_eq!(apart_ms(&file, &late(7.0)[1..].to_vec()), Some(0.0), "one is missing");
    assert_eq!(apart_ms(&file, &vec![(0.0, 1.0); 4]), None);
    let longer = vec![(200.0, 2_760.0), (3_200.0, 4_672.0)];
    assert_eq!(apart_ms(&file, &longer), Some(100.0));
}

#[test]
fn a_recording_is_heard_and_answered_as_from_its_file() {
    let _turn = alone();
    let Some(room) = Room::open("talk") else { return };
    for recording in recordings() {
        let name = recording.file_name().expect("it is a file").display().to_string();
        let (file, _) = of_file("assistant", &recording);
        let mut found = Vec::new();
        let fits = (0..ATTEMPTS).any(|_| {
            let talked = talked(&room, &recording);
            let ms = |event: &Value, edge: &str| event[edge].as_f64().expect("a time");
            let ends = called(&talked.events, "end_of_speech");
            let segments: Segments =
                ends.iter().map(|event| (ms(event, "from_ms"), ms(event, "to_ms"))).collect();
            let (apart, (back, all)) = (apart_ms(&file, &segments), come_back(&talked));
            let summary = talked.events.last().expect("the summary");
            println!("{name}: {} segments, {} in the file, {apart:?} ms apart", segments.len(), file.len());
            println!("{name}: {back} of {all} words of the answers come back; {summary}");
            for device in ["microphone", "loudspeaker"] {
                assert_eq!(summary[device]["allocations"], 0, "{summary}");
                assert!(summary[device]["callbacks"].as_u64() > Some(500), "{summary}");
            }
            assert_eq!(summary["microphone"]["refused"], 0, "{summary}");
            if std::env::var("MYNAH_EVERY_FIGURE").is_ok() {
                assert_eq!(summary["loudspeaker"]["holes"], 0, "{summary}");
            }
            let fits = apart.is_some_and(|ms| ms <= NEAR_MS) && all >= 5 && back * 10 >= all * 6;
            found.push(format!("{segments:?}, {back} of {all} words"));
            fits
        });
        assert!(fits, "{name}: the file has {file:?}; heard were {found:#?}");
    }
}

#[test]
fn devices_that_are_lost_come_back_and_the_conversation_goes_on() {
    let _turn = alone();
    let Some(mut room) = Room::open("lost") else { return };
    let child = talk(&room, "--json --duration 20s");
    thread::sleep(Duration::from_secs(3));
    room.stop();
    thread::sleep(Duration::from_secs(2));
    room.start().expect("it ran before");
    thread::sleep(Duration::from_secs(4));
    room.play(&given::own().join("two_cities_48k.wav"));
    let events = events(&end(child));
    for device in ["microphone", "loudspeaker"] {
        let at = |name: &str| events.iter().position(|e| e["event"] == name && e["device"] == device);
        let (lost, returned) = (at("device_lost"), at("device_returned"));
        assert!(lost.is_some() && lost < returned, "{device}: {events:#?}");
        let said = events.iter().rposition(|event| event["event"] == "answer_started");
        assert!(said > returned, "it answers again: {events:#?}");
        let summary = events.last().expect("the summary");
        assert_eq!((&summary[device]["losses"], &summary[device]["allocations"]), (&1.into(), &0.into()));
    }
}

#[test]
fn it_ends_when_it_is_asked_to_and_says_what_is_there() {
    let _turn = alone();
    let Some(room) = Room::open("ends") else { return };
    let child = talk(&room, "barge_in --set gate.half_duplex=true");
    thread::sleep(Duration::from_secs(4));
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(kill.is_ok_and(|status| status.success()));
    let out = end(child);
    let (text, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(130), "{text}{errors}");
    let wanted =
        ["barge_in: microphone `Monitor of Room`, 48000 Hz; loudspeaker `Speakers`, 48000 Hz", "allocations"];
    assert!(wanted.iter().all(|words| text.contains(words)), "{text}");
    assert!(errors.is_empty() && !text.contains('\u{1b}'), "{errors}");
    let out = room.command(MYNAH).args(["talk", "--list", "--json"]).output().expect("it was built");
    let devices = events(&out);
    let row = |id: &str| devices.iter().find(|device| device["id"] == format!("pulseaudio:{id}"));
    let microphone = row("room.monitor").unwrap_or_else(|| panic!("{devices:#?}"));
    assert_eq!((&microphone["direction"], &microphone["rate_hz"]), (&"input".into(), &48_000.into()));
    for (words, wanted) in [
        (
            &["--input-device", "nothing"][..],
            "no microphone is called `nothing`; there are: Monitor of Room (",
        ),
        (&["--input-device", "monitor"], "`monitor` is the name of more than one microphone: "),
        (&["--output-device", "nobody"], "no loudspeaker is called `nobody`; there are: Room ("),
        (&["nowhere"], "nowhere"),
    ] {
        let out = room.command(MYNAH).arg("talk").args(words).output().expect("it was built");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(2) && said.contains(wanted), "{words:?}: {said}");
    }
}
