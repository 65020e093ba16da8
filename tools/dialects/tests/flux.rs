//! Deepgram Flux beside a real engine in virtual time: turns, eager ends and those that were none, in their order.

#[path = "support/connection.rs"]
mod connection;

use std::ops::ControlFlow;
use std::sync::Arc;

use connection::{Connection, Words, bursts, plan};
use mynah_dialects::flux::{AUDIO_BYTES_MAX, Flux};
use mynah_dialects::{Closing, Dialect, Ending};
use mynah_engine::ScenePlan;
use mynah_engine::scene::Override;
use mynah_systems::service::Script;
use mynah_systems::speech::flite::{Flite, VoiceStyle};
use serde_json::{Value, json};

/// The gate of `transcribe` with a detector that takes anything loud for speech.
const SCENE: &str = r#"(
    name: "transcribe",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 96, min_silence_ms: 448, lookahead_ms: 32)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "output")],
    services: {"asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 60)))},
)"#;

const QUERY: &str = "model=flux-general-en&encoding=linear16&sample_rate=16000";

/// A word for each half of a second.
struct Counted;

impl Script for Counted {
    fn heard(&self, _: &str, from_us: u64, to_us: u64) -> Option<String> {
        let word = |at: u64| format!("w{at}");
        Some((from_us / 500_000..to_us.div_ceil(500_000)).map(word).collect::<Vec<_>>().join(" "))
    }
}

fn connect(plan: Arc<ScenePlan>, query: &str) -> Connection<Flux> {
    let mut line = Connection::new(plan, Flux::new(query).expect("it can be served"));
    line.carry();
    line
}

fn eager(plan: Arc<ScenePlan>) -> Connection<Flux> {
    connect(plan, &format!("{QUERY}&eager_eot_threshold=0.5"))
}

/// Events of turns, each with turn and words.
fn turns(line: &Connection<Flux>) -> Vec<(String, u64, String)> {
    let infos = line.of("TurnInfo").into_iter();
    let told = infos.map(|(_, info)| {
        let text = |key: &str| info[key].as_str().unwrap_or_default().to_owned();
        (text("event"), info["turn_index"].as_u64().unwrap_or(u64::MAX), text("transcript"))
    });
    told.collect()
}

fn names(line: &Connection<Flux>) -> Vec<String> {
    turns(line).into_iter().map(|(event, ..)| event).collect()
}

/// What holds for the messages of every connection.
fn sound(line: &Connection<Flux>) {
    let request = &line.texts()[0]["request_id"];
    for (at, message) in line.texts().into_iter().enumerate() {
        assert_eq!(&message["sequence_id"], &json!(at), "{message}");
        assert_eq!(&message["request_id"], request);
        if message["type"] == "TurnInfo" {
            let words: Vec<&str> = message["words"]
                .as_array()
                .expect("words")
                .iter()
                .filter_map(|word| word["word"].as_str())
                .collect();
            assert_eq!(words.join(" "), message["transcript"].as_str().unwrap_or_default());
            assert!(message["audio_window_start"].as_f64() <= message["audio_window_end"].as_f64());
            assert_eq!(message["trigger"].is_null(), message["event"] != "EndOfTurn");
        }
    }
}

#[test]
fn a_pause_of_300_ms_is_an_eager_end_that_is_taken_back() {
    let mut line = eager(plan(SCENE, Arc::new(Counted)));
    assert_eq!(line.texts()[0]["type"], "Connected");
    line.speak(&bursts(&[200, 700, 300, 700, 900]));
    let told: Vec<_> = turns(&line).iter().map(|(event, turn, _)| (event.clone(), *turn)).collect();
    let want = ["StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "EndOfTurn"];
    assert_eq!(told, want.map(|event| (event.to_owned(), 0)));
    let texts: Vec<String> = turns(&line).into_iter().map(|(.., text)| text).collect();
    assert_eq!(texts, ["", "w0 w1", "w0 w1", "w0 w1 w2 w3", "w0 w1 w2 w3"]);
    // The eager end comes when the words are there: 32 ms of silence, a tick, and 60 ms of the recogniser.
    let times: Vec<u64> = line.of("TurnInfo").iter().map(|(us, _)| *us).collect();
    assert_eq!(times[1] - 900_000, 85_000);
    assert_eq!(line.of("TurnInfo")[4].1["trigger"], "model");
    sound(&line);
}

#[test]
fn who_asks_for_no_eager_ends_gets_none() {
    let mut line = connect(plan(SCENE, Arc::new(Counted)), QUERY);
    line.speak(&bursts(&[200, 700, 300, 700, 900, 500, 800]));
    assert_eq!(
        names(&line),
        ["StartOfTurn", "Update", "Update", "EndOfTurn", "StartOfTurn", "Update", "EndOfTurn"]
    );
    let indices: Vec<u64> = turns(&line).iter().map(|(_, turn, _)| *turn).collect();
    assert_eq!(indices, [0, 0, 0, 0, 1, 1, 1]);
    let updates: Vec<u64> =
        line.of("TurnInfo").iter().filter(|(_, info)| info["event"] == "Update").map(|(us, _)| *us).collect();
    assert!(updates.windows(2).all(|pair| pair[1] - pair[0] >= 250_000), "{updates:?}");
    sound(&line);
}

#[test]
fn an_end_without_words_is_no_eager_end() {
    let mut line = eager(plan(SCENE, Arc::new(Words(""))));
    line.speak(&bursts(&[200, 700, 300, 700, 900]));
    assert_eq!(turns(&line), [("StartOfTurn".into(), 0, "".into()), ("EndOfTurn".into(), 0, "".into())]);
    sound(&line);
}

#[test]
fn a_segment_that_was_split_is_one_turn() {
    let scene = SCENE.replace("lookahead_ms: 32", "lookahead_ms: 32, max_segment_ms: 1500");
    let mut line = eager(plan(&scene, Arc::new(Counted)));
    line.speak(&bursts(&[200, 4_000, 900]));
    assert_eq!(names(&line), ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]);
    sound(&line);
}

#[test]
fn the_client_ends_a_turn_and_the_stream() {
    let mut line = eager(plan(SCENE, Arc::new(Counted)));
    line.speak(&bursts(&[200, 700]));
    line.text(r#"{"type":"ForceEndTurn"}"#);
    line.text(r#"{"type":"ForceEndTurn"}"#);
    line.ticks(30);
    assert_eq!(names(&line).last().map(String::as_str), Some("EndOfTurn"));
    assert_eq!(line.of("TurnInfo").last().map(|(_, info)| info["trigger"].clone()), Some(json!("manual")));
    line.speak(&bursts(&[600, 500]));
    line.text(r#"{"type":"CloseStream"}"#);
    line.dialect.binary(line.now_us, &[0; 640]);
    line.dialect.binary(line.now_us, &[0; 640]);
    line.until("it is over", |line| line.closing().is_some());
    let last = turns(&line).pop().expect("there was speech");
    assert_eq!((last.0.as_str(), last.1, last.2.is_empty()), ("EndOfTurn", 1, false));
    assert_eq!(line.closing(), Some(&Closing { code: 1000, reason: "finished".into() }));
    assert_eq!(line.of("Warning").len(), 1, "audio behind the end is told once");
    sound(&line);
}

#[test]
fn thresholds_change_and_are_repeated() {
    let mut line = connect(plan(SCENE, Arc::new(Counted)), QUERY);
    line.text(r#"{"type":"Configure","thresholds":{"eager_eot_threshold":0.4,"eot_timeout_ms":1000},"keyterms":["x"]}"#);
    line.text(r#"{"type":"Configure","thresholds":{"eot_threshold":0.95}}"#);
    line.text(r#"{"type":"KeepAlive"}"#);
    line.carry();
    let success = line.of("ConfigureSuccess")[0].1;
    let thresholds = json!({"eager_eot_threshold": 0.4, "eot_threshold": 0.7, "eot_timeout_ms": 1000});
    assert_eq!((&success["thresholds"], &success["keyterms"]), (&thresholds, &json!(["x"])));
    let failure = line.of("ConfigureFailure")[0].1;
    assert!(failure["description"].as_str().is_some_and(|text| text.contains("0.5 to 0.9")), "{failure}");
    line.speak(&bursts(&[200, 700, 900]));
    assert_eq!(names(&line), ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]);
    sound(&line);
}

#[test]
fn what_cannot_be_understood_ends_the_connection_with_an_error() {
    for (text, close) in [("{", 1008), (r#"{"type":"Hello"}"#, 1008), ("7", 1008)] {
        let mut line = eager(plan(SCENE, Arc::new(Counted)));
        line.speak(&bursts(&[200, 500]));
        line.text(text);
        line.carry();
        // The turn that is open is told as it stands.
        assert_eq!(names(&line), ["StartOfTurn", "EndOfTurn"]);
        let last = (*line.texts().last().expect("there are some")).clone();
        assert_eq!((&last["type"], &last["code"]), (&json!("Error"), &json!("UNPARSABLE_CLIENT_MESSAGE")));
        assert_eq!(line.closing().map(|closing| closing.code), Some(close));
        let told = line.got.len();
        line.text(text);
        line.dialect.binary(line.now_us, &[0; 640]);
        line.ticks(100);
        assert_eq!(line.got.len(), told, "nothing follows");
        sound(&line);
    }
}

#[test]
fn audio_is_taken_in_pieces_of_any_size() {
    let samples = bursts(&[200, 700, 300, 700, 900]);
    let mut bytes = Vec::new();
    mynah_dialects::pcm::Encoding::S16.encode(&samples, &mut bytes);
    for piece in [641, 2_560, 7_001, bytes.len()] {
        let mut line = eager(plan(SCENE, Arc::new(Counted)));
        for part in bytes.chunks(piece) {
            line.until("there is room", |line| line.dialect.has_room());
            line.dialect.binary(line.now_us, part);
            line.tick();
        }
        line.text(r#"{"type":"CloseStream"}"#);
        line.until("it is over", |line| line.closing().is_some());
        // Where audio comes faster than it is spoken, the first end is over before its words are there.
        let told = turns(&line);
        assert_eq!(told[0], ("StartOfTurn".into(), 0, "".into()), "{piece}");
        assert_eq!(told.last(), Some(&("EndOfTurn".into(), 0, "w0 w1 w2 w3".into())), "{piece}");
        sound(&line);
    }
    let mut line = eager(plan(SCENE, Arc::new(Counted)));
    line.dialect.binary(line.now_us, &vec![0; AUDIO_BYTES_MAX + 1]);
    line.carry();
    assert_eq!(line.closing().map(|closing| closing.code), Some(1009));
}

#[test]
fn a_server_that_ends_waits_for_the_turn_and_one_that_cannot_serve_says_so() {
    let mut line = eager(plan(SCENE, Arc::new(Counted)));
    line.speak(&bursts(&[200, 500]));
    line.dialect.end(line.now_us, Ending::AfterTurn);
    line.ticks(10);
    assert!(line.closing().is_none());
    line.speak(&bursts(&[0, 400, 900]));
    line.until("it is over", |line| line.closing().is_some());
    assert_eq!(line.closing().map(|closing| closing.code), Some(1001));
    // All that was said is in it.
    assert_eq!(
        line.of("TurnInfo").last().map(|(_, info)| info["audio_window_end"].clone()),
        Some(json!(1.1))
    );
    assert_eq!(names(&line).last().map(String::as_str), Some("EndOfTurn"));

    // The engine has room for four.
    let mut line =
        Connection::new(plan(SCENE, Arc::new(Counted)), Flux::new(QUERY).expect("it can be served"));
    let spec = |at: u32| mynah_engine::SessionSpec::named(format!("{at}"));
    let others: Vec<_> =
        (0..4).map(|at| line.engine.handle().open(spec(at)).expect("there is room")).collect();
    line.carry();
    assert_eq!(line.of("Error").len(), 1, "{:?}", line.got);
    assert_eq!(line.closing().map(|closing| closing.code), Some(1008));
    assert_eq!(others.len(), 4);
}

/// A sentence with a pause in the middle, as a voice says it.
fn spoken(pause_ms: usize) -> Vec<f32> {
    let flite = Flite::new().expect("the voice is part of the program");
    let mut sound = vec![0.0; 8_000];
    for part in ["I would like to fly to Boston", "on the second of May"] {
        let mut said = Vec::new();
        let made = flite.synthesize(part, VoiceStyle::default(), &mut |piece: &[f32]| {
            said.extend_from_slice(piece);
            ControlFlow::Continue(())
        });
        assert!(made.is_ok(), "the style is in range");
        // The voice is silent before and behind its words.
        let loud = |sample: &f32| sample.abs() > 0.02;
        let from = said.iter().position(loud).unwrap_or(0);
        let to = said.iter().rposition(loud).unwrap_or(0);
        sound.extend_from_slice(&said[from..=to]);
        sound.resize(sound.len() + pause_ms * 16, 0.0);
    }
    sound.resize(sound.len() + 16_000, 0.0);
    sound
}

/// The scene that is shipped, with words from a script: gate, levels and detector are its own.
#[test]
fn the_shipped_scene_tells_a_pause_in_speech() {
    let sets = ["services.asr.output=SimulatedTranscript"];
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let compiled = mynah_sim::scenes::compile("transcribe", &sets, None, Some(Arc::new(Counted)));
    let (plan, _) = compiled.unwrap_or_else(|failure| panic!("{failure}"));
    let mut line = eager(plan);
    line.speak(&spoken(300));
    line.text(r#"{"type":"CloseStream"}"#);
    line.until("it is over", |line| line.closing().is_some());
    let want = ["StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "EndOfTurn"];
    assert_eq!(names(&line), want, "{:#?}", turns(&line));
    sound(&line);
    let all: Vec<&Value> = line.texts();
    assert_eq!(all.len(), 6, "{all:#?}");
}
