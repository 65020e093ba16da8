//! The native protocol behind a WebSocket and without one, beside a real engine in virtual time.

#[path = "support/connection.rs"]
mod connection;

use std::sync::{Arc, Mutex};

use connection::{Connection, Got, TOKEN, Words, bursts, plan, wants_ack};
use mynah_dialects::native::{Listening, Native, NativeConfig, NativeOutput, NativeSession, Notes, Opening};
use mynah_dialects::pcm::Encoding;
use mynah_dialects::{Closing, Dialect, Ending, Opened, Refusal, Tap, TurnTimes};
use mynah_engine::edge::OutAudio;
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, Interruption};
use mynah_engine::wire::message::{AckStage, segment_id};
use mynah_engine::{Engine, EngineConfig, Event, SessionEvent};
use serde_json::{Value, json};

/// Anything loud is speech; somebody says the same again and again, and is answered.
const TALK: &str = r#"(
    name: "talk",
    session: (
        input: (rate_hz: 16000),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 40), interrupt_min_ms: 300),
    ),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 200, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
        (id: "text", kind: TextCollector()),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [
        ("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "text"), ("text", "tts"),
        ("said", "tts"), ("tts", "output"),
    ],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "reply": (output: ScriptedReply(template: "You said {text}."), timing: (latency: Fixed(ms: 10))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 10), speed: 100)),
    },
)"#;

/// What the gate forwards leaves at once, and is taken back where it was nothing.
const GATE: &str = r#"(
    name: "gate",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 200, min_silence_ms: 200, forward: Always))],
    edges: [("input", "gate"), ("gate", "output")],
)"#;

/// What is recognised leaves as text.
const CAPTIONS: &str = r#"(
    name: "captions",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 200, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "output")],
    services: {"asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10)))},
)"#;

const CONFIG: NativeConfig = NativeConfig { epoch_us: 0, resume_ms: 1_000 };

fn connect(scene: &str) -> Connection<Native> {
    Connection::new(plan(scene, Arc::new(Words("hello there"))), Native::new(0, CONFIG))
}

/// A connection with an open session.
fn opened(scene: &str, open: &str) -> Connection<Native> {
    let mut line = connect(scene);
    line.text(open);
    line.carry();
    assert_eq!(line.texts()[0]["type"], "opened", "{:?}", line.got);
    line
}

fn plain(scene: &str) -> Connection<Native> {
    opened(scene, r#"{"type":"open","session":"caller"}"#)
}

#[test]
fn every_field_of_open_reaches_the_session() {
    let opening = Opening::parse(
        r#"{"type":"open","session":"caller-7","input":{"rate_hz":24000,"channels":2,"encoding":"f32"},
            "output":{"rate_hz":48000},"params":{"language":"en"},"lead_ms":120,"latency_ms":30,
            "gate":{"threshold":0.8,"release_threshold":0.6,"min_speech_ms":80,"min_silence_ms":300,"lookahead_ms":20,
            "pad_ms":100,"half_duplex":true,"echo_tail_ms":150,"raise_threshold_while_speaking":0.95,"mode":"Shut"},
            "interruption":400,"history":{"schema":1,"entries":[
            {"entry":"said","by":"user","turn":1,"text":"Hi.","interrupted":false}]},
            "notes":["speech","probability","partial","words","turns"]}"#,
    );
    let opening = opening.expect("it is right");
    let spec = &opening.spec;
    assert_eq!(spec.name, "caller-7");
    assert_eq!(spec.input, Some(Format { rate_hz: 24_000, channels: 2 }));
    assert_eq!(spec.output, Some(Format { rate_hz: 48_000, channels: 1 }));
    assert_eq!((opening.input, opening.output), (Encoding::F32, Encoding::S16));
    assert_eq!(spec.params.text("language"), Some("en"));
    assert_eq!((spec.lead_ms, spec.latency_ms), (Some(120), 30));
    let gate = &spec.gate;
    let numbers = [
        gate.threshold,
        gate.release_threshold,
        gate.min_speech_ms,
        gate.min_silence_ms,
        gate.lookahead_ms,
        gate.pad_ms,
        gate.echo_tail_ms,
        gate.raise_threshold_while_speaking,
    ];
    assert_eq!(numbers, [0.8, 0.6, 80.0, 300.0, 20.0, 100.0, 150.0, 0.95].map(Some));
    assert_eq!((gate.half_duplex, gate.mode), (Some(true), GateMode::Shut));
    assert_eq!(spec.interruption, Some(Interruption::AfterMs(400)));
    assert_eq!(spec.history.entries().len(), 1);
    assert_eq!(
        opening.notes,
        Notes { speech: true, probability: true, partial: true, words: true, turns: true }
    );
    assert!(spec.events && spec.traced);
    let never = Opening::parse(r#"{"interruption":"never"}"#).expect("its type may be left out");
    assert_eq!(never.spec.interruption, Some(Interruption::Never));
    assert!(never.spec.name.is_empty() && !never.spec.traced && never.spec.input.is_none());
}

#[test]
fn a_wrong_field_is_named_with_what_would_do() {
    let cases: [(&str, &[&str]); 14] = [
        (r#"{"sesion":"a"}"#, &["sesion", "session"]),
        (r#"{"session":""}"#, &["session", "1 to 128"]),
        (r#"{"session":7}"#, &["session", "string"]),
        (r#"{"type":"opn"}"#, &["type", "open"]),
        (r#"{"input":{"rate":8000}}"#, &["input", "rate_hz"]),
        (r#"{"input":{"channels":2}}"#, &["input", "rate_hz"]),
        (r#"{"output":{"rate_hz":8000,"encoding":"mp3"}}"#, &["output", "s16", "f32"]),
        (r#"{"params":[1]}"#, &["params", "map"]),
        (r#"{"lead_ms":-1}"#, &["lead_ms", "u32"]),
        (r#"{"gate":{"treshold":0.5}}"#, &["gate", "treshold", "threshold"]),
        (r#"{"gate":{"mode":"auto"}}"#, &["gate", "Auto", "Open", "Shut"]),
        (r#"{"interruption":true}"#, &["interruption", "never", "milliseconds"]),
        (r#"{"history":{"schema":2,"entries":[]}}"#, &["history", "schema 2", "expected 1"]),
        (r#"{"notes":["speech","prob"]}"#, &["notes", "prob", "probability"]),
    ];
    let mut wrong = Vec::new();
    for (text, parts) in cases {
        match Opening::parse(text) {
            Ok(_) => wrong.push(format!("{text}: taken")),
            Err(Refusal { code, message }) => {
                let lacks = parts.iter().filter(|part| !message.contains(**part)).collect::<Vec<_>>();
                if code != "bad_request" || !lacks.is_empty() {
                    wrong.push(format!("{text}: {code}: {message}: lacks {lacks:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What only the engine knows is judged when the session is opened.
    for (open, part) in [
        (r#"{"type":"open","input":{"rate_hz":7000}}"#, "8000 to 192000"),
        (r#"{"type":"open","gate":{"threshold":2}}"#, "threshold"),
        (r#"{"type":"open","interruption":50}"#, "100 to 5000"),
        (r#"{"type":"open","lead_ms":99999}"#, "lead_ms"),
    ] {
        let mut line = connect(TALK);
        line.text(open);
        line.carry();
        let message = line.texts()[0]["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(part), "{open}: {:?}", line.got);
        assert_eq!(line.closing().map(|closing| closing.code), Some(1008), "{open}");
        assert!(line.session.is_none());
    }
}

#[test]
fn a_connection_that_opens_nothing_is_closed_after_ten_seconds() {
    let mut line = connect(TALK);
    line.ticks(1_999);
    assert!(line.got.is_empty());
    line.ticks(2);
    assert_eq!(line.texts()[0]["error"]["code"], "timeout");
    assert_eq!(line.closing().map(|closing| closing.code), Some(1008));
    for first in
        [r#"{"type":"finish"}"#, r#"{"message_type":{"EndTurn":{}}}"#, "{", "[]", r#"{"type":"resume"}"#]
    {
        let mut line = connect(TALK);
        line.text(first);
        line.carry();
        assert_eq!(
            (line.got.len(), line.closing().map(|c| c.code)),
            (2, Some(1008)),
            "{first}: {:?}",
            line.got
        );
    }
}

#[test]
fn messages_are_acknowledged_both_ways() {
    let mut line = plain(TALK);
    let opened = line.texts()[0].clone();
    let pcm = json!({"rate_hz": 16000, "channels": 1, "encoding": "s16"});
    let want = json!({"type": "opened", "session": "caller", "generation": 1, "token": TOKEN, "resume_ms": 1000,
        "scene": "test", "input": pcm, "output": pcm});
    assert_eq!(opened, want);
    let id = line.control(r#"{"SendText":{"text":"good morning"}}"#);
    line.until("it is answered", |line| !line.of("AnswerEnded").is_empty());
    let acks: Vec<_> = line.of("Ack").iter().map(|(_, ack)| ack["message_type"]["Ack"].clone()).collect();
    let ack = |stage: &str| json!({"message_id": id, "stage": stage});
    assert_eq!(acks, [ack("Delivered"), ack("Applied")]);
    line.speak(&bursts(&[200, 600, 900]));
    line.until("it is answered", |line| line.of("AnswerEnded").len() == 2);
    let wanted = line.texts().into_iter().filter(|message| wants_ack(message)).count() as u64;
    let figures = line.dialect.figures();
    assert!(wanted >= 3, "{:#?}", line.texts());
    assert_eq!((figures.sent, figures.acked, figures.retried, figures.failed), (wanted, wanted, 0, 0));
    let transcript = line.of("Transcript")[0].1.clone();
    assert_eq!(transcript["message_type"]["Transcript"]["text"], "hello there");
    let ids: Vec<u64> = line.texts().iter().filter_map(|message| message["message_id"].as_u64()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn what_is_not_acknowledged_is_sent_again_and_given_up() {
    let mut line = plain(TALK);
    line.acknowledges = false;
    line.speak(&bursts(&[200, 400]));
    line.ticks(100);
    let confirms: Vec<u64> = line.of("ConfirmSpeculation").iter().map(|(us, _)| *us).collect();
    let gaps: Vec<u64> = confirms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [50_000; 3]);
    let figures = line.dialect.figures();
    assert_eq!((figures.acked, figures.failed), (0, figures.sent));
    assert_eq!(figures.retried, 3 * figures.sent);
}

#[test]
fn a_message_that_comes_again_is_acknowledged_again_and_has_no_second_effect() {
    let mut line = plain(TALK);
    let id = line.control(r#"{"SendText":{"text":"good morning"}}"#);
    line.ticks(2);
    line.control_as(id, r#"{"SendText":{"text":"good morning"}}"#);
    line.until("it is answered", |line| !line.of("AnswerEnded").is_empty());
    line.ticks(400);
    assert_eq!(line.of("AnswerStarted").len(), 1);
    let delivered =
        line.of("Ack").into_iter().filter(|(_, ack)| ack["message_type"]["Ack"]["message_id"] == id);
    assert!(delivered.count() >= 2, "{:#?}", line.of("Ack"));
}

/// Segment, revision, turn, and the media time from and to.
type Origin = (u32, u32, u32, u64, u64);

/// Where blocks come from, as they are sent.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<Origin>>>);

impl Tap for Sent {
    fn heard(&mut self, _: u64, _: &[f32]) {}
    fn said(&mut self, _: u64, audio: &OutAudio) {
        let us = audio.block.len() as u64 * 1_000_000 / 16_000;
        let origin = (audio.segment, audio.revision, audio.turn, audio.pts_us, audio.pts_us + us);
        self.0.lock().expect("nobody panicked").push(origin);
    }
    fn told(&mut self, _: u64, _: &SessionEvent) {}
}

/// A call in `scene` with everything that was sent, and where its audio came from.
fn tapped(scene: &str, stretches_ms: &[usize]) -> (Connection<Native>, Vec<Origin>) {
    let sent = Sent::default();
    let mut line = connect(scene);
    line.tap = Some(Box::new(sent.clone()));
    line.text(r#"{"type":"open","session":"caller"}"#);
    line.carry();
    line.speak(&bursts(stretches_ms));
    line.text(r#"{"type":"finish"}"#);
    line.until("it is over", |line| line.closing().is_some());
    let sent = sent.0.lock().expect("nobody panicked").clone();
    (line, sent)
}

#[test]
fn it_is_said_whose_audio_it_is_whenever_that_changes_and_only_then() {
    for (scene, stretches) in [
        (TALK, &[200, 600, 3_000, 500, 2_500][..]),
        // Into the answer.
        (TALK, &[200, 600, 900, 1_200, 3_000]),
        (GATE, &[300, 500, 700, 120, 800, 900, 400]),
    ] {
        let (line, sent) = tapped(scene, stretches);
        let name = |segment| segment_id("caller", 1, segment).to_string();
        let (mut tags, mut blocks) = (Vec::new(), sent.iter());
        let mut current = None;
        for (_, got) in &line.got {
            match got {
                Got::Text(message) if message["type"] == "audio" => {
                    tags.push(message.clone());
                    current = Some(message.clone());
                }
                Got::Audio(bytes) => {
                    let (segment, revision, turn, from_us, to_us) = *blocks.next().expect("it was sent");
                    assert_eq!(bytes.len() as u64, (to_us - from_us) * 32 / 1_000);
                    let tag = current.as_ref().expect("a tag comes first");
                    assert_eq!(tag["segment"], if segment == 0 { Value::Null } else { name(segment).into() });
                    assert_eq!((&tag["revision"], &tag["turn"]), (&json!(revision), &json!(turn)));
                }
                _ => {}
            }
        }
        assert_eq!(blocks.count(), 0, "all of it was sent");
        let changes = sent.windows(2).filter(|pair| {
            let ((a, b, c, _, end), (d, e, f, from, _)) = (pair[0], pair[1]);
            (a, b, c) != (d, e, f) || from.abs_diff(end) > 1_000
        });
        assert_eq!(tags.len(), changes.count() + 1, "{scene}: {tags:#?}");
        assert!(tags.len() > 1);
    }
}

#[test]
fn corrections_name_audio_that_was_sent() {
    // The second burst is too short to be speech, and silence is none.
    let (line, _) = tapped(GATE, &[300, 500, 700, 120, 800, 900, 400]);
    let tags: Vec<&Value> = line.of("audio").into_iter().map(|(_, tag)| &tag["segment"]).collect();
    let mut late = 0;
    for (_, message) in line.of("CancelSpeculation") {
        let sent = tags.contains(&&message["target_segment_id"]);
        assert_eq!(message["message_type"]["CancelSpeculation"]["late"], sent, "{message}");
        late += usize::from(sent);
    }
    assert!(late > 3, "{:#?}", line.texts());
    for kind in ["ConfirmSpeculation", "EndOfSpeech"] {
        assert!(!line.of(kind).is_empty());
        for (_, message) in line.of(kind) {
            assert!(tags.contains(&&message["target_segment_id"]), "{message}");
        }
    }
}

#[test]
fn an_interruption_names_the_turn_whose_audio_was_sent() {
    let (line, _) = tapped(TALK, &[200, 600, 900, 1_200, 3_000]);
    let interrupted = line.of("AnswerInterrupted");
    assert!(!interrupted.is_empty(), "{:#?}", line.texts());
    let turns: Vec<&Value> = line.of("audio").into_iter().map(|(_, tag)| &tag["turn"]).collect();
    assert!(turns.contains(&&interrupted[0].1["turn"]), "{turns:?}");
}

#[test]
fn text_leaves_with_its_origin() {
    let mut line = plain(CAPTIONS);
    assert_eq!(line.texts()[0]["output"], Value::Null);
    line.speak(&bursts(&[200, 500, 800]));
    let texts = line.of("text");
    let segment = segment_id("caller", 1, 1).to_string();
    let want = json!({"type": "text", "text": "hello there", "segment": segment, "revision": 1, "turn": 1});
    assert_eq!(texts.iter().map(|(_, text)| (*text).clone()).collect::<Vec<_>>(), [want]);
}

#[test]
fn notes_come_where_they_were_asked_for() {
    let all = r#"{"type":"open","session":"caller","notes":["speech","probability","words","turns"]}"#;
    let mut line = opened(TALK, all);
    line.speak(&bursts(&[200, 600, 900]));
    let stages = [("gate", 240.0), ("asr", 10.0)];
    let now_us = line.now_us;
    line.dialect.turn(now_us, &TurnTimes { turn: 1, response_ms: 250.0, stages: &stages });
    line.until("it is answered", |line| !line.of("AnswerEnded").is_empty());
    let segment = segment_id("caller", 1, 1).to_string();
    let started = line.of("speech_started");
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].1["segment"], segment);
    let want = json!({"type": "turn", "turn": 1, "response_ms": 250.0,
        "stages": [{"stage": "gate", "ms": 240.0}, {"stage": "asr", "ms": 10.0}]});
    assert_eq!(line.of("turn")[0].1, &want);
    let spoken = line.of("spoken");
    let words: Vec<&str> = spoken
        .iter()
        .flat_map(|(_, note)| note["times"].as_array().expect("times"))
        .filter_map(|time| time["word"].as_str())
        .collect();
    assert_eq!(words, ["You", "said", "hello", "there."]);
    // Every judgement, in order, in few messages.
    let notes = line.of("probability");
    let mut told: Vec<(u64, f64)> = Vec::new();
    for (_, note) in &notes {
        let more = note["more"].as_array().cloned().unwrap_or_default();
        let pair = |at: &Value, p: &Value| (at.as_u64().expect("a time"), p.as_f64().expect("a number"));
        told.extend(more.iter().map(|judged| pair(&judged[0], &judged[1])));
        told.push(pair(&note["at_us"], &note["p"]));
    }
    let gaps: Vec<u64> = notes.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|us| *us >= 40_000), "{gaps:?}");
    let judged: Vec<u64> = line
        .records
        .iter()
        .filter_map(|record| match record.event {
            Event::Probability { at_us, .. } => Some(at_us),
            _ => None,
        })
        .collect();
    let told: Vec<u64> = told.iter().map(|(at_us, _)| *at_us).collect();
    assert!(judged.len() > 30 && judged.starts_with(&told) && judged.len() - told.len() < 8, "{told:?}");
    // Who asks for nothing is told nothing.
    let mut line = plain(TALK);
    line.speak(&bursts(&[200, 600, 900]));
    line.until("it is answered", |line| !line.of("AnswerEnded").is_empty());
    for kind in ["speech_started", "probability", "spoken", "turn"] {
        assert!(line.of(kind).is_empty(), "{kind}");
    }
}

#[test]
fn a_finished_session_answers_and_closes_and_one_that_hangs_up_closes_at_once() {
    let mut line = plain(TALK);
    line.speak(&bursts(&[200, 600]));
    line.text(r#"{"type":"finish"}"#);
    line.dialect.binary(line.now_us, &[0, 0]);
    line.until("it is over", |line| line.closing().is_some());
    // Told once it begins, and again when its last sample has left.
    let lines: Vec<&Value> =
        line.of("Line").iter().map(|(_, told)| &told["message_type"]["Line"]["until_us"]).collect();
    assert_eq!((lines.len(), lines[0].is_null(), lines[1].is_u64()), (2, true, true));
    assert_eq!(line.of("error").len(), 1, "audio behind the end is refused");
    assert_eq!(line.closing(), Some(&Closing { code: 1000, reason: "finished".into() }));
    let last = line.texts().last().expect("there are some")["message_type"].clone();
    assert_eq!(last, json!({"Closed": {"reason": "finished"}}));
    let told = line.got.len();
    line.ticks(200);
    assert_eq!(line.got.len(), told, "nothing follows");

    let mut line = plain(TALK);
    line.text(r#"{"type":"close"}"#);
    line.until("it is over", |line| line.closing().is_some());
    assert_eq!(line.closing(), Some(&Closing { code: 1000, reason: "hung_up".into() }));
}

#[test]
fn a_flood_closes_the_session_with_its_reason() {
    let mut line = plain(TALK);
    for _ in 0..600 {
        line.control(r#"{"Interrupt":{"mode":"Soft"}}"#);
    }
    line.until("it is over", |line| line.closing().is_some());
    assert_eq!(line.closing(), Some(&Closing { code: 4000, reason: "control_overflow".into() }));
    assert_eq!(line.of("error")[0].1["error"]["code"], "control_overflow");
}

#[test]
fn a_drained_session_ends_when_nobody_speaks() {
    let mut line = plain(TALK);
    line.speak(&bursts(&[200, 400]));
    line.dialect.end(line.now_us, Ending::AfterTurn);
    line.speak(&bursts(&[0, 400]));
    assert!(line.closing().is_none(), "somebody speaks");
    line.speak(&bursts(&[600]));
    line.until("it is over", |line| line.closing().is_some());
    assert_eq!((line.closing().map(|closing| closing.code), line.of("AnswerStarted").len()), (Some(1001), 1));

    let mut line = plain(TALK);
    line.speak(&bursts(&[200, 400]));
    line.dialect.end(line.now_us, Ending::AfterTurn);
    line.dialect.end(line.now_us, Ending::Now);
    line.ticks(80);
    assert_eq!(line.closing().map(|closing| closing.code), Some(1001));
}

#[test]
fn errors_are_told_once_a_second_with_a_count_of_the_silent_ones() {
    let mut line = plain(TALK);
    for _ in 0..10 {
        line.text("no json");
        line.dialect.binary(line.now_us, &[1, 2, 3]);
        line.ticks(50);
    }
    let silent: Vec<u64> =
        line.of("error").iter().map(|(_, error)| error["error"]["silent"].as_u64().unwrap_or(0)).collect();
    assert_eq!(silent, [0, 7, 7]);
    assert!(line.closing().is_none());
    // Over a second of audio is none of the session's.
    line.ticks(200);
    line.dialect.binary(line.now_us, &vec![0; 32_002]);
    line.carry();
    let last = line.of("error").last().expect("it was told").1.clone();
    assert_eq!(last["error"]["code"], "bad_audio");
    line.text(&format!(r#"{{"type":"{}"}}"#, "x".repeat(70_000)));
    line.until("it is over", |line| line.closing().is_some());
    assert_eq!(line.closing().map(|closing| closing.code), Some(1009));
}

/// A session that lost its connection after it was told of speech, which it has not acknowledged.
fn lost() -> (Engine, u64, Box<NativeSession>) {
    let mut line = plain(TALK);
    line.acknowledges = false;
    line.control(r#"{"Set":{"params":{"language":"en"}}}"#);
    line.speak(&bursts(&[200, 200]));
    assert!(!line.of("ConfirmSpeculation").is_empty());
    let parked = Box::new(line.dialect).park(line.now_us).expect("it goes on");
    (line.engine, line.now_us, parked)
}

/// Polls a session that nobody listens to, while its engine goes on.
fn alone(engine: &mut Engine, now_us: &mut u64, session: &mut NativeSession, ticks: usize) {
    for _ in 0..ticks {
        *now_us += connection::TICK_US;
        engine.tick(*now_us);
        match session.poll(*now_us) {
            NativeOutput::Wait { .. } => {}
            other => panic!("nobody listens, and yet: {other:?}"),
        }
    }
}

#[test]
fn a_lost_connection_is_taken_up_within_its_time() {
    let (mut engine, mut now_us, mut session) = lost();
    let silence = vec![0_u8; 640];
    for _ in 0..40 {
        session.audio(now_us, &silence).expect("it takes audio");
        alone(&mut engine, &mut now_us, &mut session, 4);
    }
    assert!(!session.is_over());
    let losses = session.losses();
    assert!(losses.untold > 0, "the answer began: {losses:?}");
    let mut line = Connection::to(engine, now_us, Native::new(now_us, CONFIG));
    line.session = Some(session.session().clone());
    line.sent = 1;
    line.text(&json!({"type": "resume", "session": "caller", "token": TOKEN}).to_string());
    assert!(!line.dialect.has_room());
    line.carry();
    assert_eq!(line.resumption, Some(("caller".to_owned(), TOKEN.to_owned())));
    line.dialect.resumed(line.now_us, Ok(session));
    line.carry();
    assert_eq!(line.texts()[0], &json!({"type": "resumed", "newest_id": 1}));
    let again: Vec<String> = line
        .texts()
        .iter()
        .filter(|message| wants_ack(message))
        .filter_map(|message| message["message_type"].as_object()?.keys().next().cloned())
        .collect();
    assert_eq!(again, ["ConfirmSpeculation", "EndOfSpeech", "EndOfSpeech"], "{:#?}", line.texts());
    assert!(line.of("Transcript").is_empty() && line.of("AnswerStarted").is_empty(), "events are not kept");
    // It goes on as before.
    line.until("the answer ends", |line| !line.of("AnswerEnded").is_empty());
    assert_eq!(line.dialect.figures().failed, 0);
}

#[test]
fn a_new_connection_is_told_whose_audio_goes_on_and_what_was_wrong() {
    // At once, or after a tenth of a second of the answer.
    for ticks in [0, 20] {
        taken_up_after(ticks);
    }
}

fn taken_up_after(ticks: usize) {
    let mut line = plain(TALK);
    line.speak(&bursts(&[200, 600, 240]));
    line.until("the answer sounds", |line| matches!(line.got.last(), Some((_, Got::Audio(_)))));
    let (mut engine, mut now_us) = (line.engine, line.now_us);
    let mut session = Box::new(line.dialect).park(now_us).expect("it goes on");
    session.text(now_us, "rubbish");
    alone(&mut engine, &mut now_us, &mut session, ticks);
    let unheard_us = session.losses().unheard_us;
    assert!(unheard_us.abs_diff(ticks as u64 * 5_000) <= 20_000, "{unheard_us} us");
    let mut line = Connection::to(engine, now_us, Native::new(now_us, CONFIG));
    line.session = Some(session.session().clone());
    line.text(r#"{"type":"resume","session":"caller","token":"t0"}"#);
    line.carry();
    line.dialect.resumed(now_us, Ok(session));
    line.until("it sounds again", |line| line.got.iter().any(|(_, got)| matches!(got, Got::Audio(_))));
    let kinds: Vec<&Value> = line.texts().into_iter().map(|message| &message["type"]).collect();
    assert_eq!(kinds[..2], [&json!("resumed"), &json!("error")]);
    let tag = line.got.iter().position(|(_, got)| matches!(got, Got::Text(told) if told["type"] == "audio"));
    let audio = line.got.iter().position(|(_, got)| matches!(got, Got::Audio(_)));
    assert!(tag.is_some() && tag < audio, "{tag:?} {audio:?}");
}

#[test]
fn a_lost_connection_that_nobody_takes_up_ends_the_session() {
    let (mut engine, mut now_us, mut session) = lost();
    // A request without a connection begins the time anew.
    alone(&mut engine, &mut now_us, &mut session, 150);
    session.audio(now_us, &[0; 640]).expect("it takes audio");
    alone(&mut engine, &mut now_us, &mut session, 199);
    assert!(!session.is_over());
    alone(&mut engine, &mut now_us, &mut session, 3);
    assert!(session.is_over() && session.session().is_closed());
    // Who comes later is told so by the server.
    let mut line = Connection::to(engine, now_us, Native::new(now_us, CONFIG));
    line.text(r#"{"type":"resume","session":"caller","token":"t0"}"#);
    line.carry();
    line.dialect.resumed(line.now_us, Err(Refusal::new("not_found", "no such session: open one")));
    line.carry();
    assert_eq!(line.texts()[0]["error"]["code"], "not_found");
    assert_eq!(line.closing().map(|closing| closing.code), Some(1008));
}

#[test]
fn over_plain_http_messages_and_audio_have_a_reader_each() {
    let config = EngineConfig { shards: Some(1), ..EngineConfig::simulated() };
    let mut engine = Engine::new(plan(TALK, Arc::new(Words("hello there"))), config);
    let opening = Opening::parse(r#"{"session":"caller"}"#).expect("it is right");
    let handle = engine.handle().open(opening.spec.clone()).expect("there is room");
    let open = Opened { session: handle, scene: "talk".into(), token: Some(TOKEN.into()), tap: None };
    let mut session = NativeSession::new(open, &opening, CONFIG).expect("it has a name");
    session.listen(0, Listening { messages: false, audio: true });
    let (mut now_us, mut heard, mut rest) = (0, 0, Vec::new());
    // A body that was cut anywhere.
    let mut bytes = Vec::new();
    Encoding::S16.encode(&bursts(&[200, 500, 1_500]), &mut bytes);
    for piece in bytes.chunks(637) {
        rest.extend_from_slice(piece);
        let taken = session.audio(now_us, &rest).expect("it takes audio");
        rest.drain(..taken);
        for _ in 0..4 {
            now_us += connection::TICK_US;
            engine.tick(now_us);
            loop {
                match session.poll(now_us) {
                    NativeOutput::Audio { bytes, .. } => heard += bytes.len(),
                    NativeOutput::Wait { .. } => break,
                    other => panic!("nobody reads messages, and yet: {other:?}"),
                }
            }
        }
    }
    assert!(heard > 16_000, "{heard} bytes of the answer");
    session.reconnected(now_us);
    let mut ids = Vec::new();
    while let NativeOutput::Event { kind, id, json } = session.poll(now_us) {
        assert_eq!(kind, "control_message", "{json}");
        ids.extend(id);
    }
    assert_eq!(ids.len(), 3, "confirmed, seemed to end, ended");
    for id in &ids {
        for _ in 0..2 {
            session.acknowledge(now_us, *id, AckStage::Delivered).expect("repeating it is fine");
        }
    }
    assert_eq!(session.figures().acked, 3);
    assert!(session.acknowledge(now_us, u64::MAX, AckStage::Delivered).is_err());
    let refused = session.message(now_us, "{}").unwrap_err();
    assert_eq!(refused.code, "bad_message");
    session.message(now_us, r#"{"type":"close"}"#).expect("it is one");
}
