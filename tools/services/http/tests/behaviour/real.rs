//! Real servers, where a variable says where they are.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;

use mynah_engine::Block;
use mynah_engine::media::Sound;
use mynah_engine::scene::Format;
use mynah_engine::service::CallScope;
use mynah_engine::speech::{HistoryEntry, Speaker};
use mynah_http::probe::{Probe, ProbeKind, probe};

use crate::desk::{Desk, Told, call};

/// The address in a variable; without one the test says that it was skipped, also to who does not ask for its output.
fn address(variable: &str) -> Option<String> {
    let address = env::var(variable).ok();
    if address.is_none() {
        let example = "http://127.0.0.1:8080/v1";
        let skipped = format!("SKIPPED: set {variable} to the address of a real server, such as {example}");
        writeln!(std::io::stderr(), "{skipped}").expect("there is a terminal, or a file");
    }
    address
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are for whoever asked for them")]
fn a_real_llama_cpp_server_converses_and_stops_when_it_is_told() {
    let Some(url) = address("MYNAH_TEST_LLAMA") else { return };
    let limits = "connect_ms: 2000, first_byte_ms: 30000, call_ms: 60000";
    let mut desk = Desk::new("Chat", &format!("(url: \"{url}\", model: \"any\", max_tokens: 24, {limits})"));
    let mut history = Vec::new();
    for (turn, text) in ["Hello.", "What is a ship?", "And a boat?"].into_iter().enumerate() {
        let mut asked = call(text, turn as u32);
        asked.history = std::sync::Arc::new(history.iter().cloned().collect());
        let began = desk.now_us();
        let told = desk.ask(asked);
        assert_eq!(told.end(), "done", "{told:?}");
        println!("turn {turn}: {} us, {:?}", desk.now_us() - began, told.lines);
        for (by, text) in [(Speaker::User, text), (Speaker::Assistant, &*told.lines[0])] {
            history.push(HistoryEntry::Said { by, turn: 1, text: text.into(), interrupted: false });
        }
    }
    let mut desk =
        Desk::new("Chat", &format!("(url: \"{url}\", model: \"any\", max_tokens: 2000, {limits})"));
    for part in 0..5 {
        let asked = call("Write a very long story about the sea.", part);
        let key = asked.key;
        desk.start(asked);
        let mut told = Told::default();
        desk.until(&mut told, |told| told.lines.iter().any(|line| line.len() > 40));
        let began = desk.now_us();
        desk.cancel(CallScope::Call(key));
        desk.until(&mut told, |_| false);
        println!("cancel {part}: stopped after {} us", desk.now_us() - began);
        assert_eq!(told.end(), "stopped");
    }
    let report = probe(&Probe { url, kind: ProbeKind::Chat, ..Probe::default() });
    println!("{report:#?}");
    assert!(report.is_fine());
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are for whoever asked for them")]
fn a_real_recogniser_hears_silence_and_sentences() {
    let Some(url) = address("MYNAH_TEST_WHISPER") else { return };
    let model = env::var("MYNAH_TEST_WHISPER_MODEL").unwrap_or_else(|_| "whisper-1".into());
    let (kind, named) = (ProbeKind::Transcription, Some(model.clone()));
    let report = probe(&Probe { url: url.clone(), kind, model: named, ..Probe::default() });
    println!("{report:#?}");
    assert!(report.is_fine());
    let limits = "connect_ms: 2000, first_byte_ms: 120000, call_ms: 120000";
    let mut desk = Desk::new("Transcription", &format!("(url: \"{url}\", model: \"{model}\", {limits})"));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/recordings/turns.wav");
    let mut reader = hound::WavReader::open(file).expect("the recording is there");
    let rate_hz = reader.spec().sample_rate;
    let value = |sample: hound::Result<i16>| f32::from(sample.expect("it is whole")) / 32_768.0;
    let samples: Vec<f32> = reader.samples::<i16>().map(value).collect();
    let blocks = samples.chunks(rate_hz as usize / 50).map(Block::from_samples).collect();
    let mut asked = call("", 0);
    asked.audio = Some(Sound { format: Format { rate_hz, channels: 1 }, blocks });
    let began = desk.now_us();
    let told = desk.ask(asked);
    println!("{} samples at {rate_hz} Hz: {} us, {:?}", samples.len(), desk.now_us() - began, told.lines);
    assert!(told.lines[0].to_lowercase().contains("order"), "{told:?}");
}

/// Has aimock make trouble: a share of requests for each kind of it.
fn trouble(url: &str, json: &str) {
    let place = url.trim_start_matches("http://").split('/').next().expect("a host");
    let mut stream = TcpStream::connect(place).expect("it is there");
    let length = json.len();
    write!(
        stream,
        "POST /__aimock/chaos HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{json}"
    )
    .expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are for whoever asked for them")]
fn aimock_answers_asks_for_tools_and_makes_trouble() {
    let Some(url) = address("MYNAH_TEST_AIMOCK") else { return };
    let tool = r#"(name: "get_weather", description: "The weather at a place.")"#;
    let ask = |text: &str, tools: &str| {
        let config =
            format!("(url: \"{url}\", model: \"gpt-4o\", connect_ms: 2000, first_byte_ms: 10000{tools})");
        let mut desk = Desk::new("Chat", &config);
        desk.start(call(text, 0));
        let mut told = Told::default();
        desk.until(&mut told, |told| told.lines.iter().any(|line| line.contains("get_weather(")));
        println!("{text}: {:?}", told.lines);
        told
    };
    trouble(&url, "{}");
    assert_eq!(ask("hello", "").lines, ["\"Hello! How can I help you today?\"", "done"]);
    let told = ask("What is the weather like?", &format!(", tools: [{tool}]"));
    assert!(told.end().contains("San Francisco"), "{told:?}");
    for (json, wanted) in [
        (r#"{"rateLimitRate":1}"#, "429"),
        (r#"{"disconnectRate":1}"#, "failed"),
        (r#"{"malformedRate":1}"#, "failed"),
    ] {
        trouble(&url, json);
        let told = ask("hello", "");
        assert!(told.end().contains(wanted), "{told:?}");
    }
    trouble(&url, "{}");
}
