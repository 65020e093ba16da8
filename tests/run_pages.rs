//! The page of `mynah run`: where speech is and what was said in a list, with the sound of it.

#![allow(clippy::print_stdout, reason = "what tests share prints what it skips")]

mod support;
#[path = "support/white.rs"]
mod white;

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_load::wav::{self, Recording};
use serde_json::Value;
use support::markup::tags;
use white::White;

/// A run with everything it writes.
struct Ran {
    page: String,
    events: Vec<Value>,
    folder: PathBuf,
}

/// Runs `scene` over sounds, in a folder of its own.
fn ran(name: &str, scene: &str, sounds: &[(&str, u32, Vec<f32>)]) -> Ran {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    program.args(["run", scene, "--input"]);
    for (file, rate, samples) in sounds {
        let path = folder.join(file);
        wav::write(&path, *rate, 1, samples).expect("the recording can be written");
        program.arg(path);
    }
    let (page, events) = (folder.join("page.html"), folder.join("events.jsonl"));
    program.arg("--html").arg(&page).arg("--events").arg(&events).arg("--output").arg(folder.join("out"));
    let out = program.output().expect("the program starts");
    assert!(out.status.success(), "{program:?}\n{}", String::from_utf8_lossy(&out.stderr));
    let read = |path: &Path| std::fs::read_to_string(path).expect("it was written");
    let lines = read(&events);
    let events = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    Ran { page: read(&page), events, folder }
}

/// Half a minute of a synthesized caller.
fn caller() -> Vec<f32> {
    support::callers::Callers::new(1, 8, 16_000, 30).labelled(0, 30).samples
}

/// Hiss without a word, at -50 dB.
fn hiss(frames: usize) -> Vec<f32> {
    White::default().take(frames).map(|sample| sample * 0.003).collect()
}

/// The sounds that a page has, in order.
fn sounds(page: &str) -> Vec<Recording> {
    let uris = tags(page).filter(|tag| tag.name == "audio").map(|tag| tag.value("src").to_string());
    let decoded = uris.map(|uri| {
        let data = uri.strip_prefix("data:audio/wav;base64,").expect("sound inside the page").to_string();
        wav::decode(&STANDARD.decode(data).expect("base64")).expect("a WAV file").0
    });
    decoded.collect()
}

/// Text without tags; tags part words.
fn read(markup: &str) -> String {
    let parts = markup.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_segment_is_listed_with_its_times_and_what_was_said() {
    let run = ran("listed", "voice_assistant", &[("a.wav", 16_000, caller())]);
    let named = |name: &str| run.events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let ended = named("segment_ended");
    assert!(ended.len() >= 3, "{} segments", ended.len());
    let list = run.page.split("<tbody>").nth(1).expect("a list").split("</tbody>").next().expect("it ends");
    let rows: Vec<String> = list.split("<tr>").skip(1).map(read).collect();
    assert_eq!(rows.len(), named("segment_opened").len(), "{rows:?}");
    for event in ended {
        let row = &rows[event["segment"].as_u64().expect("a serial") as usize - 1];
        let seconds = |name: &str| format!("{:.3} s", event[name].as_u64().expect("a time") as f64 / 1e6);
        let times = format!("{} {} confirmed", seconds("speech_from_us"), seconds("speech_to_us"));
        assert!(row.contains(&times), "{row} lacks {times}");
        assert!(
            event["speech_to_us"].as_u64() < event["to_us"].as_u64(),
            "the silence behind it is no speech"
        );
        let mine = |text: &&&Value| {
            ["segment", "revision"].iter().all(|key| text[key] == event[key])
                && text["node"] != "text_collector"
        };
        let texts = named("text");
        let texts: Vec<_> = texts.iter().filter(mine).filter_map(|text| text["text"].as_str()).collect();
        assert!(!texts.is_empty(), "segment {} says nothing", event["segment"]);
        for text in texts {
            assert!(row.contains(text.trim()), "{row} lacks {text}");
        }
    }
    assert!(list.contains("what was said, simulated"), "a simulated recogniser hears nothing");
}

#[test]
fn what_was_recorded_and_what_was_put_out_can_be_heard() {
    let samples = caller();
    let loud: Vec<f32> = samples.iter().flat_map(|s| [*s; 3]).collect();
    let run = ran("heard", "voice_assistant", &[("a.wav", 16_000, samples), ("b.wav", 48_000, loud)]);
    let sounds = sounds(&run.page);
    assert_eq!(sounds.len(), 4, "a recording and an output for each file");
    assert!(sounds.iter().all(|sound| (sound.rate, sound.channels) == (16_000, 1)), "pages stay small");
    assert_eq!(sounds[0], wav::read(&run.folder.join("a.wav")).expect("it was written"));
    assert_eq!(sounds[2].samples.len(), sounds[0].samples.len(), "brought down to 16 kHz");
    let output = wav::read(&run.folder.join("out/a.out.wav")).expect("--output wrote it");
    let want = (output.samples.len() as u64 * 16_000).div_ceil(u64::from(output.rate));
    assert_eq!(sounds[1].samples.len() as u64, want);
    let most = |samples: &[f32]| samples.iter().fold(0.0f32, |most, s| most.max(s.abs()));
    assert!((most(&sounds[1].samples) - most(&output.samples)).abs() < 0.1, "it is as loud");
}

#[test]
fn rows_in_which_nothing_is_take_no_height() {
    let run = ran("quiet", "voice_assistant", &[("hiss.wav", 16_000, hiss(64_000))]);
    let names = |page: &str| -> Vec<String> {
        let names = page.split("<div class=\"names\"").nth(1).expect("a drawing").split("</div>").next();
        let names = names.expect("they end").split("<span").skip(1);
        names.map(|name| read(&format!("<span{name}"))).collect()
    };
    assert_eq!(names(&run.page), ["input", "speech"]);
    assert!(!run.page.contains("<figcaption>Segments"), "there are none");
    let run = ran("loud", "voice_assistant", &[("talk.wav", 16_000, caller())]);
    assert_eq!(names(&run.page), ["input", "speech", "segments", "ends", "turn", "output"]);
}

#[test]
fn several_recordings_have_an_overview_with_links() {
    let sounds =
        [("a.wav", 16_000, caller()), ("b <i>.wav", 16_000, hiss(32_000)), ("c.wav", 8_000, hiss(8_000))];
    let run = ran("overview", "gate_only", &sounds);
    let links: Vec<String> =
        tags(&run.page).filter(|tag| tag.name == "a").map(|tag| tag.value("href").to_string()).collect();
    let places: Vec<String> = tags(&run.page)
        .filter(|tag| tag.name == "section")
        .map(|tag| format!("#{}", tag.value("id")))
        .collect();
    assert_eq!(links, places);
    assert_eq!(links.len(), 3);
    let opened =
        run.events.iter().filter(|e| e["event"] == "segment_opened" && e["session"] == "a.wav").count();
    let overview = read(run.page.split("<main>").next().expect("splitting gives something"));
    assert!(overview.contains(&format!("a.wav 30 s {opened} ")), "{overview}");
    let alone = ran("no_overview", "gate_only", &sounds[..1]);
    assert!(!alone.page.contains("<a "), "one recording needs no overview");
}
