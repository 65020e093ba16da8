//! The native protocol behind a WebSocket, beside a real engine in virtual time: what a call is told, and how it ends.

#[path = "support/connection.rs"]
mod connection;
#[path = "support/native_line.rs"]
mod native_line;

use std::sync::{Arc, Mutex};

use connection::{Connection, Got, TOKEN, bursts, wants_ack};
use mynah_dialects::native::Native;
use mynah_dialects::{Closing, Dialect, Ending, Tap, TurnTimes};
use mynah_engine::edge::OutAudio;
use mynah_engine::wire::message::segment_id;
use mynah_engine::{Event, SessionEvent};
use native_line::{CAPTIONS, GATE, TALK, connect, opened, plain};
use serde_json::{Value, json};

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
        // Of an answer media time counts from its first sample.
        let mut answers = tags.iter().filter(|tag| tag["revision"] != 0);
        assert!(answers.all(|tag| tag["pts_us"] == 0), "{tags:#?}");
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
    let ends = line.of("EndOfSpeech");
    assert_eq!(ends.last().expect("it ended").1["message_type"]["EndOfSpeech"]["at_timestamp"], 1_000_000);
    assert!(line.of("error").is_empty(), "what comes behind is not the client's fault");

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
