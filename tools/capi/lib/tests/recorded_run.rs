//! `mynah run` and a host of the C interface tell the same of a call: the same speech, ends and answers at the same times,
//! and the same sound.

#[path = "../../../../tests/support/given.rs"]
mod given;
#[allow(dead_code, reason = "places are asked for alone")]
mod programs;
#[allow(dead_code, reason = "the story is asked for alone")]
mod reference;

use std::process::Command;

use given::Skip;
use mynah_load::wav;
use serde_json::Value;

/// Of the events of a run those that a host is told of, as its story has them: time, name, numbers.
fn as_told(events: &str) -> Vec<String> {
    let told = events.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).expect("a line is JSON");
        let number = |name: &str| event[name].as_u64().unwrap_or(0);
        let (segment, revision) = (number("segment"), number("revision"));
        let (name, from_us, until_us) = match event["event"].as_str()? {
            "segment_opened" => ("speech_started", number("from_us"), 0),
            "segment_confirmed" => ("speech_confirmed", number("from_us"), number("to_us")),
            "segment_cancelled" => ("speech_cancelled", number("from_us"), number("to_us")),
            "endpoint" => ("end_of_speech", 0, number("at_us")),
            "segment_ended" => ("end_of_speech last", 0, number("speech_to_us")),
            "endpoint_retracted" => ("end_of_speech_retracted", 0, number("at_us")),
            // The caller's own audio is no answer.
            "output_started" if revision == 0 => return None,
            "output_started" => return Some(format!("{} answer_started", number("t_us"))),
            "answer_interrupted" => {
                return Some(format!("{} answer_interrupted {}", number("t_us"), number("heard_us")));
            }
            "session_closed" => return Some(format!("{} closed", number("t_us"))),
            _ => return None,
        };
        Some(format!("{} {name} {segment}/{revision} {from_us}-{until_us}", number("t_us")))
    });
    told.collect()
}

/// The same lines of a story.
fn of_story(story: &str) -> Vec<String> {
    let told = story.lines().filter_map(|line| {
        let (t_us, rest) = line.split_once(' ')?;
        let name = rest.split(' ').next()?;
        let number = |field: &str| {
            let value = rest.split(' ').find_map(|word| word.strip_prefix(field)?.strip_prefix('='));
            value.unwrap_or("0").to_owned()
        };
        let last = if name == "end_of_speech" && number("flags") == "1" { " last" } else { "" };
        match name {
            "speech_started"
            | "speech_confirmed"
            | "speech_cancelled"
            | "end_of_speech"
            | "end_of_speech_retracted" => {
                let (segment, revision) = (number("segment"), number("revision"));
                Some(format!(
                    "{t_us} {name}{last} {segment}/{revision} {}-{}",
                    number("from_us"),
                    number("until_us")
                ))
            }
            "answer_interrupted" => Some(format!("{t_us} {name} {}", number("until_us"))),
            "answer_started" | "closed" => Some(format!("{t_us} {name}")),
            _ => None,
        }
    });
    told.collect()
}

#[test]
fn a_run_and_a_host_tell_the_same() {
    let program = programs::library().join("mynah");
    if !program.is_file() {
        return Skip::Absent("mynah").say();
    }
    for (scene, call) in
        [("barge_in", "turns.wav"), ("voice_assistant", "cards.wav"), ("gate_only", "voices.wav")]
    {
        let (story, sound) = reference::story(scene, call);
        let (events, out) =
            (programs::scratch(&format!("{scene}.jsonl")), programs::scratch(&format!("{scene}_out")));
        let done = Command::new(&program)
            .args(["run", scene])
            .arg(given::own().join(call))
            .args(["--output-packed", "--output"])
            .arg(&out)
            .arg("--events")
            .arg(&events)
            .output()
            .expect("it starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let events = std::fs::read_to_string(events).expect("the run wrote it");
        let (run, host) = (as_told(&events), of_story(&story));
        assert!(run.len() > 4, "{scene} {call}: nothing happens");
        assert_eq!(run, host, "{scene} {call}");
        let written = out.join(call.replace(".wav", ".out.wav"));
        let written = wav::read(&written).expect("the run wrote it").samples;
        assert_eq!(written.len(), sound.len(), "{scene} {call}: samples");
        let furthest = written.iter().zip(&sound).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(furthest <= 1.0 / 32_768.0, "{scene} {call}: 16-bit samples are {furthest} off");
    }
}
