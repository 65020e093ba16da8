//! Words of recordings through the program: found, compared with labels, answered, the same again in every run.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mynah_engine::scene::{Format, Override};
use mynah_engine::service::TimeMode;
use mynah_engine::{Engine, EngineConfig, SessionSpec};
use serde_json::{Value, json};
use support::given::own;
use support::program::{number, simulate};

/// Clips of the checkout with words in them, clean and in noise of the same power; one without.
const CLIPS: [&str; 7] = [
    "cards.wav",
    "two_cities_48k.wav",
    "turns.wav",
    "voices.wav",
    "noisy_pink_0db.wav",
    "music_after.wav",
    "sounds.wav",
];

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recognition").join(test);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Exit code, standard output and standard error.
fn mynah(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    let out = program.args(arguments).env("NO_COLOR", "1").output().expect("the program was built");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// The object that `mynah run ARGUMENTS --json` prints.
fn run(arguments: &[&str]) -> Value {
    let all = [&["run"], arguments, &["--json"]].concat();
    let (code, printed, errors) = mynah(&all);
    assert_eq!(code, Some(0), "{all:?}: {errors}");
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{all:?}: {error}\n{printed}"))
}

fn clips(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| own().join(name).display().to_string()).collect()
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn of_sixty_words_of_the_clips_six_are_wrong() {
    let clips = clips(&CLIPS);
    let clips: Vec<&str> = clips.iter().map(String::as_str).collect();
    let run = run(&[&["transcribe"], &clips[..]].concat());
    let found = &run["recognition"];
    println!("{found:#}");
    // Without fused multiply-add sums are others in the last bits.
    let exact = mynah_sim::report::cpu_features().contains(&"fma");
    let errors = found["errors"].as_u64().expect("a count");
    assert!(found["words"] == json!(60) && if exact { errors == 6 } else { errors <= 10 }, "{found:#}");
    assert_eq!(found["errors_in_silence"], json!(0), "{found:#}");
    // A real speaker at a desk, and one who reads.
    for voice in ["cards speaker", "two_cities reader"] {
        let of_voice = array(found, "voices").iter().find(|of| of["voice"] == voice);
        assert_eq!(of_voice.map(|of| &of["errors"]), Some(&json!(0)), "{voice}: {found:#}");
    }
}

#[test]
fn a_run_without_a_scene_tells_what_was_said_when_and_what_was_answered() {
    let cards = &clips(&["cards.wav"])[0];
    let (code, printed, errors) = mynah(&["run", cards]);
    assert_eq!(code, Some(0), "{errors}");
    let mut lines = printed.lines();
    for parts in [
        ["1", "confirmed", "Ten of clubs,"],
        ["answer", "(words", "You said: Ten of clubs,"],
        ["2", "confirmed", "Seven of clubs,"],
        ["answer", "(words", "You said: Seven of clubs,"],
        ["words:", "8 said", "0 errors"],
    ] {
        let found = lines.any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} in order in\n{printed}");
    }
}

#[test]
fn the_reply_repeats_in_the_words_of_the_scene() {
    let cards = &clips(&["cards.wav"])[0];
    let template = |text: &str| format!("services.reply.output=Repeat(template: \"{text}\")");
    let run = run(&[cards, "--set", &template("I heard {text} Right?")]);
    let segments = array(&run["sessions"][0], "segments");
    let answers = segments.iter().flat_map(|segment| array(segment, "answers"));
    let texts: Vec<&str> = answers.filter_map(|answer| answer["text"].as_str()).collect();
    assert_eq!(texts.first(), Some(&"I heard Ten of clubs, Right?"), "{texts:?}");
    let (code, _, errors) = mynah(&["check", "assistant", "--set", &template("Hello.")]);
    assert!(code == Some(1) && errors.contains("expected {text} in it"), "{errors}");
}

/// Writes labels that say what the answers of a run were, for the files that it has put out.
fn label_answers(run: &Value, folder: &Path) -> Vec<String> {
    let (mut labels, mut files) = (String::new(), Vec::new());
    for session in array(run, "sessions") {
        let answers = array(session, "segments").iter().flat_map(|segment| array(segment, "answers"));
        let label = |answer: &Value| {
            let ms = |name: &str| answer[name].as_u64().expect("a time") / 1_000;
            json!({"kind": "utterance", "text": answer["text"], "start_ms": ms("from_us"), "end_ms": ms("to_us")})
        };
        let segments: Vec<Value> = answers.filter(|answer| answer["text"].is_string()).map(label).collect();
        let file = session["session"].as_str().expect("a name").replace(".wav", ".out.wav");
        labels += &format!("{}\n", json!({"file": file, "segments": segments}));
        files.push(folder.join(file).display().to_string());
    }
    fs::write(folder.join("labels.jsonl"), labels).expect("the folder can be written");
    files
}

#[test]
fn answers_say_what_was_meant() {
    let folder = folder("again");
    let clips = clips(&["cards.wav", "turns.wav", "voices.wav"]);
    let clips: Vec<&str> = clips.iter().map(String::as_str).collect();
    let to = folder.display().to_string();
    // Answers are spoken to their end, whoever speaks meanwhile.
    let whole = ["--output", &to, "--set", "session.output.interrupt_min_ms=None"];
    let files = label_answers(&run(&[&clips[..], &whole].concat()), &folder);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let again = run(&[&["transcribe"], &files[..]].concat());
    let (words, rate) = (number(&again, "recognition.words"), number(&again, "recognition.word_error_rate"));
    println!("{words} words of answers, word error rate {rate:.3}");
    assert!(words >= 50.0 && rate <= 0.3, "{again:#}");
}

#[test]
fn virtual_runs_with_the_recogniser_repeat_whatever_the_threads_and_replay_bit_for_bit() {
    let log = folder("replay").join("events.jsonl").display().to_string();
    let load = ["assistant", "--sessions", "4", "--duration", "12s"];
    let hash = |more: &[&str]| simulate(&[&load[..], more].concat())["event_hash"].clone();
    let first = hash(&["--threads", "1", "--shards", "1", "--events", &log]);
    assert_eq!(hash(&["--threads", "2", "--shards", "4"]), first);
    assert_eq!(hash(&["--threads", "2", "--set", "services.asr.output=Moonshine(threads: 2)"]), first);
    let (code, said, errors) = mynah(&["replay", &log]);
    assert_eq!(code, Some(0), "{said}{errors}");
    // Words are among what is compared.
    let text = fs::read_to_string(&log).expect("the log was written");
    let line =
        text.lines().find(|line| line.contains("\"event\":\"text\"")).expect("somebody said something");
    fs::write(&log, text.replace(line, &line.replacen("\"text\":\"", "\"text\":\"x", 1))).expect("written");
    assert_eq!(mynah(&["replay", &log]).0, Some(1));
}

#[test]
fn reports_compare_words_with_what_callers_say_where_they_are_recognised() {
    let real = simulate(&["assistant", "--sessions", "2", "--duration", "15s"]);
    let (words, rate) = (number(&real, "recognition.words"), number(&real, "recognition.word_error_rate"));
    println!("{words} words, word error rate {rate:.3}");
    assert!(words > 10.0 && rate < 0.5, "{real:#}");
    assert_eq!(real["recognition"]["voices"][0]["voice"], "flite:kal16");
    let looked_up = simulate(&["voice_assistant", "--sessions", "2", "--duration", "15s"]);
    assert!(looked_up.get("recognition").is_none(), "{looked_up:#}");
}

/// Threads of the recogniser in this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has it").flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("moonshine")).count()
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_of_the_recogniser_outlives_its_engine() {
    let clip = mynah_load::wav::read(&own().join("cards.wav")).expect("it belongs to the checkout");
    let input = Format { rate_hz: clip.rate, channels: 1 };
    let sets = [Override::parse("services.asr.output=Moonshine(threads: 3)").expect("a setting")];
    let (plan, _) = mynah_sim::scenes::compile("assistant", &sets, Some(input), None).expect("it is shipped");
    let config = EngineConfig { time: TimeMode::Wall, ..EngineConfig::simulated() };
    let mut engine = Engine::new(plan, config);
    let spec = |name: u32| SessionSpec { input: Some(input), ..SessionSpec::named(name.to_string()) };
    let sessions: Vec<_> =
        (0..4).map(|name| engine.handle().open(spec(name)).expect("there is room")).collect();
    assert_eq!(threads(), 3);
    // As fast as it goes: recognition cannot follow, and is under way when the engine goes.
    for (tick, chunk) in clip.samples.chunks(clip.rate as usize / 50).enumerate() {
        sessions.iter().for_each(|session| session.try_push(chunk).expect("there is room"));
        engine.tick(tick as u64 * 20_000);
    }
    drop(engine);
    assert_eq!(threads(), 0);
}

#[test]
fn labels_beside_a_recording_are_not_overwritten() {
    let folder = folder("beside");
    for name in ["cards.wav", "labels.jsonl"] {
        fs::copy(own().join(name), folder.join(name)).expect("the folder can be written");
    }
    let [cards, labels] = ["cards.wav", "labels.jsonl"].map(|name| folder.join(name).display().to_string());
    let (code, _, errors) = mynah(&["run", "transcribe", &cards, "--events", &labels]);
    assert!(code == Some(2) && errors.contains("the labels"), "{errors}");
    assert_eq!(fs::read(&labels).ok(), fs::read(own().join("labels.jsonl")).ok());
}

#[test]
fn labels_that_cannot_be_compared_are_refused() {
    let folder = folder("labels");
    let cards = &clips(&["cards.wav"])[0];
    let other = folder.join("other.jsonl").display().to_string();
    fs::write(&other, "{\"file\": \"other.wav\", \"segments\": []}\n").expect("the folder can be written");
    let labelled = |name: &str, segment: &str| {
        let path = folder.join(name);
        let line = format!("{{\"file\": {}, \"segments\": [{segment}]}}\n", json!(cards));
        fs::write(&path, line).expect("the folder can be written");
        path.display().to_string()
    };
    let backwards = labelled(
        "backwards.jsonl",
        r#"{"start_ms": 3000, "end_ms": 1000, "kind": "utterance", "text": "x"}"#,
    );
    let wordless = labelled("wordless.jsonl", r#"{"start_ms": 0, "end_ms": 1000, "kind": "speech"}"#);
    let missing = folder.join("missing.jsonl").display().to_string();
    let labels = own().join("labels.jsonl").display().to_string();
    for (arguments, reason) in [
        (["transcribe", cards, "--labels", &other], "no line of it says what a recording says"),
        (
            ["transcribe", cards, "--labels", &backwards],
            "utterance from 3000 to 1000 ms, expected a stretch of time",
        ),
        (["transcribe", cards, "--labels", &wordless], "no line of it says what a recording says"),
        (["transcribe", cards, "--labels", &missing], "expected a file of labels"),
        (["gate_only", cards, "--labels", &labels], "has no recogniser whose words could be compared"),
    ] {
        let (code, _, errors) = mynah(&[&["run"], &arguments[..]].concat());
        assert!(code == Some(2) && errors.contains(reason), "{arguments:?}: {errors}");
    }
}
